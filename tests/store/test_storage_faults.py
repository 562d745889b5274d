"""A disk that is full, fails or takes only half: nothing is acknowledged falsely, and the next try works."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.logger import capturedLogs

from mailshare.core.errors import StorageFull, StoreReadOnly, Unavailable
from mailshare.store.connections import plain_connect
from mailshare.store.files import Files
from mailshare.store.garbage import Garbage
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, Account, Address, Office, User, whole

LARGE = HEADER + b"0123456789abcde\r\n" * 40_000


class FaultyFiles(Files):
    """Files whose n-th call of one kind fails.

    :ivar here: whether the one that failed ran on the reactor's thread.
    """

    def __init__(self) -> None:
        self.kind, self.left, self.number, self.here = "", 0, 0, False

    def fail(self, kind: str, number: int, after: int = 0) -> None:
        """Let one call of that kind fail, after so many good ones."""
        self.kind, self.number, self.left = kind, number, after

    def _step(self, kind: str) -> None:
        if kind == self.kind:
            self.left -= 1
            if self.left < 0:
                self.kind = ""
                self.here = threading.current_thread() is threading.main_thread()
                raise OSError(self.number, os.strerror(self.number))

    def make_directory(self, path: str) -> bool:
        self._step("make_directory")
        return super().make_directory(path)

    def create(self, path: str) -> int:
        self._step("create")
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.kind == "short":
            return super().write(descriptor, data[: max(1, len(data) // 3)])
        self._step("write")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    def sync_directory(self, path: str) -> None:
        self._step("sync_directory")
        super().sync_directory(path)

    def fill(self, descriptor: int, data: bytes, offset: int) -> int:
        self._step("fill")
        return super().fill(descriptor, data, offset)

    def sync_segment(self, descriptor: int) -> None:
        self._step("sync_segment")
        super().sync_segment(descriptor)

    def sync_log(self, descriptor: int) -> None:
        self._step("sync_log")
        super().sync_log(descriptor)


class FaultyConnection(sqlite3.Connection):
    """A connection that fails at the n-th statement of a transaction when told to."""

    code = 0
    left = 0

    def _step(self, statement: str) -> None:
        kind = type(self)
        if kind.code and not statement.startswith(("SELECT", "PRAGMA", "ROLLBACK")):
            kind.left -= 1
            if kind.left < 0:
                fault = sqlite3.OperationalError("injected")
                fault.sqlite_errorcode, kind.code = kind.code, 0
                raise fault

    def execute(self, statement, *values):
        self._step(statement)
        return super().execute(statement, *values)

    def executemany(self, statement, *values):
        self._step(statement)
        return super().executemany(statement, *values)


def faulty_connect(path: str) -> sqlite3.Connection:
    """Connect so that statements can be made to fail."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=FaultyConnection)


async def office(directory: Path, files: Files | None = None, connect=plain_connect) -> Office:
    """An office on a disk that may fail."""
    store = SQLiteStore(str(directory), reactor=reactor, files=files, connect=connect)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    return Office(store, account, andrew, andrew)


def content_files(directory: Path) -> list[Path]:
    """Files under blobs/."""
    return [path for path in (directory / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    ("kind", "after"), [("make_directory", 0), ("create", 0), ("write", 0), ("write", 1), ("sync", 0)]
)
async def test_a_fault_while_a_large_message_comes(tmp_path: Path, kind: str, after: int, number: int) -> None:
    """The message is refused with 452, leaves no row, and the next one is taken."""
    files = FaultyFiles()
    place = await office(tmp_path, files)
    files.fail(kind, number, after)
    with pytest.raises(StorageFull if number == errno.ENOSPC else StoreReadOnly) as caught:
        await place.deliver("1", [place.andrew], data=LARGE)
    assert (caught.value.code, caught.value.status) == (452, "4.3.1")
    result = await place.deliver("2", [place.andrew], data=LARGE)
    drop = await place.drop(place.andrew)
    assert drop.count == 1
    assert await place.content(drop, result.uids[place.andrew.id]) == LARGE
    assert await place.store.verify(deep=True) == []
    await place.store.close()
    assert len(content_files(tmp_path)) == 1


async def test_short_writes_are_carried_on(tmp_path: Path) -> None:
    """A system that takes a third of each write stores every octet all the same."""
    files = FaultyFiles()
    place = await office(tmp_path, files)
    files.kind = "short"
    result = await place.deliver("1", [place.andrew], data=LARGE)
    found = await place.store.message(result.message_id)
    assert await whole(found[0]) == LARGE
    await place.store.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE])
@pytest.mark.parametrize("statement", range(9))
async def test_a_fault_at_each_statement(tmp_path: Path, statement: int, code: int) -> None:
    """Whichever statement of the door's transaction fails, nothing of it stays, and the next message is stored."""
    place = await office(tmp_path, connect=faulty_connect)
    FaultyConnection.code, FaultyConnection.left = code, statement
    try:
        with pytest.raises(Unavailable) as caught:
            await place.deliver("1", [place.andrew], key=b"k" * 32, hops=[place.hop("a@b.example")])
    finally:
        FaultyConnection.code = 0
    assert caught.value.code == 452
    assert "injected" in place.store.trouble
    assert await place.store.queue.items() == []
    assert (await place.store.mailboxes.counts())[2].messages == 0
    result = await place.deliver("1", [place.andrew], key=b"k" * 32)
    assert result.suppressed == ()
    assert place.store.trouble == ""
    assert await place.store.verify(deep=True) == []
    await place.store.close()


@pytest.mark.parametrize("where", ["commit", "directory"])
async def test_a_failed_sync_ends_writing(tmp_path: Path, where: str) -> None:
    """After a failed sync nothing is taken until the store is opened again; reading goes on."""
    files = FaultyFiles()
    place = await office(tmp_path, files, faulty_connect)
    kept = await place.deliver("1", [place.andrew])
    data = HEADER
    if where == "commit":
        FaultyConnection.code, FaultyConnection.left = sqlite3.SQLITE_IOERR_FSYNC, 4
    else:
        data = LARGE
        # The first sync is that of blobs/ for its new day, the second the writer's.
        files.fail("sync_directory", errno.EIO, 1)
    for trace in "23":
        with pytest.raises(StoreReadOnly):
            await place.deliver(trace, [place.andrew], data=data)
    assert place.store.trouble.startswith("read-only")
    drop = await place.drop(place.andrew)
    assert await place.content(drop, kept.uids[place.andrew.id]) == HEADER + b"hello\r\n"
    await place.store.close()
    await place.store.open()
    await place.deliver("4", [place.andrew])
    assert await place.store.verify(deep=True) == []
    await place.store.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
async def test_no_descriptor_left_is_no_failed_sync(tmp_path: Path, number: int) -> None:
    """A crowd of connections takes them all: the message is refused for now, and the next one is taken."""
    files = FaultyFiles()
    place = await office(tmp_path, files)
    await place.deliver("1", [place.andrew], data=LARGE)
    files.fail("sync_directory", number)
    with pytest.raises(Unavailable):
        await place.deliver("2", [place.andrew], data=LARGE)
    assert not files.kind
    assert not place.store.trouble
    await place.deliver("3", [place.andrew], data=LARGE)
    assert await place.store.verify(deep=True) == []
    await place.store.close()


async def test_garbage_on_a_damaged_page_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message that cannot be taken away stays, is told of, and all others of its slice go."""
    place = await office(tmp_path)
    numbers = [(await place.deliver(f"{n}", [place.andrew])).message_id for n in range(1, 12)]
    drop = await place.drop(place.andrew)
    await drop.commit(list((await drop.snapshot())[0]))
    sound = Garbage._drop_messages

    async def damaged(self: Garbage, chosen: Sequence[int], after: int) -> int:
        if numbers[4] in chosen:
            raise StoreReadOnly(detail={"text": "database disk image is malformed"})
        return await sound(self, chosen, after)

    monkeypatch.setattr(Garbage, "_drop_messages", damaged)
    with capturedLogs() as logged:
        assert await place.store.collect_garbage(2**60) == len(numbers) - 1
    assert [event["number"] for event in logged if "cannot be taken away" in event["log_format"]] == [numbers[4]]
    monkeypatch.undo()
    assert await place.store.collect_garbage(2**60) == 1
    await place.store.close()


async def test_no_room_is_said_before_the_message_comes(tmp_path: Path) -> None:
    """A sink is refused when twice the announced size and the reserve do not fit."""

    class Small(Files):
        def free_octets(self, path: str) -> int:
            return 100_000_000 + 2 * 5_000

    place = await office(tmp_path, Small())
    place.store.new_body(5_000).abort()
    with pytest.raises(StorageFull):
        place.store.new_body(5_001)
    await place.store.close()
