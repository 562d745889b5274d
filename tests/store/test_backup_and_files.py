"""Backup, restore, the lock, and content files that nobody refers to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet import reactor

from mailshare.core.errors import ConfigFault, Unavailable
from mailshare.store.backup import restore
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import DAY, HEADER, Account, Address, Office, User

LARGE = HEADER + b"0123456789abcde\r\n" * 10_000
HOUR = DAY // 24


async def office(directory: Path) -> Office:
    """An office in that directory."""
    store = SQLiteStore(str(directory), reactor=reactor)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    return Office(store, account, andrew, andrew)


def content_files(directory: Path) -> list[Path]:
    """Files under blobs/."""
    return [path for path in (directory / "blobs").rglob("*") if path.is_file()]


async def listing(place: Office, store: SQLiteStore) -> dict[str, bytes]:
    """Andrew's mail by unique id."""
    drop = await store.mailboxes.lock_maildrop(place.andrew.id, "test")
    found = {drop.uidl(uid): await place.content(drop, uid) for uid in (await drop.snapshot())[0]}
    drop.release()
    return found


async def test_a_restored_store_is_the_same(tmp_path: Path) -> None:
    """A backup made while serving is restored with its mail, its unique ids and its outbox; later mail is not in it."""
    place = await office(tmp_path / "a")
    await place.deliver("1", [place.andrew], hops=[place.hop("bob@out.example")], prefix=b"X: y\r\n")
    await place.deliver("2", [place.andrew], data=LARGE)
    before = await listing(place, place.store)
    await place.store.backup(str(tmp_path / "copy"))
    await place.deliver("3", [place.andrew])
    with pytest.raises(ConfigFault):
        await place.store.backup(str(tmp_path / "copy"))
    with pytest.raises(Unavailable):
        restore(str(tmp_path / "copy"), str(tmp_path / "a"))
    await place.store.close()
    with pytest.raises(ConfigFault):
        restore(str(tmp_path / "copy"), str(tmp_path / "a"))
    restore(str(tmp_path / "copy"), str(tmp_path / "b"))
    store = SQLiteStore(str(tmp_path / "b"), reactor=reactor)
    await store.open()
    assert await listing(place, store) == before
    assert [row.address for row in await store.queue.items()] == ["bob@out.example"]
    assert await store.verify(deep=True) == []
    await store.close()


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """The store says who has it open; once closed it opens again."""
    place = await office(tmp_path)
    second = SQLiteStore(str(tmp_path), reactor=reactor)
    with pytest.raises(Unavailable, match=str(os.getpid())):
        await second.open()
    await place.store.close()
    await second.open()
    await second.close()


async def test_files_go_an_hour_after_their_message(tmp_path: Path) -> None:
    """A deleted large message loses its row at once and its file after the grace; a stray file after an hour."""
    place = await office(tmp_path)
    now = place.store._database.now()
    kept = await place.deliver("1", [place.andrew], data=LARGE)
    gone = await place.deliver("2", [place.andrew], data=LARGE)
    stray = tmp_path / "blobs" / content_files(tmp_path)[0].parent.name / ("f" * 32)
    stray.write_bytes(b"never acknowledged")
    os.utime(stray, (now / 1_000_000 - 7_200,) * 2)
    drop = await place.drop(place.andrew)
    await drop.commit([gone.uids[place.andrew.id]])
    assert await place.store.collect_garbage(now) == 1
    assert not stray.exists()
    assert len(content_files(tmp_path)) == 2
    assert await place.store.collect_garbage(now + 2 * HOUR) == 0
    assert len(content_files(tmp_path)) == 1
    assert await place.content(drop, kept.uids[place.andrew.id]) == LARGE
    await place.store.close()


async def test_claimed_rows_are_free_after_a_restart(tmp_path: Path) -> None:
    """What a dead process had claimed is due again at once."""
    place = await office(tmp_path)
    await place.deliver("1", [], hops=[place.hop("a@b.example")])
    now = place.store._database.now() + DAY * 10_000
    assert len(await place.store.queue.claim("relay", 1, now, HOUR)) == 1
    await place.store.close()
    await place.store.open()
    assert len(await place.store.queue.claim("relay", 1, now, HOUR)) == 1
    await place.store.close()


async def test_damage_is_told(tmp_path: Path) -> None:
    """Verify finds a content file that was cut, one that was changed, and counters that lie."""
    place = await office(tmp_path)
    await place.deliver("1", [place.andrew], data=LARGE)
    (file,) = content_files(tmp_path)
    data = file.read_bytes()
    file.write_bytes(b"X" + data[1:])
    assert await place.store.verify() == []
    assert len(await place.store.verify(deep=True)) == 1
    file.write_bytes(data[:-1])
    assert "shorter" in (await place.store.verify())[0]
    file.write_bytes(data)
    await place.store._database.write(lambda connection: connection.execute("UPDATE mailbox SET msgs = 7"))
    assert any("counters" in problem for problem in await place.store.verify())
    await place.store.close()


async def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """No one else can read the mail."""
    place = await office(tmp_path / "var")
    await place.deliver("1", [place.andrew], data=LARGE)
    for path in [tmp_path / "var", *(tmp_path / "var").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    await place.store.close()


async def test_free_pages_go_back_to_the_disk(tmp_path: Path) -> None:
    """After mail was deleted the database shrinks, some pages at each collection."""
    place = await office(tmp_path)
    for number in range(8):
        await place.deliver(str(number), [place.andrew], data=HEADER + b"x" * 60_000)
    drop = await place.drop(place.andrew)
    await drop.commit(list((await drop.snapshot())[0]))
    now = place.store._database.now()
    assert await place.store.collect_garbage(now) == 8
    free = await place.store._database.read(lambda one: one.execute("PRAGMA freelist_count").fetchone()[0])
    pages = await place.store._database.read(lambda one: one.execute("PRAGMA page_count").fetchone()[0])
    assert free == 0
    assert pages < 100
    await place.store.close()
