"""What the parts of the store stand on: run an operation on a connection, in one durable transaction or for reading.

An *operation* is a plain function of a connection. It may be run more than once (a batch that fails is repeated one by
one), so it changes nothing outside the database. The same operations serve the file store, where they run in threads,
and the memory store, where they run at once: the rules of the store are written down a single time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

from twisted.logger import Logger

from mailshare.core.errors import LocalFault, MailshareError, StorageFull, StoreReadOnly, Unavailable

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]

# For each NULL and blob that is bound the module looks for a way to adapt it, by three errors that it drops again: of a
# message 3 % of the machine's instructions. So it is told one, which gives the value itself.
sqlite3.register_adapter(type(None), dict[None, None]().get)
sqlite3.register_adapter(bytes, bytes)

_PRIMARY = 0xFF  # the low octet of an extended result code is the code itself
# The file or the disk under it cannot be trusted or written.
_DAMAGED = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OTHER_OCTETS = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# Somebody else holds it, or this machine is short of memory, files or time.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_SCHEMA,
    }
)
SYNC_FAILED = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class Damage:
    """Whether the database file was found to hold other octets than SQLite wrote: told once, kept until it closes.

    Nothing stops for it: what lies on other pages can be read and written.

    :ivar found: what SQLite said of it, or empty.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.found = ""

    def look(self, fault: sqlite3.Error) -> None:
        """Take notice of an error; any thread may call this."""
        if (getattr(fault, "sqlite_errorcode", 0) or 0) & _PRIMARY in _OTHER_OCTETS and not self.found:
            self.found = f"damaged: {fault}"
            self._log.critical(
                "The database is damaged: {why}. What lies on sound pages is served. Ask `mailshare verify` how far it"
                " goes; then stop the server and restore the last backup.",
                why=str(fault),
            )


class Weighed(Protocol):
    """What a short read gives.

    :ivar octets: read for it.
    """

    @property
    def octets(self) -> int:
        """So many."""


W = TypeVar("W", bound=Weighed)


class Database(Protocol):
    """Where operations run.

    :ivar seconds: tells the time, to be asked on any thread.
    """

    seconds: Callable[[], float]

    def now(self) -> int:
        """The time, microseconds UTC."""

    async def write(
        self,
        operation: Operation[T],
        *,
        cost: int = 0,
        directory: str = "",
        afterwards: Callable[[], None] | None = None,
    ) -> T:
        """Run it in a transaction and fire when that is durable.

        :param cost: octets it will write, for bounding batches and the queue.
        :param directory: must be synced before the commit, because the rows point at a new file in it.
        :param afterwards: called once the transaction is over, whether it came about or not and whether anybody still
            waits; for what is kept in memory of the rows.
        :raises MailshareError: what the operation raised, or StorageFull, StoreReadOnly, Unavailable.
        """

    async def read(self, operation: Operation[T]) -> T:
        """Run it for reading: short statements, nothing kept open afterwards."""

    def read_here(self, operation: Operation[W]) -> W | None:
        """Run it at once on the reactor's thread, if that is thought to hold nobody up: a few rows by their key.

        :returns: ``None`` when it has to be run by :meth:`read`.
        """


def translate(fault: sqlite3.Error, said: str = "") -> MailshareError:
    """Turn what SQLite says into the store's own errors.

    Only what time, or somebody with more disk, can mend becomes a fault to try again after. Everything else, such as a
    column that does not exist, is a mistake in a statement of ours: :class:`LocalFault`, which whoever calls this logs.

    :param said: words in place of the error's own.
    """
    code = (getattr(fault, "sqlite_errorcode", 0) or 0) & _PRIMARY
    detail = {"sqlite": getattr(fault, "sqlite_errorname", "") or type(fault).__name__, "text": str(fault)}
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(said, detail=detail)
    if code in _DAMAGED:
        return StoreReadOnly(said, detail=detail)
    if code in _PASSING:
        return Unavailable(said, code=452, enhanced=(4, 3, 1), detail=detail)
    return LocalFault(said, detail=detail)


def marks(values: Iterable[object]) -> str:
    """As many question marks as there are values, for a short ``IN (...)``."""
    return ",".join("?" for _ in values)


ONE, LISTED = "= ?", "IN (SELECT value FROM json_each(?))"


def chosen(ids: Collection[int]) -> tuple[str, int | str]:
    """What stands behind a column that is to be one of these, and the one value to bind to it.

    A single id, which is by far the most frequent case, is looked up five times as fast as one in a JSON list.
    """
    if len(ids) == 1:
        return ONE, next(iter(ids))
    return LISTED, f"[{','.join(map(str, ids))}]"
