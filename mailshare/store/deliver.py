"""The one transaction of the door: message, body, mailbox entries, ledger row, queue rows and events, or nothing."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from attrs import field, frozen
from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailboxFull, Unavailable
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
from mailshare.store.database import Database
from mailshare.store.entries import ready_flag
from mailshare.store.events import write_events
from mailshare.store.ledger import bind_row, claim_row, refuse_row
from mailshare.store.naming import DAY, DUPLICATE_DAYS, bare_message_id
from mailshare.store.notifier import Notifier
from mailshare.store.sent import remember
from mailshare.store.submissions import Queueing

_FIELD = re.compile(
    rb"\r\n(?:\xef\xbb\xbf)?(message-id|from|subject|date)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE
)
_FIELD_LIMIT = 200
_SEARCHED = 65_536  # octets of a header in which those fields are looked for
ROW_COST = 1024  # octets of rows and indexes that a small message writes besides its body

_MESSAGE = (
    "INSERT INTO message (trace, message_id_field, size, hdr_len, storage, key, digest, content_digest, sender, "
    "origin, account_id, received, hdr) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_COUNT_UP = (
    "UPDATE mailbox SET uidnext = uidnext + 1, modseq = modseq + 1, msgs = msgs + 1, unread = unread + 1, "
    "bytes = bytes + ? WHERE id = ? RETURNING uidnext - 1, modseq"
)
_ENTRY = (
    "INSERT INTO entry (mailbox_id, uid, message_id, size, flags, modseq, added, prefix) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
# A row comes back when the mailbox has not met this key within the window.
_NOT_MET = (
    "INSERT INTO duplicate (mailbox_id, key, at, trace) VALUES (?, ?, ?, ?) ON CONFLICT (key, mailbox_id) "
    "DO UPDATE SET at = excluded.at, trace = excluded.trace WHERE duplicate.at < ? RETURNING 1"
)


@frozen
class Handing:
    """Everything of one delivery, gathered before the transaction starts."""

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
        uids: dict[int, int] = {}
        suppressed: list[int] = []
        events = list(self.events)
        for target in self.targets:
            self._entry(connection, number, target, uids, suppressed, events)
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
            json.dumps(about, ensure_ascii=False),
            origin.account_id,
            self.at,
            self.listed,
        )
        number = connection.execute(_MESSAGE, values).lastrowid
        assert number is not None
        if isinstance(body, MemoryBody):
            connection.execute("INSERT INTO body (message_id, data) VALUES (?, ?)", (number, body.data))
        return number

    def _entry(
        self,
        connection: sqlite3.Connection,
        number: int,
        target: Target,
        uids: dict[int, int],
        suppressed: list[int],
        events: list[Event],
    ) -> None:
        if target.user_id in uids or target.user_id in suppressed:
            return
        row = connection.execute(
            "SELECT id, msgs, bytes FROM mailbox WHERE user_id = ? AND name = 'INBOX' AND gone_at = 0",
            (target.user_id,),
        ).fetchone()
        if row is None:
            # The user went away between routing and now; the source tries again and is routed anew.
            raise Unavailable(detail={"why": "no mailbox of that user", "user_id": target.user_id})
        mailbox, messages, octets = row
        if self._met(connection, mailbox, target.user_id, suppressed, events):
            return
        bound = self.bounds.get(target.user_id)
        if bound is not None and bound.full(messages, octets, self.body.facts.size):
            raise MailboxFull(target.user_id)
        size = self.body.facts.size + len(target.prefix)
        uid, modseq = connection.execute(_COUNT_UP, (size, mailbox)).fetchone()
        flags = ready_flag(target.prefix) if self.body.facts.ready else 0
        connection.execute(_ENTRY, (mailbox, uid, number, size, flags, modseq, self.at, target.prefix or None))
        uids[target.user_id] = uid

    def _met(
        self, connection: sqlite3.Connection, mailbox: int, user_id: int, suppressed: list[int], events: list[Event]
    ) -> bool:
        """The mailbox had this very message already; else it is remembered from now on."""
        if not self.duplicate_key or not self.duplicate_window:
            return False
        values = (mailbox, self.duplicate_key, self.at, self.origin.trace, self.at - self.duplicate_window)
        if connection.execute(_NOT_MET, values).fetchone() is not None:
            return False
        first = connection.execute(
            "SELECT trace FROM duplicate WHERE mailbox_id = ? AND key = ?", (mailbox, self.duplicate_key)
        ).fetchone()
        suppressed.append(user_id)
        events.append(Event(self.at, "deliver.duplicate", user_id=user_id, data={"of": first[0]}))
        return True

    def _passing_through(
        self, connection: sqlite3.Connection, uids: Mapping[int, int], suppressed: list[int], events: list[Event]
    ) -> None:
        """Users who have all their mail sent on and keep none: a second copy of a message is not sent on again."""
        for user_id in dict.fromkeys(hop.params.get("forward_for") for hop in self.hops):
            if not isinstance(user_id, int) or user_id in uids or user_id in suppressed:
                continue
            row = connection.execute(
                "SELECT id FROM mailbox WHERE user_id = ? AND name = 'INBOX' AND gone_at = 0", (user_id,)
            ).fetchone()
            if row is not None:
                self._met(connection, row[0], user_id, suppressed, events)

    def _queue(self, connection: sqlite3.Connection, number: int, suppressed: Sequence[int]) -> None:
        if not self.hops:
            return
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


def listed_fields(header: bytes) -> tuple[str, str]:
    """``(Message-ID, JSON of From, Subject and Date)`` for lists of messages: raw text, unfolded and cut.

    The first field of each name counts. Nothing is decoded here; what cannot be read as UTF-8 is replaced.
    """
    found: dict[str, str] = {}
    for match in _FIELD.finditer(b"\r\n" + header[:_SEARCHED]):
        name = match.group(1).decode("ascii").lower()
        if name not in found:
            found[name] = b" ".join(match.group(2).split()).decode("utf-8", "replace")
    message_id = bare_message_id(found.pop("message-id", ""))
    cut = {name: text[:_FIELD_LIMIT] for name, text in found.items()}
    return message_id, json.dumps(cut, ensure_ascii=False)


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
    ) -> DeliveryResult:
        """Store it all, or nothing; fires when durable."""
        own = await self.own(body)
        message_id, listed = listed_fields(await own.header())
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
