"""What has to be done now and then: old journal days go, messages that nothing refers to go."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND
from mailshare.interfaces import IStore

_GARBAGE = 3600.0


class Housekeeping(Service):
    """Purges at start, at each local midnight, and collects garbage hourly.

    :param days: of the journal that stay besides today; -1 = all.
    """

    _log = Logger()

    def __init__(self, store: IStore, reactor: Any, zone: tzinfo, days: int) -> None:
        self._store = store
        self._reactor = reactor
        self._zone = zone
        self.days = days
        self._midnight: IDelayedCall | None = None
        self._garbage = LoopingCall(self.collect)
        self._garbage.clock = reactor

    def startService(self) -> None:
        """Begin; the first collection is an hour away."""
        super().startService()
        self._garbage.start(_GARBAGE, now=False)
        self._midnight = self._reactor.callLater(0, self._purge)

    def stopService(self) -> None:
        """Stop the clocks."""
        super().stopService()
        if self._garbage.running:
            self._garbage.stop()
        if self._midnight is not None and self._midnight.active():
            self._midnight.cancel()

    def _today(self) -> datetime:
        """Local midnight before now."""
        now = datetime.fromtimestamp(self._reactor.seconds(), self._zone)
        return datetime.combine(now.date(), datetime.min.time(), self._zone)

    def _purge(self) -> None:
        tomorrow = datetime.combine(self._today().date() + timedelta(1), datetime.min.time(), self._zone)
        wait = max(tomorrow.timestamp() - self._reactor.seconds(), 1.0)
        self._midnight = self._reactor.callLater(wait, self._purge)
        Deferred.fromCoroutine(self._expire_quietly())

    async def _expire_quietly(self) -> None:
        try:
            await self.expire()
        except MailshareError as error:
            self._log.warn("old days of the journal were not deleted: {error}", error=error.public)

    async def expire(self) -> int:
        """Delete the journal's days that are over their time."""
        if self.days < 0:
            return 0
        oldest = datetime.combine(self._today().date() - timedelta(self.days), datetime.min.time(), self._zone)
        return await self._store.events.expire(int(oldest.timestamp()) * SECOND)

    async def collect(self) -> None:
        """Collect garbage; trouble is logged, and met again an hour later."""
        try:
            await self._store.collect_garbage(int(self._reactor.seconds() * SECOND))
        except MailshareError as error:
            self._log.warn("garbage was not collected: {error}", error=error.public)
