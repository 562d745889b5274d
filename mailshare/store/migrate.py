"""Bring the database file to the schema of this code. Alembic is imported only when there is something to migrate."""

from __future__ import annotations

import os
import sqlite3

from mailshare.core.errors import ConfigFault
from mailshare.store.fresh_schema import FRESH
from mailshare.store.schema_version import HEAD


def stored_version(connection: sqlite3.Connection) -> str:
    """The schema version of an open database; empty when it holds none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return ""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return "" if row is None else str(row[0])


def ensure_schema(connection: sqlite3.Connection, path: str) -> bool:
    """Make or migrate the schema when the stored version is not the code's.

    :param connection: an open connection to the file at ``path``, not inside a transaction.
    :returns: whether anything had to be done.
    :raises ConfigFault: a newer program made this store.
    """
    version = stored_version(connection)
    if version == HEAD:
        return False
    if version > HEAD:
        raise ConfigFault(
            f"This store has schema version {version}; this program knows {HEAD} at most. Use the newer program again, "
            "or restore a backup that was made before."
        )
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        upgrade(path)
    else:
        connection.execute("BEGIN IMMEDIATE")
        try:
            make_schema(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return True


def make_schema(connection: sqlite3.Connection) -> None:
    """Make all tables in an empty database, and note the version as Alembic does."""
    for statement in FRESH:
        connection.execute(statement)
    connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))


def upgrade(path: str, revision: str = "head") -> None:
    """Run the migrations in ``migrations/versions`` on a database file, in one transaction.

    :raises sqlite3.Error: as SQLite said it.
    """
    import sqlalchemy  # noqa: PLC0415 - a third of a second that a steady start does not pay
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", os.path.join(os.path.dirname(__file__), "migrations").replace("%", "%%"))
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=path), poolclass=sqlalchemy.pool.NullPool
    )
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # left alone, sqlite3 begins with the first row, not before
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except sqlalchemy.exc.DBAPIError as fault:
        if isinstance(fault.orig, sqlite3.Error):  # what SQLite itself said, for whoever translates it
            raise fault.orig from fault
        raise
    finally:
        engine.dispose()
