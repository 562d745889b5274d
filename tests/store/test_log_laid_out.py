"""The log is laid out in zeros soon after the start, so that syncing it never waits for its growth."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import StoreReadOnly
from mailshare.store import file_database, log_sync, writer
from mailshare.store.connections import DATABASE, plain_connect
from mailshare.store.files import Files
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import Account, Address, Office, User

LOG = 256 << 10
MINUTE = 60


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_database, "LAY_OUT_AFTER", 0)
    monkeypatch.setattr(log_sync, "LOG_OCTETS", LOG)
    monkeypatch.setattr(log_sync, "_PIECE", bytes(100_000))
    monkeypatch.setattr(writer, "CHECKPOINT_OCTETS", LOG // 2)


class _Disk(Files):
    """A disk that fails while the log is laid out.

    :ivar pieces: that it takes before it is full.
    :ivar done: whether that was tried.
    """

    def __init__(self, pieces: int = 1_000, free: int = 1 << 40) -> None:
        self.pieces = pieces
        self.free = free
        self.done = False
        self.fails = False

    def free_octets(self, path: str) -> int:
        """As told."""
        self.done = self.done or path.endswith("-wal")
        return self.free

    def fill(self, descriptor: int, data: bytes, offset: int) -> int:
        """Take a few pieces, the last one half."""
        self.pieces -= 1
        if self.pieces < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().fill(descriptor, data[: len(data) // 2] if not self.pieces else data, offset)

    def sync_log(self, descriptor: int) -> None:
        """Fail once it is laid out, if told to."""
        if self.fails and self.done:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync_log(descriptor)


async def _office(directory: Path, files: Files | None = None) -> Office:
    store = SQLiteStore(str(directory), reactor=reactor, files=files, free_reserve=0)  # type: ignore[arg-type]
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    return Office(store, account, andrew, andrew)


def _log(directory: Path) -> int:
    return (directory / f"{DATABASE}-wal").stat().st_size


async def _until(met: Any) -> None:
    for _ in range(MINUTE * 100):
        if met():
            return
        await deferLater(reactor, 0.01, lambda: None)  # type: ignore[arg-type]
    raise AssertionError("it did not come about within a minute")


async def _as_a_kill_leaves_it(directory: Path, copy: Path) -> list[str]:
    """Open what lies on the disk now, elsewhere; the traces of the messages in it."""
    shutil.copytree(directory, copy)
    (copy / "lock").unlink()
    store = SQLiteStore(str(copy), reactor=reactor)  # type: ignore[arg-type]
    await store.open()
    assert await store.verify(deep=True) == []
    traces: list[str] = await store._database.read(
        lambda connection: [row[0].lstrip("0") for row in connection.execute("SELECT trace FROM message ORDER BY id")]
    )
    await store.close()
    return traces


async def test_the_log_stays_as_long_as_it_was_laid_out(tmp_path: Path) -> None:
    """It is carried into the database before it is full, and goes on from its beginning; nothing is lost by it."""
    place = await _office(tmp_path / "one")
    await place.deliver("before", [place.andrew])
    await _until(lambda: _log(tmp_path / "one") == LOG)
    traces = [f"t{number}" for number in range(60)]
    for trace in traces:
        await place.deliver(trace, [place.andrew])
    assert _log(tmp_path / "one") == LOG
    assert await _as_a_kill_leaves_it(tmp_path / "one", tmp_path / "two") == ["before", *traces]
    await place.store.close()


@pytest.mark.parametrize("pieces", [0, 1, 2])
async def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, pieces: int) -> None:
    """The log is shorter then, and what is in it holds."""
    disk = _Disk(pieces)
    place = await _office(tmp_path / "one", disk)
    await _until(lambda: disk.done)
    await place.deliver("a", [place.andrew])
    assert _log(tmp_path / "one") < LOG
    assert place.store.trouble == ""
    assert await _as_a_kill_leaves_it(tmp_path / "one", tmp_path / "two") == ["a"]
    await place.store.close()


async def test_a_disk_with_little_room_is_left_alone(tmp_path: Path) -> None:
    """What is free there is for mail."""
    disk = _Disk(free=3 << 20)
    place = await _office(tmp_path, disk)
    await _until(lambda: disk.done)
    await place.deliver("a", [place.andrew])
    assert _log(tmp_path) < LOG
    await place.store.close()


async def test_a_sync_that_fails_then_ends_all_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other does: of a failed sync the system tells only once."""
    monkeypatch.setattr(file_database, "LAY_OUT_AFTER", MINUTE * 60)
    disk = _Disk()
    place = await _office(tmp_path, disk)
    disk.fails = True
    place.store._database._lays_out.reset(0)
    await _until(lambda: place.store.trouble)
    with pytest.raises(StoreReadOnly):
        await place.deliver("a", [place.andrew])
    await place.store.close()


async def test_what_a_statement_would_undo_needs_no_file(tmp_path: Path) -> None:
    """SQLite makes one, writes it and throws it away for a statement of many rows, unless it is told to remember."""
    opened = []

    def connect(path: str) -> sqlite3.Connection:
        opened.append(plain_connect(path))
        return opened[-1]

    store = SQLiteStore(str(tmp_path), reactor=reactor, connect=connect)
    await store.open()
    kept_in_memory = 2
    assert opened[0].execute("PRAGMA temp_store").fetchone()[0] == kept_in_memory
    await store.close()
