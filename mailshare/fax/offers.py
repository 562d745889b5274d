"""Pages for machines that poll: what lies in the boxes that far machines may fetch from (ITU-T T.30 DTC, SEP, PWD).

A fax of a confidential box counts as taken once the far machine has confirmed its last page, and not before: then it
leaves the box, as when one of its owners fetched it by mail. What is being fetched is nobody else's until that call is
over. A bulletin stays, however often it is fetched.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase

from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.documents import NotConvertible
from mailshare.core.errors import MailshareError
from mailshare.core.report_parts import printable
from mailshare.core.values import Event, QueueItem
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.fax.desk import FaxDesk, Reveal
from mailshare.fax.pages import Pages
from mailshare.fax.pictures import Pictures
from mailshare.fax.rules import FaxBox, FaxRules
from mailshare.interfaces import IFaxOffer, IFaxOffers, IFaxPages, IStore

Turned = Callable[[Ringing], Awaitable[None]]
Note = Callable[[Ringing, str, FaxCause, int, str], Awaitable[None]]


class _Refused(Exception):
    """Nothing for this machine; why is for the journal alone."""

    def __init__(self, words: str, box: str = "") -> None:
        self.words = words
        self.box = box


@frozen
class Kept:
    """One fax of a box.

    :ivar end: pages of the offer up to its last.
    """

    row: QueueItem
    end: int


@implementer(IFaxOffer)
@define(eq=False)
class Offer:
    """The faxes of a box for one machine.

    :ivar confirmed: pages that it has.
    """

    pages: IFaxPages
    box: FaxBox
    call: Ringing
    kept: Sequence[Kept]
    offers: Offers
    confirmed: int = 0

    async def page_taken(self, number: int) -> None:
        """Count it; a fax whose last page it is was fetched."""
        if number != self.confirmed:
            return  # told twice, or out of order: a page counts once, after those before it
        self.confirmed += 1
        for one in self.kept:
            if one.end == self.confirmed:
                await self.offers.taken(self, one.row)

    async def finished(self, facts: CallFacts) -> None:
        """Others may have what was not taken."""
        await self.offers.over(self, facts)


@implementer(IFaxOffers)
class Offers:
    """The boxes of this office, for machines that poll.

    :param rules: gives the rules of now.
    :param turned: tells the receiver that a call is not its own any more.
    :ivar reveal: reads codes; set when the office opens.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        rules: Callable[[], FaxRules],
        desk: FaxDesk,
        pages: Pages,
        clock: IReactorTime,
        turned: Turned,
    ) -> None:
        self._store = store
        self._rules = rules
        self._desk = desk
        self._pages = pages
        self._clock = clock
        self._turned = turned
        self.reveal: Reveal | None = None

    async def waiting(self, call: Ringing) -> bool:
        """Whether any box holds something that this caller may fetch."""
        boxes = [one for one in self._rules().boxes if one.poll and _may(one, call)]
        return any([await self._rows(one) for one in boxes])

    async def offered(self, call: Ringing) -> Offer | None:
        """What the box holds that is asked for, when the password is right."""
        await self._turned(call)
        try:
            box = await self._box(call)
            return await self._offer(box, call)
        except _Refused as why:
            await self._note(call, why.box, FaxCause.POLL_REFUSED, 0, why.words)
        except MailshareError as fault:
            await self._note(call, "", FaxCause.INTERNAL, 0, fault.public)
        return None

    async def _box(self, call: Ringing) -> FaxBox:
        box = next((one for one in self._rules().boxes if one.poll and one.polled_as(call.subaddress)), None)
        if box is None:
            raise _Refused(f"there is no box {printable(call.subaddress, 20)!r} to be polled")
        if not _may(box, call):
            raise _Refused("this number may not fetch from it", box.name)
        if not box.code:
            return box
        caller = _caller(call)
        if await self._desk.wrong.closed_to(box.name, caller):
            raise _Refused("there were too many wrong passwords in the last hour", box.name)
        if self.reveal is None or not hmac.compare_digest(
            call.password.strip().encode(), (await self.reveal(box.code)).encode()
        ):
            station = printable(call.station, 20)
            await self._desk.wrong.count(box.name, caller=caller, station=station, line=call.line)
            raise _Refused("the password was wrong", box.name)
        return box

    async def _rows(self, box: FaxBox) -> list[QueueItem]:
        """What can be fetched; of a bulletin the newest alone, should two lie there for a moment."""
        rows = [row for row in await self._desk.kept(box) if row.id not in self._desk.out]
        return rows[-1:] if box.kind == "bulletin" else rows

    async def _offer(self, box: FaxBox, call: Ringing) -> Offer:
        pages: list[FaxPage] = []
        kept: list[Kept] = []
        rows = await self._rows(box)
        alone = {row.id for row in rows} if box.kind != "bulletin" else set()
        offered: set[int] = set()
        self._desk.out |= alone  # before anything is waited for
        try:
            for row in rows:
                made = await self._pages_of(row)
                if made:
                    pages += made
                    kept.append(Kept(row, len(pages)))
            if not pages:
                raise _Refused("it holds nothing", box.name)
            offer = Offer(self._pages.file(pages), box, call, kept, self)
            offered = {one.row.id for one in kept}
            return offer
        finally:
            self._desk.out -= alone - offered

    async def _pages_of(self, row: QueueItem) -> Sequence[FaxPage]:
        """A fax that came in goes out in the octets that came; what somebody put there is made into pages."""
        body = await self._store.queue.body(row.message_id)
        try:
            if not row.params.get("kept"):
                return await self._pages.of_notice(body)
            return await self._pages.of_document((await Pictures.pages_of(body))[0])
        except NotConvertible as fault:
            self._log.warn("fax {row} cannot be polled: {why}", row=row.id, why=fault.public)
            return ()

    # ------------------------------------------------------------------ what a call comes to

    async def taken(self, offer: Offer, row: QueueItem) -> None:
        """The far machine has a whole fax."""
        call, box, at = offer.call, offer.box, self._now()
        who = " ".join(one for one in (printable(call.caller, 40), printable(call.station, 20)) if one)
        told = {"box": box.name, "by": who or "a machine", "polled": True}
        event = Event(at, "fax.fetched", row.trace, row.account_id, None, row.message_id, told)
        await self._store.events.append([event])
        if box.kind == "confidential":
            await self._store.queue.steer([row.id], "cancel", at)

    async def over(self, offer: Offer, facts: CallFacts) -> None:
        """A call in which something was offered has ended."""
        self._desk.out -= {one.row.id for one in offer.kept}
        count = offer.pages.count
        words = f"{offer.confirmed} of {count} pages were confirmed"
        await self._note(offer.call, offer.box.name, facts.cause, offer.confirmed, words)

    async def _note(self, call: Ringing, box: str, cause: FaxCause, pages: int, words: str) -> None:
        data = {
            "line": call.line,
            "caller": printable(call.caller, 40),
            "called": printable(call.called, 40),
            "station": printable(call.station, 20),
            "box": box,
            "cause": cause.value,
            "pages": pages,
            "words": words,
        }
        try:
            await self._store.events.append([Event(self._now(), "fax.polled", data=data)])
        except MailshareError as fault:
            self._log.warn("the journal does not tell of a machine that polled: {why}", why=fault.public)

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def _caller(call: Ringing) -> str:
    """The number that calls, as it is counted; empty where the network does not say."""
    return "".join(char for char in call.caller if char in "0123456789")[-20:]


def _may(box: FaxBox, call: Ringing) -> bool:
    number = "".join(char for char in call.caller if char in "+0123456789")
    return not box.poll_from or any(fnmatchcase(number, one) for one in box.poll_from)
