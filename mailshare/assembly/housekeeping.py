"""What has to be done now and then: messages that nothing refers to go."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND
from mailshare.interfaces import IStore

_GARBAGE = 3600.0


class Housekeeping(Service):
    """Collects garbage hourly. The journal has its own keeper, :class:`mailshare.journal.retention.Retention`."""

    _log = Logger()

    def __init__(self, store: IStore, reactor: Any) -> None:
        self._store = store
        self._reactor = reactor
        self._garbage = LoopingCall(self.collect)
        self._garbage.clock = reactor

    def startService(self) -> None:
        """Begin; the first collection is an hour away."""
        super().startService()
        self._garbage.start(_GARBAGE, now=False)

    def stopService(self) -> None:
        """Stop the clock."""
        super().stopService()
        if self._garbage.running:
            self._garbage.stop()

    async def collect(self) -> None:
        """Collect garbage; trouble is logged, and met again an hour later."""
        try:
            await self._store.collect_garbage(int(self._reactor.seconds() * SECOND))
        except MailshareError as error:
            self._log.warn("garbage was not collected: {error}", error=error.public)
