"""Makes durable what SQLite has written into its log: the sync that ``synchronous=FULL`` would do inside each COMMIT.

Apart from the COMMIT it can be done in a thread of its own, while whoever commits does something else; or at once,
where the disk takes less time than the thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable

from mailshare.store.files import Files

LOG_OCTETS = 32 << 20  # that are laid out beforehand

QUICK = 0.001  # seconds by the clock, of a usual sync: waking a thread and being woken by it takes a good part of that
SLOW = 0.003  # of a usual sync: from here on it pays to wait for company
_UNKNOWN = 0.0025  # how long one usually takes, before any was seen: neither quick nor slow
_WEIGHT = 1 / 32  # of the last one
_PIECE = bytes(4_096)  # Linux keeps a file in the pieces that it was written in, and counts each as written as a whole
_SPARE = 16  # times as much must be free


class SyncFailed(Exception):
    """The disk did not confirm a sync: nothing written since the last one can be trusted."""


class LogSync:
    """Syncs the write-ahead log of a database.

    The log is there from the first commit until the last connection closes. A descriptor of our own on it is harmless:
    the locks, which closing any descriptor of a file would drop, are those of the database and of its index.

    :param path: of the database.
    :param seconds: the time.
    """

    def __init__(self, path: str, files: Files, seconds: Callable[[], float]) -> None:
        self._path = f"{path}-wal"
        self._files = files
        self._seconds = seconds
        self._descriptor: int | None = None
        self._usual = _UNKNOWN

    @property
    def usual(self) -> float:
        """Seconds that a sync takes of late."""
        return self._usual

    @property
    def quick(self) -> bool:
        """Whether the disk has been quick of late: the weighted mean says so, so one slow sync puts an end to it.

        How slow that one was tells how many quick ones it takes until then: some fifty after 100 ms, over a hundred
        after a second. On a disk that always takes a millisecond or more, it is never so.
        """
        return self._usual < QUICK

    def __call__(self) -> None:
        """Return when all that was written is on stable storage.

        :raises SyncFailed: it may not be.
        """
        start = self._seconds()
        try:
            self._files.sync_log(self._opened())
        except OSError as fault:
            raise SyncFailed(f"the log could not be synced: {fault}") from fault
        finally:
            self._usual += (self._seconds() - start - self._usual) * _WEIGHT

    def lay_out(self, _transaction: sqlite3.Connection) -> None:
        """Write zeros behind the log's end, so that what is written there later does not make the file longer.

        To sync a file that has grown the file system writes its own journal too, and waits for what others have in it.
        SQLite reads a log as far as its checksums go, so zeros are what a longer log of before would be: nothing.

        :param _transaction: one under way, so that nobody else writes to the log.
        :raises OSError: it could not be made so long, which does not matter.
        :raises SyncFailed: the disk fails.
        """
        descriptor = self._opened()
        end = os.fstat(descriptor).st_size
        if self._files.free_octets(self._path) < LOG_OCTETS * _SPARE:
            return
        while end < LOG_OCTETS:
            end += self._files.fill(descriptor, _PIECE[: LOG_OCTETS - end], end)
        self()

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return self._descriptor

    def close(self) -> None:
        """Let go of the log. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
