"""What every fax line has to do, for whoever makes one: subclass and give :meth:`FaxLineContract.rig`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailshare.core.values.fax import CallEvent, CallFacts, Coding, FaxCause, FaxJob, FaxOutcome, FaxPage, Ringing
from mailshare.interfaces import (
    IFaxCall,
    IFaxLine,
    IFaxOffer,
    IFaxOffers,
    IFaxPages,
    IFaxReceiver,
    IPolledLine,
    IPollingLine,
)
from mailshare.wire.tiff_fax import write_tiff

_CODE, _WRONG = "47", "48"


@implementer(IFaxPages)
class FixedPages:
    """Pages that need no coder."""

    def __init__(self, *pages: FaxPage) -> None:
        self.pages = pages
        self.count = len(pages)

    async def encode(self, page: int, coding: Coding) -> FaxPage:
        """The page as it is."""
        del coding
        return self.pages[page]

    async def document(self, first: int) -> bytes:
        """The pages from there on."""
        return write_tiff(self.pages[first:])


@implementer(IFaxReceiver)
class NotingReceiver:
    """Notes what it is told, and answers everybody."""

    def __init__(self) -> None:
        self.pages: list[FaxPage] = []
        self.ends: list[tuple[Ringing, CallFacts]] = []
        self.unread: list[tuple[Ringing, bytes, str]] = []

    async def screen(self, call: Ringing) -> FaxCause:
        """Answer."""
        del call
        return FaxCause.OK

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        """Keep it."""
        del call
        assert number == len(self.pages)
        self.pages.append(page)

    async def finished(self, call: Ringing, facts: CallFacts) -> None:
        """Note it."""
        self.ends.append((call, facts))

    async def unreadable(self, call: Ringing, facts: CallFacts, document: bytes, why: str) -> None:
        """Keep it."""
        del facts
        self.unread.append((call, document, why))


@implementer(IFaxOffers, IFaxOffer)
class NotingOffers:
    """Has pages for every machine that gives its password, and notes what it is told.

    :ivar asked: by machines that polled; ``taken`` pages that were confirmed; ``ends`` of the calls.
    """

    def __init__(self, *pages: FaxPage, password: str = "") -> None:
        self.pages: IFaxPages = FixedPages(*pages)
        self.asked: list[Ringing] = []
        self.taken: list[int] = []
        self.ends: list[FaxCause] = []
        self._password = password

    async def waiting(self, call: Ringing) -> bool:
        """Whether there are any."""
        del call
        return self.pages.count > 0

    async def offered(self, call: Ringing) -> IFaxOffer | None:
        """Judge by the password."""
        self.asked.append(call)
        return self if call.password == self._password else None

    async def page_taken(self, number: int) -> None:
        """Note it."""
        self.taken.append(number)

    async def finished(self, facts: CallFacts) -> None:
        """Note it."""
        self.ends.append(facts.cause)


@define
class Rig:
    """A line, and the world at its far end.

    :ivar line: started, with :attr:`receiver`.
    :ivar answers: a number at which a fax machine takes everything; ``busy`` one that is busy.
    :ivar go_on: lets the world move; called until a call is over.
    :ivar ring: has somebody send these pages to the line.
    :ivar offering: of a line that polls: a number at which a machine offers what ``offers`` of the rig holds.
    :ivar polled: of a line that is polled: ``polled(offers, job, receiver)`` gives the line those offers, and has
        another machine fetch from it; its outcome.
    """

    line: Any
    receiver: NotingReceiver
    answers: str
    busy: str
    go_on: Any
    ring: Any
    events: list[CallEvent] = field(factory=list)
    offering: str = ""
    offers: NotingOffers = field(factory=NotingOffers)
    polled: Any = None

    def job(self, number: str, total: int, first: int = 0) -> FaxJob:
        """A job."""
        return FaxJob(f"job-{number.strip('+')}-{first}", number, number, total, first)

    async def called(self, number: str, *pages: FaxPage, first: int = 0) -> FaxOutcome:
        """The outcome of a call."""
        call = self.line.send(self.job(number, len(pages), first), FixedPages(*pages))
        verifyObject(IFaxCall, call)
        call.observe(self._note)
        return await self.end_of(call)

    async def fetched(self, password: str = "") -> FaxOutcome:
        """The outcome of a call to ``offering``."""
        job = evolve(self.job(self.offering, 0), subaddress="12", password=password)
        call = self.line.poll(job, self.receiver)
        verifyObject(IFaxCall, call)
        call.observe(self._note)
        return await self.end_of(call)

    async def end_of(self, call: Any) -> FaxOutcome:
        """The outcome of a call that was begun."""
        waiting: Deferred[FaxOutcome] = Deferred.fromCoroutine(_awaited(call.when_done()))
        for _ in range(1000):
            if waiting.called:
                break
            await self.go_on()
        return await waiting

    def _note(self, event: CallEvent) -> None:
        self.events.append(event)


async def _awaited(result: Awaitable[FaxOutcome]) -> FaxOutcome:
    return await result


class FaxLineContract:
    """The rules of :class:`mailshare.interfaces.IFaxLine` as tests."""

    page = FaxPage(1728, 1, 204, 196, Coding.MMR, bytes.fromhex("80080080"))

    async def rig(self) -> Rig:
        """A fresh line in its world."""
        raise AssertionError("a contract needs a line")

    async def test_it_is_a_line(self) -> None:
        """Every method is there, with its arguments."""
        rig = await self.rig()
        verifyObject(IFaxLine, rig.line)
        assert rig.line.free_channels() > 0
        await rig.line.stop()
        assert rig.line.free_channels() == 0

    async def test_a_call_that_is_answered_confirms_every_page(self) -> None:
        """Dialing is told first; pages that are reported are reported in order."""
        rig = await self.rig()
        outcome = await rig.called(rig.answers, self.page, self.page)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 2)
        kinds = [event.kind for event in rig.events]
        assert kinds[0] == "dialing"
        if rig.line.capabilities.reports_pages:
            assert [event.page for event in rig.events if event.kind == "page"] == [0, 1]
        await rig.line.stop()

    async def test_a_call_begins_at_its_first_page(self) -> None:
        """What was confirmed before is not sent again."""
        rig = await self.rig()
        outcome = await rig.called(rig.answers, self.page, self.page, self.page, first=2)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 1)
        await rig.line.stop()

    async def test_a_busy_number_is_told_as_busy(self) -> None:
        """And nothing was confirmed."""
        rig = await self.rig()
        outcome = await rig.called(rig.busy, self.page)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.BUSY, 0)
        await rig.line.stop()

    async def test_a_call_can_be_ended(self) -> None:
        """Its outcome says so; ending it again is no fault."""
        rig = await self.rig()
        call = rig.line.send(rig.job(rig.answers, 1), FixedPages(self.page))
        assert rig.line.free_channels() >= 0
        assert await rig.line.cancel(call.id)
        outcome = await call.when_done()
        assert outcome.cause is FaxCause.CANCELLED
        assert not await rig.line.cancel(call.id)
        await rig.line.stop()

    async def test_a_stop_ends_every_call(self) -> None:
        """No waiter is left."""
        rig = await self.rig()
        call = rig.line.send(rig.job(rig.answers, 1), FixedPages(self.page))
        await rig.line.stop()
        assert (await call.when_done()).cause in (FaxCause.CANCELLED, FaxCause.OK)

    async def test_a_fax_that_comes_in_is_given_to_the_receiver(self) -> None:
        """Page by page, then the end; bit for bit."""
        rig = await self.rig()
        await rig.ring([self.page, self.page])
        for _ in range(1000):
            if rig.receiver.ends:
                break
            await rig.go_on()
        [(ringing, facts)] = rig.receiver.ends
        assert facts.cause is FaxCause.OK
        assert rig.receiver.pages == [self.page, self.page]
        assert ringing.line == rig.line.name
        await rig.line.stop()

    async def test_a_line_says_truly_whether_it_polls(self) -> None:
        """Its interfaces and its capabilities say the same; what it cannot do nobody asks it for."""
        rig = await self.rig()
        can = rig.line.capabilities
        assert can.polls == IPollingLine.providedBy(rig.line) == bool(rig.offering)
        assert can.polled == IPolledLine.providedBy(rig.line) == (rig.polled is not None)
        for seam in (IPollingLine, IPolledLine):
            assert not seam.providedBy(rig.line) or verifyObject(seam, rig.line)
        await rig.line.stop()

    async def test_what_another_machine_offers_is_fetched(self) -> None:
        """Page by page to the receiver; the far machine hears of each that was kept, and which box was meant."""
        rig = await self.rig()
        if rig.offering:
            rig.offers.pages = FixedPages(self.page, self.page)
            outcome = await rig.fetched()
            assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 2)
            assert rig.receiver.pages == [self.page, self.page]
            [(ringing, facts)] = rig.receiver.ends
            assert (ringing.caller, ringing.line, facts.cause) == (rig.offering, rig.line.name, FaxCause.OK)
            assert [event.page for event in rig.events if event.kind == "page"] == [0, 1]
            assert [one.subaddress for one in rig.offers.asked] == ["12"]
            assert (rig.offers.taken, rig.offers.ends) == ([0, 1], [FaxCause.OK])
        await rig.line.stop()

    async def test_nothing_is_fetched_without_the_password(self) -> None:
        """The call ends as refused, and nobody received anything."""
        rig = await self.rig()
        if rig.offering:
            rig.offers.pages = FixedPages(self.page)
            outcome = await rig.fetched(_WRONG)
            assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.POLL_REFUSED, 0)
            assert (rig.receiver.pages, rig.receiver.ends, rig.offers.taken) == ([], [], [])
        await rig.line.stop()

    async def test_other_machines_fetch_from_it(self) -> None:
        """What was confirmed counts as taken, and the receiver hears nothing of a fax."""
        rig = await self.rig()
        if rig.polled is not None:
            offers, far = NotingOffers(self.page, self.page, password=_CODE), NotingReceiver()
            job = FaxJob("polls-1", "+9", "+9", 0, subaddress="3", password=_CODE, ident="caller")
            outcome = await rig.polled(offers, job, far)
            assert (outcome.cause, far.pages) == (FaxCause.OK, [self.page, self.page])
            assert [(one.subaddress, one.password, one.station) for one in offers.asked] == [("3", _CODE, "caller")]
            assert (offers.taken, offers.ends, rig.receiver.ends) == ([0, 1], [FaxCause.OK], [])
            refused = await rig.polled(offers, evolve(job, id="polls-2", password=_WRONG), NotingReceiver())
            assert (refused.cause, offers.taken) == (FaxCause.POLL_REFUSED, [0, 1])
        await rig.line.stop()
