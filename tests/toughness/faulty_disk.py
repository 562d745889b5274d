"""An office on a disk that fails when told to: at the n-th statement of the database, or the n-th call on a file."""

from __future__ import annotations

import sqlite3

import pytest
from twisted.internet import reactor

from mailshare.assembly import office as assembled
from mailshare.assembly.opening import store_directory
from mailshare.config import Config
from mailshare.store.sqlite import SQLiteStore
from tests.store.test_storage_faults import FaultyFiles

CODES = ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_CORRUPT", "SQLITE_BUSY", "SQLITE_LOCKED"]


class FaultyConnection(sqlite3.Connection):
    """Fails at the n-th statement that reads, or that writes, when told to."""

    code, left, reading, met = 0, 0, False, 0

    @classmethod
    def fail(cls, code: int, left: int, *, reading: bool = False) -> None:
        cls.code, cls.left, cls.reading, cls.met = code, left, reading, 0

    def _step(self, statement: str) -> None:
        kind = FaultyConnection
        if not kind.code or statement.startswith(("PRAGMA", "ROLLBACK")):
            return
        if statement.startswith("SELECT") is kind.reading:
            kind.left -= 1
            if kind.left < 0:
                fault = sqlite3.OperationalError("injected")
                fault.sqlite_errorcode, kind.code, kind.met = kind.code, 0, kind.met + 1
                raise fault

    def execute(self, statement, *values):
        self._step(statement)
        return super().execute(statement, *values)

    def executemany(self, statement, *values):
        self._step(statement)
        return super().executemany(statement, *values)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> FaultyFiles:
    """Let the office's store stand on files and connections that may fail."""
    made = FaultyFiles()

    def connect(path: str) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=FaultyConnection)

    def build(config: Config, _: object, *, patience: float) -> SQLiteStore:
        name = config.tables.server.hostname
        return SQLiteStore(
            store_directory(config), reactor=reactor, hostname=name, files=made, connect=connect, patience=patience
        )

    monkeypatch.setattr(assembled, "build_store", build)
    monkeypatch.setattr(FaultyConnection, "code", 0)
    return made
