"""The log is synced on the reactor's thread while the disk is quick, and by the writer's thread when it is not."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from mailshare.core.errors import StoreReadOnly
from mailshare.store import log_sync, writer
from mailshare.store.files import Files
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import Account, Address, Office, User


class _Disk(Files):
    """A disk whose syncs take as long as it is told, on a clock of its own.

    :ivar here: of each sync, whether it ran on the reactor's thread.
    """

    def __init__(self) -> None:
        self.now = 1_795_259_000.0
        self.takes = 0.0
        self.fault = 0
        self.here: list[bool] = []
        self.go = threading.Event()
        self.go.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        """The time, for which it is handed in as the reactor too."""
        return self.now

    def sync_log(self, descriptor: int) -> None:
        """Take that long."""
        assert self.go.wait(60)
        self.here.append(threading.current_thread() is threading.main_thread())
        self.now += self.takes
        if self.fault:
            raise OSError(self.fault, os.strerror(self.fault))


async def _office(directory: Path, disk: _Disk) -> Office:
    store = SQLiteStore(str(directory), reactor=disk, files=disk)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    disk.here.clear()
    return Office(store, account, andrew, andrew)


async def _syncs(place: Office, disk: _Disk, count: int) -> list[bool]:
    """Where the next ones run, one message each."""
    disk.here.clear()
    for _ in range(count):
        await place.deliver(str(disk.now), [place.andrew])
        disk.now += 1
    return disk.here


async def test_a_quick_disk_is_synced_here_once_it_is_known(tmp_path: Path) -> None:
    """The first syncs are the thread's; then they stay here."""
    disk = _Disk()
    place = await _office(tmp_path, disk)
    where = await _syncs(place, disk, 100)
    assert not where[0]
    assert where == sorted(where), "it does not go back"
    assert where.index(True) > 20
    await place.store.close()


async def test_a_disk_of_a_millisecond_is_never_synced_here(tmp_path: Path) -> None:
    """Nor is a slower one: the reactor would stand still for it."""
    disk = _Disk()
    disk.takes = log_sync.QUICK
    place = await _office(tmp_path, disk)
    assert not any(await _syncs(place, disk, 300))
    await place.store.close()


@pytest.mark.parametrize(("slow", "least"), [(0.1, 30), (1.0, 90), (30.0, 190)])
async def test_one_slow_sync_sends_the_next_ones_to_the_thread(tmp_path: Path, slow: float, least: int) -> None:
    """The reactor is held up by it once; the slower it was, the longer until the disk is trusted again."""
    disk = _Disk()
    place = await _office(tmp_path, disk)
    assert (await _syncs(place, disk, 100))[-1]
    disk.takes = slow
    assert await _syncs(place, disk, 3) == [True, False, False]
    disk.takes = 0.0
    where = await _syncs(place, disk, 600)
    assert where == sorted(where)
    assert where.index(True) > least
    await place.store.close()


async def test_a_failed_sync_here_is_told_and_ends_all_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one in the thread does; what was acknowledged before is there after the next start."""
    monkeypatch.setattr(log_sync, "_UNKNOWN", 0.0)
    disk = _Disk()
    place = await _office(tmp_path, disk)
    assert await _syncs(place, disk, 2) == [True, True]
    disk.fault = errno.EIO
    both = [Deferred.fromCoroutine(place.deliver(trace, [place.andrew])) for trace in "ab"]
    for each in both:
        with pytest.raises(StoreReadOnly):
            await each
    assert place.store.trouble.startswith("read-only: the log could not be synced")
    disk.fault = 0
    with pytest.raises(StoreReadOnly):
        await place.deliver("c", [place.andrew])
    await place.store.close()
    await place.store.open()
    await place.deliver("d", [place.andrew])
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_what_is_there_already_shares_the_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in each turn of the reactor: they go together, up to a bound, and the last is not waited for."""
    monkeypatch.setattr(log_sync, "_UNKNOWN", 0.0)
    monkeypatch.setattr(writer, "COMPANY", 4)
    disk = _Disk()
    place = await _office(tmp_path, disk)
    waiting: list[Deferred[Any]] = []
    for trace in "123456":
        waiting.append(Deferred.fromCoroutine(place.deliver(trace, [place.andrew])))
        await deferLater(reactor, 0, lambda: None)  # type: ignore[arg-type]
    await gatherResults(waiting)
    assert len(disk.here) == 2
    await place.store.close()


async def test_it_ends_while_some_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is closed writes and syncs what it was given before."""
    monkeypatch.setattr(log_sync, "_UNKNOWN", 0.0)
    disk = _Disk()
    place = await _office(tmp_path, disk)
    waiting = [Deferred.fromCoroutine(place.deliver(str(each), [place.andrew])) for each in range(3)]
    await place.store.close()
    await gatherResults(waiting)
    assert disk.here


async def test_on_a_slow_disk_those_who_are_answered_wait_for_each_other(tmp_path: Path) -> None:
    """Two who came while two others were synced: from then on all four share each sync, and do not take turns."""
    disk = _Disk()
    disk.takes = 0.02
    place = await _office(tmp_path, disk)
    await _syncs(place, disk, 100)
    disk.here.clear()

    async def client(name: str, messages: int) -> None:
        for number in range(messages):
            await place.deliver(f"{name}{number}", [place.andrew])

    disk.go.clear()
    clients = [Deferred.fromCoroutine(client(name, 10)) for name in "ab"]
    for _ in range(5):
        await deferLater(reactor, 0, lambda: None)  # type: ignore[arg-type]
    clients += [Deferred.fromCoroutine(client(name, 10)) for name in "cd"]
    for _ in range(5):
        await deferLater(reactor, 0, lambda: None)  # type: ignore[arg-type]
    disk.go.set()
    await gatherResults(clients)
    assert len(disk.here) <= 12, "two and two would be twenty"
    assert not any(disk.here)
    await place.store.close()


async def test_a_slow_disk_lets_nobody_wait_for_those_who_left(tmp_path: Path) -> None:
    """The one who comes back alone is written when a part of a sync's time is over; and the store closes meanwhile."""
    disk = _Disk()
    disk.takes = 0.02
    place = await _office(tmp_path, disk)
    await _syncs(place, disk, 100)
    disk.here.clear()
    await gatherResults([Deferred.fromCoroutine(place.deliver(trace, [place.andrew])) for trace in "ab"])
    await place.deliver("c", [place.andrew])
    await gatherResults([Deferred.fromCoroutine(place.deliver(trace, [place.andrew])) for trace in "de"])
    late = Deferred.fromCoroutine(place.deliver("f", [place.andrew]))
    await place.store.close()
    await late
    assert disk.here == [False] * 4
    await place.store.open()
    count = "SELECT count(*) FROM message"
    stored = await place.store._database.read(lambda connection: connection.execute(count).fetchone())
    assert stored == (106,)
    await place.store.close()
