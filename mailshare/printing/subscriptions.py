"""Who wants to hear of what: subscriptions to events of queues and jobs, fetched with Get-Notifications.

They live as long as their leases allow, also when the server is stopped in between (RFC 3995 section 5.1, RFC 3996).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred

from mailshare.core.errors import MailshareError
from mailshare.core.values import PrinterState, PrintJob, PrintState
from mailshare.printing.board import Board
from mailshare.printing.kept_subscriptions import KeptSubscriptions
from mailshare.printing.subscription import Happened, JobSeen, QueueFacts, Subscription, seen
from mailshare.wire.ipp_printer import EVENT_LIFE

MOST = 1_000  # subscriptions of all clients together
LONGEST_WAIT = 30.0  # seconds that a client which waits is held
SECOND = 1_000_000
_JUST_BEFORE = 10 * SECOND  # from a job's change to the line of it here, at most

class Subscriptions:
    """Of all queues.

    :param now: microseconds UTC.
    :param kept: where they are written down.
    """

    def __init__(self, now: Callable[[], int], kept: KeptSubscriptions) -> None:
        self._now = now
        self._kept = kept
        self._known: dict[int, Subscription] = {}
        self._next = 1
        self._awake = 0
        self._facts: dict[str, QueueFacts] = {}
        self._waiting: list[tuple[frozenset[int], Deferred[None]]] = []

    async def load(self, board: Board) -> None:
        """Read those that were made before, and tell them what happened while nobody wrote it down for them."""
        self._awake = self._now()
        found, last = await self._kept.load()
        self._next = last + 1
        self._known = {one.id: one for one in found}
        for one in found:
            gone = one.job_id and board.get(one.job_id) is None
            if one.job_id and (gone or one.ends):
                # Nobody could fetch the last events of a job while the server was down.
                one.ends = max(one.ends, self._awake + EVENT_LIFE * SECOND)
        self._expire()
        for one in self._known.values():
            self._catch_up(one, board)

    def _catch_up(self, one: Subscription, board: Board) -> None:
        """Tell it of jobs that began or ended after it was written last: the server was killed before it wrote that."""
        told = {(each.event, each.job.id) for each in one.waiting if each.job is not None}
        since = one.written - _JUST_BEFORE
        for job in board.all_of(one.queue):
            if one.job_id not in (0, job.id):
                continue
            if job.created > since and not one.job_id and ("job-created", job.id) not in told:
                self._tell(one, "job-created", "The job was taken", job=seen(job))
            if job.completed > since and job.state.final and ("job-completed", job.id) not in told:
                self._tell(one, *_over(job), job=seen(job))
                self._let_end(one)

    async def add(self, make: Callable[[int], Subscription], lease: int) -> Subscription | None:
        """A new one, made from its id, for so many seconds; ``None`` when there are as many as there may be.

        :raises MailshareError: it cannot be written down now.
        """
        self._expire()
        if len(self._known) >= MOST:
            return None
        new = make(self._next)
        self._next += 1
        self._known[new.id] = new
        try:
            await self.renew(new, lease)
        except MailshareError:
            del self._known[new.id]
            self._kept.forget(new.id)
            raise
        return new

    def get(self, number: int) -> Subscription | None:
        """That one, if it lives."""
        self._expire()
        return self._known.get(number)

    def of(self, queue: str, *, job_id: int = 0) -> list[Subscription]:
        """Those to a queue, or to one job of it."""
        self._expire()
        return [one for one in self._known.values() if one.queue == queue and one.job_id == job_id]

    async def renew(self, subscription: Subscription, lease: int) -> None:
        """From now on for so many seconds; 0 = without end. Fires when it is durable."""
        subscription.lease = lease
        subscription.ends = self._now() + lease * SECOND if lease else 0
        await self._kept.keep(subscription)

    async def cancel(self, number: int) -> None:
        """Tell it nothing any more; fires when that is durable."""
        self._known.pop(number, None)
        await self._kept.drop(number)

    async def close(self) -> None:
        """Write everything down: nothing happens any more."""
        await self._kept.close()

    def events(self, subscription: Subscription, since: int) -> list[Happened]:
        """What waits for it from that sequence number on and is not too old."""
        old = self._now() - EVENT_LIFE * SECOND
        if old < self._awake:
            old = 0  # nobody could fetch what waits since before the server was stopped
        while subscription.waiting and subscription.waiting[0].at < old:
            subscription.waiting.popleft()
        return [one for one in subscription.waiting if one.number >= since]

    async def told(self, ids: Iterable[int], clock: Any, most: float) -> None:
        """Wait until one of these has something, for so many seconds at most; where too many wait, not at all."""
        if len(self._waiting) >= MOST:
            return
        waiter: Deferred[None] = Deferred()
        entry = (frozenset(ids), waiter)
        self._waiting.append(entry)
        waiter.addTimeout(most, clock, onTimeoutCancel=lambda _result, _timeout: None)
        try:
            await waiter
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)

    def _expire(self) -> None:
        now = self._now()
        for number in [one.id for one in self._known.values() if one.ends and one.ends <= now]:
            del self._known[number]
            self._kept.later(number, None)

    # ------------------------------------------------------------------ what happens

    def job_changed(self, before: PrintJob | None, after: PrintJob | None) -> None:
        """A job is new, another, or gone."""
        job = after or before
        if job is None or not self._known:
            return
        for event, text in _job_events(before, after):
            for one in self._interested(job.ticket.queue, job.id):
                self._tell(one, event, text, job=seen(job))
        if job.state.final or after is None:
            # A job's own subscriptions end with it, after their events had time to be fetched.
            for one in self.of(job.ticket.queue, job_id=job.id):
                self._let_end(one)

    def _let_end(self, one: Subscription) -> None:
        if one.job_id and not one.ends:
            one.ends = self._now() + EVENT_LIFE * SECOND
            self._kept.later(one.id, one)

    def queue_changed(self, queue: str, facts: QueueFacts, *, settings: bool = False) -> None:
        """A queue stands so now."""
        before = self._facts.get(queue)
        self._facts[queue] = facts
        if settings:
            self._tell_queue(queue, "printer-config-changed", "The settings of the printer have changed", facts)
        if before is None or before == facts:
            return
        stopped = facts[0] is PrinterState.STOPPED and before[0] is not PrinterState.STOPPED
        event = "printer-stopped" if stopped else "printer-state-changed"
        self._tell_queue(queue, event, f"The printer is {facts[0].name.lower()}", facts)

    def restarted(self, queue: str, facts: QueueFacts) -> None:
        """The server was stopped, and serves this queue again."""
        self._facts[queue] = facts
        self._tell_queue(queue, "printer-restarted", "The print server was started again", facts)

    def order_changed(self, queue: str, facts: QueueFacts) -> None:
        """Jobs of a queue go in another order."""
        self._tell_queue(queue, "printer-queue-order-changed", "The order of the jobs has changed", facts)

    def _tell_queue(self, queue: str, event: str, text: str, facts: QueueFacts) -> None:
        for one in self._known.values():
            if one.queue == queue:
                self._tell(one, event, text, queue=facts)

    def _interested(self, queue: str, job_id: int) -> Iterable[Subscription]:
        return [one for one in self._known.values() if one.queue == queue and one.job_id in (0, job_id)]

    @staticmethod
    def _same(one: Subscription, event: str) -> bool:
        return bool(one.waiting) and one.waiting[-1].event == event == "job-progress"

    def _tell(
        self,
        one: Subscription,
        event: str,
        text: str,
        *,
        job: JobSeen | None = None,
        queue: QueueFacts | None = None,
    ) -> None:
        if not one.wants(event):
            return
        one.sequence += 1
        happened = Happened(one.sequence, self._now(), event, text, job, queue)
        if self._same(one, event):
            one.waiting[-1] = happened
        else:
            one.waiting.append(happened)
        self._kept.later(one.id, one)
        for entry in [each for each in self._waiting if one.id in each[0]]:
            self._waiting.remove(entry)
            entry[1].callback(None)


def _over(job: PrintJob) -> tuple[str, str]:
    return "job-completed", f"The job is over: {job.state.name.lower()}"


def _job_events(before: PrintJob | None, after: PrintJob | None) -> list[tuple[str, str]]:
    """Names and words of what happened between the two."""
    if after is None:
        return [("job-completed", "The job was taken away")]
    if before is None:
        return [("job-created", "The job was taken")]
    out = []
    if before.state is not after.state:
        if after.state.final:
            out.append(_over(after))
        elif after.state is PrintState.STOPPED:
            out.append(("job-stopped", "The job has stopped"))
        else:
            out.append(("job-state-changed", f"The job is {after.state.name.lower()}"))
    elif before.reasons != after.reasons:
        out.append(("job-state-changed", "The job goes on"))
    if before.ticket != after.ticket:
        out.append(("job-config-changed", "The job was changed"))
    if before.impressions != after.impressions:
        out.append(("job-progress", f"{max(after.impressions, 0)} pages are printed"))
    return out
