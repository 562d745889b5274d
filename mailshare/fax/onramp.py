"""Takes faxes that come in: pages are kept before they are confirmed, and become one mail when the call is over.

A stop of the server in the middle leaves the pages on the disk; at the next start they become the mail that they would
have become. The mail's Message-ID follows from the call, so that it is stored once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import asdict, define, evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import MailshareError
from mailshare.core.report_parts import printable
from mailshare.core.values import Event
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.fax.admission import Admission, with_facts
from mailshare.fax.arrivals import Arrivals
from mailshare.fax.files import Incoming, Ledgers
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IFaxReceiver, IStore

_AGAIN = 60.0  # seconds after which a mail that could not be stored is tried again


@define
class Coming:
    """A call that comes in now.

    :ivar page: that is being received, from 1; 0 = it is being answered.
    """

    call: Ringing
    page: int = 0


@implementer(IFaxReceiver)
class Onramp:
    """The receiver of all lines.

    :param arrivals: stores what a call came to.
    :param rules: gives the rules of now.
    :param admission: says who may send.
    :param ledgers: of the rows of this office, those that fetch among them.
    :ivar coming: the calls of now, by id.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        arrivals: Arrivals,
        incoming: Incoming,
        rules: Callable[[], FaxRules],
        clock: IReactorTime,
        admission: Admission,
        ledgers: Ledgers,
    ) -> None:
        self._store = store
        self._arrivals = arrivals
        self._incoming = incoming
        self._rules = rules
        self._clock = clock
        self._admission = admission
        self._ledgers = ledgers
        self._begun: dict[str, int] = {}
        self.coming: dict[str, Coming] = {}
        self._later: set[Any] = set()

    async def open(self) -> None:
        """Make mails of what a stop of the server left."""
        for call, told in await self._incoming.unfinished():
            fetch = told.get("fetch")
            ringing = Ringing(**{**told.get("ringing", {}), "id": call})
            cause = await self._cause_of(fetch) if isinstance(fetch, Mapping) else FaxCause.DROPPED
            facts = CallFacts(cause, ringing.station, ringing.subaddress)
            at = int(told.get("at", 0))
            await self._finish(ringing, facts, at, admitted=told.get("admitted"), fetch=fetch)

    async def _cause_of(self, fetch: Mapping[str, Any]) -> FaxCause:
        """Whether a call that fetched had brought everything when the server was stopped."""
        ledger = await self._ledgers.read(int(fetch.get("row", 0)))
        return FaxCause.OK if ledger.whole else FaxCause.DROPPED

    def close(self) -> None:
        """Wait for nothing more."""
        for each in self._later:
            if each.active():
                each.cancel()

    async def screen(self, call: Ringing) -> FaxCause:
        """Take it unless its caller is not wanted; the second time also by what its machine has said."""
        heard = call.id in self._begun
        self.coming[call.id] = Coming(call, int(heard))
        unwanted = self._admission.unwanted(call) or self._admission.unrouted(call, heard=heard)
        if unwanted or not await self._admission.may_send(call, heard=heard):
            self.coming.pop(call.id, None)
            await self._note("fax.screened", call, cause=FaxCause.REJECTED.value, station=call.station)
            return FaxCause.REJECTED
        await self._begin(call, admitted=True if heard else None)
        return FaxCause.OK

    async def _begin(
        self, call: Ringing, *, admitted: bool | None, fetch: Mapping[str, object] | None = None
    ) -> None:
        """Write down what is known of a call; its password is nobody's business later."""
        at = self._begun.get(call.id) or self._now()
        ringing = asdict(evolve(call, password=""))
        facts: dict[str, object] = {"ringing": ringing, "at": at, "admitted": admitted}
        await self._incoming.begin(call.id, {**facts, "fetch": fetch} if fetch is not None else facts)
        self._begun[call.id] = at

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        """Keep it."""
        if call.id not in self._begun:
            await self._begin(call, admitted=None)
        await self._incoming.add(call.id, number, page)
        self.coming[call.id] = Coming(call, number + 2)

    async def finished(self, call: Ringing, facts: CallFacts) -> None:
        """Make the mail; one that cannot be stored now is tried again, and at the next start."""
        self.coming.pop(call.id, None)
        await self._finish(call, facts, self._begun.pop(call.id, 0) or self._now())

    async def fetching(self, call: Ringing, fetch: Mapping[str, object]) -> None:
        """Pages are about to come that this office fetches.

        :param fetch: ``row`` of the queue, and ``to``: names as in a route.
        """
        self.coming[call.id] = Coming(call, 1)
        await self._begin(call, admitted=True, fetch=fetch)

    async def fetched(self, call: Ringing, facts: CallFacts, fetch: Mapping[str, object]) -> None:
        """That call is over; as :meth:`finished`."""
        self.coming.pop(call.id, None)
        await self._finish(call, facts, self._begun.pop(call.id, 0) or self._now(), fetch=fetch)

    async def unreadable(self, call: Ringing, facts: CallFacts, document: bytes, why: str) -> None:
        """Mail it as it came; whoever gets the faxes of this office sees what can be made of it."""
        admitted = await self._admission.may_send(with_facts(call, facts), heard=True)
        trace = await self._arrivals.store_unread(call, facts, document, printable(why, 300), admitted=admitted)
        began = self._begun.pop(call.id, 0) or self._now()
        self.coming.pop(call.id, None)
        if trace:
            told = {"cause": FaxCause.BAD_DOCUMENT.value, "pages": 0, "began": began, "octets": len(document)}
            await self._note("fax.received", call, trace=trace, error=printable(why, 200), **told, **_known(facts))
        await self._incoming.forget(call.id)

    async def turned(self, call: Ringing) -> None:
        """Whoever calls does not send, but polls: there will be no pages."""
        self.coming.pop(call.id, None)
        self._begun.pop(call.id, None)
        await self._incoming.forget(call.id)

    # ------------------------------------------------------------------ the mail

    async def _finish(
        self,
        call: Ringing,
        facts: CallFacts,
        began: int,
        *,
        admitted: bool | None = None,
        fetch: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            pages = await self._incoming.pages(call.id)
            told: dict[str, object] = {"cause": facts.cause.value, "pages": len(pages), "began": began}
            trace = ""
            if fetch is not None:
                told["polled"] = True
            if pages:
                if fetch is not None:
                    trace = await self._arrivals.store_fetched(call, facts, pages, fetch.get("to") or ())
                else:
                    if admitted is None:
                        admitted = await self._admission.may_send(with_facts(call, facts), heard=True)
                    trace = await self._arrivals.store(call, facts, pages, admitted=admitted)
                told.update(_known(facts))
                told["octets"] = sum(len(page.data) for page in pages)
                if damaged := sum(page.bad_rows for page in pages):
                    told["damaged_rows"] = damaged
                told["resolution"] = f"{pages[0].x_res}x{pages[0].y_res}"
            if trace or not pages:
                await self._note("fax.received", call, trace=trace, **told)
            await self._incoming.forget(call.id)
        except (MailshareError, OSError) as fault:
            self._log.warn("the fax {call} waits to become a mail: {why}", call=call.id, why=str(fault))
            self._soon(call, facts, began, admitted, fetch)

    def _soon(
        self,
        call: Ringing,
        facts: CallFacts,
        began: int,
        admitted: bool | None,
        fetch: Mapping[str, Any] | None,
    ) -> None:
        def again() -> None:
            self._later.discard(later)
            Deferred.fromCoroutine(self._finish(call, facts, began, admitted=admitted, fetch=fetch)).addErrback(
                lambda failure: self._log.failure("a fax could not become a mail", failure=failure)
            )

        later = self._clock.callLater(_AGAIN, again)
        self._later.add(later)

    async def _note(self, kind: str, call: Ringing, *, trace: str = "", **facts: object) -> None:
        data: Mapping[str, object] = {"line": call.line, "caller": call.caller, "called": call.called, **facts}
        try:
            await self._store.events.append([Event(self._now(), kind, trace, data=data)])
        except MailshareError as fault:
            self._log.warn("the journal does not tell of a fax: {why}", why=fault.public)

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def _known(facts: CallFacts) -> dict[str, object]:
    return {
        "station": facts.station,
        "subaddress": facts.subaddress,
        "rate": facts.rate,
        "ecm": facts.ecm,
        "seconds": facts.seconds,
    }
