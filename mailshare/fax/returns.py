"""Faxes back to callers whose fax could not be delivered here (RFC 4160 section 4.6).

A fax that came in may leave by mail, and that mail may bounce: the server of a recipient refuses it at once, or a
report comes in later. Whoever sent the fax has no mailbox; so one page goes to his number, with words for people and
with the codes of the report. It is sent once for each fax, only to callers whom ``fax.returns`` names, and nobody hears
of it when it fails.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError
from mailshare.core.fax_address import parse_fax_address
from mailshare.core.fax_routing import FaxRoute, route_fax
from mailshare.core.headers import Headers
from mailshare.core.report_parts import date_text, printable
from mailshare.core.returned_parts import MAX_LOOKED_AT, is_report, references, returned_ids
from mailshare.core.values import Event, Origin, Source, Step
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IStore
from mailshare.shell.new_body import new_body

_OURS = re.compile(r"<fax\.[^<>@\s]{1,200}@[^<>@\s]{1,255}>\Z")
_CODES = re.compile(
    rb"^(Final-Recipient|Action|Status|Diagnostic-Code|Remote-MTA)[ \t]*:[ \t]*([^\r\n]{1,300})",
    re.IGNORECASE | re.MULTILINE,
)
_MOST_CODES = 20
_LIFETIME = 24 * 3_600_000_000


def wants_return(rules: FaxRules, number: str) -> bool:
    """Whether a caller gets a fax back."""
    patterns = [FaxRoute((), caller=one) for one in rules.returns]
    return bool(number) and route_fax(patterns, called="", subaddress="", station="", caller=number) is not None


class FaxReturns:
    """Sends faxes back.

    :param rules: gives the rules of now.
    """

    _log = Logger()

    def __init__(
        self, store: IStore, rules: Callable[[], FaxRules], gateway: FaxGateway, clock: IReactorTime
    ) -> None:
        self._store = store
        self._rules = rules
        self._gateway = gateway
        self._clock = clock

    def seen(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message: perhaps a server elsewhere reports that a fax could not be delivered."""
        if self._rules().returns and is_report(headers):
            self._soon(self._look(message_id, headers))

    def reported(self, message_id: str, report: bytes) -> None:
        """This server reports that a message could not be delivered.

        :param message_id: of the message, with angle brackets.
        """
        if self._rules().returns and _OURS.match(message_id):
            self._soon(self._send_back(message_id, report))

    async def _look(self, number: int, headers: Headers) -> None:
        found = await self._store.message(number)
        if found is None:
            return
        body = found[0]
        start = await body.read(body.header_length, MAX_LOOKED_AT)
        for each in (*references(headers), *returned_ids(start)):
            if _OURS.match(each):
                await self._send_back(each, start)
                return

    async def _send_back(self, message_id: str, report: bytes) -> None:
        codes = [
            f"{name.decode('ascii')}: {printable(text.decode('utf-8', 'replace'), 200)}"
            for name, text in _CODES.findall(report)[:_MOST_CODES]
        ]
        if not any(code.casefold().startswith("action: failed") for code in codes):
            return
        trace = hashlib.sha256(f"fax back {message_id}".encode()).hexdigest()[:16]
        known = await self._store.find(message_id)
        if not known or await self._store.find(trace):
            return
        original = await self._store.message(known[0][0])
        if original is None:
            return
        headers = Headers.parse(await original[0].header())
        number = _caller(headers)
        if not wants_return(self._rules(), number):
            return
        hops = self._gateway.onward_number(number)
        octets = _page(self._gateway.address(number), headers, codes, self._now(), trace)
        body = await new_body(self._store, octets)
        origin = Origin(Source.FAX, trace, steps=(Step("fax-onward", f"{message_id} could not be delivered"),))
        await self._store.delivery.deliver(
            Envelope(None, (), size=len(octets)),
            body,
            origin,
            (),
            hops,
            [Event(self._now(), "fax.returned", trace, data={"number": number, "about": message_id})],
            at=self._now(),
            expires=self._now() + _LIFETIME,
        )
        self._store.notifier.wake("fax")

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        done = Deferred.fromCoroutine(work)
        done.addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        if failure.check(MailshareError):
            self._log.warn("a fax is not sent back: {why}", why=failure.value.public)
        else:
            self._log.failure("a fax could not be sent back", failure=failure)

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def _caller(headers: Headers) -> str:
    """The number in From of a mail that the onramp made."""
    boxes = headers.mailboxes("from")
    try:
        found = parse_fax_address(boxes[0].address.local) if boxes else None
    except ValueError:
        return ""
    return found.number if found is not None and found.is_global else ""


def _page(to: str, headers: Headers, codes: Sequence[str], at: int, trace: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "<>", to
    message["Subject"] = "Your fax could not be delivered"
    message["Date"], message["Auto-Submitted"] = date_text(at), "auto-replied"
    words = [
        "Your fax was received here, but it could not be delivered to its reader.",
        "",
        f"It was: {printable(headers.text('subject'), 200)}",
        f"It came: {printable(headers.text('date'), 100)}",
        "",
        "The mail server said:",
        "",
        *(f"  {code}" for code in codes),
        "",
        f"Number of this note: {trace}",
        "",
    ]
    message.set_content("\n".join(words))
    return message.as_bytes(policy=SMTP)
