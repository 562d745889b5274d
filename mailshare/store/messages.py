"""Stored messages by id, trace or Message-ID, and the way from a row to a body."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from mailshare.core.errors import Unavailable
from mailshare.core.values import Source, StoredMessage
from mailshare.interfaces import IBody
from mailshare.store.bodies import FILE, INLINE, SEGMENT, BodyFacts, FileBody, InThread, MemoryBody, read_exactly
from mailshare.store.database import Database
from mailshare.store.entries import MESSAGE_FACTS, stored_message
from mailshare.store.naming import bare_message_id
from mailshare.store.segments import place_of

COLUMNS = (
    "message.id, message.size, message.hdr_len, message.storage, message.key, message.digest, message.content_digest"
)
Row = tuple[object, ...]


class StoredBodies:
    """Makes bodies of rows.

    :param in_thread: runs file reads; None for a store without content files.
    :param path_of: where the content file of a key lies.
    """

    def __init__(self, in_thread: InThread | None, path_of: Callable[[str], str]) -> None:
        self._in_thread = in_thread
        self._path_of = path_of

    def held(self, connection: sqlite3.Connection, row: Row) -> bytes:
        """The octets of a small body, to be read with its row; empty for one that has a content file of its own.

        :param row: of :data:`COLUMNS`.
        :raises Unavailable: it lies in a segment and cannot be read.
        """
        if row[3] == INLINE:
            found = connection.execute("SELECT data FROM body WHERE message_id = ?", (row[0],)).fetchone()
            return found[0] if found is not None else b""
        return self.in_segment(cast("str", row[4]), cast("int", row[1])) if row[3] == SEGMENT else b""

    def in_segment(self, key: str, size: int) -> bytes:
        """The octets of a body that lies there. Runs where rows are read.

        :raises Unavailable: it cannot be read.
        """
        name, offset = place_of(key)
        return read_exactly(self._path_of(name), offset, size)

    def body(self, row: Row, data: bytes) -> IBody:
        """One of a row of :data:`COLUMNS` and what is held of it.

        :raises Unavailable: it is not complete.
        """
        _, size, header_length, storage, key, digest, content_digest = cast(
            "tuple[int, int, int, int, str, bytes, bytes]", row
        )
        if storage != FILE:
            if len(data) != size:
                raise Unavailable(detail={"why": "the body rows are not complete", "message_id": row[0]})
            return MemoryBody(BodyFacts(size, header_length, digest, content_digest), data)
        assert self._in_thread is not None
        facts = BodyFacts(size, header_length, digest, content_digest, key)
        return FileBody(facts, self._path_of(key), self._in_thread)


class Messages:
    """Look-ups of stored messages."""

    def __init__(self, database: Database, bodies: StoredBodies) -> None:
        self._database = database
        self._bodies = bodies

    async def get(self, message_id: int) -> tuple[IBody, str, int] | None:
        """``(body, trace, received)``, or None when it is not stored any more."""

        def read(connection: sqlite3.Connection) -> tuple[Row, bytes, str, int] | None:
            row = connection.execute(
                f"SELECT {COLUMNS}, message.trace, message.received FROM message WHERE id = ?",
                (message_id,),
            ).fetchone()
            return None if row is None else (row[:7], self._bodies.held(connection, row), row[7], row[8])

        found = await self._database.read(read)
        if found is None:
            return None
        row, data, trace, received = found
        return self._bodies.body(row, data), trace, received

    async def bodies(self, message_ids: Collection[int]) -> Mapping[int, IBody]:
        """The bodies of those of these messages that are stored, read at one go.

        :raises Unavailable: one of them is not complete.
        """
        listed = json.dumps(list(message_ids))

        def read(connection: sqlite3.Connection) -> list[tuple[Row, bytes]]:
            rows = connection.execute(
                f"SELECT {COLUMNS}, body.data FROM message LEFT JOIN body ON body.message_id = message.id "
                "WHERE message.id IN (SELECT value FROM json_each(?))",
                (listed,),
            ).fetchall()
            return [(row[:7], row[7] or self._bodies.held(connection, row)) for row in rows]

        rows = await self._database.read(read)
        return {cast("int", row[0]): self._bodies.body(row, data) for row, data in rows}

    async def body(self, message_id: int) -> IBody:
        """The body alone.

        :raises Unavailable: it is not stored any more.
        """
        found = await self.get(message_id)
        if found is None:
            raise Unavailable(detail={"why": "the message is not stored any more", "message_id": message_id})
        return found[0]

    async def find(self, wanted: str) -> Sequence[tuple[int, str, str]]:
        """``(id, trace, Message-ID)`` of messages with this trace or Message-ID, newest first."""
        wanted = wanted.strip()
        bare = bare_message_id(wanted)

        def read(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
            return connection.execute(
                "SELECT id, trace, message_id_field FROM message WHERE trace = ? "
                "UNION SELECT id, trace, message_id_field FROM message WHERE message_id_field = ? AND ? <> '' "
                "ORDER BY id DESC LIMIT 100",
                (wanted.lower(), bare, bare),
            ).fetchall()

        return await self._database.read(read)

    async def recent(self, limit: int, *, account_id: int | None = None) -> Sequence[StoredMessage]:
        """The last ones, newest first, without reports."""
        clause = "message.account_id = ?" if account_id is not None else "? IS NULL"

        def read(connection: sqlite3.Connection) -> list[StoredMessage]:
            rows = connection.execute(
                f"SELECT {MESSAGE_FACTS} FROM message WHERE {clause} AND json_extract(origin, '$.source') <> ? "
                "ORDER BY message.id DESC LIMIT ?",
                (account_id, Source.REPORT.value, limit),
            )
            return [stored_message(row) for row in rows]

        return await self._database.read(read)
