"""Room for a start on a full disk: a file that is given up where there is none left.

SQLite cannot open a database without making its index, a file of 32 KiB, and a log; so a server on a full disk could
not even be read from. With this file gone there is room for both, and for the mailboxes that somebody empties.
"""

from __future__ import annotations

import os

from mailshare.store.files import Files

SPARE = 1 << 20  # octets
_NEEDED = 256 << 10  # octets free, below which it is given up
_PLENTY = 16 * SPARE  # octets free, from which on it is laid out
_PIECE = bytes(65_536)


class SpareRoom:
    """The file ``spare`` beside the database.

    :param directory: of the store.
    """

    def __init__(self, directory: str, files: Files) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "spare")
        self._files = files

    def give_up(self) -> bool:
        """Before the database is opened: make room if there is none. Tells whether it did."""
        if self._files.free_octets(self._directory) >= _NEEDED or not os.path.exists(self._path):
            return False
        os.unlink(self._path)
        return True

    def lay_out(self) -> None:
        """Make the file if it is not there and there is room in plenty. May run in a thread.

        :raises OSError: it could not be made; nothing of it is left.
        """
        if os.path.exists(self._path) or self._files.free_octets(self._directory) < _PLENTY:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for start in range(0, SPARE, len(_PIECE)):
                os.pwrite(descriptor, _PIECE, start)
        except OSError:
            os.unlink(self._path)
            raise
        finally:
            os.close(descriptor)
