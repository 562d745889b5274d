"""Small bodies are read on the reactor's thread as long as that holds nobody up; else by the readers' threads."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import MailshareError
from mailshare.store import readers
from mailshare.store.connections import open_reader, plain_connect
from mailshare.store.readers import Readers
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, Account, Address, Office, User
from tests.store.leaping import Leaping

TEXT = HEADER + b"hello\r\n"


class _Watched(sqlite3.Connection):
    """A connection that notes on which thread bodies are read."""

    here: ClassVar[list[bool]] = []  # on the reactor's thread
    fault: ClassVar[bool] = False

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run it, or fail as a damaged page does."""
        if "entry.prefix" in statement and "FROM arrived" not in statement:  # which is looked into as well
            on_reactor = threading.current_thread() is threading.main_thread()
            self.here.append(on_reactor)
            if self.fault and on_reactor:
                raise sqlite3.DatabaseError("database disk image is malformed")
        return super().execute(statement, *values)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Watched)


async def _filled(directory: Path, count: int, clock: Any = reactor, data: bytes = TEXT) -> tuple[Office, list[int]]:
    """An office with messages in andrew's mailbox; their uids."""
    store = SQLiteStore(str(directory), reactor=clock, connect=_connect)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    place = Office(store, account, andrew, andrew)
    uids = [(await place.deliver(f"{n:x}", [andrew], data=data)).uids[andrew.id] for n in range(count)]
    _Watched.here.clear()
    return place, uids


async def _turn() -> None:
    await deferLater(reactor, 0, lambda: None)


async def test_small_bodies_are_read_here(tmp_path: Path) -> None:
    """Whether they are asked for as they go on the wire or with all that is known of them."""
    place, uids = await _filled(tmp_path, 3)
    drop: Any = await place.drop(place.andrew)
    assert [drop.at_hand(uid) for uid in uids] == [TEXT] * 3
    assert await place.content(drop, uids[0]) == TEXT
    assert _Watched.here == [True, True, True]  # the second read took two
    await place.store.close()


async def test_where_the_disk_makes_reads_wait_they_go_to_a_thread(tmp_path: Path) -> None:
    """For so many reads; then the reactor's thread tries again, and keeps them if they are quick by then."""
    clock = Leaping()
    place, uids = await _filled(tmp_path, 1, clock)
    drop: Any = await place.drop(place.andrew)
    clock.leap = 2 * readers.SLOW
    assert drop.at_hand(uids[0]) == TEXT
    clock.leap = 0.0
    for _ in range(readers.SLOW_READS):
        assert drop.at_hand(uids[0]) is None
    assert _Watched.here == [True]
    assert drop.at_hand(uids[0]) == TEXT
    clock.leap = 2 * readers.SLOW
    assert drop.at_hand(uids[0]) == TEXT
    assert await place.content(drop, uids[0]) == TEXT
    assert _Watched.here == [True, True, True, False]
    await place.store.close()


async def test_a_turn_reads_so_many_octets_here(tmp_path: Path) -> None:
    """Many sessions that fetch at the same moment hold nobody else up; the next turn reads here again."""
    place, uids = await _filled(tmp_path, 1, data=HEADER + b"0123456789abcd\r\n" * 3_000)
    drop: Any = await place.drop(place.andrew)
    await _turn()
    most = readers.TURN_OCTETS // 48_000 + 1
    given = [drop.at_hand(uids[0]) is not None for _ in range(most + 2)]
    assert given == [True] * most + [False] * 2
    assert (await drop.body(uids[0])).size > 48_000
    assert _Watched.here == [True] * most + [False]
    await _turn()
    assert drop.at_hand(uids[0]) is not None
    await place.store.close()


async def test_what_fails_here_is_told_by_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault seen on the reactor's thread is for the reader's to meet again, to judge and to tell."""
    place, uids = await _filled(tmp_path, 1)
    drop: Any = await place.drop(place.andrew)
    monkeypatch.setattr(_Watched, "fault", True)
    assert drop.at_hand(uids[0]) is None
    assert await place.content(drop, uids[0]) == TEXT
    assert _Watched.here == [True, True, False]
    await place.store.close()


async def test_another_process_is_waited_for_elsewhere(tmp_path: Path) -> None:
    """Somebody who has the whole file to himself holds up who reads, and never the reactor."""
    path = str(tmp_path / "plain.db")
    other = plain_connect(path)
    other.execute("CREATE TABLE t (n)")
    ours = Readers(reactor, lambda here: open_reader(path, plain_connect, here=here), 1)
    other.execute("BEGIN EXCLUSIVE")

    class Nothing:
        octets = 0

    def look(connection: sqlite3.Connection) -> Nothing:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (0,)
        connection.execute("SELECT * FROM t").fetchall()
        return Nothing()

    assert ours.read_here(look) is None
    other.execute("COMMIT")
    other.close()
    assert ours.read_here(look) is not None
    ours.stop()
    assert ours.read_here(look) is None
    with pytest.raises(MailshareError):
        await ours.read(look)
    await _turn()
