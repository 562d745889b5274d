"""Takes faxes that come in: pages are kept before they are confirmed, and become one mail when the call is over.

A stop of the server in the middle leaves the pages on the disk; at the next start they become the mail that they would
have become. The mail's Message-ID follows from the call, so that it is stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import asdict
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.fax_address import format_fax_address
from mailshare.core.fax_routing import FaxRoute, route_fax
from mailshare.core.report_parts import printable
from mailshare.core.trace import trace_id
from mailshare.core.values import Event, Origin, Source, Step
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.fax.files import Incoming
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IFaxReceiver, IIntake, IStore
from mailshare.shell.new_body import new_body
from mailshare.wire.fax_mail import FaxLetter, fax_mail, message_id

_AGAIN = 60.0  # seconds after which a mail that could not be stored is tried again


@implementer(IFaxReceiver)
class Onramp:
    """The receiver of all lines.

    :param rules: gives the rules of now; ``token`` that many random octets.
    :param intake: the one door.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        intake: IIntake,
        incoming: Incoming,
        rules: Callable[[], FaxRules],
        clock: IReactorTime,
        token: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._intake = intake
        self._incoming = incoming
        self._rules = rules
        self._clock = clock
        self._token = token
        self._begun: set[str] = set()
        self._later: set[Any] = set()

    async def open(self) -> None:
        """Make mails of what a stop of the server left."""
        for call, facts in await self._incoming.unfinished():
            ringing = Ringing(**{**facts.get("ringing", {}), "id": call})
            await self._finish(ringing, CallFacts(FaxCause.DROPPED))

    def close(self) -> None:
        """Wait for nothing more."""
        for each in self._later:
            if each.active():
                each.cancel()

    async def screen(self, call: Ringing) -> FaxCause:
        """Take it unless its caller is not wanted."""
        rules = self._rules()
        unwanted = _refusing(rules.refused)
        if call.caller and route_fax(unwanted, called="", subaddress="", station="", caller=call.caller):
            await self._note("fax.screened", call, cause=FaxCause.REJECTED.value)
            return FaxCause.REJECTED
        await self._incoming.begin(call.id, {"ringing": asdict(call), "at": self._now()})
        self._begun.add(call.id)
        return FaxCause.OK

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        """Keep it."""
        if call.id not in self._begun:
            await self._incoming.begin(call.id, {"ringing": asdict(call), "at": self._now()})
            self._begun.add(call.id)
        await self._incoming.add(call.id, number, page)

    async def finished(self, call: Ringing, facts: CallFacts) -> None:
        """Make the mail; one that cannot be stored now is tried again, and at the next start."""
        self._begun.discard(call.id)
        await self._finish(call, facts)

    # ------------------------------------------------------------------ the mail

    async def _finish(self, call: Ringing, facts: CallFacts) -> None:
        try:
            pages = await self._incoming.pages(call.id)
            if pages:
                await self._stored(call, facts, pages)
            else:
                await self._note("fax.received", call, cause=facts.cause.value, pages=0)
            await self._incoming.forget(call.id)
        except (MailshareError, OSError) as fault:
            self._log.warn("the fax {call} waits to become a mail: {why}", call=call.id, why=str(fault))
            self._soon(call, facts)

    def _soon(self, call: Ringing, facts: CallFacts) -> None:
        def again() -> None:
            self._later.discard(later)
            Deferred.fromCoroutine(self._finish(call, facts)).addErrback(
                lambda failure: self._log.failure("a fax could not become a mail", failure=failure)
            )

        later = self._clock.callLater(_AGAIN, again)
        self._later.add(later)

    async def _stored(self, call: Ringing, facts: CallFacts, pages: Sequence[FaxPage]) -> None:
        rules, host = self._rules(), self._store.directory.current().hostname
        if await self._store.find(message_id(call, host)):
            return  # a stop of the server came between the mail and the end of the pages
        to, why = self._recipients(call, facts, rules)
        sender = Address(format_fax_address(_sending(call, facts)), rules.domains[0])
        at = self._now()
        letter = FaxLetter(sender, [str(one) for one in to], host, at, rules.formats)
        octets = fax_mail(call, facts, pages, letter)
        body = await new_body(self._store, octets)
        trace = trace_id(at, self._token(3))
        origin = Origin(Source.FAX, trace, peer=call.line, steps=(Step("fax-route", why),))
        # Reports about this mail would ring a stranger's telephone, so it bears the null sender; whoever answers it
        # writes to From.
        envelope = Envelope(None, tuple(Recipient(one) for one in to), size=len(octets))
        await self._intake.accept(envelope, body, origin)
        await self._note("fax.received", call, cause=facts.cause.value, pages=len(pages), trace=trace, **_known(facts))

    def _recipients(self, call: Ringing, facts: CallFacts, rules: FaxRules) -> tuple[list[Address], str]:
        route = route_fax(
            rules.routes,
            called=call.called,
            subaddress=facts.subaddress,
            station=facts.station,
            caller=call.caller,
        )
        names = rules.inbox if route is None else route.to
        host = self._store.directory.current().hostname
        out: list[Address] = []
        for name in names:
            try:
                address = Address.parse(name)
            except PeerFault:
                continue
            out.append(address if address.domain else Address(address.local, host))
        why = "by no route: the inbox of faxes" if route is None else f"by a route to {', '.join(route.to)}"
        return out, printable(why, 200)

    async def _note(self, kind: str, call: Ringing, *, trace: str = "", **facts: object) -> None:
        data: Mapping[str, object] = {"line": call.line, "caller": call.caller, "called": call.called, **facts}
        try:
            await self._store.events.append([Event(self._now(), kind, trace, data=data)])
        except MailshareError as fault:
            self._log.warn("the journal does not tell of a fax: {why}", why=fault.public)

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def _refusing(patterns: Sequence[str]) -> list[FaxRoute]:
    return [FaxRoute((), caller=one) for one in patterns]


def _sending(call: Ringing, facts: CallFacts) -> str:
    """The number to answer to: the caller's, else what the machine says of itself, else none."""
    for text in (call.caller, facts.station):
        digits = "".join(char for char in text if char.isdecimal() and char.isascii())
        if len(digits) > 2:
            return f"+{digits}" if text.strip().startswith("+") else digits
    return "0"


def _known(facts: CallFacts) -> dict[str, object]:
    return {
        "station": facts.station,
        "subaddress": facts.subaddress,
        "rate": facts.rate,
        "ecm": facts.ecm,
        "seconds": facts.seconds,
    }
