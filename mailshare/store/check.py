"""Is the store sound? The database's own check, the counters against what they count, and the bodies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from mailshare.core.errors import MailshareError
from mailshare.store.arrivals import entries_where
from mailshare.store.bodies import PIECE
from mailshare.store.database import Database
from mailshare.store.entries import LINES, USUAL_LINES
from mailshare.store.messages import Messages

_COUNTERS = (
    "SELECT mailbox.id, msgs, bytes, unread, count(uid), coalesce(sum(size), 0), "
    "coalesce(sum(flags & 1 = 0 AND uid IS NOT NULL), 0) FROM mailbox "
    f"LEFT JOIN {entries_where('true')} ON entry.mailbox_id = mailbox.id "
    "WHERE gone_at = 0 GROUP BY mailbox.id "
    "HAVING msgs <> count(uid) OR bytes <> coalesce(sum(size), 0) "
    "OR unread <> coalesce(sum(flags & 1 = 0 AND uid IS NOT NULL), 0)"
)
_SIZES = (
    f"SELECT entry.mailbox_id, uid FROM {entries_where('true')} JOIN message ON message.id = entry.message_id "
    f"{USUAL_LINES} WHERE entry.size <> message.size + coalesce(length({LINES}), 0) LIMIT 100"
)
_MOST = 100  # findings of one kind
_MESSAGES = "SELECT id FROM message WHERE id > ? ORDER BY id LIMIT 500"
_WAITING = (
    "SELECT id FROM submission WHERE pending <> (SELECT count(*) FROM delivery "
    "WHERE delivery.submission_id = submission.id AND state IN (0, 1)) LIMIT 100"
)


_LOOKS: tuple[tuple[str, Callable[[tuple[Any, ...]], str]], ...] = (
    ("PRAGMA integrity_check(20)", lambda row: "" if row[0] == "ok" else f"database: {row[0]}"),
    ("PRAGMA foreign_key_check", lambda row: f"table {row[0]}: row {row[1]} refers to nothing in {row[2]}"),
    (_COUNTERS, lambda row: f"mailbox {row[0]}: its counters {row[1:4]} are not {row[4:]}"),
    (_SIZES, lambda row: f"mailbox {row[0]}, entry {row[1]}: its size is wrong"),
    (_WAITING, lambda row: f"submission {row[0]}: its count of waiting rows is wrong"),
)


def _rows(connection: sqlite3.Connection) -> list[str]:
    found: dict[str, None] = {}  # what one look stumbles over, the next may stumble over again
    for statement, words in _LOOKS:
        try:
            found |= dict.fromkeys(map(words, connection.execute(statement).fetchmany(_MOST)))
        except sqlite3.DatabaseError as fault:
            found[f"database: {fault}"] = None
    return [each for each in found if each]


def _next_messages(connection: sqlite3.Connection, after: int) -> list[int]:
    try:
        return [row[0] for row in connection.execute(_MESSAGES, (after,))]
    except sqlite3.DatabaseError:
        return []  # the look at the whole database has told it


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
