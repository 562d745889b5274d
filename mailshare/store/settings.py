"""Settings of the manager: JSON values with a version, so that two editors do not undo each other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from zope.interface import implementer

from mailshare.core.errors import PolicyRefusal
from mailshare.interfaces import ISettings
from mailshare.store.database import Database

_KEPT = frozenset({"app-password", "collect"})
"""Scopes that every login or every collected message asks for: kept in memory. Only this module may write them."""
_MOST_KEPT = 10_000


@implementer(ISettings)
class Settings:
    """The table ``setting``. The scope ``store`` is the store's own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[tuple[str, str], tuple[str, int] | None] = {}
        self._writes = 0

    async def get(self, scope: str, name: str) -> tuple[object, int] | None:
        """(value, version), or None."""

        def read(connection: sqlite3.Connection) -> tuple[str, int] | None:
            found: tuple[str, int] | None = connection.execute(
                "SELECT value, version FROM setting WHERE scope = ? AND name = ?", (scope, name)
            ).fetchone()
            return found

        key = (scope, name)
        if key in self._kept:
            row = self._kept[key]
        else:
            writes = self._writes
            row = await self._database.read(read)
            if scope in _KEPT and writes == self._writes and len(self._kept) < _MOST_KEPT:
                self._kept[key] = row
        return None if row is None else (json.loads(row[0]), row[1])

    async def put(self, scope: str, name: str, value: object, version: int | None = None) -> int:
        """Write; with a version (0 = it is new) only when it is still that one."""
        text = json.dumps(value, ensure_ascii=False)

        def write(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "SELECT version FROM setting WHERE scope = ? AND name = ?", (scope, name)
            ).fetchone()
            now = 0 if row is None else int(row[0])
            if version is not None and version != now:
                raise PolicyRefusal("Somebody else changed this meanwhile; look at it again", code=550)
            connection.execute(
                "INSERT INTO setting (scope, name, value, version) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value, version = excluded.version",
                (scope, name, text, now + 1),
            )
            return now + 1

        self._changed(scope, name)
        try:
            return await self._database.write(write, cost=len(text))
        finally:
            self._changed(scope, name)

    def _changed(self, scope: str, name: str) -> None:
        """Forget it, before the write and after: a reading meanwhile may have met the row as it was."""
        self._writes += 1
        self._kept.pop((scope, name), None)

    async def all(self, scope: str) -> Mapping[str, object]:
        """Every setting of a scope."""

        def read(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            return connection.execute("SELECT name, value FROM setting WHERE scope = ?", (scope,)).fetchall()

        return {name: json.loads(value) for name, value in await self._database.read(read)}
