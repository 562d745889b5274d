"""Makes durable what SQLite has written into its log: the sync that ``synchronous=FULL`` would do inside each COMMIT.

Apart from the COMMIT it can be done in a thread of its own, while whoever commits does something else; or at once,
where the disk takes less time than the thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from mailshare.store.files import Files

QUICK = 0.001  # seconds by the clock, of a usual sync: waking a thread and being woken by it takes a good part of that
_UNKNOWN = 0.004  # how long one usually takes, before any was seen
_WEIGHT = 1 / 32  # of the last one


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
    def quick(self) -> bool:
        """Whether the disk has been quick of late: the weighted mean says so, so one slow sync puts an end to it.

        How slow that one was tells how many quick ones it takes until then: some fifty after 100 ms, over a hundred
        after a second. On a disk that always takes a millisecond or more, it is never so.
        """
        return self._usual < QUICK

    def __call__(self) -> None:
        """Return when all that was written is on stable storage.

        :raises OSError: it may not be; nothing written since the last time can be trusted.
        """
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        start = self._seconds()
        try:
            self._files.sync_log(self._descriptor)
        finally:
            self._usual += (self._seconds() - start - self._usual) * _WEIGHT

    def close(self) -> None:
        """Let go of the log. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
