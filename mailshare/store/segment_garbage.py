"""Segments that hold little or nothing any more: their last bodies go into the database, an hour later the file goes.

So a single message does not keep the room of three hundred. A segment is looked at when messages in it were deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from twisted.logger import Logger

from mailshare.core.errors import Unavailable
from mailshare.store.bodies import SEGMENT, InThread
from mailshare.store.database import Database
from mailshare.store.files import Files
from mailshare.store.messages import StoredBodies
from mailshare.store.segments import keys_in

GRACE = 3_600 * 1_000_000  # microseconds that a segment stays after the last row, and after it was written
SLICE = 16  # bodies that are carried over at once
_LITTLE = 4  # a segment is emptied when less than this part of it is in use
_WAITING = "SELECT DISTINCT key FROM garbage WHERE storage = ? AND after < ?"
_FORGET = "DELETE FROM garbage WHERE storage = ? AND key = ?"
_IN_USE = "SELECT coalesce(sum(size), 0) FROM message WHERE key >= ? AND key < ? AND storage <> 0"
_NEXT = (
    "SELECT id, key, size, digest FROM message WHERE key > ? AND key < ? AND storage <> 0 ORDER BY key LIMIT ?"
)


class _Carried(NamedTuple):
    """A body on its way into the database; ``None`` for one that is not what was stored."""

    number: int
    key: str
    data: bytes | None


def let_go(connection: sqlite3.Connection, name: str, after: int) -> None:
    """A message in that segment was deleted: have it looked at after that time."""
    if not connection.execute("SELECT 1 FROM garbage WHERE storage = ? AND key = ?", (SEGMENT, name)).fetchone():
        connection.execute("INSERT INTO garbage (storage, key, after) VALUES (?, ?, ?)", (SEGMENT, name, after))


class SegmentGarbage:
    """Looks at segments.

    :param current: the one that is written at present.
    :param unlink: takes content files away.
    """

    _log = Logger()

    def __init__(
        self,
        database: Database,
        bodies: StoredBodies,
        *,
        files: Files,
        in_thread: InThread,
        path_of: Callable[[str], str],
        current: Callable[[], str],
        unlink: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._database = database
        self._bodies = bodies
        self._files = files
        self._in_thread = in_thread
        self._path_of = path_of
        self._current = current
        self._unlink = unlink

    async def collect(self, now: int, may_go_on: Callable[[], bool]) -> None:
        """Look at all whose time has come."""
        names = await self._database.read(
            lambda connection: [row[0] for row in connection.execute(_WAITING, (SEGMENT, now))]
        )
        for name in names:
            if not may_go_on():
                return
            await self._look_at(name, now, may_go_on)

    async def _look_at(self, name: str, now: int, may_go_on: Callable[[], bool]) -> None:
        busy = name == self._current()
        path = self._path_of(name)
        try:
            written, size = await self._in_thread(lambda: self._files.age_and_size(path))
        except OSError:
            written, size = 0.0, 0  # it is gone: whoever reads a message in it is told so
        (in_use,) = await self._database.read(lambda connection: connection.execute(_IN_USE, keys_in(name)).fetchone())
        if busy or now - written * 1_000_000 < GRACE:
            await self._again(name, now + GRACE)
        elif not in_use:
            # The row goes first: a file that outlives a crash here is found by the sweep at the next start.
            await self._database.write(lambda connection: connection.execute(_FORGET, (SEGMENT, name)))
            await self._unlink([name])
        elif in_use * _LITTLE < size:
            await self._again(name, now + GRACE)
            await self._empty(name, may_go_on)
        else:
            await self._database.write(lambda connection: connection.execute(_FORGET, (SEGMENT, name)))

    async def _again(self, name: str, after: int) -> None:
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE garbage SET after = ? WHERE storage = ? AND key = ?", (after, SEGMENT, name)
            )
        )

    async def _empty(self, name: str, may_go_on: Callable[[], bool]) -> None:
        """Carry what is left into the database; what cannot be read stays, and is tried again with the segment."""
        first, end = keys_in(name)
        while may_go_on():
            some = await self._database.read(lambda connection, after=first: self._read(connection, after, end))  # type: ignore[misc]
            if not some:
                return
            sound = [one for one in some if one.data is not None]
            await self._database.write(
                lambda connection, these=sound: _carry(connection, these),  # type: ignore[misc]
                cost=sum(len(one.data or b"") for one in sound),
            )
            first = some[-1].key

    def _read(self, connection: sqlite3.Connection, after: str, end: str) -> list[_Carried]:
        rows = connection.execute(_NEXT, (after, end, SLICE)).fetchall()
        return [_Carried(number, key, self._sound(number, key, size, digest)) for number, key, size, digest in rows]

    def _sound(self, number: int, key: str, size: int, digest: bytes) -> bytes | None:
        why: object = "its octets are not those that were stored"
        try:
            data = self._bodies.in_segment(key, size)
            if sha256(data).digest() == digest:
                return data
        except Unavailable as fault:
            why = fault.detail
        self._log.warn("message {number} cannot be carried over: {why}", number=number, why=why)
        return None


def _carry(connection: sqlite3.Connection, some: Sequence[_Carried]) -> None:
    for number, key, data in some:
        moved = connection.execute("UPDATE message SET storage = 0, key = '' WHERE id = ? AND key = ?", (number, key))
        if moved.rowcount:
            connection.execute("INSERT INTO body (message_id, data) VALUES (?, ?)", (number, data))
