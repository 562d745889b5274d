"""Local mailboxes: the exclusive lock, the listing of a session, and deletion of everything marked at QUIT."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Mapping, MutableMapping, Sequence

from zope.interface import implementer

from mailshare.core.errors import MailboxInUse, Unavailable
from mailshare.core.json_text import as_json
from mailshare.core.values import Entry, Event, Hop, MailboxCount, Target
from mailshare.interfaces import IBody, IForesightedMaildrop, IMailboxes, IMaildrop
from mailshare.store.arrivals import entries_where, on_both
from mailshare.store.database import Database
from mailshare.store.entries import RETRIEVED, Giving, list_entries
from mailshare.store.events import write_alike
from mailshare.store.listings import Listing, Listings
from mailshare.store.messages import StoredBodies
from mailshare.store.notifier import Notifier
from mailshare.store.read_ahead import ReadAhead, Room
from mailshare.store.totals import Total, Totals

READ, DELETED = "pop3.read", "pop3.deleted"
_CHOSEN = "mailbox_id = ? AND uid IN (SELECT value FROM json_each(?))"
_DROP = f"DELETE FROM {{}} WHERE {_CHOSEN} RETURNING size, flags, message_id, uid"
_MARK = (
    f"UPDATE {{}} SET flags = flags | {RETRIEVED} WHERE {_CHOSEN} AND flags & {RETRIEVED} = 0 RETURNING message_id"
)


@implementer(IMailboxes)
class Mailboxes:
    """All mailboxes. One process serves them, so the locks live in memory and die with it.

    :ivar totals: told of every change.
    :ivar listings: of mailboxes that nobody changed since.
    """

    def __init__(self, database: Database, notifier: Notifier, bodies: StoredBodies, totals: Totals) -> None:
        self.database = database
        self.totals = totals
        self.listings = Listings(database)
        self._notifier = notifier
        self._bodies = bodies
        self._room = Room()
        self._owners: dict[int, str] = {}
        self._open: dict[int, Maildrop] = {}

    async def lock_maildrop(self, user_id: int, owner: str) -> IMaildrop:
        """Take the exclusive lock; STAT's figures come with it."""
        if user_id in self._owners:
            raise MailboxInUse(detail={"user_id": user_id, "held_by": self._owners[user_id]})
        self._owners[user_id] = owner
        try:
            total = await self.totals.of(user_id)
            if total is None:
                raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
        except BaseException:
            self._owners.pop(user_id, None)
            raise
        ahead = ReadAhead(self.database, self._bodies, total.number, self._room)
        drop = self._open[user_id] = Maildrop(self, user_id, owner, total, ahead)
        return drop

    def unlock(self, user_id: int) -> None:
        """Give a user's lock back; his maildrop calls it."""
        self._owners.pop(user_id, None)
        self._open.pop(user_id, None)

    async def counts(self) -> Sequence[MailboxCount]:
        """Totals from the counters; no entry is read."""

        def read(connection: sqlite3.Connection) -> list[MailboxCount]:
            rows = connection.execute(
                "SELECT user_id, msgs, bytes, unread FROM mailbox WHERE name = 'INBOX' AND gone_at = 0 ORDER BY user_id"
            )
            return [MailboxCount(*row) for row in rows]

        return await self.database.read(read)

    async def oldest(self) -> Mapping[int, int]:
        """Since when the oldest message lies in each mailbox: one step into the index for each."""

        def read(connection: sqlite3.Connection) -> dict[int, int]:
            rows = connection.execute(
                "SELECT user_id, coalesce("
                "(SELECT coalesce(added, received) FROM entry JOIN message ON message.id = message_id "
                "WHERE mailbox_id = mailbox.id ORDER BY uid LIMIT 1), "
                "(SELECT received FROM arrived JOIN message ON message.id = message_id "
                "WHERE mailbox_id = mailbox.id ORDER BY uid LIMIT 1)) "
                "FROM mailbox WHERE name = 'INBOX' AND gone_at = 0"
            )
            return {user: added for user, added in rows if added is not None}

        return await self.database.read(read)

    async def entries(self, user_id: int, *, before_uid: int | None = None, limit: int = 500) -> Sequence[Entry]:
        """What lies in a mailbox, newest first."""
        return await self.database.read(lambda connection: list_entries(connection, user_id, before_uid, limit))

    async def holders(self, message_id: int) -> Sequence[tuple[int, int]]:
        """Who has a message."""

        def read(connection: sqlite3.Connection) -> list[tuple[int, int]]:
            return connection.execute(
                f"SELECT mailbox.user_id, entry.uid FROM {entries_where('message_id = ?1')} "
                "JOIN mailbox ON mailbox.id = entry.mailbox_id "
                "WHERE mailbox.name = 'INBOX' AND mailbox.gone_at = 0 ORDER BY 1",
                (message_id,),
            ).fetchall()

        return await self.database.read(read)

    async def give(
        self,
        user_id: int,
        uid: int,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        *,
        at: int,
        events: Sequence[Event] = (),
        expires: int = 0,
    ) -> Mapping[int, int]:
        """Move an entry into other mailboxes and into the queue, all or nothing."""
        giving = Giving(user_id, uid, tuple(targets), tuple(hops), at, tuple(events), expires)
        users = (user_id, *(target.user_id for target in targets))
        given = await self.database.write(
            giving,
            cost=512 * (1 + len(targets) + len(hops) + len(events)),
            afterwards=lambda: self.totals.changed(users),
        )
        if user_id in self._open:
            self._open[user_id].forget_ahead()
        for agent in dict.fromkeys(hop.agent for hop in hops):
            self._notifier.wake(agent)
        return given


@implementer(IForesightedMaildrop)
class Maildrop:
    """One user's mailbox as it was when the session locked it; what comes later is for the next session."""

    __slots__ = ("_ahead", "_held", "_listing", "_mailboxes", "_owner", "_total", "_user_id", "count", "octets")

    def __init__(self, mailboxes: Mailboxes, user_id: int, owner: str, total: Total, ahead: ReadAhead) -> None:
        self._mailboxes = mailboxes
        self._user_id = user_id
        self._owner = owner
        self._total = total
        self._ahead = ahead
        self._listing: Listing | None = None
        self._held = True
        self.count = total.messages
        self.octets = total.octets

    def forget_ahead(self) -> None:
        """What was read ahead may show what somebody else took away, or waits for a client that does not read."""
        self._ahead.forget()

    async def snapshot(self) -> tuple[array[int], array[int]]:
        """``(uids, sizes)``, read once."""
        if self._listing is None:
            self._listing = await self._mailboxes.listings.of(self._total)
        return self._listing.uids, self._listing.sizes

    @property
    def shown(self) -> MutableMapping[str, bytes]:
        """What sessions made of the listing to send."""
        return {} if self._listing is None else self._listing.shown

    def uidl(self, uid: int) -> str:
        """The unique-id of an entry here: at most 33 characters, never given out twice (RFC 1939 section 7)."""
        return f"{self._total.uidvalidity:x}.{uid:x}"

    async def body(self, uid: int) -> IBody:
        """The message with the entry's prefix in front; small ones come several at a time when asked for in order."""
        return await self._ahead.body(uid)

    @property
    def at_hand(self) -> Callable[[int], bytes | None]:
        """Gives a message that was read ahead."""
        return self._ahead.at_hand

    async def commit(self, deleted: Sequence[int], retrieved: Sequence[int] = ()) -> int:
        """Delete and mark in one transaction."""
        if not self._held:
            raise Unavailable(detail={"why": "the maildrop was released"})
        if not deleted and not retrieved:
            return 0
        database, mailbox = self._mailboxes.database, self._total.number
        gone, seen, now = json.dumps(list(deleted)), json.dumps(list(retrieved)), database.now()
        read_now = frozenset(retrieved)
        noted = as_json({"peer": self._owner})
        with_reading, unseen = (as_json({"peer": self._owner, "read": read}) for read in (True, False))

        def write(connection: sqlite3.Connection) -> int:
            dropped = on_both(connection, _DROP, (mailbox, gone))
            marked = on_both(connection, _MARK, (mailbox, seen))
            unread = len(marked) + sum(1 for _, flags, _, _ in dropped if not flags & RETRIEVED)
            connection.execute(
                "UPDATE mailbox SET msgs = msgs - ?, bytes = bytes - ?, unread = unread - ?, modseq = modseq + 1 "
                "WHERE id = ?",
                (len(dropped), sum(row[0] for row in dropped), unread, mailbox),
            )
            told = [(number, READ, noted) for (number,) in marked]
            told += [
                (number, DELETED, with_reading if flags & RETRIEVED or uid in read_now else unseen)
                for _, flags, number, uid in dropped
            ]
            self._tell(connection, told, now)
            return len(dropped)

        count = await database.write(
            write,
            cost=256 * (len(deleted) + len(retrieved)),
            afterwards=lambda: self._mailboxes.totals.changed((self._user_id,)),
        )
        self._ahead.forget()
        return count

    def _tell(self, connection: sqlite3.Connection, told: Sequence[tuple[int, str, str]], at: int) -> None:
        """A line for each message, in the transaction that it tells of, so that its trace tells who had it when."""
        numbers = json.dumps([number for number, _, _ in told])
        traces = dict(
            connection.execute("SELECT id, trace FROM message WHERE id IN (SELECT value FROM json_each(?))", (numbers,))
        )
        write_alike(
            connection, at, self._user_id,
            [(kind, traces.get(number, ""), number, data) for number, kind, data in told],
        )  # fmt: skip

    def release(self) -> None:
        """Give the lock back."""
        if self._held:
            self._held = False
            self._ahead.forget()
            self._mailboxes.unlock(self._user_id)
