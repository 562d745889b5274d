"""Hands print jobs on: the agent of the queue, and the ways it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import MailshareError, NoSuchJob
from mailshare.core.values import Outcome, PrintChange, PrintJob, PrintState, QueueItem, QueueState
from mailshare.interfaces import IAgent, ILaned, IPrintWay
from mailshare.printing.service import PrintService

AGENT = "print"
_PAUSED = 60 * 1_000_000  # microseconds after which a row of a paused queue is looked at again
_AT_ONCE = 4  # jobs to one destination


@implementer(ILaned, IAgent)
class PrintAgent:
    """Tries rows of the queue whose agent is ``print``.

    :ivar ways: by the scheme of a destination's address; whoever knows another way adds it.
    """

    name = AGENT
    _log = Logger()

    def __init__(self, service: PrintService, ways: Sequence[IPrintWay] = ()) -> None:
        self._service = service
        self._clock: IReactorTime = service.reactor
        self.ways: dict[str, IPrintWay] = {way.scheme: way for way in ways}
        service.board.watching.append(self._changed)

    def lane(self, item: QueueItem) -> str:
        """Destinations do not wait for one another."""
        return item.address

    def room(self, item: QueueItem) -> int:
        """Some jobs at once to each."""
        del item
        return _AT_ONCE

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Try rows of one job."""
        del progress
        return [await self._try(item) for item in batch]

    async def _try(self, item: QueueItem) -> Outcome:
        service, at = self._service, self._service.now()
        job = await service.store.print_jobs.job(_number(item.params.get("job")))
        if job is None or job.members.get(item.address) is None:
            return Outcome(item.id, QueueState.CANCELLED, at, 550, "5.0.0", "The print job was taken away")
        if job.members[item.address].state.final:
            if job.members[item.address].state is PrintState.CANCELED and job.members[item.address].handed:
                await self._call_back(job, item.address)  # a stop came before the device was told
            return Outcome(item.id, QueueState.CANCELLED, at, 550, "5.0.0", "The print job is over")
        if service.states.get(job.ticket.queue).paused:
            return Outcome(item.id, QueueState.QUEUED, at, next_at=at + _PAUSED, counts=False)
        printer = service.printers.get(item.address)
        if printer is not None and (opens := printer.closed_until(at)):
            return Outcome(item.id, QueueState.QUEUED, at, next_at=opens, counts=False)
        destination = service.place(item.address)
        way = None if destination is None else self.ways.get(destination.scheme)
        if destination is None or way is None:
            why = "There is no such destination any more" if destination is None else "No way leads there"
            return await self._failed(item, f"{why}: {item.address}")
        if job.held:  # since this row was taken out of the queue
            return Outcome(item.id, QueueState.HELD, at)
        if job.members[item.address].state is not PrintState.PROCESSING:
            going = PrintChange(item.address, PrintState.PROCESSING, ("job-outgoing",), message="")
            await service.change(job, going)
        try:
            outcome = await way.hand_on(job, item.address, destination.address, item)
        except MailshareError as fault:
            outcome = Outcome(item.id, QueueState.QUEUED, service.now(), 451, "4.0.0", fault.public)
        if outcome.state is QueueState.QUEUED:
            reasons = ("job-outgoing", *_reasons(outcome, "connecting-to-device"))
            trouble = PrintChange(item.address, reasons=reasons, message=outcome.reply)
            await service.change(job, trouble)
        elif outcome.state in (QueueState.FAILED, QueueState.EXPIRED):
            return await self._failed(item, outcome.reply, outcome)
        return outcome

    def _changed(self, before: PrintJob | None, after: PrintJob | None) -> None:
        """A job was cancelled: so is what became of it at the far end, as far as it can be."""
        if before is None or after is None:
            return
        for name, member in after.members.items():
            if member.state is PrintState.CANCELED and not before.members[name].state.final:
                self._service.soon(self._call_back(after, name))

    async def _call_back(self, job: PrintJob, member: str) -> None:
        destination = self._service.place(member)
        way = None if destination is None else self.ways.get(destination.scheme)
        if destination is not None and way is not None:
            await way.call_back(job, member, destination.address)

    async def _failed(self, item: QueueItem, why: str, outcome: Outcome | None = None) -> Outcome:
        reasons = ("aborted-by-system", *_reasons(outcome))
        change = PrintChange(item.address, PrintState.ABORTED, reasons, why)
        try:
            await self._service.store.print_jobs.change(_number(item.params.get("job")), change, self._service.now())
        except NoSuchJob:
            self._log.info("print job of row {row} was taken away meanwhile", row=item.id)
        return outcome or Outcome(item.id, QueueState.FAILED, self._service.now(), 550, "5.0.0", why)


def _reasons(outcome: Outcome | None, otherwise: str = "") -> tuple[str, ...]:
    """Keywords of IPP that a way gives with its outcome."""
    given = outcome.detail.get("reasons") if outcome is not None else None
    words = [str(one) for one in given] if isinstance(given, (list, tuple)) else []
    return tuple(words) or ((otherwise,) if otherwise else ())


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
