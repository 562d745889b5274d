"""Copies lie in the order of arrival until they are carried into the mailboxes; nobody sees where a copy is."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailshare.core.errors import NoSuchEntry, Unavailable
from mailshare.core.values import Account, Target, User
from mailshare.store import arrivals
from mailshare.store.arrivals import carry_in, write_arrivals
from mailshare.store.connections import DATABASE, open_writer, plain_connect
from mailshare.store.migrate import make_schema
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, NOW, Address, Office

PAGE = 2_048
PEOPLE, BEFORE = 40, 60


def text(number: int) -> bytes:
    """A message."""
    return HEADER + b"number %d\r\n" % number


async def opened(directory: Path) -> Office:
    """An office with two users."""
    store = SQLiteStore(str(directory), reactor=reactor)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    names = [await store.directory.add_user(User(0, name, accounts=(account.id,))) for name in ("andrew", "greg")]
    return Office(store, account, *names)


async def rows(place: Office) -> tuple[int, int]:
    """How many copies lie in their mailboxes, and how many in the order of arrival."""
    database: Any = place.store.events
    counted = "SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM arrived)"
    found: tuple[int, int] = await database._database.read(lambda connection: connection.execute(counted).fetchone())
    return found


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are carried in by four."""
    monkeypatch.setattr(arrivals, "MOST", 4)


def test_a_message_to_many_writes_few_pages(tmp_path: Path) -> None:
    """Forty copies in forty mailboxes with sixty messages each take a page or two of the log, not forty."""
    connection = open_writer(str(tmp_path / DATABASE), plain_connect)
    make_schema(connection)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("BEGIN")
    for uid in range(1, BEFORE + 1):
        write_arrivals(connection, [(mailbox, uid, uid, 4_000, 0, uid, None) for mailbox in range(PEOPLE)])
    carry_in(connection)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    write_arrivals(connection, [(mailbox, 99, 99, 4_000, 0, 99, None) for mailbox in range(PEOPLE)])
    assert 0 < (tmp_path / f"{DATABASE}-wal").stat().st_size < 6 * PAGE
    carry_in(connection)
    assert connection.execute("SELECT count(*) FROM arrived").fetchone() == (0,)
    assert connection.execute("SELECT count(*), max(uid) FROM entry").fetchone() == (PEOPLE * (BEFORE + 1), 99)
    connection.close()


async def test_reading_over_both_tables(tmp_path: Path, soon: None) -> None:
    """Listing, one message after the other, one by itself, lists of people: as if there were one table."""
    place = await opened(tmp_path)
    for number in range(1, 11):
        await place.deliver(f"{number}", [place.andrew], data=text(number))
    assert await rows(place) == (8, 2)
    drop: Any = await place.drop(place.andrew)
    uids, sizes = await drop.snapshot()
    assert (list(uids), list(sizes)) == (list(range(1, 11)), [len(text(number)) for number in range(1, 11)])
    # What took long to read on a busy machine is not at hand the next time.
    assert [drop.at_hand(uid) or await place.content(drop, uid) for uid in uids] == [text(uid) for uid in uids]
    drop.forget_ahead()
    assert [await place.content(drop, uid) for uid in (10, 2, 9)] == [text(10), text(2), text(9)]
    entries = await place.store.mailboxes.entries(place.andrew.id, before_uid=10, limit=3)
    assert [entry.uid for entry in entries] == [9, 8, 7]
    for entry in (entries[0], entries[2]):
        assert await place.store.mailboxes.holders(entry.message.id) == [(place.andrew.id, entry.uid)]
    assert await place.store.mailboxes.oldest() == {place.andrew.id: NOW}
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_deleting_and_marking_in_both_tables(tmp_path: Path, soon: None) -> None:
    """What is deleted before it was carried in never comes; the rest stays, and counters agree with it."""
    place = await opened(tmp_path)
    for number in range(1, 7):
        await place.deliver(f"{number}", [place.andrew, place.greg], data=text(number))
    drop = await place.drop(place.andrew)
    assert await rows(place) == (12, 0)
    drop.release()
    await place.deliver("7", [place.andrew], data=text(7))
    await place.deliver("8", [place.andrew], data=text(8))
    drop = await place.drop(place.andrew)
    assert await drop.commit([2, 7], [3, 8]) == 2
    drop.release()
    assert await rows(place) == (11, 1)
    entries = await place.store.mailboxes.entries(place.andrew.id)
    assert [(entry.uid, entry.retrieved) for entry in entries] == [
        (8, True), (6, False), (5, False), (4, False), (3, True), (1, False),
    ]  # fmt: skip
    assert await place.store.collect_garbage(NOW) == 1  # the seventh; the second is greg's too
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_giving_what_has_just_come(tmp_path: Path) -> None:
    """It leaves one mailbox for another, behind what came there before."""
    place = await opened(tmp_path)
    for number in (1, 2):
        await place.deliver(f"{number}", [place.greg], data=text(number))
    await place.deliver("3", [place.andrew], data=text(3))
    given = await place.store.mailboxes.give(place.andrew.id, 1, [Target(place.greg.id, "given", b"X: y\r\n")], at=NOW)
    assert given == {place.greg.id: 3}
    await place.deliver("4", [place.greg], data=text(4))
    drop: Any = await place.drop(place.greg)
    assert list((await drop.snapshot())[0]) == [1, 2, 3, 4]
    assert [drop.at_hand(uid) for uid in range(1, 5)] == [text(1), text(2), b"X: y\r\n" + text(3), text(4)]
    with pytest.raises(NoSuchEntry):
        await place.store.mailboxes.give(place.andrew.id, 1, [Target(place.greg.id, "given")], at=NOW)
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_a_kill_leaves_them_where_they_are(tmp_path: Path, soon: None) -> None:
    """What a kill leaves, copied while the server runs: the same copies, and the next one comes behind them."""
    place = await opened(tmp_path / "one")
    for number in range(1, 7):
        await place.deliver(f"{number}", [place.andrew], data=text(number))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    await place.store.close()
    store = SQLiteStore(str(tmp_path / "two"), reactor=reactor)
    await store.open()
    place = Office(store, place.account, place.andrew, place.greg)
    assert await rows(place) == (4, 2)
    assert (await place.deliver("7", [place.andrew], data=text(7))).uids == {place.andrew.id: 7}
    assert await store.verify(deep=True) == []
    await store.close()


async def test_the_mailbox_of_a_former_user_goes_with_what_arrived(tmp_path: Path) -> None:
    """When his time is over nothing of him is left in either table."""
    place = await opened(tmp_path)
    await place.deliver("1", [place.andrew], data=text(1))
    await place.store.directory.delete_user(place.andrew.id)
    later = 2 * NOW
    assert await place.store.collect_garbage(later) == 1
    assert await rows(place) == (0, 0)
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_an_entry_with_a_number_still_to_be_given(tmp_path: Path) -> None:
    """A mailbox whose counter is behind its entries takes nothing, rather than give out a number twice."""
    place = await opened(tmp_path)
    await place.deliver("1", [place.andrew], data=text(1))
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("INSERT INTO entry (mailbox_id, uid, message_id) SELECT mailbox_id, 5, message_id FROM arrived")
    connection.commit()
    connection.close()
    with pytest.raises(Unavailable):
        await place.deliver("2", [place.andrew], data=text(2))
    await place.store.close()


async def test_what_is_carried_in_while_a_session_reads_is_seen_once(tmp_path: Path, soon: None) -> None:
    """One reading sees the store of one moment, so no copy is between the two tables then."""
    place = await opened(tmp_path)
    for number in range(3):
        await place.deliver(f"{number}", [place.andrew], data=text(number))
    database: Any = place.store.events
    began, carried = threading.Event(), threading.Event()

    def read(connection: sqlite3.Connection) -> int:
        seen: int = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
        began.set()
        assert carried.wait(60)
        return seen + int(connection.execute("SELECT count(*) FROM arrived").fetchone()[0])

    reading = Deferred.fromCoroutine(database._database.read(read))
    await deferToThread(began.wait, 60)
    await place.deliver("last", [place.andrew], data=text(9))
    assert await rows(place) == (4, 0)
    carried.set()
    assert await reading == 3
    await place.store.close()
