"""Messages on their way in: small ones stay in memory, larger ones are streamed to a content file under its final name.

The database row is the commit point. A file without a row was never acknowledged; the sweep takes it away.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import LocalFault, MailshareError, StorageFull
from mailshare.interfaces import IBody, IBodySink
from mailshare.store.bodies import FileBody, InThread, MemoryBody
from mailshare.store.files import Files, storage_fault, write_all
from mailshare.store.measure import Measure, measured

BLOCK = 256 * 1024  # octets that a thread is asked to write at once; each trip costs as much as 32 KiB of them
BACKLOG = BLOCK * 3 // 2  # octets that may wait for the disk before the source is asked to wait
_SMALL = 4_096  # octets below which pieces are put together

ROOM_KNOWN = 250_000  # microseconds that an answer about free room is good for; the reserve covers what comes meanwhile


class Spool:
    """The directory ``blobs/``.

    :param root: its path.
    :param in_thread: runs a callable in a thread.
    :param now: the time, microseconds UTC; names the day directory.
    :param token: 32 hex digits, new at each call.
    :param inline_limit: octets up to which a message stays in memory.
    :param free_reserve: octets of the disk that mail never takes.
    """

    log = Logger()

    def __init__(
        self,
        root: str,
        *,
        files: Files,
        in_thread: InThread,
        now: Callable[[], int],
        token: Callable[[], str],
        inline_limit: int,
        free_reserve: int,
    ) -> None:
        self.root = root
        self.files = files
        self.in_thread = in_thread
        self.inline_limit = inline_limit
        self._now = now
        self._token = token
        self._free_reserve = free_reserve
        self._free = 0
        self._asked = -ROOM_KNOWN

    def path_of(self, key: str) -> str:
        """Where the content file of that key lies."""
        return os.path.join(self.root, key)

    def new_key(self) -> str:
        """``YYYYMMDD/<128-bit id>``."""
        day = datetime.fromtimestamp(self._now() // 1_000_000, UTC)
        return f"{day:%Y%m%d}/{self._token()}"

    def create(self, key: str) -> int:
        """Make the file and, for the first of a day, its directory. Runs in a thread."""
        path = self.path_of(key)
        directory = os.path.dirname(path)
        if self.files.make_directory(directory):
            self.files.sync_directory(self.root)
        return self.files.create(path)

    def create_durably(self, key: str) -> int:
        """Make the file, and put its name on stable storage."""
        descriptor = self.create(key)
        try:
            self.files.sync_directory(os.path.dirname(self.path_of(key)))
        except OSError:
            self.files.close(descriptor)
            raise
        return descriptor

    def new_sink(self, size_hint: int) -> IBodySink:
        """A sink for one message.

        :raises StorageFull: less than twice the hint and the reserve is free.
        """
        now = self._now()
        if not 0 <= now - self._asked < ROOM_KNOWN or size_hint > BACKLOG:
            try:
                self._free = self.files.free_octets(self.root)
            except OSError as fault:
                raise storage_fault(fault) from fault
            self._asked = now
        free = self._free
        if free < 2 * size_hint + self._free_reserve:
            raise StorageFull(detail={"free": free, "hint": size_hint})
        return SpoolSink(self)

    async def unlink(self, keys: Sequence[str]) -> None:
        """Take content files away."""
        paths = [self.path_of(key) for key in keys]

        def act() -> None:
            for path in paths:
                try:
                    self.files.unlink(path)
                except OSError as fault:
                    # The sweep of the next start tries again; nothing refers to the file.
                    self.log.error("The content file {path} could not be taken away: {why}", path=path, why=str(fault))  # noqa: TRY400

        await self.in_thread(act)

    def keys_older_than(self, before: float) -> list[str]:
        """Content files not changed since that time (seconds). Runs in a thread."""
        found: list[str] = []
        with os.scandir(self.root) as days:
            directories = [day.name for day in days if day.is_dir(follow_symlinks=False)]
        for day in directories:
            with os.scandir(os.path.join(self.root, day)) as files:
                found += [f"{day}/{one.name}" for one in files if one.stat().st_mtime < before]
        return found


@implementer(IBodySink)
class SpoolSink:
    """One message. At most one thread works for it at a time, so its pieces keep their order."""

    # Of a small message only the pieces change.
    size = 0
    _gathered = 0  # octets of the pieces
    _under_way = 0  # octets that the thread has
    _spilled = _spent = _aborted = _working = _durable = False
    _fault: MailshareError | None = None
    _waiters: Sequence[tuple[Callable[[], bool], Deferred[None]]] = ()
    _key = ""
    _descriptor: int | None = None

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Take some octets; an awaitable when more than :data:`BACKLOG` wait for the disk."""
        if self._spent:
            raise LocalFault("This body was finished or aborted already")
        if self._fault is not None:
            raise self._fault
        self.size += len(data)
        self._gather(data)
        if not self._spilled:
            if self.size <= self._spool.inline_limit:
                return None
            self._spilled = True
            self._measure = Measure()
        self._work()
        return None if self._may_come() else self._until(self._may_come)

    async def finish(self) -> IBody:
        """The body; a file is synced by then."""
        if self._spent:
            raise LocalFault("This body was finished or aborted already")
        self._spent = True
        if not self._spilled:
            data = b"".join(self._pieces)
            self._pieces.clear()
            return MemoryBody(measured(data), data)
        self._work()
        await self._until(lambda: self._durable)
        spool, measure = self._spool, self._measure
        return FileBody(measure.facts(self._key), spool.path_of(self._key), spool.in_thread, bytes(measure.captured))

    def abort(self) -> None:
        """Forget it; its file goes once the thread at work is done."""
        self._spent = True
        self._aborted = True
        self._pieces.clear()
        if self._spilled:
            self._work()
        waiters, self._waiters = self._waiters, ()
        for _, wait in waiters:
            wait.callback(None)

    def _gather(self, data: bytes) -> None:
        """Keep a piece; of those who send a few octets at a time it is their octets that take room, not the pieces."""
        self._gathered += len(data)
        if self._pieces and len(data) < _SMALL and len(self._pieces[-1]) < _SMALL:
            self._pieces[-1] += data
        else:
            self._pieces.append(bytes(data))

    def _may_come(self) -> bool:
        return self._gathered + self._under_way <= BACKLOG

    def _until(self, ready: Callable[[], bool]) -> Deferred[None]:
        wait: Deferred[None] = Deferred()
        self._waiters = (*self._waiters, (ready, wait))
        self._release()
        return wait

    def _release(self) -> None:
        waiters, self._waiters = self._waiters, ()
        for ready, wait in waiters:
            if self._fault is not None:
                wait.errback(self._fault)
            elif ready():
                wait.callback(None)
            else:
                self._waiters = (*self._waiters, (ready, wait))

    def _work(self) -> None:
        """Start the thread when a block is together, or the end has come, unless it is at work."""
        if self._working:
            return
        if self._aborted or self._fault is not None:
            self._discard()
            return
        if self._durable or (self._gathered < BLOCK and not self._spent):
            return
        pieces, self._pieces = self._pieces, []
        self._under_way, self._gathered = self._gathered, 0
        self._working = True
        last = self._spent
        task = Deferred.fromCoroutine(self._write(pieces, last=last))
        task.addBoth(self._wrote, last=last)

    async def _write(self, pieces: list[bytes], *, last: bool) -> None:
        spool = self._spool
        self._key = self._key or spool.new_key()
        key = self._key

        def act() -> None:
            descriptor = self._descriptor
            if descriptor is None:
                descriptor = self._descriptor = spool.create(key)
            data = b"".join(pieces)
            pieces.clear()
            self._measure.feed(data)
            write_all(spool.files, descriptor, data)
            if last:
                # A failed sync is never tried again on the same file: the message is refused and comes anew.
                spool.files.sync(descriptor)
                self._descriptor = None
                spool.files.close(descriptor)

        try:
            await spool.in_thread(act)
        except OSError as fault:
            raise storage_fault(fault) from fault

    def _wrote(self, result: object, *, last: bool) -> None:
        self._working = False
        self._under_way = 0
        fault = getattr(result, "value", None)
        if fault is None:
            self._durable = last
        else:
            self._fault = fault if isinstance(fault, MailshareError) else StorageFull(detail={"why": repr(fault)})
            self._pieces.clear()
        self._work()
        self._release()

    def _discard(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        spool, path = self._spool, self._spool.path_of(self._key)

        def act() -> None:
            spool.files.close(descriptor)
            spool.files.unlink(path)

        task = Deferred.fromCoroutine(_run(spool.in_thread, act))
        task.addErrback(lambda failure: spool.log.failure("A spooled file could not be taken away", failure=failure))


async def _run(in_thread: InThread, act: Callable[[], object]) -> None:
    await in_thread(act)
