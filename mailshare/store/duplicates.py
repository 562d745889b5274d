"""Which mailboxes have met which message: a mailbox takes the same one once within a window of time.

One row for each message that came under a key, with the mailboxes that took it: a message to twenty writes one row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from mailshare.store.rows import insert

_KNOWN = "SELECT key, trace, at, mailboxes FROM duplicate WHERE key IN ({}) ORDER BY at"
_REMEMBER = "INSERT INTO duplicate (key, trace, at, mailboxes)"
_MORE = " ON CONFLICT (key, trace) DO UPDATE SET at = excluded.at, mailboxes = excluded.mailboxes"
# The keys under which a mailbox has met a message.
_ITS_ROWS = (
    "FROM duplicate d WHERE d.trace = (SELECT trace FROM message WHERE id = ?) "
    "AND EXISTS (SELECT 1 FROM json_each(d.mailboxes) WHERE value = ?)"
)
_MET_BEFORE = (
    "SELECT other.trace FROM duplicate other WHERE EXISTS (SELECT 1 FROM json_each(other.mailboxes) WHERE value = ?) "
    f"AND other.key IN (SELECT d.key {_ITS_ROWS})"
)
_OLD = "SELECT key, trace FROM duplicate WHERE at < ? LIMIT ?"
_FORGET = "DELETE FROM duplicate WHERE key = ? AND trace = ? AND at < ?"


_NOBODY: Mapping[int, str] = {}


@lru_cache(maxsize=16)
def _asking(keys: int) -> str:
    return _KNOWN.format(",".join("?" * keys))


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
        own: Collection[int] = ()
        known = self._known[key]
        for one in known:
            other, then, its = one
            if other == trace:
                own = its
            elif then >= since:
                met.update((each, other) for each in mailboxes if each in its and each not in met)
        taken = [each for each in mailboxes if each not in met and each not in own]
        if taken:
            taken += own
            self._known[key] = [*(one for one in known if one[0] != trace), (trace, at, taken)]
            self._fresh.append((key, trace, at, f"[{','.join(map(str, taken))}]"))
        return met

    def write(self) -> None:
        """Write down who took what."""
        insert(self._connection, _REMEMBER, self._fresh, _MORE)


def take_keys(connection: sqlite3.Connection, mailbox: int, source: int, message_id: int) -> None:
    """A mailbox gets what another one had: the same message must not come to it once more."""
    rows = connection.execute(f"SELECT d.key, d.trace, d.at {_ITS_ROWS}", (message_id, source)).fetchall()
    for key, trace, at in rows:
        remembered = Met(connection, [key])
        remembered.take(key, trace, at, 0, [mailbox])
        remembered.write()


def met_before(connection: sqlite3.Connection, mailbox: int, source: int, message_id: int) -> str | None:
    """The trace under which a mailbox has met what lies in another one; ``None`` when it has not."""
    row = connection.execute(_MET_BEFORE, (mailbox, message_id, source)).fetchone()
    return None if row is None else str(row[0])


def old_keys(connection: sqlite3.Connection, before: int, limit: int) -> Sequence[tuple[bytes, str]]:
    """Rows that are older; no index leads to them."""
    return connection.execute(_OLD, (before, limit)).fetchall()


def forget_keys(connection: sqlite3.Connection, before: int, rows: Iterable[tuple[bytes, str]]) -> None:
    """Drop rows, unless a copy came in since they were found."""
    connection.executemany(_FORGET, [(*row, before) for row in rows])
