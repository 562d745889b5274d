"""Local mailboxes: the exclusive lock, the listing of a session, and deletion of everything marked at QUIT."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from zope.interface import implementer

from mailshare.core.errors import MailboxInUse, Unavailable
from mailshare.core.values import Entry, Event, Hop, MailboxCount, Target
from mailshare.interfaces import IBody, IMailboxes, IMaildrop
from mailshare.store.database import Database
from mailshare.store.entries import RETRIEVED, Giving, list_entries
from mailshare.store.events import write_events
from mailshare.store.messages import BodyOf
from mailshare.store.naming import uidl
from mailshare.store.notifier import Notifier
from mailshare.store.read_ahead import ReadAhead

READ, DELETED = "pop3.read", "pop3.deleted"
_CHOSEN = "mailbox_id = ? AND uid IN (SELECT value FROM json_each(?))"


@implementer(IMailboxes)
class Mailboxes:
    """All mailboxes. One process serves them, so the locks live in memory and die with it."""

    def __init__(self, database: Database, notifier: Notifier, body_of: BodyOf) -> None:
        self._database = database
        self._notifier = notifier
        self._body_of = body_of
        self._owners: dict[int, str] = {}
        self._open: dict[int, Maildrop] = {}

    async def lock_maildrop(self, user_id: int, owner: str) -> IMaildrop:
        """Take the exclusive lock; STAT's figures come with it in one short read."""
        if user_id in self._owners:
            raise MailboxInUse(detail={"user_id": user_id, "held_by": self._owners[user_id]})
        self._owners[user_id] = owner

        def read(connection: sqlite3.Connection) -> tuple[int, int, int, int, int] | None:
            found: tuple[int, int, int, int, int] | None = connection.execute(
                "SELECT id, uidvalidity, uidnext, msgs, bytes FROM mailbox "
                "WHERE user_id = ? AND name = 'INBOX' AND gone_at = 0",
                (user_id,),
            ).fetchone()
            return found

        try:
            row = await self._database.read(read)
            if row is None:
                raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
        except BaseException:
            self._owners.pop(user_id, None)
            raise
        drop = Maildrop(self._database, self._body_of, user_id, owner, *row, unlock=lambda: self._unlock(user_id))
        self._open[user_id] = drop
        return drop

    def _unlock(self, user_id: int) -> None:
        self._owners.pop(user_id, None)
        self._open.pop(user_id, None)

    async def counts(self) -> Sequence[MailboxCount]:
        """Totals from the counters; no entry is read."""

        def read(connection: sqlite3.Connection) -> list[MailboxCount]:
            rows = connection.execute(
                "SELECT user_id, msgs, bytes, unread FROM mailbox WHERE name = 'INBOX' AND gone_at = 0 ORDER BY user_id"
            )
            return [MailboxCount(*row) for row in rows]

        return await self._database.read(read)

    async def entries(self, user_id: int, *, before_uid: int | None = None, limit: int = 500) -> Sequence[Entry]:
        """What lies in a mailbox, newest first."""
        return await self._database.read(lambda connection: list_entries(connection, user_id, before_uid, limit))

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
        given = await self._database.write(giving, cost=512 * (1 + len(targets) + len(hops) + len(events)))
        if user_id in self._open:
            self._open[user_id].forget_ahead()
        for agent in dict.fromkeys(hop.agent for hop in hops):
            self._notifier.wake(agent)
        return given


@implementer(IMaildrop)
@define(eq=False)
class Maildrop:
    """One user's mailbox as it was when the session locked it; what comes later is for the next session."""

    _database: Database
    _body_of: BodyOf
    _user_id: int
    _owner: str
    _mailbox: int
    _uidvalidity: int
    _uidnext: int
    count: int
    octets: int
    _unlock: Callable[[], None] = field(kw_only=True)
    _listing: tuple[array[int], array[int]] | None = None
    _held: bool = True
    _ahead: ReadAhead = field(init=False)

    @_ahead.default
    def _new_ahead(self) -> ReadAhead:
        return ReadAhead(self._database, self._body_of, self._mailbox)

    def forget_ahead(self) -> None:
        """Entries of the mailbox were taken away by somebody else."""
        self._ahead.forget()

    async def snapshot(self) -> tuple[array[int], array[int]]:
        """``(uids, sizes)``, read once."""
        if self._listing is None:

            def read(connection: sqlite3.Connection) -> list[tuple[int, int]]:
                return connection.execute(
                    "SELECT uid, size FROM entry WHERE mailbox_id = ? AND uid < ? ORDER BY uid",
                    (self._mailbox, self._uidnext),
                ).fetchall()

            rows = await self._database.read(read)
            self._listing = (array("q", [row[0] for row in rows]), array("q", [row[1] for row in rows]))
        return self._listing

    def uidl(self, uid: int) -> str:
        """The unique-id of an entry of this mailbox."""
        return uidl(self._uidvalidity, uid)

    async def body(self, uid: int) -> IBody:
        """The message with the entry's prefix in front; small ones come several at a time when asked for in order."""
        return await self._ahead.body(uid)

    async def commit(self, deleted: Sequence[int], retrieved: Sequence[int] = ()) -> int:
        """Delete and mark in one transaction."""
        if not self._held:
            raise Unavailable(detail={"why": "the maildrop was released"})
        if not deleted and not retrieved:
            return 0
        gone, seen, now = json.dumps(list(deleted)), json.dumps(list(retrieved)), self._database.now()
        mailbox, read_now = self._mailbox, frozenset(retrieved)

        def write(connection: sqlite3.Connection) -> int:
            dropped = connection.execute(
                f"DELETE FROM entry WHERE {_CHOSEN} RETURNING size, flags, message_id, uid",
                (mailbox, gone),
            ).fetchall()
            marked = connection.execute(
                f"UPDATE entry SET flags = flags | {RETRIEVED} WHERE {_CHOSEN} AND flags & {RETRIEVED} = 0 "
                "RETURNING message_id",
                (mailbox, seen),
            ).fetchall()
            unread = len(marked) + sum(1 for _, flags, _, _ in dropped if not flags & RETRIEVED)
            connection.execute(
                "UPDATE mailbox SET msgs = msgs - ?, bytes = bytes - ?, unread = unread - ?, modseq = modseq + 1 "
                "WHERE id = ?",
                (len(dropped), sum(row[0] for row in dropped), unread, mailbox),
            )
            told: list[tuple[int, str, Mapping[str, object]]] = [(number, READ, {}) for (number,) in marked]
            for _, flags, number, uid in dropped:
                told.append((number, DELETED, {"read": bool(flags & RETRIEVED) or uid in read_now}))
            self._tell(connection, told, now)
            return len(dropped)

        count = await self._database.write(write, cost=256 * (len(deleted) + len(retrieved)))
        self._ahead.forget()
        return count

    def _tell(
        self, connection: sqlite3.Connection, told: Sequence[tuple[int, str, Mapping[str, object]]], at: int
    ) -> None:
        """A line for each message, in the transaction that it tells of, so that its trace tells who had it when."""
        numbers = json.dumps([number for number, _, _ in told])
        traces = dict(
            connection.execute("SELECT id, trace FROM message WHERE id IN (SELECT value FROM json_each(?))", (numbers,))
        )
        events = [
            Event(at, kind, traces.get(number, ""), None, self._user_id, number, {"peer": self._owner, **facts})
            for number, kind, facts in told
        ]
        write_events(connection, events)

    def release(self) -> None:
        """Give the lock back."""
        if self._held:
            self._held = False
            self._unlock()
