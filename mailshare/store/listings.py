"""The listings of mailboxes, kept in memory until somebody changes the mailbox.

A program that leaves its mail on the server asks for ``UIDL`` whenever it looks in, mostly to find nothing new. Reading
the rows and writing the lines of a thousand messages takes some 3 ms of the processor; what was read and written for
the last session can be sent again.
"""

from __future__ import annotations

import sqlite3
from array import array
from functools import partial

from attrs import field, frozen

from mailshare.store.arrivals import IN_ORDER
from mailshare.store.database import Database
from mailshare.store.totals import Total

_MOST = 200_000  # messages in all listings that are kept: each takes 16 octets, and some 40 in what was shown of them
_READ = [f"SELECT uid, size FROM {table} WHERE mailbox_id = ? AND uid < ? ORDER BY {by}" for table, by in IN_ORDER]


@frozen
class Listing:
    """One mailbox.

    :ivar total: the mailbox between two changes; the listing is right as long as this very object is given out.
    :ivar uids: and ``sizes``, in the order of uids.
    :ivar shown: what sessions made of it to send, by names of theirs.
    """

    total: Total
    uids: array[int]
    sizes: array[int]
    shown: dict[str, bytes] = field(factory=dict)


class Listings:
    """Those that were read last.

    :param most: messages in all of them.
    """

    def __init__(self, database: Database, most: int = _MOST) -> None:
        self._database = database
        self._room = most
        self._kept: dict[int, Listing] = {}

    async def of(self, total: Total) -> Listing:
        """The listing of a mailbox, as it is or as it was last read, if nobody changed the mailbox since."""
        kept = self._drop(total.number)
        if kept is None or kept.total is not total:
            rows = await self._database.read(partial(_rows, mailbox=total.number, uidnext=total.uidnext))
            self._drop(total.number)
            kept = Listing(total, array("q", [row[0] for row in rows]), array("q", [row[1] for row in rows]))
        self._room -= len(kept.uids)
        self._kept[total.number] = kept  # behind all others: those in front were not asked for the longest
        while self._room < 0:
            self._drop(next(iter(self._kept)))
        return kept

    def _drop(self, number: int) -> Listing | None:
        kept = self._kept.pop(number, None)
        if kept is not None:
            self._room += len(kept.uids)
        return kept


def _rows(connection: sqlite3.Connection, mailbox: int, uidnext: int) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    for statement in _READ:
        rows += connection.execute(statement, (mailbox, uidnext)).fetchall()
    return rows
