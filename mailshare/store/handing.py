"""What the door hands to the store, and the statements that write it: for one message or for all of a batch.

The rows of a table are written together, whichever messages they belong to. Whoever writes is alone, so what was read
at the beginning of the transaction holds until its end: the ids and counters of the mailboxes are read once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import define, field

from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailboxFull, Unavailable
from mailshare.core.personal import Quota
from mailshare.core.values import DeliveryResult, Event, Hop, Origin, SentMark, Target
from mailshare.store.bodies import FILE, INLINE, FileBody, MemoryBody
from mailshare.store.database import as_json, chosen
from mailshare.store.entries import ready_flag
from mailshare.store.events import write_all_events
from mailshare.store.ledger import bind_row, claim_row
from mailshare.store.rows import insert
from mailshare.store.sent import remember
from mailshare.store.submissions import Queueing

_MESSAGE = (
    "INSERT INTO message (trace, message_id_field, size, hdr_len, storage, key, digest, content_digest, sender, "
    "origin, account_id, received, hdr)"
)
_BODY = "INSERT INTO body (message_id, data)"
# The braces are filled by chosen().
_INBOXES = (
    "SELECT user_id, id, uidnext, modseq, msgs, bytes FROM mailbox "
    "WHERE user_id {} AND name = 'INBOX' AND gone_at = 0"
)
_COUNT_UP = "WITH more (number, came, grown) AS ("
_BY_WHAT_CAME = (
    ") UPDATE mailbox SET uidnext = uidnext + came, modseq = modseq + came, msgs = msgs + came, "
    "unread = unread + came, bytes = bytes + grown FROM more WHERE id = number"
)
_ENTRY = "INSERT INTO entry (mailbox_id, uid, message_id, size, flags, modseq, added, prefix)"
# A row stays as it is where the mailbox met this key within the window.
_MET = "INSERT INTO duplicate (mailbox_id, key, at, trace)"
_UNLESS_MET = (
    " ON CONFLICT (key, mailbox_id) DO UPDATE SET at = excluded.at, trace = excluded.trace "
    "WHERE duplicate.at < excluded.at - {}"
)
_FIRST = "SELECT trace FROM duplicate WHERE mailbox_id = ? AND key = ?"


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
        """The operation, for this message alone."""
        return write_together(connection, [self])[0]

    @property
    def rows(self) -> int:
        """About how many rows of the database it touches, so that the writer knows a short transaction."""
        return 1 + len(self.targets) + len(self.hops)

    @property
    def group(self) -> Callable[[sqlite3.Connection, Sequence[Handing]], Sequence[DeliveryResult]]:
        """How the writer does several of these that wait one behind the other."""
        return write_together


@define
class _Inbox:
    """A mailbox as it stood when the transaction began, and the messages and octets that have come since."""

    number: int
    uidnext: int
    modseq: int
    messages: int
    octets: int
    came: int = 0
    grown: int = 0


@define
class _Copies:
    """One message on its way into mailboxes.

    :ivar suppressed: users whose mailbox had this very message already.
    :ivar uids: by user id.
    """

    handing: Handing
    events: list[Event]
    number: int = 0
    suppressed: list[int] = field(factory=list)
    uids: dict[int, int] = field(factory=dict)


def write_together(connection: sqlite3.Connection, handings: Sequence[Handing]) -> list[DeliveryResult]:
    """Store messages in the running transaction, in this order; as if each were stored alone.

    :raises MailboxFull, Unavailable: one of them cannot be stored; nothing may be kept of any.
    """
    taken: dict[int, _Copies] = {}
    for place, one in enumerate(handings):
        ledger = one.origin.ledger
        if ledger is None or claim_row(connection, ledger, one.origin.ledger_state, one.at):
            taken[place] = _Copies(one, list(one.events))
    copies = list(taken.values())
    _messages(connection, copies)
    inboxes = _read_inboxes(connection, {target.user_id for one in copies for target in one.handing.targets})
    _suppress(connection, [(one, _readers(one.handing)) for one in copies], inboxes)
    _entries(connection, copies, inboxes)
    for each in copies:
        _along(connection, each)
    told = [(event, each.handing.origin.trace, each.number) for each in copies for event in each.events]
    write_all_events(connection, told)
    results = [DeliveryResult(0, already=True)] * len(handings)
    for place, each in taken.items():
        results[place] = DeliveryResult(each.number, each.uids, tuple(each.suppressed))
    return results


def _messages(connection: sqlite3.Connection, copies: Sequence[_Copies]) -> None:
    """The rows of the messages and of the bodies that lie in the database; sets the numbers of the messages."""
    last = insert(connection, _MESSAGE, [_message_row(one.handing) for one in copies])
    bodies: list[tuple[int, bytes]] = []
    # Nobody else writes, and AUTOINCREMENT counts on by one for each row.
    for number, one in enumerate(copies, last - len(copies) + 1):
        one.number = number
        if isinstance(one.handing.body, MemoryBody):
            bodies.append((number, one.handing.body.data))
    insert(connection, _BODY, bodies)


def _message_row(one: Handing) -> tuple[object, ...]:
    facts, origin, sender = one.body.facts, one.origin, one.envelope.sender
    about = {
        "source": origin.source.value,
        "user": origin.user_id,
        "peer": origin.peer,
        "helo": origin.helo,
        "secure": origin.secure,
        "recipients": [str(recipient.address) for recipient in one.envelope.recipients[:50]],
    }
    return (
        origin.trace,
        one.message_id,
        facts.size,
        facts.header_length,
        FILE if facts.key else INLINE,
        facts.key,
        facts.digest,
        facts.content_digest,
        None if sender is None else str(sender),
        as_json(about),
        origin.account_id,
        one.at,
        one.listed,
    )


def _read_inboxes(connection: sqlite3.Connection, user_ids: Collection[int]) -> dict[int, _Inbox]:
    if not user_ids:
        return {}
    these, listed = chosen(user_ids)
    return {row[0]: _Inbox(*row[1:]) for row in connection.execute(_INBOXES.format(these), (listed,)).fetchall()}


def _readers(one: Handing) -> Collection[int]:
    return dict.fromkeys(target.user_id for target in one.targets)


def _suppress(
    connection: sqlite3.Connection, asked: Sequence[tuple[_Copies, Collection[int]]], inboxes: Mapping[int, _Inbox]
) -> None:
    """Have mailboxes remember their messages, and note who has met a message before."""
    rows: list[tuple[object, ...]] = []
    window = 0
    for one, user_ids in asked:
        handing = one.handing
        if handing.duplicate_key and handing.duplicate_window:
            window = handing.duplicate_window
            rows += [
                (inboxes[each].number, handing.duplicate_key, handing.at, handing.origin.trace)
                for each in user_ids
                if each in inboxes
            ]
    before = connection.total_changes
    insert(connection, _MET, rows, _UNLESS_MET.format(window))
    if connection.total_changes - before == len(rows):
        return
    for one, user_ids in asked:
        _find_first(connection, one, [each for each in user_ids if each in inboxes], inboxes)


def _find_first(
    connection: sqlite3.Connection, one: _Copies, user_ids: Collection[int], inboxes: Mapping[int, _Inbox]
) -> None:
    """Which of these mailboxes remember another message under the key of this one."""
    handing = one.handing
    if not handing.duplicate_key or not handing.duplicate_window:
        return
    for user_id in user_ids:
        first = connection.execute(_FIRST, (inboxes[user_id].number, handing.duplicate_key)).fetchone()
        if first is not None and first[0] != handing.origin.trace:
            one.suppressed.append(user_id)
            one.events.append(Event(handing.at, "deliver.duplicate", user_id=user_id, data={"of": first[0]}))


def _entries(connection: sqlite3.Connection, copies: Sequence[_Copies], inboxes: Mapping[int, _Inbox]) -> None:
    """Put the messages into all mailboxes that are to have them.

    :raises MailboxFull: the first of these users whose mailbox cannot take it.
    :raises Unavailable: a user went away between routing and now; the source tries again and is routed anew.
    """
    rows: list[tuple[object, ...]] = []
    for one in copies:
        handing, suppressed, uids = one.handing, one.suppressed, one.uids
        facts, bounds, at = handing.body.facts, handing.bounds, handing.at
        for target in handing.targets:
            user_id, prefix = target.user_id, target.prefix
            if user_id in uids or user_id in suppressed:
                continue
            inbox = inboxes.get(user_id)
            if inbox is None:
                raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
            if user_id in bounds and bounds[user_id].full(
                inbox.messages + inbox.came, inbox.octets + inbox.grown, facts.size
            ):
                raise MailboxFull(user_id)
            size = facts.size + len(prefix)
            uids[user_id] = uid = inbox.uidnext + inbox.came
            inbox.came += 1
            inbox.grown += size
            flags = ready_flag(prefix) if facts.ready else 0
            modseq = inbox.modseq + inbox.came
            rows.append((inbox.number, uid, one.number, size, flags, modseq, at, prefix or None))
    if rows:
        grown = [(inbox.number, inbox.came, inbox.grown) for inbox in inboxes.values() if inbox.came]
        insert(connection, _COUNT_UP, grown, _BY_WHAT_CAME)
        insert(connection, _ENTRY, rows)


def _along(connection: sqlite3.Connection, one: _Copies) -> None:
    """What some messages bring with them: a bookmark, rows of the queue, the mark of an id that leaves from here."""
    handing = one.handing
    if handing.origin.ledger is not None:
        bind_row(connection, handing.origin.ledger, one.number)
    if handing.hops:
        _passing_through(connection, one)
        _queue(connection, one)
    if handing.sent is not None:
        remember(connection, handing.sent, handing.at)


def _passing_through(connection: sqlite3.Connection, one: _Copies) -> None:
    """Users who have all their mail sent on and keep none: a second copy of a message is not sent on again."""
    passing = dict.fromkeys(hop.params.get("forward_for") for hop in one.handing.hops)
    user_ids = [
        each for each in passing if isinstance(each, int) and each not in one.uids and each not in one.suppressed
    ]
    if user_ids:
        _suppress(connection, [(one, user_ids)], _read_inboxes(connection, user_ids))


def _queue(connection: sqlite3.Connection, one: _Copies) -> None:
    handing, envelope = one.handing, one.handing.envelope
    Queueing(
        message_id=one.number,
        sender=None if envelope.sender is None else str(envelope.sender),
        submitter_id=handing.origin.user_id,
        origin=handing.origin.source.value,
        at=handing.at,
        expires=handing.expires,
        params={"body": envelope.body, "smtputf8": envelope.smtputf8, "ret": envelope.ret, "envid": envelope.envid},
        hold=handing.hold,
    ).write(
        connection,
        # What users have sent on went out with the copy that the mailbox met before.
        (hop for hop in handing.hops if hop.params.get("forward_for") not in one.suppressed),
    )
