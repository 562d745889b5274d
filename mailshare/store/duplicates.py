"""Which mailboxes have met which message: a mailbox takes the same one once within a window of time.

One row for each message that came under a key, with the mailboxes that took it, in the order of arrival: the table only
grows at its end, and rows leave from its beginning. Keys are spread evenly, so an index in the file would write a page
of its own for each message. The one that there is stands in a temporary table: made anew at each start, kept up by
triggers, rolled back with the transaction, and never written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from functools import lru_cache

from twisted.logger import Logger

from mailshare.store.rows import Insert

KEYS_MOST = 2_000_000
"""Rows that are kept: each takes some 20 octets of memory. Two messages a second, day and night, make 2,400,000 in the
usual fourteen days; whoever has more has the oldest forgotten sooner."""

_MARK = "substr({}, 1, 5)"  # of a key: enough to find few rows, which have the whole key
_INDEX = "CREATE TEMP TABLE known (mark BLOB NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (mark, row)) WITHOUT ROWID"
_FILL = (
    f"INSERT INTO temp.known SELECT {_MARK.format('key')}, id FROM duplicate WHERE id >= ? AND id < ? ORDER BY 1, 2"
)
_LOT = 100_000  # rows that are sorted at once
_COMES = (
    "CREATE TEMP TRIGGER key_comes AFTER INSERT ON main.duplicate BEGIN "
    f"INSERT INTO known VALUES ({_MARK.format('NEW.key')}, NEW.id); END"
)
_GOES = (
    "CREATE TEMP TRIGGER key_goes AFTER DELETE ON main.duplicate BEGIN "
    f"DELETE FROM known WHERE mark = {_MARK.format('OLD.key')} AND row = OLD.id; END"
)
_KNOWN = (
    "SELECT d.key, d.trace, d.at, d.mailboxes FROM temp.known CROSS JOIN duplicate d ON d.id = known.row "
    "WHERE known.mark IN ({}) ORDER BY d.at, d.id"
)
_REMEMBER = Insert("INSERT INTO duplicate (key, trace, at, mailboxes)", 4)
# The keys under which a mailbox has met a message.
_ITS_ROWS = (
    "FROM duplicate d WHERE d.trace = (SELECT trace FROM message WHERE id = ?) "
    "AND EXISTS (SELECT 1 FROM json_each(d.mailboxes) WHERE value = ?)"
)
_MET_BEFORE = (
    f"WITH met AS (SELECT d.key {_ITS_ROWS}) SELECT other.trace FROM met "
    f"CROSS JOIN temp.known ON known.mark = {_MARK.format('met.key')} "
    "CROSS JOIN duplicate other ON other.id = known.row AND other.key = met.key "
    "WHERE EXISTS (SELECT 1 FROM json_each(other.mailboxes) WHERE value = ?)"
)
FORGET_KEYS = (
    "DELETE FROM duplicate WHERE id IN (SELECT id FROM (SELECT id, at FROM duplicate ORDER BY id LIMIT :rows) "
    "WHERE at < :met OR id <= (SELECT max(id) FROM duplicate) - :keys)"
)
"""Drops the old ones among the first ``:rows``, which are the oldest."""

_log = Logger()


_NOBODY: Mapping[int, str] = {}


@lru_cache(maxsize=16)
def _asking(keys: int) -> str:
    return _KNOWN.format(",".join([_MARK.format("?")] * keys))


def know_keys(connection: sqlite3.Connection) -> None:
    """Make the index of keys for a connection that writes; some 40 ms for 50,000."""
    connection.execute(_INDEX)
    try:
        first, last = connection.execute("SELECT min(id), max(id) FROM duplicate").fetchone()
        for start in range(first or 0, (last or 0) + 1, _LOT):
            connection.execute(_FILL, (start, start + _LOT))
    except sqlite3.DatabaseError as fault:
        if (fault.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_CORRUPT:
            raise
        _log.warn("What mailboxes have met cannot be read: {why}. A copy of it may come again.", why=str(fault))
    connection.execute(_COMES)
    connection.execute(_GOES)


class Met:
    """What is remembered of some keys, as it stands in the running transaction."""

    def __init__(self, connection: sqlite3.Connection, keys: Collection[bytes]) -> None:
        self._connection = connection
        self._known: dict[bytes, list[tuple[str, int, Collection[int]]]] = {}
        self._fresh: list[tuple[bytes, str, int, str]] = []
        asked = tuple(keys)
        if len(asked) > 1:
            asked += asked[:1] * ((1 << len(asked).bit_length()) - len(asked))  # so that few statements stay compiled
        for key, trace, at, mailboxes in connection.execute(_asking(len(asked)), asked).fetchall():
            self._known.setdefault(key, []).append((trace, at, json.loads(mailboxes)))

    def take(self, key: bytes, trace: str, at: int, since: int, mailboxes: Collection[int]) -> Mapping[int, str]:
        """Have mailboxes take a message; :meth:`write` makes a row of it.

        :param since: what was met before that time is forgotten.
        :returns: by mailbox, the trace of the message that it has already; it does not take this one.
        """
        if key not in self._known:
            self._known[key] = [(trace, at, mailboxes)]
            self._fresh.append((key, trace, at, f"[{','.join(map(str, mailboxes))}]"))
            return _NOBODY
        met: dict[int, str] = {}
        own: list[int] = []
        known = self._known[key]
        for other, then, its in known:
            if other == trace:
                own += its
            elif then >= since:
                met.update((each, other) for each in mailboxes if each in its and each not in met)
        taken = [each for each in mailboxes if each not in met and each not in own]
        if taken:
            known.append((trace, at, taken))
            self._fresh.append((key, trace, at, f"[{','.join(map(str, taken))}]"))
        return met

    def write(self) -> None:
        """Write down who took what."""
        _REMEMBER.into(self._connection, self._fresh)


def take_keys(connection: sqlite3.Connection, mailbox: int, source: int, message_id: int) -> None:
    """A mailbox gets what another one had: the same message must not come to it once more."""
    rows = connection.execute(f"SELECT d.key, d.trace, d.at {_ITS_ROWS}", (message_id, source)).fetchall()
    for key, trace, at in rows:
        remembered = Met(connection, [key])
        remembered.take(key, trace, at, 0, [mailbox])
        remembered.write()


def met_before(connection: sqlite3.Connection, mailbox: int, source: int, message_id: int) -> str | None:
    """The trace under which a mailbox has met what lies in another one; ``None`` when it has not."""
    row = connection.execute(_MET_BEFORE, (message_id, source, mailbox)).fetchone()
    return None if row is None else str(row[0])
