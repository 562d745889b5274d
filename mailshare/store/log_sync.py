"""Makes durable what SQLite has written into its log: the sync that ``synchronous=FULL`` would do inside each COMMIT.

Apart from the COMMIT it can be done in a thread of its own, while whoever commits does something else.
"""

from __future__ import annotations

import os

from mailshare.store.files import Files


class LogSync:
    """Syncs the write-ahead log of a database.

    The log is there from the first commit until the last connection closes. A descriptor of our own on it is harmless:
    the locks, which closing any descriptor of a file would drop, are those of the database and of its index.

    :param path: of the database.
    """

    def __init__(self, path: str, files: Files) -> None:
        self._path = f"{path}-wal"
        self._files = files
        self._descriptor: int | None = None

    def __call__(self) -> None:
        """Return when all that was written is on stable storage.

        :raises OSError: it may not be; nothing written since the last time can be trusted.
        """
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self._files.sync_log(self._descriptor)

    def close(self) -> None:
        """Let go of the log. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
