"""Calls of the pretended network in which whoever calls fetches: what ITU-T T.30 does with DTC, SEP and PWD."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import evolve, frozen

from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.values.fax import CallFacts, Coding, FaxCause, Ringing
from mailshare.fax.lines.calling import Call
from mailshare.interfaces import IFaxOffer, IFaxOffers, IFaxReceiver

T = TypeVar("T")
_TRAIN = 6.0  # seconds


@frozen
class Machine:
    """Who answers under a number.

    :ivar offers: ``None`` = nothing can be fetched there.
    """

    receiver: IFaxReceiver
    offers: IFaxOffers | None = None


class _OursFailed(Exception):
    """Whoever wanted the pages cannot take them."""

    def __init__(self, cause: FaxCause) -> None:
        self.cause = cause


class Fetch:
    """One such call.

    :param far: who answers; ``ringing`` the call as it sees it.
    :param receiver: who gets the pages; ``line`` the name of the line that calls.
    :param after: waits so many seconds of a telephone call.
    """

    def __init__(
        self,
        call: Call,
        far: Machine,
        receiver: IFaxReceiver,
        line: str,
        after: Callable[[float], Awaitable[None]],
    ) -> None:
        self._call = call
        self._far = far
        self._receiver = receiver
        self._after = after
        job = call.job
        self._ours = Ringing(job.id, line, job.number or job.dial, station=job.number or job.dial)

    async def made(self, ringing: Ringing) -> tuple[FaxCause, bool]:
        """Make it; its end, which is never in doubt for whoever gets the pages."""
        return await self._made(ringing), False

    async def _made(self, ringing: Ringing) -> FaxCause:
        try:
            cause = await self._far.receiver.screen(ringing)
        except MailshareError:
            return FaxCause.NO_ANSWER
        if cause is not FaxCause.OK:
            return cause
        await self._call.tell("answered")
        await self._after(_TRAIN)
        try:
            offer = await self._offer(ringing)
        except MailshareError:
            return FaxCause.DROPPED
        if offer is None:
            return FaxCause.POLL_REFUSED
        await self._call.tell(
            "negotiated", rate=self._call.job.max_rate, ecm=self._call.job.ecm, remote_id=self._ours.caller
        )
        cause = FaxCause.DROPPED
        try:
            cause = await self._pages(offer)
        finally:
            job = self._call.job
            facts = CallFacts(cause, rate=job.max_rate, ecm=job.ecm)
            with contextlib.suppress(MailshareError):  # it knows by itself
                await offer.finished(evolve(facts, station=job.ident, subaddress=job.subaddress))
            await self._receiver.finished(self._ours, evolve(facts, station=self._ours.station))
        return cause

    async def _offer(self, ringing: Ringing) -> IFaxOffer | None:
        """What the far machine has for us, once it knows who we are and what we ask for."""
        job, offers = self._call.job, self._far.offers
        if offers is None or not await offers.waiting(ringing):
            facts = CallFacts(FaxCause.POLL_REFUSED, job.ident, job.subaddress)
            await self._far.receiver.finished(ringing, facts)
            return None
        said = evolve(ringing, station=job.ident, subaddress=job.subaddress, password=job.password)
        return await offers.offered(said)

    async def _pages(self, offer: IFaxOffer) -> FaxCause:
        count, held = offer.pages.count, 0
        try:
            cause = await self._took(self._receiver.screen(self._ours))
            if cause is not FaxCause.OK:
                return cause
            for number in range(count):
                await self._call.tell("begun", number)
                page = await offer.pages.encode(number, Coding.MMR)
                await self._after(len(page.data) * 8 / self._call.job.max_rate)
                await self._took(self._receiver.page_received(self._ours, number, page))
                held = number + 1
                await self._call.tell("page", number)
                await offer.page_taken(number)  # MCF
        except _OursFailed as fault:
            return fault.cause
        except MailshareError:
            # Whoever fetches has all of it once the last page is kept, whether or not the far end hears of that.
            return FaxCause.OK if held == count else FaxCause.DROPPED
        return FaxCause.OK

    @staticmethod
    async def _took(work: Awaitable[T]) -> T:
        try:
            return await work
        except PolicyRefusal as fault:
            raise _OursFailed(FaxCause.NOT_ALLOWED) from fault
        except MailshareError as fault:
            raise _OursFailed(FaxCause.INTERNAL) from fault
