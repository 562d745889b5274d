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
from mailshare.store.counters import numbers
from mailshare.store.database import chosen
from mailshare.store.duplicates import Met
from mailshare.store.entries import ready_flag
from mailshare.store.events import write_all_events
from mailshare.store.ledger import bind_rows, claim_rows
from mailshare.store.rows import insert
from mailshare.store.sent import remember
from mailshare.store.submissions import Queueing

_MESSAGE = (
    "INSERT INTO message (id, trace, message_id_field, size, hdr_len, storage, key, digest, content_digest, sender, "
    "origin, account_id, received, hdr)"
)
_BODY = "INSERT INTO body (message_id, data)"
# The braces are filled by chosen().
_INBOXES = (
    "SELECT user_id, id, uidnext, modseq + 1, msgs, bytes, data FROM mailbox "
    "LEFT JOIN usual_lines ON mailbox_id = id WHERE user_id {} AND name = 'INBOX' AND gone_at = 0"
)
_COUNT_UP = "WITH more (number, came, grown) AS ("
_BY_WHAT_CAME = (
    ") UPDATE mailbox SET uidnext = uidnext + came, modseq = modseq + came, msgs = msgs + came, "
    "unread = unread + came, bytes = bytes + grown FROM more WHERE id = number"
)
_USUAL_LINES = "INSERT INTO usual_lines (mailbox_id, data)"
_ENTRY = "INSERT INTO entry (mailbox_id, uid, message_id, size, flags, modseq, prefix)"
_ALREADY = DeliveryResult(0, already=True)


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
    :ivar copies: for each of them its id, the lines of its copy, and the flag of lines that are ready.
    :ivar octets: of the lines of all targets.
    """

    users: tuple[int, ...]
    copies: tuple[tuple[int, bytes, int], ...]
    octets: int


@derived_of
def readers_of(targets: tuple[Target, ...]) -> Readers:
    """What is the same for all messages to them; a user named twice gets the first of the two copies."""
    first: dict[int, bytes] = {}
    for target in targets:
        first.setdefault(target.user_id, target.prefix)
    copies = tuple((user, lines, ready_flag(lines)) for user, lines in first.items())
    return Readers(tuple(first), copies, sum(len(target.prefix) for target in targets))


class _Inboxes(dict[int, tuple[int, int, int, int, int, bytes | None]]):
    """Mailboxes as they stood when the transaction began, and by user id what has come into them since.

    By user id: number, UIDNEXT, next change, messages, octets, usual lines.
    """

    def __init__(self, rows: Iterable[tuple[int, int, int, int, int, int, bytes | None]] = ()) -> None:
        super().__init__((row[0], row[1:]) for row in rows)
        self.came = dict.fromkeys(self, 0)
        self.grown = dict.fromkeys(self, 0)


@define
class _Copies:
    """One message on its way into mailboxes.

    :ivar users: whose mailboxes take note of it: its readers, and those who have it sent on and keep none.
    :ivar suppressed: users whose mailbox had this very message already.
    :ivar uids: by user id.
    """

    handing: Handing
    readers: Readers
    users: tuple[int, ...]
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
        readers = readers_of(one.targets)
        users = (*readers.users, *_passing_through(one, readers)) if one.hops else readers.users
        taken[place] = _Copies(one, readers, users, list(one.events))
        if one.origin.ledger is not None:
            collected.append((place, one.origin.ledger))
    if collected:
        _drop_known(connection, taken, collected)
    copies = list(taken.values())
    inboxes = _read_inboxes(connection, {each for one in copies for each in one.users})
    _suppress(connection, copies, inboxes)
    message, event = numbers(connection, len(copies), sum(len(one.events) for one in copies))
    _messages(connection, copies, message)
    _entries(connection, copies, inboxes)
    if collected:
        bind_rows(connection, [(taken[place].number, key) for place, key in collected if place in taken])
    for each in copies:
        if each.handing.brings:
            _along(connection, each)
    told = [(event, each.handing.origin.trace, each.number) for each in copies for event in each.events]
    write_all_events(connection, told, event)
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


def _passing_through(one: Handing, readers: Readers) -> Collection[int]:
    """Users who have all their mail sent on and keep none: a second copy of a message is not sent on again."""
    passing = dict.fromkeys(hop.params.get("forward_for") for hop in one.hops)
    return [each for each in passing if isinstance(each, int) and each not in readers.users]


def _messages(connection: sqlite3.Connection, copies: Sequence[_Copies], first: int) -> None:
    """The rows of the messages and of the bodies that lie in the database; sets the numbers of the messages."""
    rows: list[tuple[object, ...]] = []
    bodies: list[tuple[int, bytes]] = []
    for number, one in enumerate(copies, first):
        one.number = number
        rows.append(_message_row(number, one.handing))
        if isinstance(one.handing.body, MemoryBody):
            bodies.append((number, one.handing.body.data))
    insert(connection, _MESSAGE, rows)
    insert(connection, _BODY, bodies)


def _message_row(number: int, one: Handing) -> tuple[object, ...]:
    facts, origin, sender = one.body.facts, one.origin, one.envelope.sender
    came = _came(origin.source.value, origin.user_id, origin.peer, origin.helo, origin.secure)
    return (
        number,
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


def _suppress(connection: sqlite3.Connection, copies: Sequence[_Copies], inboxes: _Inboxes) -> None:
    """Have mailboxes remember their messages, and note who has met a message before."""
    keyed = [one for one in copies if one.handing.duplicate_key and one.handing.duplicate_window]
    if not keyed:
        return
    remembered = Met(connection, {one.handing.duplicate_key for one in keyed})
    for one in keyed:
        handing = one.handing
        at, trace = handing.at, handing.origin.trace
        mailboxes = [inboxes[each][0] for each in one.users if each in inboxes]
        met = remembered.take(handing.duplicate_key, trace, at, at - handing.duplicate_window, mailboxes)
        for each in one.users if met else ():
            if each in inboxes and (first := met.get(inboxes[each][0])) is not None:
                one.suppressed.append(each)
                one.events.append(Event(at, "deliver.duplicate", user_id=each, data={"of": first}))
    remembered.write()


def _entries(connection: sqlite3.Connection, copies: Sequence[_Copies], inboxes: _Inboxes) -> None:
    """Put the messages into all mailboxes that are to have them.

    :raises MailboxFull: the first of these users whose mailbox cannot take it.
    :raises Unavailable: a user went away between routing and now; the source tries again and is routed anew.
    """
    rows: list[tuple[object, ...]] = []
    fresh: dict[int, bytes] = {}
    all_came, all_grown = inboxes.came, inboxes.grown
    for one in copies:
        handing, suppressed, uids, message = one.handing, one.suppressed, one.uids, one.number
        octets, sound, bounds = handing.body.facts.size, handing.body.facts.ready, handing.bounds
        for user_id, lines, ready in one.readers.copies:
            if suppressed and user_id in suppressed:
                continue
            if user_id not in inboxes:
                raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
            number, uidnext, modseq, messages, held, usual = inboxes[user_id]
            if usual is None:
                usual = fresh.get(number)
                if usual is None and lines.count(b"\n") == 1:
                    usual = fresh[number] = lines
            came = all_came[user_id]
            if user_id in bounds and bounds[user_id].full(messages + came, held + all_grown[user_id], octets):
                raise MailboxFull(user_id)
            all_came[user_id] = came + 1
            size = octets + len(lines)
            all_grown[user_id] += size
            uids[user_id] = uidnext + came
            own = None if lines == usual else lines
            rows.append((number, uidnext + came, message, size, ready if sound else 0, modseq + came, own))
    if rows:
        grown = [(inboxes[each][0], came, all_grown[each]) for each, came in all_came.items() if came]
        insert(connection, _COUNT_UP, grown, _BY_WHAT_CAME)
        if fresh:
            insert(connection, _USUAL_LINES, list(fresh.items()))
        insert(connection, _ENTRY, rows)


def _along(connection: sqlite3.Connection, one: _Copies) -> None:
    """What some messages bring with them: rows of the queue, the mark of an id that leaves from here."""
    handing = one.handing
    if handing.hops:
        _queue(connection, one)
    if handing.sent is not None:
        remember(connection, handing.sent, handing.at)


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
