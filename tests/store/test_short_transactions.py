"""Short transactions of deliveries run on the reactor's thread; what waits for the disk runs in the writer's own."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from mailshare.core.errors import StoreReadOnly
from mailshare.core.values import Event
from mailshare.store import log_sync, writer
from mailshare.store.connections import DATABASE, plain_connect
from mailshare.store.files import Files
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, Account, Address, Office, User
from tests.store.leaping import Leaping

MINUTE = 60.0


class _Watched(sqlite3.Connection):
    """A connection that notes on which thread transactions begin."""

    begun: ClassVar[list[bool]] = []  # on the reactor's thread

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run it."""
        if statement.startswith("BEGIN"):
            self.begun.append(threading.current_thread() is threading.main_thread())
        return super().execute(statement, *values)


class _HeldFiles(Files):
    """Syncs of the log that last until they are let go, and fail if told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.synced = 0
        self.fault = 0

    def sync_log(self, descriptor: int) -> None:
        """Wait, then sync or fail."""
        assert self.go.wait(MINUTE)
        if self.fault:
            raise OSError(self.fault, os.strerror(self.fault))
        super().sync_log(descriptor)
        self.synced += 1


async def _office(directory: Path, files: Files | None = None, clock: Any = reactor) -> Office:
    store = SQLiteStore(str(directory), reactor=clock, files=files, connect=_connect)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    _Watched.begun.clear()
    # How long the syncs until here took on this machine decides nothing.
    store._database._writer._sync_log._usual = log_sync._UNKNOWN  # type: ignore[union-attr]
    return Office(store, account, andrew, andrew)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Watched)


def _messages(directory: Path) -> int:
    """What another process can see."""
    connection = plain_connect(str(directory / DATABASE))
    try:
        return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])
    finally:
        connection.close()


async def _turn() -> None:
    await deferLater(reactor, 0, lambda: None)


async def _until(met: Any) -> None:
    for _ in range(int(MINUTE * 100)):
        if met():
            return
        await deferLater(reactor, 0.01, lambda: None)
    raise AssertionError("it did not come about within a minute")


async def test_who_runs_what(tmp_path: Path) -> None:
    """A small message is written here; a large one, whose directory must be synced first, and other work elsewhere."""
    place = await _office(tmp_path)
    await place.deliver("1", [place.andrew])
    assert _Watched.begun == [True]
    await place.deliver("2", [place.andrew], data=HEADER + b"0123456789abcde\r\n" * 40_000)
    await place.store.events.append([Event(1, "x")])
    assert _Watched.begun == [True, False, False]
    many = [Deferred.fromCoroutine(place.deliver(f"m{one}", [place.andrew])) for one in range(writer.BATCH_OPERATIONS)]
    await gatherResults(many)
    assert _Watched.begun == [True, False, False, False]
    await place.store.close()


async def test_nobody_hears_of_it_before_the_sync(tmp_path: Path) -> None:
    """A message is committed while the one before it is synced, and each is answered after a sync of its own."""
    files = _HeldFiles()
    place = await _office(tmp_path, files)
    done: list[str] = []
    before = files.synced
    files.go.clear()
    waiting = []
    for trace in "12":
        one = Deferred.fromCoroutine(place.deliver(trace, [place.andrew]))
        waiting.append(one.addCallback(lambda _, trace=trace: done.append(trace)))
        await _until(lambda trace=trace: _messages(tmp_path) == int(trace))
    third = Deferred.fromCoroutine(place.deliver("3", [place.andrew]))
    for _ in range(5):
        await _turn()
    assert (_messages(tmp_path), done) == (2, [])
    files.go.set()
    await gatherResults([*waiting, third])
    assert done == ["1", "2"]
    assert files.synced == before + 3
    await place.store.close()


async def test_a_failed_sync_is_told_to_all_behind_it(tmp_path: Path) -> None:
    """Also to those whose transaction was run while it was under way; then the store is for reading only."""
    files = _HeldFiles()
    place = await _office(tmp_path, files)
    files.go.clear()
    refused = [Deferred.fromCoroutine(place.deliver("1", [place.andrew]))]
    await _until(lambda: _messages(tmp_path) == 1)
    refused.append(Deferred.fromCoroutine(place.deliver("2", [place.andrew])))
    await _until(lambda: _messages(tmp_path) == 2)
    files.fault = errno.EIO
    files.go.set()
    for each in refused:
        with pytest.raises(StoreReadOnly):
            await each
    with pytest.raises(StoreReadOnly):
        await place.deliver("3", [place.andrew])
    assert place.store.trouble.startswith("read-only: the log could not be synced")
    files.fault = 0
    await place.store.close()
    await place.store.open()
    await place.deliver("4", [place.andrew])
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_what_writes_nothing_is_not_synced(tmp_path: Path) -> None:
    """A look for work that is not there leaves the disk alone."""
    files = _HeldFiles()
    place = await _office(tmp_path, files)
    before = files.synced
    assert await place.store._database.write(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    assert files.synced == before
    await place.store.close()


async def test_another_process_that_writes_is_waited_for_elsewhere(tmp_path: Path) -> None:
    """Somebody's ``sqlite3`` in a transaction holds up the mail, and never the reactor."""
    place = await _office(tmp_path)
    other = plain_connect(str(tmp_path / DATABASE))
    other.execute("BEGIN IMMEDIATE")
    late = Deferred.fromCoroutine(place.deliver("1", [place.andrew]))
    await _until(lambda: False in _Watched.begun)
    assert _Watched.begun[:2] == [True, False]
    other.execute("COMMIT")
    other.close()
    await late
    await place.store.close()


async def test_where_the_disk_makes_transactions_wait_they_run_elsewhere(tmp_path: Path) -> None:
    """For so many batches; then the reactor's thread tries again."""
    clock = Leaping()
    place = await _office(tmp_path, clock=clock)
    clock.leap = 2 * writer.SLOW
    await place.deliver("slow", [place.andrew])
    clock.leap = 0.0
    for number in range(writer.SLOW_BATCHES + 1):
        await place.deliver(str(number), [place.andrew])
    assert _Watched.begun == [True] + [False] * writer.SLOW_BATCHES + [True]
    await place.store.close()


async def test_a_checkpoint_has_the_connection_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch behind a checkpoint begins the log anew, which SQLite syncs: both are for the thread."""
    monkeypatch.setattr(writer, "CHECKPOINT_OCTETS", 1)
    place = await _office(tmp_path)
    _Watched.begun.clear()
    for number in range(6):
        await place.deliver(str(number), [place.andrew])
    assert True not in _Watched.begun[1:]
    monkeypatch.undo()
    await place.deliver("6", [place.andrew])
    await place.deliver("7", [place.andrew])
    assert _Watched.begun[-2:] == [False, True]
    await place.store.close()
