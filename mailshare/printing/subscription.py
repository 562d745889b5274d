"""One subscription, and the events that wait for it. Source: RFC 3995 section 5."""

from __future__ import annotations

from collections import deque

from attrs import Factory, define, frozen

from mailshare.core.values import PrinterState, PrintJob, PrintState

MOST_EVENTS = 200  # that wait for one subscription

# An event is also told to those who subscribed to one of these (RFC 3995 section 5.3.3.4).
_PART_OF = {
    "printer-restarted": "printer-state-changed",
    "printer-stopped": "printer-state-changed",
    "job-created": "job-state-changed",
    "job-completed": "job-state-changed",
    "job-stopped": "job-state-changed",
}

QueueFacts = tuple[PrinterState, tuple[str, ...], bool]


@frozen
class JobSeen:
    """What an event tells of a job, as it was then."""

    id: int
    uuid: str
    name: str
    state: PrintState
    reasons: tuple[str, ...] = ()
    impressions: int = 0


def seen(job: PrintJob) -> JobSeen:
    """What an event tells of it."""
    ticket = job.ticket
    return JobSeen(job.id, ticket.uuid, ticket.name, job.state, job.reasons, max(job.impressions, 0))


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
    job: JobSeen | None = None
    queue: QueueFacts | None = None


@define(eq=False)
class Subscription:
    """One of them.

    :ivar job_id: of a job subscription, else 0.
    :ivar ends: microseconds UTC; 0 = never by itself.
    :ivar written: when it was last put on stable storage, microseconds UTC: what happened until then, it was told.
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
    written: int = 0
    waiting: deque[Happened] = Factory(lambda: deque(maxlen=MOST_EVENTS))

    def wants(self, event: str) -> bool:
        """Whether it subscribed to that event or to one it is part of."""
        return event in self.events or _PART_OF.get(event) in self.events
