"""Small messages of one mailbox, read several at a time once it shows that they are asked for in order.

A trip to a reader's thread costs several times what reading a message of some kilobytes does, so a program that fetches
one message after the other (as nearly all do) is served from a few octets read ahead.
"""

from __future__ import annotations

import sqlite3

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody
from mailshare.store.bodies import INLINE, BodyFacts, MemoryBody, PrefixedBody
from mailshare.store.database import Database
from mailshare.store.messages import COLUMNS, BodyOf, Row, inline_data

MOST_OCTETS = 65_536
"""Octets that one session holds ahead of its client, besides the message asked for."""
MOST_MESSAGES = 32
_FROM = (
    f"SELECT entry.uid, entry.prefix, {COLUMNS} FROM entry JOIN message ON message.id = entry.message_id "
    "WHERE entry.mailbox_id = ? AND entry.uid >= ? ORDER BY entry.uid LIMIT ?"
)
Found = tuple[int, bytes, Row, bytes]


class ReadAhead:
    """Reads bodies of one mailbox.

    The first read takes one message; each further one that goes on where the last ended takes twice as many.
    """

    __slots__ = ("_body_of", "_database", "_kept", "_last", "_mailbox", "_times_forgotten", "_wanted")

    def __init__(self, database: Database, body_of: BodyOf, mailbox: int) -> None:
        self._database = database
        self._body_of = body_of
        self._mailbox = mailbox
        self._kept: dict[int, IBody] = {}
        self._last = 0
        self._wanted = 1
        self._times_forgotten = 0

    async def body(self, uid: int) -> IBody:
        """The message with the entry's prefix in front.

        :raises Unavailable: it cannot be read now, or was taken away.
        """
        kept = self._kept.pop(uid, None)
        if kept is not None:
            return kept
        in_order = not self._kept and 0 < self._last < uid
        self._wanted = min(2 * self._wanted, MOST_MESSAGES) if in_order else 1
        mailbox, wanted, forgotten = self._mailbox, self._wanted, self._times_forgotten
        found = await self._database.read(lambda connection: _read(connection, mailbox, uid, wanted))
        if not found or found[0][0] != uid:
            raise Unavailable(detail={"why": "the entry was taken away", "uid": uid})
        self._last = found[-1][0]
        self._wanted = len(found)  # large messages fill the bound sooner
        bodies = {number: self._built(prefix, row, data) for number, prefix, row, data in found}
        asked = bodies.pop(uid)
        self._kept = bodies if forgotten == self._times_forgotten else {}
        return asked

    def forget(self) -> None:
        """Somebody else has taken entries out of the mailbox: what was read ahead may show what is gone."""
        self._times_forgotten += 1
        self._kept = {}

    def _built(self, prefix: bytes, row: Row, data: bytes) -> IBody:
        body = self._body_of(row, data)
        if not prefix:
            return body
        if isinstance(body, MemoryBody):
            old, more = body.facts, len(prefix)
            facts = BodyFacts(old.size + more, old.header_length + more, old.digest, old.content_digest)
            return MemoryBody(facts, prefix + body.data)
        return PrefixedBody(prefix, body)


def _read(connection: sqlite3.Connection, mailbox: int, uid: int, most: int) -> list[Found]:
    """The message with this uid or the next above it, and small ones behind it, up to ``most`` in all."""
    found: list[Found] = []
    octets = 0
    for number, prefix, *facts in connection.execute(_FROM, (mailbox, uid, most)).fetchall():
        row = tuple(facts)
        octets += facts[1]
        if found and (octets > MOST_OCTETS or facts[3] != INLINE):
            break
        found.append((number, prefix or b"", row, inline_data(connection, row)))
    return found
