"""A store that forgets: for tests, trials, and the pretend provider of the demonstration office.

It runs the very operations of the file store on a private database in memory, at once and on the caller's thread: every
awaitable has fired when the call returns, so that tests need no reactor.
"""

from __future__ import annotations

import os
import secrets

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailshare.core.errors import LocalFault, StorageFull, Unavailable
from mailshare.interfaces import IBody, IBodySink, IStore
from mailshare.store.bodies import MemoryBody
from mailshare.store.measure import measured
from mailshare.store.memory_database import MemoryDatabase
from mailshare.store.messages import StoredBodies
from mailshare.store.naming import DUPLICATE_DAYS, FORMER_DAYS
from mailshare.store.parts import StoreParts


@implementer(IBodySink)
class MemorySink:
    """Keeps what comes.

    :param limit: octets it takes at most.
    """

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._pieces: list[bytes] = []
        self._spent = False

    def write(self, data: bytes) -> None:
        """Take some octets; there is never a need to wait."""
        if self._spent:
            raise LocalFault("This body was finished or aborted already")
        if self.size + len(data) > self._limit:
            raise StorageFull
        self.size += len(data)
        self._pieces.append(bytes(data))

    async def finish(self) -> IBody:
        """The body."""
        if self._spent:
            raise LocalFault("This body was finished or aborted already")
        self._spent = True
        data = b"".join(self._pieces)
        self._pieces.clear()
        return MemoryBody(measured(data), data)

    def abort(self) -> None:
        """Forget it."""
        self._spent = True
        self._pieces.clear()


@implementer(IStore)
class MemoryStore(StoreParts):
    """Provides IStore without any file.

    :param clock: tells the time; ``Clock`` in tests.
    :param hostname: the server's own name in the directory.
    :param capacity: octets of the largest message; beyond it StorageFull, as on a full disk.
    :param duplicate_days: within which a mailbox takes the same message once; 0 = it takes every copy.
    :param former_days: that a deleted user and his mail are kept.
    """

    capabilities = frozenset({"transactional_ledger", "single_instance", "claims", "notify"})

    def __init__(
        self,
        *,
        clock: IReactorTime,
        hostname: str = "localhost",
        capacity: int = 1 << 30,
        duplicate_days: int = DUPLICATE_DAYS,
        former_days: int = FORMER_DAYS,
    ) -> None:
        self._database = MemoryDatabase(clock)
        self._capacity = capacity
        super().__init__(
            self._database,
            hostname=hostname,
            bodies=StoredBodies(None, lambda key: key),
            new_body=self.new_body,
            duplicate_days=duplicate_days,
            former_days=former_days,
        )

    async def open(self) -> None:
        """Make the tables, or go on with those of before."""
        self._database.open()
        await self._directory.open(secrets.token_hex(8))

    async def close(self) -> None:
        """The mail stays as long as the object."""
        self._database.close()

    def new_body(self, size_hint: int = 0) -> IBodySink:
        """A sink for one message.

        :raises StorageFull: it would be larger than the capacity.
        """
        if size_hint > self._capacity:
            raise StorageFull
        return MemorySink(self._capacity)

    async def backup(self, directory: str) -> None:
        """There is nothing that would survive.

        :raises Unavailable: always; a memory store says so rather than write an empty copy.
        """
        raise Unavailable("A store in memory cannot be backed up", detail={"directory": os.fspath(directory)})
