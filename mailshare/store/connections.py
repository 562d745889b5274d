"""How connections to the database file are opened: one that writes, and those that only read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable

from mailshare.core.errors import Unavailable

DATABASE = "mailshare.db"
BLOBS = "blobs"  # the folder of content files beside it
Connect = Callable[[str], sqlite3.Connection]

# Page size and vacuum mode are fixed with the first table; the rest is set for each connection. A commit writes whole
# pages, mostly for a row or two in each: docs/why/store.md has the figures that chose the size.
_BIRTH = ("PRAGMA page_size=2048", "PRAGMA auto_vacuum=INCREMENTAL")
# NORMAL: a commit writes the log and does not sync it; the writer does that itself, before it answers. What SQLite has
# to sync for its own sake, the log before a checkpoint and its new beginning afterwards, it syncs in this mode as well.
_WRITING = (
    "PRAGMA synchronous=NORMAL",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA cache_size=-16384",
    "PRAGMA mmap_size=0",
)
_READING = (
    "PRAGMA query_only=1",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA busy_timeout=5000",
    "PRAGMA cache_size=-4096",
    "PRAGMA mmap_size=0",
)

# Where nothing may wait for another process. A body is read once, so a larger cache only spreads it over more memory
# than the processor keeps near.
_READING_HERE = (
    "PRAGMA busy_timeout=0",
    "PRAGMA query_only=1",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_size=-256",
    "PRAGMA mmap_size=0",
)


def plain_connect(path: str) -> sqlite3.Connection:
    """A connection without any implicit transaction, usable from the thread that it is handed to."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)


def open_writer(path: str, connect: Connect) -> sqlite3.Connection:
    """The writing connection; makes the file, for the owner alone, when there is none.

    What it commits is durable once the log is synced (:class:`mailshare.store.log_sync.LogSync`).

    :raises Unavailable: the file system cannot hold a write-ahead log, as most network file systems cannot.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    for pragma in _BIRTH:
        connection.execute(pragma)
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        connection.close()
        raise Unavailable(
            "The store must lie on a local disk: this file system cannot hold SQLite's write-ahead log",
            detail={"path": path, "journal_mode": mode},
        )
    for pragma in _WRITING:
        connection.execute(pragma)
    return connection


def open_reader(path: str, connect: Connect, *, here: bool = False) -> sqlite3.Connection:
    """A connection that cannot write.

    :param here: for the reactor's thread: it waits for nobody.
    """
    connection = connect(path)
    for pragma in _READING_HERE if here else _READING:
        connection.execute(pragma)
    return connection
