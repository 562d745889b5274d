"""The reply ledger: which Message-IDs left from here and who sent them, so that answers find their way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from zope.interface import implementer

from mailshare.core.values import SentMark
from mailshare.interfaces import IMemory
from mailshare.store.database import Database
from mailshare.store.naming import bare_message_id


def remember(connection: sqlite3.Connection, mark: SentMark, at: int) -> None:
    """Note a Message-ID in the running transaction. The first sender keeps it: nobody can take over an id in use."""
    bare = bare_message_id(mark.message_id)
    if bare:
        connection.execute(
            "INSERT INTO sent (message_id, user_id, account_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (bare, mark.user_id, mark.account_id, at),
        )


@implementer(IMemory)
class SentMemory:
    """Answers the router's question about past mail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def who_sent(self, message_ids: Sequence[str]) -> Mapping[str, SentMark]:
        """Which of these are ours; with or without angle brackets, the answer has the form that was asked."""
        asked: dict[str, list[str]] = {}
        for one in message_ids:
            asked.setdefault(bare_message_id(one), []).append(one)
        if not asked:
            return {}
        listed = json.dumps(list(asked))

        def read(connection: sqlite3.Connection) -> list[tuple[str, int, int | None]]:
            return connection.execute(
                "SELECT message_id, user_id, account_id FROM sent WHERE message_id IN (SELECT value FROM json_each(?))",
                (listed,),
            ).fetchall()

        rows = await self._database.read(read)
        return {form: SentMark(form, user, account) for bare, user, account in rows for form in asked[bare]}
