"""A mistake in a statement of ours is loud, and never passes for a bad moment; a start that fails names its cause."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from twisted.internet import reactor

from mailshare.assembly.causes import cause_of
from mailshare.core.errors import LocalFault, MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.store.database import translate
from mailshare.store.sqlite import SQLiteStore


@pytest.mark.parametrize("way", ["read", "write"])
async def test_a_column_that_does_not_exist(tmp_path: Path, way: str, logged_failures) -> None:
    """It is an error of the program, logged with its traceback; the store goes on."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    with pytest.raises(LocalFault) as caught:
        await getattr(store._database, way)(lambda connection: connection.execute("SELECT nonsense FROM user_"))
    assert caught.value.detail["text"] == "no such column: nonsense"
    (failure,) = logged_failures.flush(sqlite3.OperationalError)
    assert "SELECT nonsense" in failure.getTraceback()
    assert store.trouble == ""
    assert await store._database.read(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    await store.close()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", StorageFull),
        ("SQLITE_IOERR_WRITE", StoreReadOnly),
        ("SQLITE_CORRUPT", StoreReadOnly),
        ("SQLITE_NOTADB", StoreReadOnly),
        ("SQLITE_READONLY_DBMOVED", StoreReadOnly),
        ("SQLITE_BUSY", Unavailable),
        ("SQLITE_LOCKED", Unavailable),
        ("SQLITE_CANTOPEN", Unavailable),
        ("SQLITE_NOMEM", Unavailable),
        ("SQLITE_ERROR", LocalFault),
        ("SQLITE_MISUSE", LocalFault),
        ("SQLITE_MISMATCH", LocalFault),
    ],
)
def test_what_sqlite_says(name: str, kind: type[MailshareError]) -> None:
    """What time or disk can mend is a refusal for now, 452 4.3.1; anything else is our mistake."""
    fault = sqlite3.OperationalError("said so")
    fault.sqlite_errorcode, fault.sqlite_errorname = getattr(sqlite3, name), name
    told = translate(fault)
    assert type(told) is kind
    assert (told.code, told.status) == ((451, "4.3.0") if kind is LocalFault else (452, "4.3.1"))
    assert told.detail == {"sqlite": name, "text": "said so"}


async def test_a_store_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    """A file that is no database, one that is locked, a directory in its place: each is named."""
    path = tmp_path / "mailshare.db"
    path.write_bytes(b"no database at all, but long enough to be read as one\n" * 100)
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    with pytest.raises(StoreReadOnly, match=r"cannot be opened: file is not a database \(.*mailshare\.db\)"):
        await store.open()
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match=r"cannot be opened: .*Is a directory"):
        await store.open()
    path.rmdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE x(y)")
    other.execute("BEGIN EXCLUSIVE")

    def impatient(where: str) -> sqlite3.Connection:
        return sqlite3.connect(where, isolation_level=None, check_same_thread=False, timeout=0)

    with pytest.raises(Unavailable, match=r"cannot be opened: database is locked \("):
        await SQLiteStore(str(tmp_path), reactor=reactor, connect=impatient).open()
    other.close()


async def test_a_migration_that_cannot_write_says_why(tmp_path: Path) -> None:
    """What SQLite says comes through Alembic and SQLAlchemy."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    connection = sqlite3.connect(tmp_path / "mailshare.db")
    connection.execute("CREATE TABLE user_ (x)")  # in the way of the first migration
    connection.commit()
    connection.close()
    with pytest.raises(LocalFault, match="cannot be opened: table user_ already exists"):
        await store.open()


def test_a_cause_is_named_with_its_details() -> None:
    """General words alone are never all that is said."""
    disk = OSError(28, "No space left on device")
    fault = Unavailable(detail={"why": "the disk", "empty": ""})
    fault.__cause__ = disk
    assert cause_of(fault) == (
        "Not available now; please try again later (why: the disk; OSError: [Errno 28] No space left on device)"
    )
    assert cause_of(Unavailable("The disk is full")) == "The disk is full"
    assert cause_of(KeyError("x")) == "KeyError: 'x'"
