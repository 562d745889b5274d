"""The database of the store in memory: the file store's schema and operations, on SQLite without a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from mailshare.core.errors import Unavailable
from mailshare.store.counters import set_counters
from mailshare.store.database import Operation, Weighed
from mailshare.store.duplicates import know_keys
from mailshare.store.migrate import make_schema

T = TypeVar("T")
W = TypeVar("W", bound=Weighed)


class MemoryDatabase:
    """A private database in memory; every operation runs at once on the caller's thread.

    :param clock: tells the time.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.seconds: Callable[[], float] = clock.seconds
        self._clock = clock
        self._connection: sqlite3.Connection | None = None

    def now(self) -> int:
        """The clock's time, microseconds."""
        return int(self._clock.seconds() * 1_000_000)

    def open(self) -> None:
        """Make the tables."""
        if self._connection is not None:
            return
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys=ON")
        make_schema(connection)
        set_counters(connection)
        know_keys(connection)
        self._connection = connection

    def close(self) -> None:
        """Nothing is let go before the object is: a closed memory store can be opened again with its mail."""

    async def write(
        self,
        operation: Operation[T],
        *,
        cost: int = 0,
        directory: str = "",
        afterwards: Callable[[], None] | None = None,
    ) -> T:
        """Run it between BEGIN and COMMIT, now. ``cost`` and ``directory`` mean nothing in memory."""
        del cost, directory
        connection = self._ready()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = operation(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        if afterwards is not None:
            afterwards()
        return result

    async def read(self, operation: Operation[T]) -> T:
        """Run it now."""
        return operation(self._ready())

    def read_here(self, operation: Operation[W]) -> W | None:
        """Run it now."""
        return operation(self._ready())

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unavailable(detail={"why": "the store is not open"})
        return self._connection
