"""The store of one machine: a SQLite database and content files under one directory.

Layout: ``lock``, ``mailshare.db`` with its ``-wal`` and ``-shm``, ``blobs/YYYYMMDD/<id>`` (a large body,
or many of middle size), all for the owner alone.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import ConfigFault, Unavailable
from mailshare.interfaces import IBodySink, IStore
from mailshare.store.connections import BLOBS, Connect, plain_connect
from mailshare.store.file_database import DirectoryLock, FileDatabase
from mailshare.store.files import Files
from mailshare.store.messages import StoredBodies
from mailshare.store.naming import DUPLICATE_DAYS, FORMER_DAYS
from mailshare.store.parts import StoreParts
from mailshare.store.segment_garbage import SegmentGarbage
from mailshare.store.segments import Segments, keys_in
from mailshare.store.spool import Spool
from mailshare.store.workers import Workers
from mailshare.store.writer import IThreadedReactor

T = TypeVar("T")

INLINE_LIMIT = 64 * 1024
INLINE_MOST = 1 << 20
FREE_RESERVE = 100_000_000
SWEEP_EVERY = 3_600 * 1_000_000  # microseconds; also the age at which a file without a row is taken away
VACUUM_PAGES = 1_000
_SOUND_SQLITE = (3, 51, 3)
_LOOK_AGAIN = 0.1  # seconds between two tries to get the lock


@implementer(IStore)
class SQLiteStore(StoreParts):
    """Provides IStore on local files.

    :param directory: made when missing, mode 0700.
    :param reactor: tells the time and takes calls from threads.
    :param hostname: the server's own name in the directory of users.
    :param readers: threads for reading rows.
    :param body_threads: threads for content files.
    :param inline_limit: octets up to which a body lies in the database, 0 to 1 MiB.
    :param free_reserve: octets of the disk that mail never takes.
    :param duplicate_days: within which a mailbox takes the same message once; 0 = it takes every copy.
    :param former_days: that a deleted user and his mail are kept.
    :param durability: ``"full"``, or ``"relaxed"`` for test rigs: a power cut may take the last seconds.
    :param patience: seconds that ``open`` waits for another process to let go of the directory.
    :param files, connect, token: the operating system's files, SQLite's connect and the source of file names.
    """

    log = Logger()
    capabilities = frozenset({"transactional_ledger", "single_instance", "durable", "claims", "notify"})

    def __init__(
        self,
        directory: str,
        *,
        reactor: IThreadedReactor,
        hostname: str = "localhost",
        readers: int = 4,
        body_threads: int = 4,
        inline_limit: int = INLINE_LIMIT,
        free_reserve: int = FREE_RESERVE,
        duplicate_days: int = DUPLICATE_DAYS,
        former_days: int = FORMER_DAYS,
        durability: str = "full",
        files: Files | None = None,
        connect: Connect = plain_connect,
        token: Callable[[], str] | None = None,
        patience: float = 0.0,
    ) -> None:
        if durability not in {"full", "relaxed"}:
            raise ConfigFault("durability is full or relaxed")
        if not 0 <= inline_limit <= INLINE_MOST:
            raise ConfigFault(f"inline_limit is 0 to {INLINE_MOST} octets")
        self.path = os.path.abspath(directory)
        self._reactor = reactor
        self._files = files or Files()
        self._connect = connect
        self._body_threads = body_threads
        self._workers: Workers | None = None
        self._lock = DirectoryLock(self.path)
        self._patience = patience
        self._swept = 0
        self._database = FileDatabase(
            self.path, reactor, files=self._files, connect=connect, readers=readers, durability=durability
        )
        self._spool = Spool(
            os.path.join(self.path, BLOBS),
            files=self._files,
            in_thread=self._in_thread,
            now=self._database.now,
            token=token or (lambda: secrets.token_hex(16)),
            inline_limit=inline_limit,
            free_reserve=free_reserve,
        )
        bodies = StoredBodies(self._in_thread, self._spool.path_of)
        self._segments: Segments | None = None
        super().__init__(
            self._database,
            hostname=hostname,
            bodies=bodies,
            new_body=self.new_body,
            unlink=self._spool.unlink,
            segments=self._segment_garbage(bodies),
            duplicate_days=duplicate_days,
            former_days=former_days,
        )

    @property
    def trouble(self) -> str:
        """Why the store cannot write at present; empty when it can."""
        return self._database.trouble

    async def open(self) -> None:
        """Make the directory, take the lock, make or migrate the schema, load the directory of users."""
        if self._workers is not None:
            raise Unavailable(detail={"why": "the store is open already"})
        try:
            os.makedirs(self.path, 0o700, exist_ok=True)
            await self._take_lock()
            os.makedirs(self._spool.root, 0o700, exist_ok=True)
        except OSError as fault:
            self._lock.release()
            raise Unavailable(f"The store cannot be opened: {fault}") from fault
        if sqlite3.sqlite_version_info < _SOUND_SQLITE:
            self.log.info(
                "SQLite {version}: let no other program checkpoint this database (needs 3.51.3)",
                version=sqlite3.sqlite_version,
            )
        self._workers = Workers(self._reactor, self._body_threads, "mailshare-body")
        try:
            prepare = partial(self._database.prepare, doubtful=self._lock.doubtful)
            spool = self._spool
            segments = Segments(self._files, spool.new_key, spool.create_durably, self._reactor.seconds)
            self._database.start(await self._in_thread(prepare), self._lock.doubt, segments)
            self._segments = segments
            self._lock.trust()
            await self._directory.open(secrets.token_hex(8))
        except BaseException:
            await self.close()
            raise

    async def _take_lock(self) -> None:
        """A command that was started a moment ago has the store for a moment; another server keeps it."""
        clock: Any = self._reactor
        until = clock.seconds() + self._patience
        while True:
            try:
                return self._lock.take()
            except Unavailable:
                if clock.seconds() >= until:
                    raise
            await deferLater(clock, _LOOK_AGAIN)

    async def close(self) -> None:
        """Finish what is queued, end the threads, give the lock back."""
        workers, self._workers = self._workers, None
        if workers is None:
            return
        await self._database.stop(workers.stop)
        self._lock.release()

    def new_body(self, size_hint: int = 0) -> IBodySink:
        """A sink for one message.

        :raises StorageFull: less than twice ``size_hint`` and the reserve is free.
        """
        return self._spool.new_sink(size_hint)

    async def collect_garbage(self, now: int) -> int:
        """Drop loose messages, files past their grace and, each hour, files that never got a row."""
        dropped = await super().collect_garbage(now)
        if now - self._swept >= SWEEP_EVERY:
            self._swept = now
            await self._sweep(now - SWEEP_EVERY)
        await self._database.write(_give_back_pages)
        return dropped

    async def backup(self, directory: str) -> None:
        """Copy everything into a new directory, while serving."""
        from mailshare.store.backup import copy_store  # noqa: PLC0415 - no start needs it

        resume = self._garbage.pause()
        try:
            await self._in_thread(lambda: copy_store(self.path, directory, self._connect))
        finally:
            resume()

    def _segment_garbage(self, bodies: StoredBodies) -> SegmentGarbage:
        return SegmentGarbage(
            self._database,
            bodies,
            files=self._files,
            in_thread=self._in_thread,
            path_of=self._spool.path_of,
            current=self._current_segment,
            unlink=self._spool.unlink,
        )

    def _current_segment(self) -> str:
        return "" if self._segments is None else self._segments.current

    async def _sweep(self, before: int) -> None:
        current = self._current_segment()
        keys = await self._in_thread(lambda: self._spool.keys_older_than(before / 1_000_000))
        keys = [key for key in keys if key != current]
        for start in range(0, len(keys), 1_000):
            some = keys[start : start + 1_000]
            known = await self._database.read(lambda connection, some=some: _known_keys(connection, some))  # type: ignore[misc]
            lost = [key for key in some if key not in known]
            if lost:
                self.log.info("{count} files of messages that were never acknowledged are taken away", count=len(lost))
                await self._spool.unlink(lost)

    async def _in_thread(self, act: Callable[[], T]) -> T:
        if self._workers is None:
            raise Unavailable(detail={"why": "the store is not open"})
        return await self._workers.do(act)


def _known_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> set[str]:
    found = set()
    for key in keys:
        row = connection.execute(
            "SELECT 1 FROM message WHERE key = ?1 AND storage <> 0 UNION ALL "
            "SELECT 1 FROM message WHERE key >= ?2 AND key < ?3 AND storage <> 0 UNION ALL "
            "SELECT 1 FROM garbage WHERE key = ?1 LIMIT 1",
            (key, *keys_in(key)),
        ).fetchone()
        if row is not None:
            found.add(key)
    return found


def _give_back_pages(connection: sqlite3.Connection) -> None:
    """Give free pages back to the disk, some at a time.

    The sqlite3 module runs this pragma for a single step, which frees one page, so it is repeated; ``executescript``,
    which would run it to its end, commits the transaction under way.
    """
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(free, VACUUM_PAGES)):
        connection.execute("PRAGMA incremental_vacuum(1)")
