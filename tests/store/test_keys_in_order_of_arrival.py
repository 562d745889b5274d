"""Keys of messages that mailboxes have met: written in the order of arrival, found by an index that is in memory."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from twisted.internet import reactor

from mailshare.core.values import Account, User
from mailshare.store import duplicates, garbage
from mailshare.store.connections import DATABASE, open_writer, plain_connect
from mailshare.store.duplicates import KEYS_MOST, Met, know_keys
from mailshare.store.migrate import make_schema
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import DAY, NOW, Address, Office

PAGE = 2_048


def key_of(number: int) -> bytes:
    """A key, spread evenly as all are."""
    return sha256(b"%d" % number).digest()


def remember(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """One transaction in which mailbox 3 meets messages, one a minute."""
    connection.execute("BEGIN IMMEDIATE")
    met = Met(connection, [key_of(number) for number in numbers])
    for number in numbers:
        met.take(key_of(number), f"{number:016x}", NOW + number * DAY // 1440, 0, [3])
    met.write()
    connection.execute("COMMIT")


def known(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[int]:
    """Those of these messages that mailbox 3 has met."""
    met = Met(connection, [key_of(number) for number in numbers])
    return [number for number in numbers if met.take(key_of(number), "other", NOW, 0, [3])]


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    """A database file as the server writes it."""
    connection = open_writer(str(tmp_path / DATABASE), plain_connect)
    connection.execute("BEGIN")
    make_schema(connection)
    connection.execute("COMMIT")
    know_keys(connection)
    return connection


def test_a_key_writes_no_page_of_its_own(connection: sqlite3.Connection, tmp_path: Path) -> None:
    """Thirty-two keys among three thousand come to a handful of pages in the log, not to thirty-two."""
    for start in range(0, 3_000, 100):
        remember(connection, range(start, start + 100))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    remember(connection, range(3_000, 3_032))
    assert 0 < (tmp_path / f"{DATABASE}-wal").stat().st_size < 8 * PAGE
    assert known(connection, [5, 3_031, 3_032]) == [5, 3_031]
    connection.close()


def test_what_is_rolled_back_was_never_met(connection: sqlite3.Connection) -> None:
    """A message that could not be stored comes again, and is taken."""
    connection.execute("BEGIN")
    met = Met(connection, [key_of(1)])
    met.take(key_of(1), "a", NOW, 0, [3])
    met.write()
    connection.execute("ROLLBACK")
    assert known(connection, [1]) == []
    remember(connection, [2])
    assert known(connection, [1, 2]) == [2]
    connection.close()


def test_keys_that_begin_alike_are_two(connection: sqlite3.Connection) -> None:
    """The index holds the beginning of a key; the row decides."""
    one, other = b"k" * 32, b"k" * 31 + b"l"
    met = Met(connection, [one])
    met.take(one, "a", NOW, 0, [3])
    met.write()
    assert not Met(connection, [other]).take(other, "b", NOW, 0, [3])
    assert Met(connection, [one]).take(one, "b", NOW, 0, [3]) == {3: "a"}
    connection.close()


def test_one_message_in_two_parts(connection: sqlite3.Connection) -> None:
    """Who gets the same message under the same trace later is noted beside the others, and nobody met it before."""
    for mailboxes in ([3], [3, 4], [4]):
        met = Met(connection, [key_of(1)])
        assert not met.take(key_of(1), "a", NOW, 0, mailboxes)
        met.write()
    rows = connection.execute("SELECT trace, mailboxes FROM duplicate ORDER BY id").fetchall()
    assert rows == [("a", "[3]"), ("a", "[4]")]
    assert Met(connection, [key_of(1)]).take(key_of(1), "b", NOW, 0, [3, 4, 5]) == {3: "a", 4: "a"}
    connection.close()


def test_the_index_of_a_start_is_that_of_the_hour_before(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made in lots, of rows that are there; what triggers keep up comes to the same."""
    monkeypatch.setattr(duplicates, "_LOT", 7)
    remember(connection, range(40))
    limits = {"rows": 2_000, "met": NOW + 10 * DAY // 1440, "keys": KEYS_MOST}
    connection.execute(duplicates.FORGET_KEYS, limits)
    kept = connection.execute("SELECT mark, row FROM temp.known").fetchall()
    for name in ("TRIGGER key_comes", "TRIGGER key_goes", "TABLE known"):
        connection.execute(f"DROP {name}")
    know_keys(connection)
    assert connection.execute("SELECT mark, row FROM temp.known").fetchall() == kept
    assert known(connection, range(40)) == list(range(10, 40))
    connection.close()


async def opened(directory: Path) -> Office:
    """A store with one user."""
    store = SQLiteStore(str(directory), reactor=reactor)
    await store.open()
    people = store.directory.current()
    account = people.accounts[0] if people.accounts else None
    if account is None:
        account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = people.user_by_name.get("andrew")
    if andrew is None:
        andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    return Office(store, account, andrew, andrew)


async def test_a_copy_is_known_after_a_kill(tmp_path: Path) -> None:
    """What a kill leaves, copied while the server runs: the log is not carried into the database, nothing closed."""
    place = await opened(tmp_path / "one")
    assert (await place.deliver("1", [place.andrew], key=key_of(1))).suppressed == ()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    await place.store.close()
    place = await opened(tmp_path / "two")
    assert (await place.deliver("2", [place.andrew], key=key_of(1), at=NOW + DAY)).suppressed == (place.andrew.id,)
    assert (await place.deliver("3", [place.andrew], key=key_of(2))).suppressed == ()
    await place.store.close()


async def test_old_keys_leave_and_newer_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their age, several lots of them; and by their number when there are very many."""
    monkeypatch.setattr(garbage, "ROWS", 3)
    place = await opened(tmp_path)
    for number in range(10):
        await place.deliver(str(number), [place.andrew], key=key_of(number), at=NOW + number * DAY)
    count = partial(place.store._database.read, lambda db: db.execute("SELECT count(*) FROM duplicate").fetchone()[0])
    await place.store.collect_garbage(NOW + 14 * DAY + 7 * DAY)
    assert await count() == 3
    assert (await place.deliver("a", [place.andrew], key=key_of(2), at=NOW + 9 * DAY)).suppressed == ()
    assert (await place.deliver("b", [place.andrew], key=key_of(8), at=NOW + 9 * DAY)).suppressed == (place.andrew.id,)
    monkeypatch.setattr(garbage, "KEYS_MOST", 2)
    await place.store.collect_garbage(NOW + 14 * DAY)
    assert await count() == 2
    await place.store.close()
