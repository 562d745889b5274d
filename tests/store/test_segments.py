"""Bodies of middle size lie in content files that many share: written once, and before their row."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.logger import capturedLogs

from mailshare.core.errors import StoreReadOnly, Unavailable
from mailshare.store import log_sync, segments
from mailshare.store.backup import restore
from mailshare.store.bodies import FILE, INLINE, SEGMENT
from mailshare.store.connections import plain_connect
from mailshare.store.files import Files
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, Account, Address, Office, User, whole
from tests.store.test_storage_faults import FaultyConnection, FaultyFiles, content_files, faulty_connect

LATE = 2**60  # a time at which everything is old
HOURS = 2 * 3_600_000_000


@pytest.fixture(autouse=True)
def worth_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this disk is, bodies are put there."""
    monkeypatch.setattr(segments, "SAVED", 1.0)


def text(number: int, size: int = 40_000) -> bytes:
    """A message of about that size, with lines that begin with a dot."""
    line = b".%d of the message\r\n" % number
    return HEADER + line * (size // len(line))


async def office(directory: Path, files: Files | None = None, connect=plain_connect, clock: Any = reactor) -> Office:
    """An office, also one that was open before."""
    store = SQLiteStore(str(directory), reactor=clock, files=files, connect=connect)
    await store.open()
    known = store.directory.current()
    if "andrew" not in known.user_by_name:
        account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
        await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
        known = store.directory.current()
    andrew = known.user_by_name["andrew"]
    return Office(store, known.accounts[0], andrew, andrew)


async def together(place: Office, messages: Sequence[bytes]) -> list[int]:
    """Deliver them in one transaction; their numbers."""
    results = await gatherResults(
        [
            Deferred.fromCoroutine(place.deliver(f"{number:x}", [place.andrew], data=data))
            for number, data in enumerate(messages, 1)
        ]
    )
    return [result.message_id for result in results]


def kinds(directory: Path) -> list[int]:
    """Where the bodies lie, by message."""
    connection = sqlite3.connect(directory / "mailshare.db")
    try:
        return [row[0] for row in connection.execute("SELECT storage FROM message ORDER BY id")]
    finally:
        connection.close()


async def read_all(place: Office) -> list[bytes]:
    """What POP3 reads, each message asked for by itself."""
    drop = await place.drop(place.andrew)
    found = [await place.content(drop, uid) for uid in (await drop.snapshot())[0]]
    drop.release()
    return found


async def delete(place: Office, uids: Sequence[int]) -> None:
    """As a session does at QUIT."""
    drop = await place.drop(place.andrew)
    await drop.commit(list(uids))
    drop.release()


async def test_bodies_of_middle_size_lie_in_one_file(tmp_path: Path) -> None:
    """Small ones do not, large ones have a file of their own, and all are read as they came."""
    place = await office(tmp_path)
    messages = [text(1), text(2, 600), text(3), text(4, 100_000), text(5, 60_000)]
    numbers = await together(place, messages)
    small_and_beside = [SEGMENT, INLINE, SEGMENT, SEGMENT]
    assert sorted(kinds(tmp_path)) == sorted([*small_and_beside, FILE])
    assert len(content_files(tmp_path)) == 2
    for number, data in zip(numbers, messages, strict=True):
        found = await place.store.message(number)
        assert await whole(found[0]) == data
    bodies = await place.store._messages.bodies(numbers)
    assert [await whole(bodies[number]) for number in numbers] == messages
    assert sorted(await read_all(place)) == sorted(messages)
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_one_alone_goes_into_the_database(tmp_path: Path) -> None:
    """A sync of its own would save it nothing."""
    place = await office(tmp_path)
    await place.deliver("1", [place.andrew], data=text(1))
    assert kinds(tmp_path) == [INLINE]
    await place.store.close()


async def test_on_a_slow_disk_all_go_into_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second sync would take longer than it saves."""
    monkeypatch.undo()
    monkeypatch.setattr(log_sync, "_UNKNOWN", 0.008)
    place = await office(tmp_path)
    await together(place, [text(1), text(2)])
    assert kinds(tmp_path) == [INLINE, INLINE]
    await place.store.close()


async def test_what_is_read_ahead_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that fetches one after the other gets them as a POP3 wire wants them: dots stuffed."""
    monkeypatch.setattr("mailshare.store.read_ahead.LONG", 60.0)
    monkeypatch.setattr("mailshare.store.readers.SLOW", 60.0)
    place = await office(tmp_path)
    messages = [text(1), text(2, 600), text(3), text(4, 20_000)]
    await together(place, messages)
    drop: Any = await place.drop(place.andrew)
    uids = (await drop.snapshot())[0]
    assert [drop.at_hand(uid) for uid in uids] == [data.replace(b"\r\n.", b"\r\n..") for data in messages]
    await place.store.close()


async def test_octets_are_durable_before_their_row(tmp_path: Path) -> None:
    """Written, synced, committed, and the log synced; the name of the file and its folder's before the first row."""
    done: list[str] = []

    class Told(Files):
        def __getattribute__(self, name: str) -> Any:
            if name in {"create", "fill", "sync_segment", "sync_directory", "sync_log"}:
                done.append(name)
            return super().__getattribute__(name)

    def connect(path: str) -> sqlite3.Connection:
        connection = plain_connect(path)
        connection.set_trace_callback(lambda said: done.append(said) if said in {"BEGIN IMMEDIATE", "COMMIT"} else None)
        return connection

    place = await office(tmp_path, Told(), connect)
    done.clear()
    await together(place, [text(1), text(2)])
    rows = ["BEGIN IMMEDIATE", "COMMIT", "sync_log"]
    put = ["fill", "fill", "sync_segment", *rows]
    assert [each for each in done if each != "sync_log"][-7:] == ["create", "sync_directory", *put][:-1]
    done.clear()
    await together(place, [text(3), text(4)])
    assert done == put
    await place.store.close()


async def test_each_server_begins_a_segment_of_its_own(tmp_path: Path) -> None:
    """What the one before wrote stays as it is, whatever lies behind its last row."""
    messages = [text(1), text(2)]
    place = await office(tmp_path)
    await together(place, messages)
    await place.store.close()
    (first,) = content_files(tmp_path)
    with first.open("ab") as file:
        file.write(b"cut by a crash" * 1_000)
    before = first.read_bytes()
    place = await office(tmp_path)
    await together(place, [text(3), text(4)])
    assert len(content_files(tmp_path)) == 2
    assert first.read_bytes() == before
    assert sorted(await read_all(place)) == sorted([*messages, text(3), text(4)])
    await place.store.close()


async def test_a_segment_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound the next ones go into another."""
    monkeypatch.setattr(segments, "MOST", 100_000)
    place = await office(tmp_path)
    for _ in range(4):
        await together(place, [text(1), text(2)])
    assert len(content_files(tmp_path)) == 2
    assert await place.store.verify(deep=True) == []
    await place.store.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("make_directory", 0),
        ("create", 0),
        ("fill", 0),
        ("fill", 1),
        ("sync_segment", 0),
        ("sync_directory", 0),
        ("sync_directory", 1),
    ],
)
async def test_a_fault_sends_them_into_the_database(tmp_path: Path, kind: str, after: int, number: int) -> None:
    """They are taken all the same, and later ones lie beside it again."""

    class Later:
        """The reactor, whose clock can be put forward."""

        ahead = 0.0

        def __getattr__(self, name: str) -> Any:
            return getattr(reactor, name)

        def seconds(self) -> float:
            return reactor.seconds() + self.ahead

    files, clock = FaultyFiles(), Later()
    place = await office(tmp_path, files, clock=clock)
    log = place.store._database._lays_out
    if log is not None:
        log.cancel()  # its zeros are no bodies
        place.store._database._lays_out = None
    files.fail(kind, number, after)
    with capturedLogs() as logged:
        await together(place, [text(1), text(2)])
        await together(place, [text(3), text(4)])
    assert len([event for event in logged if "a content file failed" in event["log_format"]]) == 1
    assert kinds(tmp_path) == [INLINE] * 4
    assert place.store.trouble == ""
    before = content_files(tmp_path)
    clock.ahead = segments.REST + 1
    await together(place, [text(5), text(6)])
    assert kinds(tmp_path)[4:] == [SEGMENT] * 2
    if kind == "sync_segment":
        assert len(content_files(tmp_path)) == len(before) + 1, "the file whose sync failed is not written again"
    assert sorted(await read_all(place)) == sorted(text(each) for each in range(1, 7))
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_short_writes_are_carried_on(tmp_path: Path) -> None:
    """A system that takes a third of each write stores every octet all the same."""

    class Short(Files):
        def fill(self, descriptor: int, data: bytes, offset: int) -> int:
            return super().fill(descriptor, data[: max(1, len(data) // 3)], offset)

    place = await office(tmp_path, Short())
    await together(place, [text(1), text(2)])
    assert kinds(tmp_path) == [SEGMENT] * 2
    assert await place.store.verify(deep=True) == []
    await place.store.close()


@pytest.mark.parametrize("statement", range(1, 6))
async def test_a_fault_at_each_statement(tmp_path: Path, statement: int) -> None:
    """Octets that lie there before a transaction that fails are no mail; each message is tried alone after that."""
    place = await office(tmp_path, connect=faulty_connect)
    FaultyConnection.code, FaultyConnection.left = sqlite3.SQLITE_FULL, statement
    both = [Deferred.fromCoroutine(place.deliver(f"{each}", [place.andrew], data=text(each))) for each in (1, 2)]
    stored = [told for told, _ in await DeferredList(both, consumeErrors=True)]
    assert FaultyConnection.code == 0, "it was met"
    await together(place, [text(3), text(4)])
    found = await read_all(place)
    assert {text(3), text(4)} <= set(found)
    assert len(found) == 2 + stored.count(True)
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_what_a_failed_sync_of_the_log_leaves_can_be_read(tmp_path: Path) -> None:
    """Their rows are carried over at the next start; the octets were on the disk before."""
    files = FaultyFiles()
    place = await office(tmp_path, files)
    await together(place, [text(1), text(2)])
    files.fail("sync_log", errno.EIO)
    both = [Deferred.fromCoroutine(place.deliver(f"{each}", [place.andrew], data=text(each))) for each in (3, 4)]
    for _, failure in await DeferredList(both, consumeErrors=True):
        assert isinstance(failure.value, StoreReadOnly)
    await place.store.close()
    place = await office(tmp_path)
    assert {text(1), text(2)} <= set(await read_all(place))
    assert await place.store.verify(deep=True) == []
    await place.store.close()


@pytest.mark.parametrize("damage", ["short", "gone"])
async def test_damage_holds_up_only_what_it_hit(tmp_path: Path, damage: str) -> None:
    """That message is refused, those before it are read, and the check names it."""
    place = await office(tmp_path)
    numbers = await together(place, [text(1), text(2), text(3, 600)])
    (file,) = content_files(tmp_path)
    if damage == "gone":
        file.unlink()
    else:
        os.truncate(file, file.stat().st_size - 1)
    bad = 2 if damage == "gone" else 1
    drop: Any = await place.drop(place.andrew)
    uids = (await drop.snapshot())[0]
    found = []
    for uid in uids:
        said = drop.at_hand(uid)
        try:
            found.append(len(said or await place.content(drop, uid)))
        except Unavailable:
            found.append(0)
    assert found.count(0) == bad
    problems = await place.store.verify()
    assert len(problems) == bad
    assert all(any(f"message {number}:" in each for number in numbers) for each in problems)
    with pytest.raises(Unavailable):
        await place.store.message(numbers[1])
    await place.store.close()


async def test_a_segment_goes_with_its_last_message(tmp_path: Path) -> None:
    """Not at once, and not while it is written."""
    place = await office(tmp_path)
    await together(place, [text(1), text(2)])
    await delete(place, [1, 2])
    assert await place.store.collect_garbage(LATE) == 2
    await place.store.collect_garbage(LATE + HOURS)
    assert len(content_files(tmp_path)) == 1, "the one that is written stays"
    await together(place, [text(3), text(4)])
    assert await place.store.verify(deep=True) == []
    await delete(place, [3, 4])
    await place.store.close()
    place = await office(tmp_path)
    now = place.store._database.now()
    assert await place.store.collect_garbage(now) == 2
    assert await place.store.collect_garbage(now) == 0
    assert len(content_files(tmp_path)) == 1, "an hour has not passed"
    await place.store.collect_garbage(LATE * 2)
    assert content_files(tmp_path) == []
    await place.store.close()


async def test_a_segment_with_little_left_is_emptied(tmp_path: Path) -> None:
    """The rest goes into the database as it is; then the file goes."""
    place = await office(tmp_path)
    messages = [text(number) for number in range(1, 41)]
    await together(place, messages)
    await place.store.close()
    place = await office(tmp_path)
    drop = await place.drop(place.andrew)
    kept = {uid: await place.content(drop, uid) for uid in (7, 31)}
    drop.release()
    await delete(place, [uid for uid in range(1, 21) if uid not in kept])
    await place.store.collect_garbage(LATE)
    await place.store.collect_garbage(LATE + HOURS)
    assert set(kinds(tmp_path)) == {SEGMENT}, "half is in use: it stays"
    await delete(place, [uid for uid in range(21, 41) if uid not in kept])
    await place.store.collect_garbage(LATE + 2 * HOURS)
    await place.store.collect_garbage(LATE + 4 * HOURS)
    assert kinds(tmp_path) == [INLINE] * 2
    assert len(content_files(tmp_path)) == 1, "somebody may be reading"
    assert await place.store.collect_garbage(LATE + 6 * HOURS) == 0
    assert content_files(tmp_path) == []
    drop = await place.drop(place.andrew)
    assert {uid: await place.content(drop, uid) for uid in kept} == kept
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_a_damaged_rest_stays_where_it_is(tmp_path: Path) -> None:
    """What is not what was stored is not carried over as if it were, and holds up none of the others."""
    place = await office(tmp_path)
    numbers = await together(place, [text(number) for number in range(1, 13)])
    await place.store.close()
    (file,) = content_files(tmp_path)
    with file.open("r+b") as damaged:
        damaged.seek(100)
        damaged.write(b"X")
    place = await office(tmp_path)
    await delete(place, range(3, 13))
    with capturedLogs() as logged:
        await place.store.collect_garbage(LATE)
        await place.store.collect_garbage(LATE + HOURS)
    told = [event["number"] for event in logged if "cannot be carried over" in event["log_format"]]
    assert told == [numbers[0]]
    assert kinds(tmp_path) == [SEGMENT, INLINE]
    await place.store.collect_garbage(LATE + 3 * HOURS)
    assert content_files(tmp_path) == [file]
    await place.store.close()


async def test_the_sweep_knows_segments(tmp_path: Path) -> None:
    """One with rows stays, as does the one that is written; one without goes."""
    place = await office(tmp_path)
    await together(place, [text(1), text(2)])
    (kept,) = content_files(tmp_path)
    stray = kept.with_name("ab" * 16)
    stray.write_bytes(b"never acknowledged")
    for file in (kept, stray):
        os.utime(file, (1, 1))
    await place.store.collect_garbage(place.store._database.now())
    assert content_files(tmp_path) == [kept]
    await place.store.close()
    place = await office(tmp_path)
    os.utime(kept, (1, 1))
    await place.store.collect_garbage(place.store._database.now())
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_a_copy_and_its_origin_write_on_apart(tmp_path: Path) -> None:
    """A backup shares the file; neither store writes into it what the other would see."""
    place = await office(tmp_path / "a")
    await together(place, [text(1), text(2)])
    await place.store.backup(str(tmp_path / "copy"))
    await together(place, [text(3), text(4)])
    restore(str(tmp_path / "copy"), str(tmp_path / "b"))
    other = await office(tmp_path / "b")
    await together(other, [text(5), text(6)])
    await together(place, [text(7), text(8)])
    assert sorted(await read_all(other)) == sorted(map(text, (1, 2, 5, 6)))
    assert sorted(await read_all(place)) == sorted(map(text, (1, 2, 3, 4, 7, 8)))
    for each in (place, other):
        assert await each.store.verify(deep=True) == []
        await each.store.close()
