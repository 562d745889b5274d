"""The schema: migrations lead to it, old databases open, and a steady start imports neither SQLAlchemy nor Alembic."""

from __future__ import annotations

import gzip
import runpy
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from twisted.internet import reactor

from mailshare.core.errors import ConfigFault
from mailshare.core.values import LedgerState
from mailshare.store import migrate, schema
from mailshare.store.counters import numbers, set_counters
from mailshare.store.duplicates import Met, know_keys
from mailshare.store.schema_version import HEAD
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import whole

DATA = Path(__file__).parent.parent / "data"


def tables(connection: sqlite3.Connection) -> dict[str, tuple[object, ...]]:
    """Everything that defines a table: columns, keys, indexes, and whether it has row ids."""
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    made = {}
    for name in sorted(names):
        text = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0] or ""
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL ORDER BY name",
            (name,),
        ).fetchall()
        made[name] = (
            connection.execute(f"PRAGMA table_info({name})").fetchall(),
            sorted(row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({name})")),
            [(index, " ".join(sql.split())) for index, sql in indexes],
            "WITHOUT ROWID" in text,
            "AUTOINCREMENT" in text,
        )
    return made


def test_head_is_the_newest_migration() -> None:
    """The version that a start compares with is the one that the migrations lead to."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrations_make_the_schema(tmp_path: Path) -> None:
    """A database made by the migrations is the one that the metadata describes."""
    path = tmp_path / "x.db"
    migrate.upgrade(str(path))
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()
    fresh = sqlite3.connect(":memory:")
    for statement in schema.sqlite_statements():
        fresh.execute(statement)
    migrated = sqlite3.connect(path)
    found = tables(migrated)
    assert found.pop("alembic_version")
    assert found == tables(fresh)
    fresh.close()
    migrated.close()


def test_a_new_store_is_made_as_the_metadata_says(tmp_path: Path) -> None:
    """The statements that make a new store are those of the metadata, and what stands is what migrations lead to."""
    script = runpy.run_path(str(Path(__file__).with_name("write_fresh_schema.py")))
    assert script["TARGET"].read_text() == script["text_of"](schema.sqlite_statements())
    migrated_path, fresh = tmp_path / "x.db", sqlite3.connect(":memory:")
    migrate.upgrade(str(migrated_path))
    migrated = sqlite3.connect(migrated_path)
    migrate.make_schema(fresh)
    assert tables(fresh) == tables(migrated)
    assert migrate.stored_version(fresh) == HEAD
    fresh.close()
    migrated.close()


def test_the_schema_fits_postgresql() -> None:
    """Every table has a definition in the other engine's words."""
    made = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in schema.metadata.sorted_tables]
    assert any("BIGSERIAL" in text for text in made)
    assert any("JSONB" in text for text in made)


def test_each_version_has_its_sample() -> None:
    """Whoever makes a new schema leaves a store of it for those who come later (write_schema_sample.py)."""
    names = {path.name for path in DATA.glob("store_schema_*.db.gz")}
    assert names == {f"store_schema_{version}.db.gz" for version in range(1, int(HEAD) + 1)}


@pytest.mark.parametrize("version", range(1, int(HEAD) + 1))
async def test_a_store_of_an_older_version_opens(tmp_path: Path, version: int) -> None:
    """A database that was written by each schema version opens with its mail, its ledger and its queue."""
    with gzip.open(DATA / f"store_schema_{version}.db.gz") as packed, open(tmp_path / "mailshare.db", "wb") as file:
        shutil.copyfileobj(packed, file)
    connection = sqlite3.connect(tmp_path / "mailshare.db")
    assert migrate.stored_version(connection) == f"{version:04}"
    (identity,) = connection.execute(
        "SELECT uidvalidity FROM mailbox WHERE user_id = (SELECT id FROM user_ WHERE name = 'andrew')"
    ).fetchone()
    connection.close()
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    assert await store.verify(deep=True) == []
    (account,) = store.directory.current().accounts
    andrew = store.directory.current().user_by_name["andrew"]
    drop = await store.mailboxes.lock_maildrop(andrew.id, "test")
    uids, _ = await drop.snapshot()
    assert [drop.uidl(uid) for uid in uids] == [f"{identity:x}.1"]
    assert (await whole(await drop.body(uids[0]))).endswith(b"hello\r\n")
    assert (await store.ledger.known(account.id))["u1"].state is LedgerState.DELETE
    assert [row.address for row in await store.queue.items()] == ["bob@out.example"]
    await store.close()


async def test_a_body_in_pieces_and_its_duplicate_key_survive_version_3(tmp_path: Path) -> None:
    """Version 3 keeps a body in one row, and a message that a mailbox has is still known by its key."""
    path = tmp_path / "mailshare.db"
    with gzip.open(DATA / "store_schema_1.db.gz") as packed, open(path, "wb") as file:
        shutil.copyfileobj(packed, file)
    migrate.upgrade(str(path), "0002")
    with sqlite3.connect(path) as connection:
        (number, body) = connection.execute("SELECT message_id, data FROM body ORDER BY message_id").fetchone()
        connection.execute("UPDATE body SET data = ? WHERE message_id = ?", (body[:10], number))
        connection.execute("INSERT INTO body (message_id, seq, data) VALUES (?, 1, ?)", (number, body[10:]))
        connection.execute("DELETE FROM duplicate")
        connection.execute("INSERT INTO duplicate (mailbox_id, key, at, trace) VALUES (2, x'01', 3, 'abc')")
    connection.close()
    migrate.upgrade(str(path))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT data FROM body WHERE message_id = ?", (number,)).fetchall() == [(body,)]
        kept = connection.execute("SELECT key, trace, at, mailboxes FROM duplicate").fetchall()
    connection.close()
    assert kept == [(b"\x01", "abc", 3, "[2]")]


def test_what_version_6_writes_otherwise(tmp_path: Path) -> None:
    """Lines of the journal keep day and number, copies their own lines or none, and no message's number comes back."""
    path = tmp_path / "mailshare.db"
    with gzip.open(DATA / "store_schema_5.db.gz") as packed, open(path, "wb") as file:
        shutil.copyfileobj(packed, file)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 41 WHERE name = 'message'")
        connection.execute("UPDATE entry SET prefix = NULL")
        connection.execute("INSERT INTO event (day, id, at, kind) VALUES (20000, 7, 5, 'one'), (19999, 8, 4, 'two')")
        met = [(b"\x02", 5, 3, "abc"), (b"\x02", 6, 4, "abc"), (b"\x02", 7, 4, "d")]
        connection.executemany("INSERT INTO duplicate VALUES (?, ?, ?, ?)", met)
    connection.close()
    migrate.upgrade(str(path))
    with sqlite3.connect(path) as connection:
        set_counters(connection)
        assert numbers(connection, 1, 1) == (42, 9)
        assert connection.execute("SELECT DISTINCT prefix FROM entry").fetchall() == [(b"",)]
        told = connection.execute("SELECT place >> 36, place & 255, at FROM event WHERE kind IN ('one', 'two')")
        assert told.fetchall() == [(19999, 8, 4), (20000, 7, 5)]
        met = connection.execute("SELECT trace, at, mailboxes FROM duplicate WHERE key = x'02'").fetchall()
    connection.close()
    assert met == [("abc", 4, "[5,6]"), ("d", 4, "[7]")]


def test_version_7_keeps_the_keys_that_mailboxes_met(tmp_path: Path) -> None:
    """In the order in which they came."""
    path = tmp_path / "mailshare.db"
    migrate.upgrade(str(path), "0006")
    with sqlite3.connect(path) as connection:
        met = [(b"a" * 32, "1", 9, "[5]"), (b"b" * 32, "2", 7, "[5,6]"), (b"b" * 32, "3", 8, "[7]")]
        connection.executemany("INSERT INTO duplicate VALUES (?, ?, ?, ?)", met)
    connection.close()
    migrate.upgrade(str(path))
    with sqlite3.connect(path) as connection:
        know_keys(connection)
        kept = connection.execute("SELECT key, trace, at, mailboxes FROM duplicate ORDER BY id").fetchall()
        assert kept == [met[1], met[2], met[0]]
        assert Met(connection, [b"b" * 32]).take(b"b" * 32, "4", 9, 0, [6, 7, 8]) == {6: "2", 7: "3"}
    connection.close()


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """All steps are one transaction: the older program can still open the file."""
    path = tmp_path / "mailshare.db"
    migrate.upgrade(str(path), "0002")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE body_before (stands TEXT)")  # in the way of the second step
        before = tables(connection)
    connection.close()
    with pytest.raises(sqlite3.OperationalError):
        migrate.upgrade(str(path))
    with sqlite3.connect(path) as connection:
        assert migrate.stored_version(connection) == "0002"
        assert tables(connection) == before
    connection.close()


async def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    """A database of a later program is left alone, and the text says what to do."""
    store = SQLiteStore(str(tmp_path), reactor=reactor)
    await store.open()
    await store.close()
    with sqlite3.connect(tmp_path / "mailshare.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigFault, match="9999"):
        await store.open()
    await store.close()


@pytest.mark.parametrize("made", [False, True])
async def test_a_start_without_migration_is_lean(tmp_path: Path, made: bool) -> None:
    """Making a store, and opening one whose schema is current, imports no SQLAlchemy."""
    if made:
        store = SQLiteStore(str(tmp_path), reactor=reactor)
        await store.open()
        await store.close()
    program = (
        "import sys\nfrom twisted.internet import task\nfrom mailshare.store.sqlite import SQLiteStore\n"
        "async def main(reactor):\n"
        f"    store = SQLiteStore({str(tmp_path)!r}, reactor=reactor)\n"
        "    await store.open()\n    await store.close()\n"
        "    print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)\n"
        "task.react(main)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
