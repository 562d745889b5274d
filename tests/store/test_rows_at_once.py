"""Any number of rows comes whole and in order, by few statements."""

from __future__ import annotations

import sqlite3
from itertools import groupby

import pytest

from mailshare.store.rows import Insert

_KEPT = Insert("INSERT INTO kept (number, word)", 2)
_GROWN = Insert(
    "WITH more (which, by_) AS (", 2, ") UPDATE kept SET number = number + by_ FROM more WHERE word = which",
    one="UPDATE kept SET number = number + ?2 WHERE word = ?1",
)  # fmt: skip


@pytest.mark.parametrize("rows", [*range(20), 31, 32, 33, 47, 63, 64, 70])
def test_rows_of_any_number(rows: int) -> None:
    """Inserted and changed as one by one."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, number INTEGER, word TEXT)")
    words = [f"word {each}" for each in range(rows)]
    _KEPT.into(connection, [(each, word) for each, word in enumerate(words)])
    _GROWN.into(connection, [(word, 100) for word in words])
    found = connection.execute("SELECT number, word FROM kept ORDER BY id").fetchall()
    assert found == [(each + 100, word) for each, word in enumerate(words)]


@pytest.mark.parametrize(
    ("rows", "inserts", "changes"), [(1, 1, 1), (4, 1, 1), (7, 1, 1), (8, 1, 1), (15, 2, 2), (30, 3, 3)]
)
def test_few_statements(rows: int, inserts: int, changes: int) -> None:
    """What is left below eight rows goes by one statement; up to eight are changed by a plain one each."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, number INTEGER, word TEXT)")
    told: list[str] = []
    connection.set_trace_callback(lambda text: told.append(text.partition(" kept ")[0] + str(text.count("), ("))))
    _KEPT.into(connection, [(each, str(each)) for each in range(rows)])
    assert len([key for key, _ in groupby(told)]) == inserts
    told.clear()
    _GROWN.into(connection, [(str(each), 1) for each in range(rows)])
    assert len([key for key, _ in groupby(told)]) == changes
