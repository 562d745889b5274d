"""The one transaction of the door: message, body, mailbox entries, ledger row, queue rows and events, or nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

from attrs import define, field
from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailboxFull, Unavailable
from mailshare.core.headers import Field, Headers
from mailshare.core.personal import Quota
from mailshare.core.values import (
    DeliveryResult,
    Event,
    Hop,
    LedgerKey,
    LedgerState,
    Origin,
    SentMark,
    Target,
)
from mailshare.interfaces import IBody, IBodySink, IDelivery
from mailshare.store.bodies import FILE, INLINE, PIECE, FileBody, MemoryBody
from mailshare.store.database import Database, as_json, chosen
from mailshare.store.entries import ready_flag
from mailshare.store.events import write_events
from mailshare.store.ledger import bind_row, claim_row, refuse_row
from mailshare.store.naming import DAY, DUPLICATE_DAYS, bare_message_id
from mailshare.store.notifier import Notifier
from mailshare.store.sent import remember
from mailshare.store.submissions import Queueing

_LISTED = ("from", "subject", "date")
_FIELD_LIMIT = 200
ROW_COST = 1024  # octets of rows and indexes that a small message writes besides its body

_MESSAGE = (
    "INSERT INTO message (trace, message_id_field, size, hdr_len, storage, key, digest, content_digest, sender, "
    "origin, account_id, received, hdr) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# The braces are filled by chosen(), for all recipients at once.
_INBOX = "user_id {} AND name = 'INBOX' AND gone_at = 0"
_INBOXES = f"SELECT user_id, id FROM mailbox WHERE {_INBOX}"
_ROOM = f"SELECT msgs, bytes FROM mailbox WHERE {_INBOX}".format("= ?")
_COUNT_UP = (
    "UPDATE mailbox SET uidnext = uidnext + 1, modseq = modseq + 1, msgs = msgs + 1, unread = unread + 1, "
    f"bytes = bytes + ? WHERE {_INBOX} RETURNING user_id, id, uidnext - 1, modseq"
)
_ENTRY = (
    "INSERT INTO entry (mailbox_id, uid, message_id, size, flags, modseq, added, prefix) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
# The mailboxes come back that have not met this key within the window.
_NOT_MET = (
    f"INSERT INTO duplicate (mailbox_id, key, at, trace) SELECT id, ?, ?, ? FROM mailbox WHERE {_INBOX} "
    "ON CONFLICT (key, mailbox_id) DO UPDATE SET at = excluded.at, trace = excluded.trace "
    "WHERE duplicate.at < ? RETURNING mailbox_id"
)


@define
class Handing:
    """Everything of one delivery, gathered before the transaction starts; it does not change."""

    envelope: Envelope
    body: MemoryBody | FileBody
    origin: Origin
    targets: tuple[Target, ...]
    hops: tuple[Hop, ...]
    events: tuple[Event, ...]
    at: int
    duplicate_key: bytes
    duplicate_window: int
    sent: SentMark | None
    expires: int
    hold: bool
    message_id: str
    listed: str = field(repr=False)
    bounds: Mapping[int, Quota] = field(factory=dict)

    def __call__(self, connection: sqlite3.Connection) -> DeliveryResult:
        """The operation."""
        origin = self.origin
        if origin.ledger is not None and not claim_row(connection, origin.ledger, origin.ledger_state, self.at):
            return DeliveryResult(0, already=True)
        number = self._message(connection)
        if origin.ledger is not None:
            bind_row(connection, origin.ledger, number)
        events = list(self.events)
        uids, suppressed = self._entries(connection, number, events)
        if self.hops:
            self._passing_through(connection, uids, suppressed, events)
            self._queue(connection, number, suppressed)
        if self.sent is not None:
            remember(connection, self.sent, self.at)
        write_events(connection, events, trace=origin.trace, message_id=number)
        return DeliveryResult(number, uids, tuple(suppressed))

    def _message(self, connection: sqlite3.Connection) -> int:
        body, facts, origin = self.body, self.body.facts, self.origin
        sender = self.envelope.sender
        about = {
            "source": origin.source.value,
            "user": origin.user_id,
            "peer": origin.peer,
            "helo": origin.helo,
            "secure": origin.secure,
            "recipients": [str(recipient.address) for recipient in self.envelope.recipients[:50]],
        }
        values = (
            origin.trace,
            self.message_id,
            facts.size,
            facts.header_length,
            FILE if facts.key else INLINE,
            facts.key,
            facts.digest,
            facts.content_digest,
            None if sender is None else str(sender),
            as_json(about),
            origin.account_id,
            self.at,
            self.listed,
        )
        number = connection.execute(_MESSAGE, values).lastrowid
        assert number is not None
        if isinstance(body, MemoryBody):
            connection.execute("INSERT INTO body (message_id, data) VALUES (?, ?)", (number, body.data))
        return number

    def _entries(
        self, connection: sqlite3.Connection, number: int, events: list[Event]
    ) -> tuple[dict[int, int], list[int]]:
        """Put it into all mailboxes, in a few statements however many they are.

        :returns: the uid by user id, and the users whose mailbox had this very message already.
        """
        if not self.targets:
            return {}, []
        prefixes: dict[int, bytes] = {}
        for target in self.targets:
            prefixes.setdefault(target.user_id, target.prefix)
        suppressed = self._met(connection, prefixes, events)
        taking = [user_id for user_id in prefixes if user_id not in suppressed]
        self._within_bounds(connection, taking)
        by_size: dict[int, list[int]] = {}
        for user_id in taking:
            by_size.setdefault(self.body.facts.size + len(prefixes[user_id]), []).append(user_id)
        uids: dict[int, int] = {}
        rows = []
        for size, user_ids in by_size.items():
            these, listed = chosen(user_ids)
            for user_id, mailbox, uid, modseq in connection.execute(_COUNT_UP.format(these), (size, listed)).fetchall():
                uids[user_id] = uid
                prefix = prefixes[user_id]
                flags = ready_flag(prefix) if self.body.facts.ready else 0
                rows.append((mailbox, uid, number, size, flags, modseq, self.at, prefix or None))
        if len(uids) < len(taking):
            # A user went away between routing and now; the source tries again and is routed anew.
            missing = next(each for each in taking if each not in uids)
            raise Unavailable(detail={"why": "no mailbox of that user", "user_id": missing})
        connection.executemany(_ENTRY, rows)
        return uids, suppressed

    def _within_bounds(self, connection: sqlite3.Connection, user_ids: Collection[int]) -> None:
        """Raise MailboxFull for the first of these users whose mailbox cannot take it."""
        for user_id in self.bounds.keys() & user_ids:
            for messages, octets in connection.execute(_ROOM, (user_id,)):
                if self.bounds[user_id].full(messages, octets, self.body.facts.size):
                    raise MailboxFull(user_id)

    def _met(self, connection: sqlite3.Connection, user_ids: Collection[int], events: list[Event]) -> list[int]:
        """The users whose mailbox had this very message already; the others remember it from now on."""
        if not self.duplicate_key or not self.duplicate_window:
            return []
        these, listed = chosen(user_ids)
        values = (self.duplicate_key, self.at, self.origin.trace, listed, self.at - self.duplicate_window)
        fresh = {row[0] for row in connection.execute(_NOT_MET.format(these), values).fetchall()}
        if len(fresh) == len(user_ids):
            return []
        mailboxes = dict(connection.execute(_INBOXES.format(these), (listed,)).fetchall())
        suppressed = [user_id for user_id in user_ids if user_id in mailboxes and mailboxes[user_id] not in fresh]
        for user_id in suppressed:
            first = connection.execute(
                "SELECT trace FROM duplicate WHERE mailbox_id = ? AND key = ?",
                (mailboxes[user_id], self.duplicate_key),
            ).fetchone()
            events.append(Event(self.at, "deliver.duplicate", user_id=user_id, data={"of": first[0]}))
        return suppressed

    def _passing_through(
        self, connection: sqlite3.Connection, uids: Mapping[int, int], suppressed: list[int], events: list[Event]
    ) -> None:
        """Users who have all their mail sent on and keep none: a second copy of a message is not sent on again."""
        passing = dict.fromkeys(hop.params.get("forward_for") for hop in self.hops)
        user_ids = [one for one in passing if isinstance(one, int) and one not in uids and one not in suppressed]
        if user_ids:
            suppressed += self._met(connection, user_ids, events)

    def _queue(self, connection: sqlite3.Connection, number: int, suppressed: Sequence[int]) -> None:
        envelope = self.envelope
        Queueing(
            message_id=number,
            sender=None if envelope.sender is None else str(envelope.sender),
            submitter_id=self.origin.user_id,
            origin=self.origin.source.value,
            at=self.at,
            expires=self.expires,
            params={"body": envelope.body, "smtputf8": envelope.smtputf8, "ret": envelope.ret, "envid": envelope.envid},
            hold=self.hold,
        ).write(
            connection,
            # What users have sent on went out with the copy that the mailbox met before.
            (hop for hop in self.hops if hop.params.get("forward_for") not in suppressed),
        )


def listed_fields(headers: Headers) -> tuple[str, str]:
    """``(Message-ID, JSON of From, Subject and Date)`` for lists of messages: raw text, unfolded and cut.

    The first field of each name counts. Nothing is decoded here; what cannot be read as UTF-8 is replaced.
    """
    listed = {name: _unfolded(found[0])[:_FIELD_LIMIT] for name in _LISTED if (found := headers.named(name))}
    ids = headers.named("message-id")
    return bare_message_id(_unfolded(ids[0])) if ids else "", as_json(listed)


def _unfolded(one: Field) -> str:
    return b" ".join(one.raw.partition(b":")[2].split()).decode("utf-8", "replace")


@implementer(IDelivery)
class Delivery:
    """The door's transaction.

    :param new_body: makes a sink, for bodies that another provider of IBody holds.
    :param mailboxes_changed: is told the users who have got a message.
    :param duplicate_days: within which a mailbox takes the same message once; 0 = it takes every copy.
    """

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        new_body: Callable[[int], IBodySink],
        mailboxes_changed: Callable[[Iterable[int]], None],
        directory_of: Callable[[str], str] = os.path.dirname,
        *,
        duplicate_days: int = DUPLICATE_DAYS,
    ) -> None:
        self._duplicate_window = duplicate_days * DAY
        self._database = database
        self._notifier = notifier
        self._new_body = new_body
        self._mailboxes_changed = mailboxes_changed
        self._directory_of = directory_of

    async def deliver(
        self,
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        *,
        at: int,
        duplicate_key: bytes = b"",
        sent: SentMark | None = None,
        expires: int = 0,
        hold: bool = False,
        bounds: Mapping[int, Quota] | None = None,
        headers: Headers | None = None,
    ) -> DeliveryResult:
        """Store it all, or nothing; fires when durable."""
        own = await self.own(body)
        message_id, listed = listed_fields(headers or Headers.parse(await own.header()))
        handing = Handing(
            envelope,
            own,
            origin,
            tuple(targets),
            tuple(hops),
            tuple(events),
            at,
            duplicate_key,
            self._duplicate_window,
            sent,
            expires,
            hold,
            message_id,
            listed,
            bounds or {},
        )
        cost = ROW_COST + (own.size if isinstance(own, MemoryBody) else 0) + sum(len(one.prefix) for one in targets)
        users = [target.user_id for target in targets]
        result = await self._database.write(
            handing, cost=cost, directory=self.directory_of(own), afterwards=lambda: self._mailboxes_changed(users)
        )
        if result.message_id:
            for agent in dict.fromkeys(hop.agent for hop in hops):
                self._notifier.wake(agent)
        return result

    def refuse(
        self, key: LedgerKey, state: LedgerState, error: str, at: int, events: Sequence[Event] = ()
    ) -> Awaitable[None]:
        """Write a ledger row for something that is not stored."""
        kept = tuple(events)

        def write(connection: sqlite3.Connection) -> None:
            refuse_row(connection, key, state, error, at)
            write_events(connection, kept)

        return self._database.write(write, cost=ROW_COST)

    def directory_of(self, body: IBody) -> str:
        """The directory that must be synced before rows point at a body of this store; empty when there is none."""
        return self._directory_of(body.path) if isinstance(body, FileBody) else ""

    async def own(self, body: IBody) -> MemoryBody | FileBody:
        """The body itself when it came from this store; else a copy, piece by piece."""
        if isinstance(body, (MemoryBody, FileBody)):
            return body
        sink = self._new_body(body.size)
        try:
            position = 0
            while position < body.size:
                piece = await body.read(position, PIECE)
                position += len(piece)
                wait = sink.write(piece)
                if wait is not None:
                    await wait
            copy = await sink.finish()
        except BaseException:
            sink.abort()
            raise
        assert isinstance(copy, (MemoryBody, FileBody))
        return copy
