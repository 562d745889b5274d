"""The jobs that are looked at: all that are not over, and the last that are, as the store has them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from mailshare.core.values import PrintJob, PrintState
from mailshare.interfaces import IPrintJobs

KEPT = 1_000  # finished jobs that are shown, of all queues together

# which-jobs: what it stands for (RFC 8011 section 4.2.6.1, PWG 5100.11 section 5.1)
_WHICH: dict[str, Callable[[PrintJob], bool]] = {
    "completed": lambda job: job.state.final,
    "not-completed": lambda job: not job.state.final,
    "all": lambda _: True,
    "aborted": lambda job: job.state is PrintState.ABORTED,
    "canceled": lambda job: job.state is PrintState.CANCELED,
    "pending": lambda job: job.state is PrintState.PENDING,
    "pending-held": lambda job: job.state is PrintState.HELD,
    "processing": lambda job: job.state is PrintState.PROCESSING,
    "processing-stopped": lambda job: job.state is PrintState.STOPPED,
    "proof-print": lambda _: False,
    "saved": lambda _: False,
}


class Board:
    """Follows the store's print jobs, so that looking at them takes no reading.

    :ivar watching: is called with ``(before, after)`` of each change; ``before`` is ``None`` for a new job, ``after``
        for one that was taken away.
    """

    def __init__(self, jobs: IPrintJobs) -> None:
        self._jobs = jobs
        self._open: dict[int, PrintJob] = {}
        self._over: OrderedDict[int, PrintJob] = OrderedDict()
        self.watching: list[Callable[[PrintJob | None, PrintJob | None], None]] = []

    async def load(self) -> Callable[[], None]:
        """Read what is there and follow it from now on; the result ends that."""
        stop = self._jobs.watch(self._changed)
        before: int | None = None
        while page := await self._jobs.jobs(open_only=True, before_id=before):
            self._open.update((job.id, job) for job in page if job.id not in self._open)
            before = page[-1].id
        recent = await self._jobs.jobs(limit=KEPT)
        for job in sorted((one for one in recent if one.state.final), key=lambda one: one.completed):
            self._over.setdefault(job.id, job)
        return stop

    def _changed(self, job: PrintJob) -> None:
        before = self._open.pop(job.id, None) or self._over.pop(job.id, None)
        if job.state.final:
            self._over[job.id] = job
            while len(self._over) > KEPT:
                self._over.popitem(last=False)
        else:
            self._open[job.id] = job
        if before != job:
            self._tell(before, job)

    def forget(self, ids: Iterable[int]) -> None:
        """These jobs were taken away."""
        for number in ids:
            gone = self._open.pop(number, None) or self._over.pop(number, None)
            if gone is not None:
                self._tell(gone, None)

    def _tell(self, before: PrintJob | None, after: PrintJob | None) -> None:
        for call in tuple(self.watching):
            call(before, after)

    def get(self, job_id: int) -> PrintJob | None:
        """One job."""
        return self._open.get(job_id) or self._over.get(job_id)

    @property
    def under_way(self) -> Sequence[PrintJob]:
        """All jobs that are not over."""
        return list(self._open.values())

    @property
    def cancelled(self) -> Sequence[PrintJob]:
        """The last jobs of which a part was cancelled."""
        both = (*self._open.values(), *self._over.values())
        return [job for job in both if any(one.state is PrintState.CANCELED for one in job.members.values())]

    def waiting(self, queue: str) -> list[PrintJob]:
        """Jobs of a queue that are not over, in the order in which they go."""
        mine = [job for job in self._open.values() if job.ticket.queue == queue]
        return sorted(mine, key=_order)

    def all_of(self, queue: str) -> list[PrintJob]:
        """Jobs of a queue, over or not, oldest first."""
        both = (*self._open.values(), *self._over.values())
        return sorted((job for job in both if job.ticket.queue == queue), key=lambda job: job.id)

    def count(self, queue: str) -> int:
        """How many are not over."""
        return sum(job.ticket.queue == queue for job in self._open.values())

    def intervening(self, job: PrintJob) -> int:
        """Jobs of its queue that go before it."""
        if job.state.final or job.state is PrintState.PROCESSING:
            return 0
        mine = _order(job)
        return sum(one.ticket.queue == job.ticket.queue and _order(one) < mine for one in self._open.values())

    def listed(self, queue: str, which: str) -> Sequence[PrintJob]:
        """Jobs of a queue by a word of ``which-jobs``: those to come in their order, then those over, newest first."""
        fits = _WHICH[which]
        over = [job for job in reversed(self._over.values()) if job.ticket.queue == queue and fits(job)]
        return [*(job for job in self.waiting(queue) if fits(job)), *over]

    @staticmethod
    def knows(which: str) -> bool:
        """Whether that is a word of ``which-jobs``."""
        return which in _WHICH


def _order(job: PrintJob) -> tuple[bool, bool, int, int, int]:
    """What is under way comes first, then what is held last; between them priority and turn decide."""
    priority = job.ticket.options.get("job-priority", 50)
    return (
        job.state is not PrintState.PROCESSING,
        job.state is PrintState.HELD,
        -(priority if isinstance(priority, int) else 50),
        job.order,
        job.id,
    )
