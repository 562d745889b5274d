"""Keeps today's journal and so many days before it: purged at start, and at each local midnight of a long life."""

from __future__ import annotations

from datetime import tzinfo

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND
from mailshare.interfaces import IEventLog
from mailshare.journal.days import keep_from, next_midnight


class Retention(Service):
    """The purge.

    :ivar days: days kept besides today; 0 = today only, -1 = all. May be changed while it runs.
    """

    name = "journal-retention"
    _log = Logger()

    def __init__(self, log: IEventLog, clock: IReactorTime, zone: tzinfo, days: int) -> None:
        self.days = days
        self._events = log
        self._clock = clock
        self._zone = zone
        self._next: IDelayedCall | None = None
        self._purging: Deferred[None] | None = None

    def startService(self) -> None:
        """Purge now and at each midnight."""
        super().startService()
        self._midnight()

    async def stopService(self) -> None:
        """Stop when the purge under way is done."""
        super().stopService()
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._purging is not None:
            await self._purging

    def _midnight(self) -> None:
        now = int(self._clock.seconds() * SECOND)
        wait = max((next_midnight(now, self._zone) - now) / SECOND, 1.0)
        self._next = self._clock.callLater(wait, self._midnight)
        if self._purging is None:
            self._purging = Deferred.fromCoroutine(self._purge())
            self._purging.addErrback(lambda failure: self._log.failure("the journal was not purged", failure=failure))
            self._purging.addBoth(self._purged)

    def _purged(self, result: None) -> None:
        self._purging = None
        return result

    async def _purge(self) -> None:
        try:
            count = await self.purge()
        except MailshareError as fault:
            self._log.warn("the journal was not purged: {fault}", fault=fault.public)
        else:
            if count:
                self._log.info("{count} old journal lines deleted", count=count)

    async def purge(self) -> int:
        """Delete what is older than the days kept; returns how many lines."""
        before = keep_from(int(self._clock.seconds() * SECOND), self._zone, self.days)
        return await self._events.expire(before) if before else 0
