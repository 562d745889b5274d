"""Copies that came in lately: in the order of arrival, until there are so many that they are carried into ``entry``.

``entry`` lies by mailbox, so a message to twenty people would write a page for each of them. Those of the last messages
lie together at the end of a small table, and come to their mailboxes a thousand at once, so that a page takes several.
Whoever reads or changes entries looks into both tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from mailshare.store.rows import Insert

MOST = 1_024
"""Rows that are left in the order of arrival; to look through all of them takes some 0.05 ms."""
IN_ORDER = (("entry", "uid"), ("arrived", "id"))
"""The tables and what orders them: so read, one behind the other, the entries of a mailbox come by their uids."""
_COLUMNS = "mailbox_id, uid, message_id, size, flags, modseq, prefix"
_ARRIVE = Insert(f"INSERT INTO arrived ({_COLUMNS})", 7)
_LAST = "SELECT max(id) FROM arrived"  # the first one after they were carried in has 1
_CARRY = f"INSERT INTO entry ({_COLUMNS}) SELECT {_COLUMNS} FROM arrived ORDER BY mailbox_id, uid"


def entries_where(condition: str, rest: str = "") -> str:
    """What stands in a FROM for the entries of both tables, under the name of ``entry``.

    For lists that people look at; a session reads one table after the other, which SQLite does with less.

    :param condition: in words that hold for either; SQLite would not carry it in there in each case.
    :param rest: such as an order and a limit.
    """
    return (
        f"(SELECT {_COLUMNS}, added FROM entry WHERE {condition} "
        f"UNION ALL SELECT {_COLUMNS}, NULL FROM arrived WHERE {condition} {rest}) AS entry"
    )


def on_both(connection: sqlite3.Connection, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Run a statement with ``{}`` for the table's name on each of them; what it returned."""
    return [row for table, _ in IN_ORDER for row in connection.execute(statement.format(table), values).fetchall()]


def write_arrivals(connection: sqlite3.Connection, rows: Sequence[Sequence[object]]) -> None:
    """Write copies: mailbox, uid, message, size, flags, modseq and prefix of each."""
    _ARRIVE.into(connection, rows)
    if rows and connection.execute(_LAST).fetchone()[0] >= MOST:
        carry_in(connection)


def carry_in(connection: sqlite3.Connection) -> None:
    """Carry all arrivals into ``entry``, where what is written now comes behind them."""
    connection.execute(_CARRY)
    connection.execute("DELETE FROM arrived")
