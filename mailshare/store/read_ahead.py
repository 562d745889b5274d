"""Small messages of one mailbox, read several at a time once it shows that they are asked for in order.

A trip to a reader's thread costs several times what reading a message of some kilobytes does, so a program that fetches
one message after the other (as nearly all do) is served from a few octets read ahead.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple, cast

from attrs import define

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody
from mailshare.store.bodies import INLINE, BodyFacts, FileBody, MemoryBody, PrefixedBody
from mailshare.store.database import Database
from mailshare.store.entries import READY
from mailshare.store.messages import COLUMNS, BodyOf
from mailshare.store.ready_bodies import ReadyFileBody, ReadyMemoryBody, ReadyPrefixedBody

MOST_OCTETS = 524_288
"""Octets that one session holds ahead of its client, besides the message asked for."""
MOST_MESSAGES = 128
MOST_TOGETHER = 16 << 20
"""Octets that all sessions hold ahead; when they are used up, each message is read when it is asked for."""
# What is asked of each message read is computed by SQLite.
_STRAIGHT = f"entry.flags & {READY} AND length(body.data) = message.size"
_FROM = (
    f"SELECT entry.uid, entry.prefix, entry.flags, body.data, entry.size, {_STRAIGHT}, {COLUMNS} FROM entry "
    "JOIN message ON message.id = entry.message_id LEFT JOIN body ON body.message_id = message.id "
    "WHERE entry.mailbox_id = ? AND entry.uid >= ? ORDER BY entry.uid LIMIT ?"
)


class Found(NamedTuple):
    """One entry as it was read.

    :ivar data: the body, when it is in the database.
    :ivar octets: of both.
    :ivar straight: here whole, and it goes on a POP3 wire as it is; SQL's 0 or 1, or ``None`` without ``data``.
    :ivar number: and what follows: the columns of :data:`~mailshare.store.messages.COLUMNS`.
    """

    uid: int
    prefix: bytes | None
    flags: int
    data: bytes | None
    octets: int
    straight: int | None
    number: int
    size: int
    header_length: int
    storage: int
    key: str
    digest: bytes
    content_digest: bytes


_OCTETS, _STORAGE = Found._fields.index("octets"), Found._fields.index("storage")


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
        "_body_of",
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

    def __init__(self, database: Database, body_of: BodyOf, mailbox: int, room: Room) -> None:
        self._database = database
        self._body_of = body_of
        self._mailbox = mailbox
        self._room = room
        self._held = 0
        self._kept: dict[int, Found] = {}
        self._last = 0
        self._wanted = 1
        self._bounded = False
        self._times_forgotten = 0

    async def body(self, uid: int) -> IBody:
        """The message with the entry's prefix in front.

        :raises Unavailable: it cannot be read now, or was taken away.
        """
        kept = self._kept.pop(uid, None)
        if kept is not None:
            return self._built(kept)
        in_order = not self._kept and 0 < self._last < uid
        self._drop()
        if not in_order or self._room.octets < MOST_OCTETS:
            self._wanted = 1
        elif not self._bounded:
            self._wanted = min(2 * self._wanted, MOST_MESSAGES)
        mailbox, wanted, forgotten = self._mailbox, self._wanted, self._times_forgotten
        found = await self._database.read(lambda connection: _read(connection, mailbox, uid, wanted))
        if not found or found[0].uid != uid:
            raise Unavailable(detail={"why": "the entry was taken away", "uid": uid})
        self._last = found[-1].uid
        self._bounded = len(found) < self._wanted
        self._wanted = len(found)
        if forgotten == self._times_forgotten:
            self._kept = {each.uid: each for each in found[1:]}
            self._held = sum(each.octets for each in found[1:])
            self._room.octets -= self._held
        return self._built(found[0])

    def at_hand(self, uid: int) -> bytes | None:
        """All octets of a message that was read ahead, if they go on a POP3 wire as they are; given once."""
        kept = self._kept.get(uid)
        if kept is None or not kept.straight:
            return None
        del self._kept[uid]
        prefix, data = kept.prefix, kept.data
        return prefix + data if prefix and data else data

    def forget(self) -> None:
        """What was read ahead may show what is gone by now, or the session is over."""
        self._times_forgotten += 1
        self._drop()

    def _drop(self) -> None:
        self._room.octets += self._held
        self._held = 0
        self._kept = {}

    def _built(self, found: Found) -> IBody:
        prefix, data, ready = found.prefix or b"", found.data or b"", found.flags & READY
        body = self._body_of(found[6:], data)
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


def _read(connection: sqlite3.Connection, mailbox: int, uid: int, most: int) -> list[Found]:
    """The message with this uid or the next above it, and small ones behind it, up to ``most`` in all."""
    found: list[Found] = []
    octets = 0
    cursor = connection.execute(_FROM, (mailbox, uid, most))
    try:
        for row in cursor:
            octets += row[_OCTETS]
            if found and (octets > MOST_OCTETS or row[_STORAGE] != INLINE):
                break
            found.append(tuple.__new__(Found, row))  # what ``_make`` does, without a call of Python
    except sqlite3.DatabaseError:
        if most == 1:
            raise
        return _read(connection, mailbox, uid, 1)  # a damaged page further on is for who asks for what lies there
    finally:
        cursor.close()  # a statement that is not at its end holds its snapshot
    return found
