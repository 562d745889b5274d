"""On a disk without any room a store opens all the same: it kept some, and gives it up for what SQLite needs."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import StorageFull, Unavailable
from mailshare.store import file_database
from mailshare.store.connections import plain_connect
from mailshare.store.files import Files
from mailshare.store.spare_room import SPARE, SpareRoom
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, Account, Address, Office, User


class FullDisk(Files):
    """A disk on which nothing is free but what the file ``spare`` leaves when it goes."""

    def free_octets(self, path: str) -> int:
        return 0 if (Path(path) / "spare").exists() else SPARE


async def filled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with one message, which has been up long enough to keep some room, and is closed."""
    monkeypatch.setattr(file_database, "LAY_OUT_AFTER", 0.0)
    store = SQLiteStore(str(folder), reactor=reactor, free_reserve=0)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    await Office(store, account, andrew, andrew).deliver("1", [andrew])
    until = reactor.seconds() + 60  # type: ignore[attr-defined]
    while not (folder / "spare").exists() or (folder / "spare").stat().st_size < SPARE:
        assert reactor.seconds() < until  # type: ignore[attr-defined]
        await deferLater(reactor, 0.01)
    await store.close()


def office_of(store: SQLiteStore) -> Office:
    """That store's, again."""
    user = store.directory.current().user_by_name["andrew"]
    return Office(store, store.directory.current().accounts[0], user, user)


async def test_the_room_is_given_up_before_the_database_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail can be read; no more is taken; the next start with room keeps some again."""
    await filled(tmp_path, monkeypatch)

    def connect(path: str) -> sqlite3.Connection:
        if (tmp_path / "spare").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain_connect(path)

    store = SQLiteStore(str(tmp_path), reactor=reactor, files=FullDisk(), connect=connect)
    await store.open()
    place = office_of(store)
    drop = await place.drop(place.andrew)
    assert await place.content(drop, 1) == HEADER + b"hello\r\n"
    with pytest.raises(StorageFull):
        store.new_body(100)
    await store.close()
    assert not (tmp_path / "spare").exists()


def test_half_a_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk becomes full while it is written: it goes, and nothing is kept of it; where there is little, no try."""
    room, written = SpareRoom(str(tmp_path), Files()), []

    def pwrite(descriptor: int, data: bytes, start: int) -> int:
        written.append(start)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", pwrite)
        with pytest.raises(OSError, match="No space"):
            room.lay_out()
    assert list(tmp_path.iterdir()) == []
    SpareRoom(str(tmp_path), FullDisk()).lay_out()
    assert not room.give_up()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"needs the right to mount a tmpfs, as root has: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_disk_that_is_full_to_its_last_octet(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one: the store opens and is read, and takes mail again by itself once there is room."""
    await filled(small_disk / "store", monkeypatch)
    filling = (small_disk / "filling").open("wb", buffering=0)
    with filling, pytest.raises(OSError, match="No space"):
        while filling.write(bytes(4096)):
            pass
    assert Files().free_octets(str(small_disk)) == 0
    store = SQLiteStore(str(small_disk / "store"), reactor=reactor, free_reserve=2 * SPARE)
    await store.open()
    place = office_of(store)
    drop = await place.drop(place.andrew)
    assert await place.content(drop, 1) == HEADER + b"hello\r\n"
    with pytest.raises(Unavailable) as refused:
        store.new_body(100)
    assert (refused.value.code, refused.value.status) == (452, "4.3.1")
    (small_disk / "filling").unlink()
    clock = reactor
    until = clock.seconds() + 60  # type: ignore[attr-defined]
    while True:
        try:
            store.new_body(100).abort()
            break
        except StorageFull:
            assert clock.seconds() < until  # type: ignore[attr-defined]
            await deferLater(clock, 0.05)
    await place.deliver("2", [place.andrew])
    assert sum(one.messages for one in await store.mailboxes.counts()) == 2
    await store.close()
