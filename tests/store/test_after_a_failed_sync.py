"""What stands after a failed sync and a stop of the process: nothing acknowledged is at stake, nothing comes twice."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

import pytest
from twisted.internet import reactor

from mailshare.core.errors import StoreReadOnly, Unavailable
from mailshare.store.file_database import DirectoryLock
from mailshare.store.files import Files
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import Account, Address, Office, User

KEY = b"k" * 32


class OneBadSync(Files):
    """The disk says of one sync that it failed."""

    bad = False

    def sync_log(self, descriptor: int) -> None:
        if self.bad:
            self.bad = False
            raise OSError(errno.EIO, "Input/output error")
        super().sync_log(descriptor)


async def killed_after_a_failed_sync(folder: Path) -> Path:
    """A copy of a store as a kill leaves it: one message was acknowledged, the sync of the second failed."""
    files = OneBadSync()
    store = SQLiteStore(str(folder / "first"), reactor=reactor, files=files)
    await store.open()
    account = await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    andrew = await store.directory.add_user(User(0, "andrew", accounts=(account.id,)))
    place = Office(store, account, andrew, andrew)
    await place.deliver("1", [andrew])
    files.bad = True
    with pytest.raises(StoreReadOnly):
        await place.deliver("2", [andrew], key=KEY)
    shutil.copytree(folder / "first", folder / "second")
    await store.close()
    return folder / "second"


def messages_without_the_log(folder: Path, store: Path) -> int:
    """What a disk holds on which the log is of no use: the database alone."""
    shutil.copy(store / "mailshare.db", folder / "alone.db")
    connection = sqlite3.connect(folder / "alone.db")
    try:
        return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])
    finally:
        connection.close()


async def test_what_was_written_is_carried_over_before_more_is_written(tmp_path: Path) -> None:
    """The log of a failed sync may have a gap on the disk: what is acknowledged from now on stands in a new one."""
    copy = await killed_after_a_failed_sync(tmp_path)
    assert (copy / "mailshare.db-wal").stat().st_size > 0
    store = SQLiteStore(str(copy), reactor=reactor)
    await store.open()
    assert messages_without_the_log(tmp_path, copy) == 2
    user = store.directory.current().user_by_name["andrew"]
    (account,) = store.directory.current().accounts
    place = Office(store, account, user, user)
    await place.deliver("3", [user])
    assert (await place.drop(user)).count == 3
    assert await store.verify(deep=True) == []
    await store.close()
    lock = DirectoryLock(str(copy))
    lock.take()
    assert not lock.doubtful
    lock.release()


async def test_a_message_that_was_refused_and_stayed_comes_once(tmp_path: Path) -> None:
    """Its sender was told 452 and sends it again: that copy is acknowledged, and the mailbox has it once."""
    copy = await killed_after_a_failed_sync(tmp_path)
    store = SQLiteStore(str(copy), reactor=reactor)
    await store.open()
    user = store.directory.current().user_by_name["andrew"]
    (account,) = store.directory.current().accounts
    place = Office(store, account, user, user)
    result = await place.deliver("4", [user], key=KEY)
    assert result.suppressed == (user.id,)
    assert (await place.drop(user)).count == 2
    await store.close()


async def test_while_it_cannot_be_carried_over_nothing_is_taken(tmp_path: Path) -> None:
    """Somebody's program reads the database: the store does not open, and does so when that is over."""
    copy = await killed_after_a_failed_sync(tmp_path)
    other = sqlite3.connect(copy / "mailshare.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM message").fetchone()
    store = SQLiteStore(str(copy), reactor=reactor)
    with pytest.raises(Unavailable, match="carried over"):
        await store.open()
    other.close()
    await store.open()
    await store.close()


async def test_an_ordinary_kill_costs_no_carrying_over(tmp_path: Path) -> None:
    """The lock says nothing of a failed sync, so a start reads the log and leaves it where it is."""
    store = SQLiteStore(str(tmp_path / "first"), reactor=reactor)
    await store.open()
    await store.directory.add_account(Account(0, 0, Address.parse("mail@office.example")))
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    await store.close()
    size = (tmp_path / "second" / "mailshare.db-wal").stat().st_size
    store = SQLiteStore(str(tmp_path / "second"), reactor=reactor)
    await store.open()
    assert (tmp_path / "second" / "mailshare.db-wal").stat().st_size >= size > 0
    await store.close()
