"""The writer's transactions: what waits at the end of a turn of the reactor is written with one sync."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from mailshare.core.values import Event
from mailshare.store.connections import plain_connect
from mailshare.store.sqlite import SQLiteStore


async def test_what_one_turn_brings_is_one_transaction(tmp_path: Path) -> None:
    """Also the first of them does not go alone; and what the answers bring goes together again."""
    begun: list[str] = []

    def connect(path: str) -> sqlite3.Connection:
        connection = plain_connect(path)
        connection.set_trace_callback(lambda text: begun.append(text) if text.startswith("BEGIN") else None)
        return connection

    store = SQLiteStore(str(tmp_path), reactor=reactor, connect=connect)
    await store.open()
    begun.clear()

    async def two(number: int) -> None:
        await store.events.append([Event(number, "first")])
        await store.events.append([Event(number, "second")])

    await gatherResults([Deferred.fromCoroutine(two(number)) for number in range(20)])
    assert len(begun) == 2
    await store.close()


async def test_what_waits_when_the_store_closes_is_written(tmp_path: Path) -> None:
    """A store that is told to close in the same turn writes first."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    late = Deferred.fromCoroutine(store.events.append([Event(1, "late")]))
    await store.close()
    await late
    await store.open()
    assert [event.kind for _, event in await store.events.page(since=0, until=9)] == ["late"]
    await store.close()
