"""Which lines of the journal somebody wants to see: by what, whose, which way, what came of it, and words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from attrs import asdict, frozen

from mailshare.web.visit import Visit

KINDS = ("route", "collect", "relay", "pop3", "login", "deliver", "report", "print", "fax", "admin", "server")
WAYS = ("in", "out", "inside")
RESULTS = ("good", "waits", "trouble")

_IN = ("collect", "fax.received", "fax.screened", "print.part", "print.job", "print.taken", "print.duplicate", "news")
_OUT = ("relay", "fax.", "printer.", "forward", "print.resend")
_INSIDE = ("pop3", "deliver", "answer", "quota", "login", "fax.fetched")
_TROUBLE = ("failed", "refused", "expired", "poison", "lost", "wrong", "screened", "skipped", "returned")
_WAITS = ("deferred", "held", "paused", "hold")


@frozen
class Wanted:
    """What was filled in above the log; empty = all.

    :ivar kind: how kinds begin. ``way``: one of :data:`WAYS`. ``result``: one of :data:`RESULTS`.
    """

    q: str = ""
    kind: str = ""
    account: str = ""
    user: str = ""
    way: str = ""
    result: str = ""

    @classmethod
    def of(cls, visit: Visit) -> Wanted:
        """As the query says."""
        return cls(**{name: visit.asked(name) for name in ("q", "kind", "account", "user", "way", "result")})

    @property
    def query(self) -> str:
        """The same as a query; empty when all is wanted."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def fits(self, event: Mapping[str, Any]) -> bool:
        """Whether a line is wanted."""
        kind = str(event["kind"])
        return (
            kind.startswith(self.kind)
            and self.account.casefold() in str(event["account"]).casefold()
            and (not self.user or self.user.casefold() in (str(event["user"]).casefold(), _by(event)))
            and self.way in ("", way_of(event))
            and self.result in ("", result_of(kind))
            and (not self.q or self.q.casefold() in json.dumps(event, ensure_ascii=False).casefold())
        )


def _by(event: Mapping[str, Any]) -> str:
    return str(event["data"].get("by", "")).casefold()


def way_of(event: Mapping[str, Any]) -> str:
    """``in`` from the outside, ``out`` to it, ``inside``; empty for what is no mail's way."""
    kind = str(event["kind"])
    if kind == "route":
        return {"collect": "in", "fax": "in"}.get(str(event["data"].get("source", "")), "inside")
    for way, begins in (("inside", _INSIDE), ("in", _IN), ("out", _OUT)):
        if kind.startswith(begins):
            return way
    return ""


def result_of(kind: str) -> str:
    """What a line of this kind says of how it went."""
    last = kind.rpartition(".")[2]
    if last.endswith(_TROUBLE):
        return "trouble"
    return "waits" if last.endswith(_WAITS) else "good"
