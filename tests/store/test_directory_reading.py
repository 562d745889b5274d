"""How often the directory is read from the database."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from mailshare.core.errors import Unavailable
from mailshare.core.values import Directory, User
from mailshare.store.sqlite import SQLiteStore


async def test_many_changes_at_once_share_their_readings(tmp_path: Path) -> None:
    """A hundred users made side by side cost a handful of readings, and each stands in the directory afterwards."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    try:
        seen: list[Directory] = []
        store.directory.watch(seen.append)
        made = await gatherResults(
            [Deferred.fromCoroutine(store.directory.add_user(User(0, f"user{number}"))) for number in range(100)]
        )
        assert [user.name for user in made] == [f"user{number}" for number in range(100)]
        assert set(made) <= set(store.directory.current().users)
        assert len(seen) <= 10
        assert [one.version for one in seen] == sorted({one.version for one in seen})
    finally:
        await store.close()


async def test_a_reading_that_fails_is_told_and_the_next_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody who waits for the reading hears of it; it does not stop later ones."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    try:
        with monkeypatch.context() as broken:

            async def fails(_: object) -> object:
                raise Unavailable

            broken.setattr(store.directory._database, "read", fails)
            with pytest.raises(Unavailable):
                await store.directory.load()
        await store.directory.load()
    finally:
        await store.close()
