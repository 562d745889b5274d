"""Many rows by one statement, so that a batch of messages costs few of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

_MOST = 32  # rows in one statement
_EXACT = 8  # rows, below which there is a statement for each number of them
_FEW = 4  # rows that are written one by one, in two thirds of the time
_FEW_PLAIN = 8  # the same where a single row has a plainer statement of its own, which takes two fifths of the time


class Insert:
    """A statement that takes ``VALUES (...), (...)`` for all rows, in their order.

    ``executemany`` runs it for each row, and with each the other threads take the interpreter. So it is for a few rows
    only. More are cut into powers of two and what is left, so that a handful of statements stays compiled: seven rows
    as four, two and one took half as long again.

    :param statement: what stands before ``VALUES``; ``rest`` what stands behind the values.
    :param columns: of a row.
    :param one: does the same for a single row, where that is another statement.
    """

    def __init__(self, statement: str, columns: int, rest: str = "", *, one: str = "") -> None:
        self._whole = lru_cache(lambda rows: _whole(statement, columns, rows, rest))
        self._one = one or self._whole(1)
        # A table of values that a WITH makes costs as much for one row as for several.
        self._few = _FEW_PLAIN if one else 1 if statement.startswith("WITH") else _FEW

    def into(self, connection: sqlite3.Connection, rows: Sequence[Sequence[object]]) -> None:
        """Run it for all rows."""
        if len(rows) <= self._few:
            if rows:
                connection.executemany(self._one, rows)
            return
        for statement, values in self._cut(rows):
            connection.execute(statement, values)

    def returning(self, connection: sqlite3.Connection, rows: Sequence[Sequence[object]]) -> list[tuple[Any, ...]]:
        """The same for a statement whose ``rest`` ends with ``RETURNING``: what it returned, in no order."""
        return [each for cut in self._cut(rows) for each in connection.execute(*cut).fetchall()]

    def _cut(self, rows: Sequence[Sequence[object]]) -> Iterator[tuple[str, list[object]]]:
        start = 0
        while start < len(rows):
            left = len(rows) - start
            size = left if left < _EXACT else min(1 << left.bit_length() - 1, _MOST)
            yield self._whole(size), list(chain.from_iterable(rows[start : start + size]))
            start += size


def _whole(statement: str, columns: int, rows: int, rest: str) -> str:
    marks = ", ".join(["(" + ", ".join("?" * columns) + ")"] * rows)
    return f"{statement} VALUES {marks}{rest}"
