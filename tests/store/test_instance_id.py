"""The office's random id: made once, kept with the store, part of the directory."""

from __future__ import annotations

from pathlib import Path

import pytest_twisted
from twisted.internet import reactor

from mailshare.core.values import User
from mailshare.store.sqlite import SQLiteStore


async def ids(directory: Path) -> list[str]:
    """The id after opening, and after a change of the directory."""
    store = SQLiteStore(str(directory), reactor=reactor, durability="relaxed")
    await store.open()
    first = store.directory.current().instance
    await store.directory.add_user(User(0, f"user{id(store)}"))
    second = store.directory.current().instance
    await store.close()
    return [first, second]


@pytest_twisted.ensureDeferred
async def test_the_id_is_made_once_and_stays(tmp_path: Path) -> None:
    """It survives closing and every change of the directory; another store has another one."""
    one = {*await ids(tmp_path / "one"), *await ids(tmp_path / "one")}
    other = {*await ids(tmp_path / "other")}
    assert len(one) == len(other) == 1
    assert one != other
    assert all(len(each) == 16 for each in one | other)
