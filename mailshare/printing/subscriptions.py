"""Who wants to hear of what: subscriptions to events of queues and jobs, fetched with Get-Notifications.

They live as long as the server, as their leases allow (RFC 3995 section 5.1, RFC 3996).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from attrs import Factory, define, frozen
from twisted.internet.defer import Deferred

from mailshare.core.values import PrinterState, PrintJob, PrintState
from mailshare.wire.ipp_printer import EVENT_LIFE

MOST = 1_000  # subscriptions of all clients together
LONGEST_WAIT = 30.0  # seconds that a client which waits is held
MOST_EVENTS = 200  # that wait for one subscription
SECOND = 1_000_000

# An event is also told to those who subscribed to one of these (RFC 3995 section 5.3.3.4).
_PART_OF = {
    "printer-stopped": "printer-state-changed",
    "job-created": "job-state-changed",
    "job-completed": "job-state-changed",
    "job-stopped": "job-state-changed",
}

QueueFacts = tuple[PrinterState, tuple[str, ...], bool]


@frozen
class Happened:
    """One event as it waits to be fetched.

    :ivar number: ``notify-sequence-number``, from 1 for each subscription.
    :ivar job: as it was then; ``queue`` state, reasons and whether it takes jobs.
    """

    number: int
    at: int
    event: str
    text: str
    job: PrintJob | None = None
    queue: QueueFacts | None = None


@define(eq=False)
class Subscription:
    """One of them.

    :ivar job_id: of a job subscription, else 0.
    :ivar ends: microseconds UTC; 0 = never by itself.
    """

    id: int
    queue: str
    user: str
    events: tuple[str, ...]
    job_id: int = 0
    lease: int = 0
    ends: int = 0
    user_data: bytes = b""
    charset: str = "utf-8"
    language: str = "en"
    interval: int = 0
    sequence: int = 0
    waiting: deque[Happened] = Factory(lambda: deque(maxlen=MOST_EVENTS))

    def wants(self, event: str) -> bool:
        """Whether it subscribed to that event or to one it is part of."""
        return event in self.events or _PART_OF.get(event) in self.events


class Subscriptions:
    """Of all queues.

    :param now: microseconds UTC.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._known: dict[int, Subscription] = {}
        self._next = 1
        self._facts: dict[str, QueueFacts] = {}
        self._waiting: list[tuple[frozenset[int], Deferred[None]]] = []

    def add(self, make: Callable[[int], Subscription]) -> Subscription | None:
        """A new one, made from its id; ``None`` when there are as many as there may be."""
        self._expire()
        if len(self._known) >= MOST:
            return None
        new = make(self._next)
        self._next += 1
        self._known[new.id] = new
        return new

    def get(self, number: int) -> Subscription | None:
        """That one, if it lives."""
        self._expire()
        return self._known.get(number)

    def of(self, queue: str, *, job_id: int = 0) -> list[Subscription]:
        """Those to a queue, or to one job of it."""
        self._expire()
        return [one for one in self._known.values() if one.queue == queue and one.job_id == job_id]

    def renew(self, subscription: Subscription, lease: int) -> None:
        """From now on for so many seconds; 0 = without end."""
        subscription.lease = lease
        subscription.ends = self._now() + lease * SECOND if lease else 0

    def cancel(self, number: int) -> None:
        """Tell it nothing any more."""
        self._known.pop(number, None)

    def events(self, subscription: Subscription, since: int) -> list[Happened]:
        """What waits for it from that sequence number on and is not too old."""
        old = self._now() - EVENT_LIFE * SECOND
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

    # ------------------------------------------------------------------ what happens

    def job_changed(self, before: PrintJob | None, after: PrintJob | None) -> None:
        """A job is new, another, or gone."""
        job = after or before
        if job is None or not self._known:
            return
        for event, text in _job_events(before, after):
            for one in self._interested(job.ticket.queue, job.id):
                self._tell(one, event, text, job=job)
        if job.state.final or after is None:
            # A job's own subscriptions end with it, after their events had time to be fetched.
            for one in self.of(job.ticket.queue, job_id=job.id):
                one.ends = one.ends or self._now() + EVENT_LIFE * SECOND

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
        job: PrintJob | None = None,
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
        for entry in [each for each in self._waiting if one.id in each[0]]:
            self._waiting.remove(entry)
            entry[1].callback(None)


def _job_events(before: PrintJob | None, after: PrintJob | None) -> list[tuple[str, str]]:
    """Names and words of what happened between the two."""
    if after is None:
        return [("job-completed", "The job was taken away")]
    if before is None:
        return [("job-created", "The job was taken")]
    out = []
    if before.state is not after.state:
        if after.state.final:
            out.append(("job-completed", f"The job is over: {after.state.name.lower()}"))
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
