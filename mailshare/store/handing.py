"""What the door hands to the store, and the statements that write it: for one message or for all of a batch.

The rows of a table are written together, whichever messages they belong to. Whoever writes is alone, so what was read
at the beginning of the transaction holds until its end: the ids and counters of the mailboxes are read once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from attrs import define, field, frozen

from mailshare.core.derived import derived_of
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailboxFull, Unavailable
from mailshare.core.json_text import as_json
from mailshare.core.personal import Quota
from mailshare.core.values import DeliveryResult, Event, Hop, LedgerKey, Origin, SentMark, Target
from mailshare.store.bodies import FILE, INLINE, FileBody, MemoryBody
from mailshare.store.database import chosen
from mailshare.store.entries import ready_flag
from mailshare.store.events import write_all_events
from mailshare.store.ledger import bind_rows, claim_rows
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
    "SELECT user_id, id, uidnext, modseq + 1, msgs, bytes FROM mailbox "
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
_ALREADY = DeliveryResult(0, already=True)
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
    def brings(self) -> bool:
        """It has more with it than its copies, its bookmark and its lines in the journal."""
        return bool(self.hops) or self.sent is not None

    @property
    def rows(self) -> int:
        """About how many rows of the database it touches, so that the writer knows a short transaction."""
        return 1 + len(self.targets) + len(self.hops)

    @property
    def group(self) -> Callable[[sqlite3.Connection, Sequence[Handing]], Sequence[DeliveryResult]]:
        """How the writer does several of these that wait one behind the other."""
        return write_together


@frozen
class Readers:
    """The mailboxes of some targets; many messages have the same.

    :ivar users: their ids, each once.
    :ivar copies: for each of them its id, the lines of its copy and their octets, and the flag of lines that are ready.
    :ivar octets: of the lines of all targets.
    """

    users: tuple[int, ...]
    copies: tuple[tuple[int, bytes | None, int, int], ...]
    octets: int


@derived_of
def readers_of(targets: tuple[Target, ...]) -> Readers:
    """What is the same for all messages to them; a user named twice gets the first of the two copies."""
    first: dict[int, bytes] = {}
    for target in targets:
        first.setdefault(target.user_id, target.prefix)
    copies = tuple((user, lines or None, len(lines), ready_flag(lines)) for user, lines in first.items())
    return Readers(tuple(first), copies, sum(len(target.prefix) for target in targets))


class _Inboxes(dict[int, tuple[int, int, int, int, int]]):
    """Mailboxes as they stood when the transaction began, and by user id what has come into them since.

    By user id: number, UIDNEXT, next change, messages, octets.
    """

    def __init__(self, rows: Iterable[tuple[int, int, int, int, int, int]] = ()) -> None:
        super().__init__((row[0], row[1:]) for row in rows)
        self.came = dict.fromkeys(self, 0)
        self.grown = dict.fromkeys(self, 0)


@define
class _Copies:
    """One message on its way into mailboxes.

    :ivar suppressed: users whose mailbox had this very message already.
    :ivar uids: by user id.
    """

    handing: Handing
    readers: Readers
    events: list[Event]
    number: int = 0
    suppressed: list[int] = field(factory=list)
    uids: dict[int, int] = field(factory=dict)


def write_together(connection: sqlite3.Connection, handings: Sequence[Handing]) -> list[DeliveryResult]:
    """Store messages in the running transaction, in this order; as if each were stored alone.

    :raises MailboxFull, Unavailable: one of them cannot be stored; nothing may be kept of any.
    """
    taken: dict[int, _Copies] = {}
    collected: list[tuple[int, LedgerKey]] = []
    for place, one in enumerate(handings):
        taken[place] = _Copies(one, readers_of(one.targets), list(one.events))
        if one.origin.ledger is not None:
            collected.append((place, one.origin.ledger))
    if collected:
        _drop_known(connection, taken, collected)
    copies = list(taken.values())
    _messages(connection, copies)
    users = copies[0].readers.users if len(copies) == 1 else {each for one in copies for each in one.readers.users}
    inboxes = _read_inboxes(connection, users)
    _suppress(connection, [(one, one.readers.users) for one in copies], inboxes)
    _entries(connection, copies, inboxes)
    if collected:
        bind_rows(connection, [(taken[place].number, key) for place, key in collected if place in taken])
    for each in copies:
        if each.handing.brings:
            _along(connection, each)
    told = [(event, each.handing.origin.trace, each.number) for each in copies for event in each.events]
    write_all_events(connection, told)
    results = [_ALREADY] * len(handings)
    for place, each in taken.items():
        results[place] = DeliveryResult(each.number, each.uids, tuple(each.suppressed))
    return results


def _drop_known(
    connection: sqlite3.Connection, taken: dict[int, _Copies], collected: Sequence[tuple[int, LedgerKey]]
) -> None:
    """Write the bookmarks of collected messages, and leave out those that were delivered before."""
    handed = [(key, taken[place].handing) for place, key in collected]
    claims = [(key, one.origin.ledger_state, one.at) for key, one in handed]
    for (place, _), new in zip(collected, claim_rows(connection, claims), strict=True):
        if not new:
            del taken[place]


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
    came = _came(origin.source.value, origin.user_id, origin.peer, origin.helo, origin.secure)
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
        f'{came}, "recipients": {_addressees(one.envelope.recipients)}}}',
        origin.account_id,
        one.at,
        one.listed,
    )


@lru_cache(maxsize=256)
def _came(source: str, user_id: int | None, peer: str, helo: str, secure: bool) -> str:
    """The beginning of ``origin``, which all messages of a session have in common."""
    return as_json({"source": source, "user": user_id, "peer": peer, "helo": helo, "secure": secure})[:-1]


@derived_of
def _addressees(recipients: tuple[Recipient, ...]) -> str:
    return as_json([str(recipient.address) for recipient in recipients[:50]])


def _read_inboxes(connection: sqlite3.Connection, user_ids: Collection[int]) -> _Inboxes:
    if not user_ids:
        return _Inboxes()
    these, listed = chosen(user_ids)
    return _Inboxes(connection.execute(_INBOXES.format(these), (listed,)).fetchall())


def _suppress(
    connection: sqlite3.Connection, asked: Sequence[tuple[_Copies, Collection[int]]], inboxes: _Inboxes
) -> None:
    """Have mailboxes remember their messages, and note who has met a message before."""
    rows: list[tuple[object, ...]] = []
    window = 0
    for one, user_ids in asked:
        handing = one.handing
        if handing.duplicate_key and handing.duplicate_window:
            window = handing.duplicate_window
            rows += [
                (inboxes[each][0], handing.duplicate_key, handing.at, handing.origin.trace)
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
    connection: sqlite3.Connection, one: _Copies, user_ids: Collection[int], inboxes: _Inboxes
) -> None:
    """Which of these mailboxes remember another message under the key of this one."""
    handing = one.handing
    if not handing.duplicate_key or not handing.duplicate_window:
        return
    for user_id in user_ids:
        first = connection.execute(_FIRST, (inboxes[user_id][0], handing.duplicate_key)).fetchone()
        if first is not None and first[0] != handing.origin.trace:
            one.suppressed.append(user_id)
            one.events.append(Event(handing.at, "deliver.duplicate", user_id=user_id, data={"of": first[0]}))


def _entries(connection: sqlite3.Connection, copies: Sequence[_Copies], inboxes: _Inboxes) -> None:
    """Put the messages into all mailboxes that are to have them.

    :raises MailboxFull: the first of these users whose mailbox cannot take it.
    :raises Unavailable: a user went away between routing and now; the source tries again and is routed anew.
    """
    rows: list[tuple[object, ...]] = []
    all_came, all_grown = inboxes.came, inboxes.grown
    for one in copies:
        handing, suppressed, uids, message = one.handing, one.suppressed, one.uids, one.number
        octets, sound, bounds, at = handing.body.facts.size, handing.body.facts.ready, handing.bounds, handing.at
        for user_id, lines, more, ready in one.readers.copies:
            if suppressed and user_id in suppressed:
                continue
            if user_id not in inboxes:
                raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
            number, uidnext, modseq, messages, held = inboxes[user_id]
            came = all_came[user_id]
            if user_id in bounds and bounds[user_id].full(messages + came, held + all_grown[user_id], octets):
                raise MailboxFull(user_id)
            all_came[user_id] = came + 1
            all_grown[user_id] += octets + more
            uids[user_id] = uidnext + came
            rows.append(
                (number, uidnext + came, message, octets + more, ready if sound else 0, modseq + came, at, lines)
            )
    if rows:
        grown = [(inboxes[each][0], came, all_grown[each]) for each, came in all_came.items() if came]
        insert(connection, _COUNT_UP, grown, _BY_WHAT_CAME)
        insert(connection, _ENTRY, rows)


def _along(connection: sqlite3.Connection, one: _Copies) -> None:
    """What some messages bring with them: rows of the queue, the mark of an id that leaves from here."""
    handing = one.handing
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
