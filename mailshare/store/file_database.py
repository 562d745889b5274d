"""The database file: one writer, a few readers, and a lock that keeps a second server out."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from mailshare.core.errors import StoreReadOnly, Unavailable
from mailshare.store.connections import DATABASE, Connect, open_reader, open_writer
from mailshare.store.counters import set_counters
from mailshare.store.database import Damage, Operation, Weighed, translate
from mailshare.store.duplicates import know_keys
from mailshare.store.files import Files
from mailshare.store.log_sync import LogSync
from mailshare.store.migrate import ensure_schema
from mailshare.store.queue import free_leases
from mailshare.store.readers import Readers
from mailshare.store.segments import Segments
from mailshare.store.spare_room import SpareRoom
from mailshare.store.writer import IThreadedReactor, Writer

T = TypeVar("T")
W = TypeVar("W", bound=Weighed)

LAY_OUT_AFTER = 0.2  # seconds: a command that has the store for a moment leaves the log as it is


_DOUBTFUL = b"not synced\n"


class DirectoryLock:
    """The file ``lock``: held by the server that has the store open; the system lets go of it when the process ends.

    :ivar doubtful: the last server here saw a sync fail, and nobody has carried over since what it had written.
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "lock")
        self._descriptor: int | None = None
        self.doubtful = False

    def take(self) -> None:
        """Take it.

        :raises Unavailable: another process has it; the text names it.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").partition("\n")[0]
            os.close(descriptor)
            raise Unavailable(
                f"Another server has this store open (process {holder or 'unknown'}): {os.path.dirname(self._path)}",
                detail={"lock": self._path},
            ) from fault
        self.doubtful = _DOUBTFUL in os.pread(descriptor, 64, 0)
        self._descriptor = descriptor
        self._write()

    def doubt(self) -> None:
        """A sync failed: tell whoever opens the store next. From any thread.

        It need not be durable itself: what it is about are pages that the system holds in memory, as it does this one.
        The file has its room already, so that a full disk does not matter.
        """
        self.doubtful = True
        self._write()

    def trust(self) -> None:
        """What was in doubt is on stable storage."""
        if self.doubtful:
            self.doubtful = False
            self._write()

    def _write(self) -> None:
        if self._descriptor is not None:
            line = f"{os.getpid()}\n".encode("ascii") + (_DOUBTFUL if self.doubtful else b"")
            os.pwrite(self._descriptor, line.ljust(64), 0)

    def release(self) -> None:
        """Let go. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class FileDatabase:
    """Runs operations on ``mailshare.db``.

    :param connect: opens a plain connection; tests hand in one that fails.
    """

    log = Logger()

    def __init__(
        self,
        directory: str,
        reactor: IThreadedReactor,
        *,
        files: Files,
        connect: Connect,
        readers: int,
        durability: str,
    ) -> None:
        self.path = os.path.join(directory, DATABASE)
        self._spare = SpareRoom(directory, files)
        self.seconds: Callable[[], float] = reactor.seconds
        self._reactor = reactor
        self._files = files
        self._connect = connect
        self._threads = readers
        self._durability = durability
        self._damage = Damage()
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._lays_out: IDelayedCall | None = None

    def now(self) -> int:
        """The reactor's time, microseconds."""
        return int(self._reactor.seconds() * 1_000_000)

    def prepare(self, *, doubtful: bool = False) -> sqlite3.Connection:
        """Open the writing connection, with the schema in place and no row claimed. May run in a thread.

        :param doubtful: the log was written by somebody whose sync failed; see :func:`_carry_over`.
        :raises Unavailable, ConfigFault: the file cannot be used; the text says why.
        """
        try:
            if self._spare.give_up():
                self.log.error("The disk is full. Room that was kept for this is used: what is there can be read")
            connection = open_writer(self.path, self._connect)
            try:
                if doubtful:
                    _carry_over(connection)
                ensure_schema(connection, self.path)
                # A statement of many rows keeps what it would have to undo: a file of its own, three writes for each
                # collected message. Small are the counters and the index of duplicate keys as well. Only from here
                # on, for a migration may have to sort a whole table.
                connection.execute("PRAGMA temp_store=MEMORY")
                free_leases(connection)
                set_counters(connection)
                know_keys(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as fault:
            raise translate(fault, f"The store cannot be opened: {fault} ({self.path})") from fault
        except OSError as fault:
            raise Unavailable(f"The store cannot be opened: {fault}") from fault
        return connection

    def start(
        self,
        connection: sqlite3.Connection,
        doubt: Callable[[], None] = lambda: None,
        segments: Segments | None = None,
    ) -> None:
        """Begin to serve.

        :param doubt: called, from any thread, when a sync failed.
        :param segments: takes bodies of middle size.
        """
        self._damage = damage = Damage()
        sync_log = LogSync(self.path, self._files, self._reactor.seconds) if self._durability == "full" else None
        self._writer = Writer(self._reactor, connection, self._files.sync_directory, sync_log, damage, doubt, segments)
        self._readers = Readers(
            self._reactor, lambda here: open_reader(self.path, self._connect, here=here), self._threads, damage
        )
        if sync_log is not None:
            self._lays_out = self._reactor.callLater(LAY_OUT_AFTER, self._lay_out, self._writer, sync_log)

    def _lay_out(self, writer: Writer, sync_log: LogSync) -> None:
        self._lays_out = None

        def write(transaction: sqlite3.Connection) -> None:
            self._spare.lay_out()
            sync_log.lay_out(transaction)

        done = writer.submit(write, 0, "")
        done.addErrback(lambda failure: self.log.info("The log is not laid out: {why}", why=failure.getErrorMessage()))

    @property
    def trouble(self) -> str:
        """Why writing fails at present, or that the file is damaged; empty when neither is so."""
        return (self._writer.trouble if self._writer is not None else "") or self._damage.found

    async def write(
        self,
        operation: Operation[T],
        *,
        cost: int = 0,
        directory: str = "",
        afterwards: Callable[[], None] | None = None,
    ) -> T:
        """Run it with whatever else waits, in one durable transaction."""
        if self._writer is None:
            raise StoreReadOnly(detail={"why": "the store is not open"})
        return await self._writer.submit(operation, cost, directory, afterwards)

    async def read(self, operation: Operation[T]) -> T:
        """Run it in a reader's thread."""
        if self._readers is None:
            raise Unavailable(detail={"why": "the store is not open"})
        return await self._readers.read(operation)

    def read_here(self, operation: Operation[W]) -> W | None:
        """Run it on the reactor's thread, unless that may hold somebody up."""
        return None if self._readers is None else self._readers.read_here(operation)

    async def stop(self, before_close: Callable[[], None]) -> None:
        """Finish what waits; readers go first, so that the writer's close is the last and tidies the log.

        :param before_close: called when nothing is written any more.
        """
        if self._lays_out is not None:
            self._lays_out.cancel()
            self._lays_out = None
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, None
        if readers is not None:
            readers.stop()
        if writer is not None:
            await writer.stop()
        before_close()


def _carry_over(connection: sqlite3.Connection) -> None:
    """Write into the database what the log holds, sync it, and begin the log anew.

    After a failed sync the system may take pages for written that are not: the log can be read for as long as they stay
    in memory, and the power cut that takes them cuts the log there. What is committed later would stand behind that gap
    and be lost, although it was synced. Carried over, it is written again, to another place.

    :raises sqlite3.Error: the disk fails.
    :raises Unavailable: somebody else is reading.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise Unavailable("The store cannot be opened: another program reads it, so the log cannot be carried over")
