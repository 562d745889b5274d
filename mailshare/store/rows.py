"""Many rows by one statement, so that a batch of messages costs few of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

_MOST = 32  # rows in one statement


def insert(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[object]], rest: str = "") -> int:
    """Run a statement that takes ``VALUES (...), (...)`` for all rows, in their order.

    ``executemany`` runs it for each row, and with each the other threads take the interpreter. The rows are cut into
    powers of two, so that a handful of statements stays compiled.

    :param statement: what stands before ``VALUES``; ``rest`` what stands behind the values.
    :returns: the rowid of the last one; 0 when there are no rows.
    """
    if len(rows) == 1:
        return connection.execute(_whole(statement, len(rows[0]), 1, rest), rows[0]).lastrowid or 0
    last: int | None = 0
    start = 0
    while start < len(rows):
        size = min(1 << (len(rows) - start).bit_length() - 1, _MOST)
        values = list(chain.from_iterable(rows[start : start + size]))
        last = connection.execute(_whole(statement, len(rows[0]), size, rest), values).lastrowid
        start += size
    return last or 0


def insert_returning(
    connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[object]], rest: str
) -> list[tuple[Any, ...]]:
    """The same for a statement whose ``rest`` ends with ``RETURNING``: what it returned, in no order."""
    found: list[tuple[Any, ...]] = []
    start = 0
    while start < len(rows):
        size = min(1 << (len(rows) - start).bit_length() - 1, _MOST)
        values = list(chain.from_iterable(rows[start : start + size]))
        found += connection.execute(_whole(statement, len(rows[0]), size, rest), values).fetchall()
        start += size
    return found


@lru_cache(maxsize=256)
def _whole(statement: str, columns: int, rows: int, rest: str) -> str:
    marks = ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)
    return f"{statement} VALUES {marks}{rest}"
