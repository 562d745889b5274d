"""Subscriptions on stable storage, so that a client need not subscribe again when the server was stopped.

Each has a place of its own in the settings, with the events that wait for it. Making, renewing and cancelling one is
written before the client hears of it; events are written a second later at the latest, together. What a kill loses of
them shows as a gap in the sequence numbers (RFC 3995 section 5.4.2), never as a number that is used twice.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import PrinterState, PrintState
from mailshare.interfaces import ISettings
from mailshare.printing.subscription import MOST_EVENTS, Happened, JobSeen, QueueFacts, Subscription

SCOPE = "print-subscriptions"
GAP = 1_000  # sequence numbers that a kill may cost
_LATE = 1.0  # seconds until events are written


class KeptSubscriptions:
    """Writes subscriptions down, and reads them.

    :param clock: ``IReactorTime``.
    :param soon: has something done that nobody waits for.
    """

    _log = Logger()

    def __init__(self, settings: ISettings, clock: Any, soon: Callable[[Awaitable[None]], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._soon = soon
        self._places: dict[int, int] = {}
        self._late: dict[int, Subscription | None] = {}
        self._inexact: dict[int, Subscription] = {}
        self._call: Any = None

    async def load(self) -> tuple[list[Subscription], int]:
        """Those that were written, and the highest number that any ever had."""
        found, last = [], 0
        for place, value in (await self._settings.all(SCOPE)).items():
            if not isinstance(value, dict):
                continue
            last = max(last, int(value["id"]))
            if "queue" in value:
                one = _read(value)
                found.append(one)
                self._places[one.id] = int(place)
        return sorted(found, key=lambda one: one.id), last

    async def keep(self, one: Subscription) -> None:
        """Write it; fires when it is durable.

        :raises MailshareError: it cannot be written now.
        """
        self._late.pop(one.id, None)
        self._inexact[one.id] = one
        await self._put(one, one.sequence + GAP)

    async def drop(self, number: int) -> None:
        """It is no more; fires when that is durable."""
        place = self._places.get(number)
        self.forget(number)
        if place is not None:
            await self._settings.put(SCOPE, str(place), {"id": number})

    def forget(self, number: int) -> None:
        """Write nothing of it any more."""
        self._late.pop(number, None)
        self._inexact.pop(number, None)
        self._places.pop(number, None)

    def later(self, number: int, one: Subscription | None) -> None:
        """Write it soon, or that it is no more."""
        self._late[number] = one
        if self._call is None:
            self._call = self._clock.callLater(_LATE, self._now)

    def _now(self) -> None:
        self._call = None
        self._soon(self._write())

    async def _write(self) -> None:
        """Write what waits for it."""
        try:
            while self._late:  # one that is cancelled meanwhile is not among them any more
                number, one = self._late.popitem()
                await (self.drop(number) if one is None else self.keep(one))
        except MailshareError as fault:
            self._log.warn("subscriptions to print events could not be written: {fault}", fault=fault.public)

    async def close(self) -> None:
        """Write everything as it stands: nothing happens any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        await self._write()
        inexact, self._inexact = self._inexact, {}
        try:
            for one in inexact.values():
                await self._put(one, one.sequence)
        except MailshareError as fault:
            self._log.warn("subscriptions to print events could not be written: {fault}", fault=fault.public)

    async def _put(self, one: Subscription, sequence: int) -> None:
        place = self._places.get(one.id)
        if place is None:
            taken = set(self._places.values())
            place = self._places[one.id] = next(free for free in itertools.count() if free not in taken)
        one.written = int(self._clock.seconds() * 1_000_000)
        await self._settings.put(SCOPE, str(place), _written(one, sequence))


def _written(one: Subscription, sequence: int) -> dict[str, object]:
    """As JSON."""
    return {
        "id": one.id,
        "queue": one.queue,
        "user": one.user,
        "events": list(one.events),
        "job_id": one.job_id,
        "lease": one.lease,
        "ends": one.ends,
        "user_data": one.user_data.hex(),
        "charset": one.charset,
        "language": one.language,
        "interval": one.interval,
        "sequence": sequence,
        "written": one.written,
        "waiting": [_event(happened) for happened in one.waiting],
    }


def _event(happened: Happened) -> list[object]:
    job, queue = happened.job, happened.queue
    return [
        happened.number,
        happened.at,
        happened.event,
        happened.text,
        None if job is None else [job.id, job.uuid, job.name, int(job.state), list(job.reasons), job.impressions],
        None if queue is None else [int(queue[0]), list(queue[1]), queue[2]],
    ]


def _read(value: Mapping[str, Any]) -> Subscription:
    waiting = deque((_happened(*one) for one in value["waiting"]), maxlen=MOST_EVENTS)
    plain = {key: value[key] for key in ("id", "queue", "user", "job_id", "lease", "ends", "charset", "language")}
    return Subscription(
        **plain,
        events=tuple(value["events"]),
        user_data=bytes.fromhex(value["user_data"]),
        interval=value["interval"],
        sequence=value["sequence"],
        written=value["written"],
        waiting=waiting,
    )


def _happened(number: int, at: int, event: str, text: str, job: Any, queue: Any) -> Happened:
    seen: JobSeen | None = None
    if job is not None:
        seen = JobSeen(job[0], job[1], job[2], PrintState(job[3]), tuple(job[4]), job[5])
    facts: QueueFacts | None = None
    if queue is not None:
        facts = PrinterState(queue[0]), tuple(queue[1]), queue[2]
    return Happened(number, at, event, text, seen, facts)
