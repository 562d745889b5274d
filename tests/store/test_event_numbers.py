"""The numbers of the journal's events never come back: a watcher asks for all behind the last that it has seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet import reactor

from mailshare.core.values import Event
from mailshare.store.events import DAY
from mailshare.store.sqlite import SQLiteStore

NOW = 20_000 * DAY


async def numbers(store: SQLiteStore) -> list[int]:
    """Of all events."""
    return [number for number, _event in await store.events.page(since=0, until=NOW * 2)]


async def test_numbers_go_on_after_a_restart_and_a_clock_set_back(tmp_path: Path) -> None:
    """The last number is found among all days, not only on the latest."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    await store.events.append([Event(NOW, "one"), Event(NOW, "two")])
    await store.events.append([Event(NOW - 5 * DAY, "three")])
    await store.close()
    await store.open()
    await store.events.append([Event(NOW - 5 * DAY, "four")])
    assert sorted(await numbers(store)) == [1, 2, 3, 4]
    await store.close()


async def test_numbers_go_on_when_the_newest_events_were_deleted(tmp_path: Path) -> None:
    """A store whose journal is empty still knows what its last number was."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    await store.events.append([Event(NOW, "one"), Event(NOW, "two")])
    assert await store.events.expire(NOW + 1) == 2
    await store.close()
    await store.open()
    await store.events.append([Event(NOW, "three")])
    assert await numbers(store) == [3]
    await store.close()


async def test_an_undone_transaction_takes_its_number_back(tmp_path: Path) -> None:
    """The counter is part of the transaction."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    await store.events.append([Event(NOW, "one")])
    with pytest.raises(TypeError):
        await store.events.append([Event(NOW, "two"), Event(NOW, "bad", data={(4,): 5})])  # type: ignore[dict-item]
    await store.events.append([Event(NOW, "three")])
    assert await numbers(store) == [1, 2]
    await store.close()
