"""The log by day, and the whole way of one message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_MOST = 500
_PAGE = 1000
_PAGES = 20  # that are looked at for one page to be shown
_WHOLE = 500  # that are put into one file
_KINDS = ("route", "collect", "relay", "pop3", "login", "deliver", "report", "print", "fax", "admin", "server")


async def log(visit: Visit) -> bytes:
    """One day, newest first, filtered."""
    day = visit.path.get("day", "")
    events = await _matching(visit, day)
    days = list(reversed(await visit.ask("days")))
    last = max((event["id"] for event in events), default=0)
    shown = list(reversed(events))[:_MOST]
    return visit.page(
        "log.html",
        events=shown,
        more=len(events) - len(shown),
        day=day,
        days=days,
        kinds=_KINDS,
        kind=visit.asked("kind"),
        q=visit.asked("q"),
        last=last,
        live=not day and not visit.asked("kind") and not visit.asked("q"),
    )


async def _matching(visit: Visit, day: str, *, whole: bool = False) -> list[dict[str, Any]]:
    kind, wanted = visit.asked("kind"), visit.asked("q").casefold()
    found: list[dict[str, Any]] = []
    after = 0
    # Of today the newest lines are looked at, of a day that is over the first ones; the saved day is whole.
    last = 0 if day else _PAGES * _PAGE
    for _ in range(_PAGES if not whole else _WHOLE):
        page = await visit.ask("log", day=day or None, after=after, limit=_PAGE, last=last)
        found += [one for one in page["events"] if _fits(one, kind, wanted)]
        after = page["next"]
        if not after:
            break
    return found


def _fits(event: Mapping[str, Any], kind: str, wanted: str) -> bool:
    if kind and not str(event["kind"]).startswith(kind):
        return False
    return not wanted or wanted in json.dumps(event, ensure_ascii=False).casefold()


async def download(visit: Visit) -> bytes:
    """A day as lines of JSON."""
    events = await _matching(visit, visit.path["day"], whole=True)
    text = "".join(json.dumps(event, ensure_ascii=True) + "\n" for event in events)
    return visit.file(text.encode(), "application/jsonl", f"mailshare-{visit.path['day']}.jsonl")


async def find(visit: Visit) -> bytes:
    """Lead from what somebody has in hand to the message."""
    return await _traced(visit, visit.asked("id")) if visit.asked("id") else visit.page("trace_find.html")


async def trace(visit: Visit) -> bytes:
    """Every step of one message."""
    return await _traced(visit, visit.path["id"])


async def _traced(visit: Visit, wanted: str) -> bytes:
    chains = await visit.ask("why", id=wanted)
    return visit.page("trace.html", chains=chains, wanted=wanted)


PAGES = (
    Page("/log", log),
    Page("/log/<day>", log),
    Page("/log/<day>/download", download),
    Page("/trace", find),
    Page("/trace/<id>", trace),
)
