"""What has to be done now and then: messages that nothing refers to go, and who came in is written down."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND
from mailshare.interfaces import IStore
from mailshare.portal.last_seen import WRITTEN, LastSeen

_GARBAGE = 3600.0
_COPY = ("office", "last backup")
MANAGER, COMMAND = "manager", "command"
"""What a copy was made by."""


class Housekeeping(Service):
    """Collects garbage hourly, and writes the last logins. The journal has its own keeper,
    :class:`mailshare.journal.retention.Retention`.
    """

    _log = Logger()

    def __init__(self, store: IStore, reactor: Any, seen: LastSeen) -> None:
        self._store = store
        self._seen = seen
        self._reactor = reactor
        self._garbage = LoopingCall(self.collect)
        self._garbage.clock = reactor
        self._logins = LoopingCall(self.write_logins)
        self._logins.clock = reactor

    def startService(self) -> None:
        """Begin; the first collection is an hour away."""
        super().startService()
        self._garbage.start(_GARBAGE, now=False)
        self._logins.start(WRITTEN, now=False)

    async def stopService(self) -> None:
        """Stop the clock, and write what is not written yet."""
        super().stopService()
        for each in (self._garbage, self._logins):
            if each.running:
                each.stop()
        await self.write_logins()

    async def write_logins(self) -> None:
        """Write the last logins; trouble is logged, and they are kept for the next time."""
        try:
            await self._seen.write()
        except MailshareError as error:
            self._log.warn("the last logins were not written down: {error}", error=error.public)

    async def collect(self) -> None:
        """Collect garbage; trouble is logged, and met again an hour later."""
        try:
            await self._store.collect_garbage(int(self._reactor.seconds() * SECOND))
        except MailshareError as error:
            self._log.warn("garbage was not collected: {error}", error=error.public)


async def note_copy(store: IStore, at: int, how: str) -> None:
    """Remember that a copy of the store was made, microseconds UTC, and by what."""
    await store.settings.put(*_COPY, {"at": at, "how": how})


async def last_copy(store: IStore) -> tuple[int, str]:
    """When the last copy was made, and by what; ``(0, "")`` = never."""
    found = await store.settings.get(*_COPY)
    told: Any = found[0] if found is not None else {"at": 0, "how": ""}
    return int(told["at"]), str(told["how"])
