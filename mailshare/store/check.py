"""Is the store sound? The database's own check, the counters against what they count, and the bodies."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from mailshare.core.errors import MailshareError
from mailshare.store.bodies import PIECE
from mailshare.store.database import Database
from mailshare.store.messages import Messages

_COUNTERS = (
    "SELECT mailbox.id, msgs, bytes, unread, count(uid), coalesce(sum(size), 0), "
    "coalesce(sum(flags & 1 = 0 AND uid IS NOT NULL), 0) FROM mailbox LEFT JOIN entry ON entry.mailbox_id = mailbox.id "
    "WHERE gone_at = 0 GROUP BY mailbox.id "
    "HAVING msgs <> count(uid) OR bytes <> coalesce(sum(size), 0) "
    "OR unread <> coalesce(sum(flags & 1 = 0 AND uid IS NOT NULL), 0)"
)
_SIZES = (
    "SELECT mailbox_id, uid FROM entry JOIN message ON message.id = entry.message_id "
    "WHERE entry.size <> message.size + coalesce(length(prefix), 0) LIMIT 100"
)
_WAITING = (
    "SELECT id FROM submission WHERE pending <> (SELECT count(*) FROM delivery "
    "WHERE delivery.submission_id = submission.id AND state IN (0, 1)) LIMIT 100"
)


def _rows(connection: sqlite3.Connection) -> list[str]:
    found = [f"database: {row[0]}" for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    found += [
        f"table {row[0]}: row {row[1]} refers to nothing in {row[2]}"
        for row in connection.execute("PRAGMA foreign_key_check").fetchmany(100)
    ]
    found += [f"mailbox {row[0]}: its counters {row[1:4]} are not {row[4:]}" for row in connection.execute(_COUNTERS)]
    found += [f"mailbox {row[0]}, entry {row[1]}: its size is wrong" for row in connection.execute(_SIZES)]
    found += [f"submission {row[0]}: its count of waiting rows is wrong" for row in connection.execute(_WAITING)]
    return found


def _next_messages(connection: sqlite3.Connection, after: int) -> list[int]:
    return [row[0] for row in connection.execute("SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 500", (after,))]


async def problems(database: Database, messages: Messages, *, deep: bool) -> Sequence[str]:
    """Everything that is wrong, in words.

    :param deep: read every body and compare size and digest; without it the last octet of each is read.
    """
    found = await database.read(_rows)
    numbers = await database.read(partial(_next_messages, after=0))
    while numbers:
        for number in numbers:
            found += await _body_problems(messages, number, deep=deep)
        numbers = await database.read(partial(_next_messages, after=numbers[-1]))
    return found


async def _body_problems(messages: Messages, number: int, *, deep: bool) -> list[str]:
    try:
        stored = await messages.get(number)
        if stored is None:
            return []
        body = stored[0]
        if not deep:
            await body.read(max(0, body.size - 1), 1)
            return []
        digest, position = sha256(), 0
        while position < body.size:
            piece = await body.read(position, PIECE)
            digest.update(piece)
            position += len(piece)
    except MailshareError as fault:
        return [f"message {number}: {fault.detail.get('why', fault.public)}"]
    return [] if digest.digest() == body.digest else [f"message {number}: its octets are not those that were stored"]
