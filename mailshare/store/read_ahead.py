"""Small messages of one mailbox, read several at a time once it shows that they are asked for in order.

One statement for many costs a fraction of one for each; and where reads have to be left to a thread, a trip there costs
several times what reading a message of some kilobytes does. So a program that fetches one message after the other, as
nearly all do, is served from a few octets read ahead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from itertools import islice
from math import inf
from typing import Any, NamedTuple, cast

from attrs import define, field, frozen

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody
from mailshare.store.arrivals import IN_ORDER
from mailshare.store.bodies import SEGMENT, BodyFacts, FileBody, MemoryBody, PrefixedBody
from mailshare.store.database import Database
from mailshare.store.entries import READY
from mailshare.store.messages import COLUMNS, StoredBodies
from mailshare.store.ready_bodies import ReadyFileBody, ReadyMemoryBody, ReadyPrefixedBody
from mailshare.wire.dots import stuffed

MOST_OCTETS = 262_144
"""Octets that one session holds ahead of its client, besides the message asked for."""
MOST_MESSAGES = 128
MOST_TOGETHER = 16 << 20
"""Octets that all sessions hold ahead; when they are used up, each message is read when it is asked for."""
LONG = 0.005
"""Seconds after which nothing more is read ahead on the reactor's thread."""
# SQLite computes what would be asked of each message; a mailbox's usual lines are looked up once for a statement.
_LINES = "coalesce(entry.prefix, (SELECT data FROM usual_lines WHERE mailbox_id = ?1))"
_FITS = f"length(body.data) + ifnull(length({_LINES}), 0) = entry.size"
_FROM = [
    f"SELECT entry.uid, {_FITS}, entry.flags & {READY}, {_LINES}, entry.size, body.data, "
    f"entry.message_id FROM {table} AS entry LEFT JOIN body ON body.message_id = entry.message_id "
    f"WHERE entry.mailbox_id = ?1 AND entry.uid >= ?2 ORDER BY entry.{by} LIMIT ?3"
    for table, by in IN_ORDER
]
_PLACE = f"SELECT key, size FROM message WHERE id = ? AND storage = {SEGMENT}"
_ONE = [
    f"SELECT entry.uid, {_LINES}, entry.flags, body.data, {COLUMNS} FROM {table} AS entry "
    "JOIN message ON message.id = entry.message_id LEFT JOIN body ON body.message_id = message.id "
    "WHERE entry.mailbox_id = ?1 AND entry.uid = ?2"
    for table, _ in IN_ORDER
]


class Found(NamedTuple):
    """One entry with all that is known of its message.

    :ivar data: the body, when it is in the database or in a segment.
    :ivar number: and what follows: the columns of :data:`~mailshare.store.messages.COLUMNS`.
    """

    uid: int
    prefix: bytes | None
    flags: int
    data: bytes | None
    number: int
    size: int
    header_length: int
    storage: int
    key: str
    digest: bytes
    content_digest: bytes


@frozen
class Lot:
    """Messages that follow one another, as they go on a POP3 wire but for their final dots.

    :ivar octets: of all.
    """

    messages: dict[int, bytes]
    octets: int = 0


@frozen
class Reading:
    """What one read brought: a message with all that is known of it, if it is there, and those behind it."""

    found: Found | None
    lot: Lot = field(factory=lambda: Lot({}))

    @property
    def octets(self) -> int:
        """Octets of bodies."""
        return self.lot.octets + len((self.found and self.found.data) or b"")


@define
class Room:
    """What all sessions together may still hold ahead.

    :ivar octets: of it.
    """

    octets: int = MOST_TOGETHER


class ReadAhead:
    """Reads bodies of one mailbox.

    The first read takes one message; each further one that goes on where the last ended takes twice as many, until the
    bound in octets is met.
    """

    __slots__ = (
        "_bodies",
        "_bounded",
        "_database",
        "_held",
        "_kept",
        "_last",
        "_mailbox",
        "_room",
        "_times_forgotten",
        "_wanted",
    )

    def __init__(self, database: Database, bodies: StoredBodies, mailbox: int, room: Room) -> None:
        self._database = database
        self._bodies = bodies
        self._mailbox = mailbox
        self._room = room
        self._held = 0
        self._kept: dict[int, bytes] = {}
        self._last = 0
        self._wanted = 1
        self._bounded = False
        self._times_forgotten = 0

    async def body(self, uid: int) -> IBody:
        """The message with the entry's prefix in front.

        :raises Unavailable: it cannot be read now, or was taken away.
        """
        mailbox, bodies = self._mailbox, self._bodies
        reading = self._database.read_here(lambda connection: Reading(_one(connection, bodies, mailbox, uid)))
        if reading is None:
            reading = await self._in_thread(uid)
        if reading.found is None:
            raise Unavailable(detail={"why": "the entry was taken away", "uid": uid})
        return self._built(reading.found)

    def at_hand(self, uid: int) -> bytes | None:
        """All octets of a small message as they go on a POP3 wire, but for the final dot, if they were read ahead or
        can be read here and now; what was read ahead is given once.
        """
        message = self._kept.pop(uid, None)
        if message is not None:
            return message
        clock, mailbox, bodies, wanted = self._database.seconds, self._mailbox, self._bodies, self._next(uid)
        until = clock() + LONG
        lot = self._database.read_here(lambda connection: _lot(connection, bodies, mailbox, uid, wanted, clock, until))
        if lot is None:
            return None
        self._keep(uid, lot, wanted)
        return self._kept.pop(uid, None)

    def forget(self) -> None:
        """What was read ahead may show what is gone by now, or the session is over."""
        self._times_forgotten += 1
        self._drop()

    async def _in_thread(self, uid: int) -> Reading:
        """One message and, when it continues what was read last, small ones behind it."""
        mailbox, held, forgotten = self._mailbox, uid in self._kept, self._times_forgotten
        wanted = 1 if held else self._next(uid)  # what is held was read ahead for RETR, so this is TOP
        clock, bodies = self._database.seconds, self._bodies

        def read(connection: sqlite3.Connection) -> Reading:
            found = _one(connection, bodies, mailbox, uid)
            if found is None or wanted == 1:
                return Reading(found)
            return Reading(found, _lot(connection, bodies, mailbox, uid + 1, wanted - 1, clock))

        reading = await self._database.read(read)
        if not held and forgotten == self._times_forgotten:
            self._keep(uid, reading.lot, wanted, 1)
        return reading

    def _next(self, uid: int) -> int:
        """How many messages to read at once from this one on."""
        in_order = not self._kept and 0 < self._last < uid
        if not in_order or self._room.octets < MOST_OCTETS:
            return 1
        return self._wanted if self._bounded else min(2 * self._wanted, MOST_MESSAGES)

    def _keep(self, uid: int, lot: Lot, wanted: int, besides: int = 0) -> None:
        """Hold what was read ahead in place of all that was held.

        :param uid: of the message that was asked for; it counts as handed over.
        :param besides: messages that were read together with the lot.
        """
        self._drop()
        messages = lot.messages
        read = len(messages) + besides
        self._last = max(messages, default=uid)
        self._bounded = read < wanted
        self._wanted = max(read, 1)
        self._kept = messages
        self._held = lot.octets - len(messages.get(uid, b""))
        self._room.octets -= self._held

    def _drop(self) -> None:
        self._room.octets += self._held
        self._held = 0
        self._kept = {}

    def _built(self, found: Found) -> IBody:
        prefix, data, ready = found.prefix or b"", found.data or b"", found.flags & READY
        body = self._bodies.body(found[4:], data)
        if isinstance(body, MemoryBody):
            facts = body.facts
            if prefix:
                more = len(prefix)
                facts = BodyFacts(facts.size + more, facts.header_length + more, facts.digest, facts.content_digest)
                data = prefix + data
            return ReadyMemoryBody(facts, data) if ready else MemoryBody(facts, data)
        if not ready:
            return PrefixedBody(prefix, body) if prefix else body
        file = cast("FileBody", body)
        straight = ReadyFileBody(file.facts, file.path, file.in_thread)
        return ReadyPrefixedBody(prefix, straight) if prefix else straight


def _one(connection: sqlite3.Connection, bodies: StoredBodies, mailbox: int, uid: int) -> Found | None:
    for statement in _ONE:
        row = connection.execute(statement, (mailbox, uid)).fetchone()
        if row is not None:
            found = Found._make(row)
            return found if found.storage != SEGMENT else found._replace(data=bodies.in_segment(found.key, found.size))
    return None


def _rows(connection: sqlite3.Connection, values: tuple[int, int, int]) -> Generator[tuple[Any, ...], None, None]:
    for statement in _FROM:
        cursor = connection.execute(statement, values)
        try:
            yield from cursor
        finally:
            cursor.close()  # a statement that is not at its end holds its snapshot


def _lot(
    connection: sqlite3.Connection,
    bodies: StoredBodies,
    mailbox: int,
    uid: int,
    most: int,
    clock: Callable[[], float],
    until: float = inf,
) -> Lot:
    """Small messages from this uid on, until there are enough octets, something else lies between, or it is late."""
    messages: dict[int, bytes] = {}
    octets = 0
    rows = _rows(connection, (mailbox, uid, most))
    try:
        for number, fits, ready, prefix, size, data, message in islice(rows, most):
            octets += size
            if data is None and (octets <= MOST_OCTETS or not messages):
                data = fits = _beside(connection, bodies, message, size - len(prefix or b""))  # noqa: PLW2901 - as below
            if not fits or (octets > MOST_OCTETS and messages):
                octets -= size  # one that does not fit its row is told of to whoever asks for it by itself
                break
            if prefix:
                data = prefix + data  # noqa: PLW2901 - a step less for each message
            messages[number] = data if ready else _stuffed(data)
            if clock() > until:
                break
    except sqlite3.DatabaseError:
        pass  # a damaged page further on is for who asks for what lies there
    finally:
        rows.close()
    return Lot(messages, octets)


def _beside(connection: sqlite3.Connection, bodies: StoredBodies, message: int, size: int) -> bytes | None:
    """A body that lies in a segment and has that size; ``None`` for one that lies elsewhere or cannot be read."""
    row = connection.execute(_PLACE, (message,)).fetchone()
    if row is None or row[1] != size:
        return None
    try:
        return bodies.in_segment(*row)
    except Unavailable:
        return None  # as one that does not fit


def _stuffed(message: bytes) -> bytes:
    """With dots stuffed and the last line ended, but without the final dot."""
    message, end = stuffed(message)
    return message + end[: -len(b".\r\n")]
