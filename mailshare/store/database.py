"""What the parts of the store stand on: run an operation on a connection, in one durable transaction or for reading.

An *operation* is a plain function of a connection. It may be run more than once (a batch that fails is repeated one by
one), so it changes nothing outside the database. The same operations serve the file store, where they run in threads,
and the memory store, where they run at once: the rules of the store are written down a single time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.errors import MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.store.schema_version import HEAD

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]

_PRIMARY = 0xFF  # the low octet of an extended result code is the code itself
SYNC_FAILED = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class Database(Protocol):
    """Where operations run."""

    def now(self) -> int:
        """The time, microseconds UTC."""

    async def write(self, operation: Operation[T], *, cost: int = 0, directory: str = "") -> T:
        """Run it in a transaction and fire when that is durable.

        :param cost: octets it will write, for bounding batches and the queue.
        :param directory: must be synced before the commit, because the rows point at a new file in it.
        :raises MailshareError: what the operation raised, or StorageFull, StoreReadOnly, Unavailable.
        """

    async def read(self, operation: Operation[T]) -> T:
        """Run it for reading: short statements, nothing kept open afterwards."""


def translate(fault: sqlite3.Error) -> MailshareError:
    """Turn what SQLite says into the store's own errors."""
    code = getattr(fault, "sqlite_errorcode", 0) or 0
    detail = {"sqlite": getattr(fault, "sqlite_errorname", "") or type(fault).__name__, "text": str(fault)}
    if code & _PRIMARY == sqlite3.SQLITE_FULL:
        return StorageFull(detail=detail)
    if code & _PRIMARY in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT}:
        return StoreReadOnly(detail=detail)
    return Unavailable(detail=detail)


def marks(values: Iterable[object]) -> str:
    """As many question marks as there are values, for a short ``IN (...)``."""
    return ",".join("?" for _ in values)


class MemoryDatabase:
    """A private database in memory; every operation runs at once on the caller's thread.

    :param clock: tells the time.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._connection: sqlite3.Connection | None = None

    def now(self) -> int:
        """The clock's time, microseconds."""
        return int(self._clock.seconds() * 1_000_000)

    def open(self) -> None:
        """Make the tables."""
        if self._connection is not None:
            return
        # The schema module brings SQLAlchemy along, which no other use of the store needs.
        from mailshare.store.schema import sqlite_statements  # noqa: PLC0415

        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys=ON")
        for statement in sqlite_statements():
            connection.execute(statement)
        connection.execute("CREATE TABLE alembic_version (version_num TEXT NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
        self._connection = connection

    def close(self) -> None:
        """Nothing is let go before the object is: a closed memory store can be opened again with its mail."""

    async def write(self, operation: Operation[T], *, cost: int = 0, directory: str = "") -> T:
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
        return result

    async def read(self, operation: Operation[T]) -> T:
        """Run it now."""
        return operation(self._ready())

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unavailable(detail={"why": "the store is not open"})
        return self._connection
