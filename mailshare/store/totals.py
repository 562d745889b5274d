"""What each login reads of its mailbox, kept in memory until somebody changes the mailbox.

A program that looks in every minute finds nothing new nearly every time. One row of the database is little to read, but
the trip to a reader's thread and back was a fifth of the whole session.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from attrs import frozen

from mailshare.store.database import Database

_MOST = 10_000
_READ = (
    "SELECT id, uidvalidity, uidnext, msgs, bytes FROM mailbox WHERE user_id = ? AND name = 'INBOX' AND gone_at = 0"
)


@frozen
class Total:
    """One mailbox.

    :ivar number: its id; ``octets`` are those of all its messages.
    """

    number: int
    uidvalidity: int
    uidnext: int
    messages: int
    octets: int


class Totals:
    """Those of all users. Whoever writes to a mailbox's row has :meth:`changed` called ``afterwards``.

    So nothing older than the last acknowledged change is ever given out.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[int, Total] = {}
        self._changes = 0

    async def of(self, user_id: int) -> Total | None:
        """A user's mailbox; ``None`` when there is none."""
        kept = self._kept.get(user_id)
        if kept is not None:
            return kept
        changes = self._changes

        def read(connection: sqlite3.Connection) -> Total | None:
            row = connection.execute(_READ, (user_id,)).fetchone()
            return None if row is None else Total(*row)

        found = await self._database.read(read)
        # A reading that a change has overtaken may show the row as it was before.
        if found is not None and changes == self._changes and len(self._kept) < _MOST:
            self._kept[user_id] = found
        return found

    def changed(self, user_ids: Iterable[int]) -> None:
        """The mailboxes of these users are other ones now."""
        self._changes += 1
        if self._kept:
            for user_id in user_ids:
                self._kept.pop(user_id, None)

    def all_changed(self) -> None:
        """Users came or went."""
        self._changes += 1
        self._kept.clear()
