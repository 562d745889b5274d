"""Bodies of middle size lie beside the database, many in one content file, which is called a segment.

Through the log and the database a body of 50 KiB is written twice, page by page; here once, in one call. It costs a
sync of its own before the rows are committed, so it is done for many at once.

A segment is written by the process that made it, from its beginning to its end, and never where a body lies
already; so nothing has to be looked for after a crash. The row is the commit point: it names file and place, and octets
that no row names were never acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.logger import Logger

from mailshare.store.bodies import FileBody, MemoryBody
from mailshare.store.files import Files, fill_all

LEAST = 16 << 10  # octets of a body that lies there; of smaller ones the pages are few
MOST = 16 << 20  # octets of a segment, from which on another one is begun
REST = 60.0  # seconds after a fault, in which bodies go into the database
SAVED = 8e-9  # seconds of a usual sync, for which it is worth while for each octet: see docs/why/store.md


class Delivered(Protocol):
    """A message on its way into the store.

    :ivar beside: the key of its body's place in a segment; empty while it has none.
    """

    body: MemoryBody | FileBody
    beside: str


def key_of(name: str, offset: int) -> str:
    """What ``message.key`` says of a body in a segment; the keys of one stand in the order of their places."""
    return f"{name}@{offset:08x}"


def place_of(key: str) -> tuple[str, int]:
    """The segment and where in it the body begins."""
    name, _, offset = key.partition("@")
    return name, int(offset, 16)


def keys_in(name: str) -> tuple[str, str]:
    """The bounds of the keys of a segment: from the first to before the second."""
    return f"{name}@", f"{name}A"


class Segments:
    """The one that is written at present. It belongs to whoever runs the transaction.

    :param make: makes a content file of that key, with its directory, all but the file's octets durable.
    """

    log = Logger()

    def __init__(
        self, files: Files, new_key: Callable[[], str], make: Callable[[str], int], seconds: Callable[[], float]
    ) -> None:
        self._files = files
        self._new_key = new_key
        self._make = make
        self._seconds = seconds
        self._descriptor: int | None = None
        self._position = 0
        self._rests_until = 0.0
        self.current = ""

    def take(self, delivered: Sequence[Delivered], usual: float) -> int:
        """Put those there that are large enough, if that saves more time than a sync takes; never one alone.

        What is not put there goes into the database: on a slow disk nearly all, and after a fault.

        :param usual: seconds that a sync of the log takes of late.
        :returns: octets that are on stable storage now.
        """
        chosen: list[tuple[Delivered, bytes]] = []
        for one in delivered:
            body = one.body
            if isinstance(body, MemoryBody) and body.facts.size >= LEAST and not one.beside:
                chosen.append((one, body.data))
        octets = sum(len(data) for _, data in chosen)
        if len(chosen) < 2 or octets * SAVED < usual or self._seconds() < self._rests_until:
            return 0
        try:
            keys = self._put([data for _, data in chosen])
        except OSError as fault:
            self._rests_until = self._seconds() + REST
            self.log.error("Bodies go into the database for a while: a content file failed: {why}", why=str(fault))  # noqa: TRY400
            return 0
        for (one, _), key in zip(chosen, keys, strict=True):
            one.beside = key
        return octets

    def _put(self, bodies: Sequence[bytes]) -> list[str]:
        if self._descriptor is None or self._position >= MOST:
            self.close()
            name = self._new_key()
            self._descriptor = self._make(name)
            self.current, self._position = name, 0
        keys, position = [], self._position
        for data in bodies:
            keys.append(key_of(self.current, position))
            fill_all(self._files, self._descriptor, data, position)
            position += len(data)
        try:
            self._files.sync_segment(self._descriptor)
        except OSError:
            self.close()  # a failed sync is never tried again on the same file
            raise
        self._position = position
        return keys

    def close(self) -> None:
        """Let go of it. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        self.current = ""
        if descriptor is not None:
            self._files.close(descriptor)
