"""The fetch ledger: which upstream messages were met, and what became of each.

Its primary key is the fence against double delivery: a row is written in the transaction that stores the mail.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from zope.interface import implementer

from mailshare.core.values import LedgerKey, LedgerRow, LedgerState
from mailshare.interfaces import ILedger
from mailshare.store.database import Database
from mailshare.store.rows import Insert

# A new row, or one that stands for nothing delivered (poison, skipped), or a reused id whose header or size differs.
_CLAIM = Insert(
    "INSERT INTO ledger (account_id, uidl, state, size, digest, seen, changed)",
    7,
    " ON CONFLICT (account_id, uidl) DO UPDATE SET state = excluded.state, message_id = NULL, size = excluded.size, "
    "digest = excluded.digest, seen = excluded.seen, changed = excluded.changed, error = '' "
    "WHERE ledger.state IN (4, 5) OR ledger.digest <> excluded.digest "
    "OR (ledger.size > 0 AND excluded.size > 0 AND ledger.size <> excluded.size) RETURNING account_id, uidl",
)
_BOUND = Insert(
    "WITH bound (number, account, name) AS (",
    3,
    ") UPDATE ledger SET message_id = number FROM bound WHERE ledger.account_id = account AND ledger.uidl = name",
)
_REFUSE = (
    "INSERT INTO ledger (account_id, uidl, state, message_id, size, digest, seen, changed, attempts, error) "
    "VALUES (?, ?, ?, NULL, ?, ?, ?, ?, 1, ?) "
    "ON CONFLICT (account_id, uidl) DO UPDATE SET state = excluded.state, message_id = NULL, size = excluded.size, "
    "digest = excluded.digest, changed = excluded.changed, attempts = "
    "CASE WHEN ledger.state = excluded.state THEN ledger.attempts + 1 ELSE 1 END, error = excluded.error "
    "WHERE ledger.state IN (4, 5) OR ledger.digest <> excluded.digest"
)
_COLUMNS = "account_id, uidl, state, message_id, size, digest, seen, changed, attempts, error"


def claim_rows(connection: sqlite3.Connection, claims: Sequence[tuple[LedgerKey, LedgerState, int]]) -> list[bool]:
    """Write the bookmarks of deliveries; False for each message that an earlier run, or one before it, delivered.

    :param claims: each with the time.
    """
    rows = [(key.account_id, key.uidl, int(state), key.size, key.digest, at, at) for key, state, at in claims]
    names = {row[:2] for row in rows}
    if len(names) == len(rows):
        claimed = set(_CLAIM.returning(connection, rows))
        return [row[:2] in claimed for row in rows]
    # What is returned names no row, so where one bookmark is asked for twice, each is asked for alone.
    return [bool(_CLAIM.returning(connection, [row])) for row in rows]


def bind_rows(connection: sqlite3.Connection, bound: Sequence[tuple[int, LedgerKey]]) -> None:
    """Say which messages the bookmarks stand for."""
    _BOUND.into(connection, [(number, key.account_id, key.uidl) for number, key in bound])


def refuse_row(connection: sqlite3.Connection, key: LedgerKey, state: LedgerState, error: str, at: int) -> None:
    """Note that a message was not taken; a delivered one is left as it is."""
    connection.execute(_REFUSE, (key.account_id, key.uidl, int(state), key.size, key.digest, at, at, error[:500]))


@implementer(ILedger)
class Ledger:
    """The collector's memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, account_id: int) -> Mapping[str, LedgerRow]:
        """All rows of an account by uidl."""

        def read(connection: sqlite3.Connection) -> dict[str, LedgerRow]:
            rows = connection.execute(
                "SELECT uidl, state, message_id, size, digest, seen, attempts, error FROM ledger WHERE account_id = ?",
                (account_id,),
            )
            return {
                uidl: LedgerRow(
                    LedgerKey(account_id, uidl, size, digest), LedgerState(state), message_id, seen, attempts, error
                )
                for uidl, state, message_id, size, digest, seen, attempts, error in rows
            }

        return await self._database.read(read)

    async def mark(self, account_id: int, uidls: Sequence[str], state: LedgerState, at: int) -> None:
        """Change the state of rows."""
        listed = json.dumps(list(uidls))

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE ledger SET state = ?, changed = ? "
                "WHERE account_id = ? AND uidl IN (SELECT value FROM json_each(?))",
                (int(state), at, account_id, listed),
            )

        await self._database.write(write, cost=128 * len(uidls))

    async def rekey(self, account_id: int, pairs: Mapping[str, str]) -> None:
        """Rename uidls, old to new, all at once: names may be swapped among rows."""
        names = dict(pairs)
        listed = json.dumps(list(names))

        def write(connection: sqlite3.Connection) -> None:
            chosen = "account_id = ? AND uidl IN (SELECT value FROM json_each(?))"
            rows = connection.execute(f"SELECT {_COLUMNS} FROM ledger WHERE {chosen}", (account_id, listed)).fetchall()
            connection.execute(f"DELETE FROM ledger WHERE {chosen}", (account_id, listed))
            connection.executemany(
                f"INSERT OR REPLACE INTO ledger ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(row[0], names[row[1]], *row[2:]) for row in rows],
            )

        await self._database.write(write, cost=256 * len(names))

    async def adopt(self, account_id: int, uids: Mapping[str, int], note: str) -> int:
        """Rows for what another program fetched; ids that have a row keep it."""
        rows = [(account_id, uidl, int(LedgerState.KEPT), b"", seen, seen, note) for uidl, seen in uids.items()]

        def write(connection: sqlite3.Connection) -> int:
            before = connection.total_changes
            connection.executemany(
                f"INSERT INTO ledger ({_COLUMNS}) "
                "VALUES (?, ?, ?, NULL, 0, ?, ?, ?, 0, ?) ON CONFLICT (account_id, uidl) DO NOTHING",
                rows,
            )
            return connection.total_changes - before

        return await self._database.write(write, cost=256 * len(rows))

    async def prune(self, account_id: int, listed: Sequence[str], before: int) -> int:
        """Drop rows that a complete listing lacks and that were first seen before that time."""
        present = json.dumps(list(listed))

        def write(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM ledger WHERE account_id = ? AND seen < ? AND uidl NOT IN (SELECT value FROM json_each(?))",
                (account_id, before, present),
            ).rowcount

        return await self._database.write(write)
