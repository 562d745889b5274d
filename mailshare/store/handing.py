"""What the door hands to the store, and the statements that write it: for one message or for all of a batch.

The rows of a table are written together, whichever messages they belong to. Whoever writes is alone, so what was read
at the beginning of the transaction holds until its end: the ids and counters of the mailboxes are read once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter

from attrs import define, field, frozen

from mailshare.core.derived import derived_of
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailboxFull, Unavailable
from mailshare.core.json_text import as_json
from mailshare.core.personal import Quota
from mailshare.core.values import DeliveryResult, Event, Hop, LedgerKey, Origin, SentMark, Target
from mailshare.store.arrivals import write_arrivals
from mailshare.store.bodies import FILE, INLINE, SEGMENT, FileBody, MemoryBody
from mailshare.store.counters import numbers
from mailshare.store.database import LISTED, ONE, chosen
from mailshare.store.duplicates import Met
from mailshare.store.entries import ready_flag
from mailshare.store.events import write_all_events
from mailshare.store.ledger import bind_rows, claim_rows
from mailshare.store.rows import Insert
from mailshare.store.sent import remember
from mailshare.store.submissions import Queueing

_MESSAGE = Insert(
    "INSERT INTO message (id, trace, message_id_field, size, hdr_len, storage, key, digest, content_digest, sender, "
    "origin, account_id, received, hdr)",
    14,
)
_BODY = Insert("INSERT INTO body (message_id, data)", 2)
# The look at the page of entries where a copy will come to lie refuses mail for a mailbox that cannot be read any more.
_INBOXES = (
    "SELECT user_id, id, uidnext, modseq + 1, msgs, bytes, data FROM mailbox "
    "LEFT JOIN usual_lines ON mailbox_id = id WHERE user_id {} AND name = 'INBOX' AND gone_at = 0 "
    "AND coalesce((SELECT max(uid) FROM entry WHERE entry.mailbox_id = mailbox.id), 0) < uidnext"
)
_INBOX, _INBOXES = _INBOXES.format(ONE), _INBOXES.format(LISTED)
_GROW = (
    "UPDATE mailbox SET uidnext = uidnext + {0}, modseq = modseq + {0}, msgs = msgs + {0}, unread = unread + {0}, "
    "bytes = bytes + {1} {2}"
)
_COUNT_UP = Insert(
    "WITH more (number, came, grown) AS (",
    3,
    f") {_GROW.format('came', 'grown', 'FROM more WHERE id = number')}",
    one=_GROW.format("?2", "?3", "WHERE id = ?1"),
)
_USUAL_LINES = Insert("INSERT INTO usual_lines (mailbox_id, data)", 2)
_FEW = 3  # copies of a message, up to which nothing is saved by looking whether others are like it
_ALREADY = DeliveryResult(0, already=True)
_user_of, _number_of, _usual_of = itemgetter(0), itemgetter(1), itemgetter(6)  # of what _INBOXES reads
_uid_of = itemgetter(1)  # of the row of an entry


@frozen
class Readers:
    """The mailboxes of some targets; many messages have the same.

    :ivar users: their ids, each once.
    :ivar copies: for each of them its id, the lines of its copy, their octets, and the flag of lines that are ready.
    :ivar unready: the same for a message that is not.
    :ivar octets: of the lines of all targets.
    """

    users: tuple[int, ...]
    copies: tuple[tuple[int, bytes, int, int], ...]
    unready: tuple[tuple[int, bytes, int, int], ...]
    octets: int


@derived_of
def readers_of(targets: tuple[Target, ...]) -> Readers:
    """What is the same for all messages to them; a user named twice gets the first of the two copies."""
    first: dict[int, bytes] = {}
    for target in targets:
        first.setdefault(target.user_id, target.prefix)
    copies = tuple((user, lines, len(lines), ready_flag(lines)) for user, lines in first.items())
    unready = tuple((user, lines, len(lines), 0) for user, lines in first.items())
    return Readers(tuple(first), copies, unready, sum(len(target.prefix) for target in targets))


@define
class Handing:
    """Everything of one delivery, gathered before the transaction starts; only the writer changes it.

    :ivar beside: the key of the place in a segment that its body was given before the transaction; empty for none.
    """

    envelope: Envelope
    body: MemoryBody | FileBody
    origin: Origin
    readers: Readers
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
    beside: str = ""

    def __call__(self, connection: sqlite3.Connection) -> DeliveryResult:
        """The operation, for this message alone."""
        return write_together(connection, [self])[0]

    @property
    def handings(self) -> Sequence[Handing]:
        """Itself, as :attr:`Lot.handings`."""
        return (self,)

    @property
    def rows(self) -> int:
        """About how many rows of the database it touches, so that the writer knows a short transaction."""
        return 1 + len(self.readers.users) + len(self.hops)

    @property
    def group(self) -> Callable[[sqlite3.Connection, Sequence[Handing]], Sequence[DeliveryResult]]:
        """How the writer does several of these that wait one behind the other."""
        return write_together


@frozen
class Lot:
    """Deliveries that are one operation: for who has many at once, and no need to hear of each by itself."""

    handings: Sequence[Handing]

    def __call__(self, connection: sqlite3.Connection) -> Sequence[DeliveryResult]:
        """The operation."""
        return write_together(connection, self.handings)

    @property
    def rows(self) -> int:
        """As :attr:`Handing.rows`."""
        return sum(one.rows for one in self.handings)

    @property
    def group(self) -> Callable[[sqlite3.Connection, Sequence[Lot]], Sequence[Sequence[DeliveryResult]]]:
        """As :attr:`Handing.group`."""
        return write_lots


def write_lots(connection: sqlite3.Connection, lots: Sequence[Lot]) -> Sequence[Sequence[DeliveryResult]]:
    """Store them as if they were one."""
    results = iter(write_together(connection, [one for lot in lots for one in lot.handings]))
    return [list(islice(results, len(lot.handings))) for lot in lots]


_Inbox = tuple[int, int, int, int, int, int, bytes | None]
_Inboxes = dict[int, _Inbox]
"""By user id the mailboxes as they stood when the transaction began.

User, number, UIDNEXT, next change, messages, octets, usual lines.
"""
_Row = tuple[int, int, int, int, int, int, bytes | None]
"""Of an entry: mailbox, uid, message, octets, flags, change, lines unless they are the usual ones."""
_Made = tuple[Sequence[_Row], Sequence[tuple[int, int, int]], Sequence[tuple[int, bytes]]]


class _Copies:
    """One message on its way into mailboxes.

    :ivar users: whose mailboxes take note of it: its readers, and those who have it sent on and keep none.
    :ivar already: it was delivered before.
    :ivar suppressed: users whose mailbox had this very message already.
    :ivar uids: by user id.
    """

    __slots__ = ("already", "events", "handing", "number", "suppressed", "uids", "users")

    def __init__(self, handing: Handing) -> None:
        readers = handing.readers
        self.handing = handing
        self.users = (*readers.users, *_passing_through(handing)) if handing.hops else readers.users
        self.events = handing.events
        self.number = 0
        self.already = False
        self.suppressed: tuple[int, ...] = ()
        self.uids: dict[int, int] = {}


def write_together(connection: sqlite3.Connection, handings: Sequence[Handing]) -> list[DeliveryResult]:
    """Store messages in the running transaction, in this order; as if each were stored alone.

    :raises MailboxFull, Unavailable: one of them cannot be stored; nothing may be kept of any.
    """
    every = copies = [_Copies(one) for one in handings]
    collected = [(one, key) for one in every if (key := one.handing.origin.ledger) is not None]
    if collected:
        _find_known(connection, collected)
        copies = [one for one in every if not one.already]
    inboxes = _read_inboxes(connection, copies)
    _suppress(connection, copies, inboxes)
    first, event = numbers(connection, len(copies), sum([len(one.events) for one in copies]))
    _messages(connection, copies, first)
    _entries(connection, copies, inboxes)
    if collected:
        bind_rows(connection, [(one.number, key) for one, key in collected if not one.already])
    for one in copies:
        if one.handing.hops or one.handing.sent is not None:
            _along(connection, one)
    told = [(each, one.handing.origin.trace, one.number) for one in copies for each in one.events]
    write_all_events(connection, told, event)
    return [_ALREADY if one.already else DeliveryResult(one.number, one.uids, one.suppressed) for one in every]


def _find_known(connection: sqlite3.Connection, collected: Sequence[tuple[_Copies, LedgerKey]]) -> None:
    """Write the bookmarks of collected messages, and mark those that were delivered before."""
    claims = [(key, one.handing.origin.ledger_state, one.handing.at) for one, key in collected]
    for (one, _), new in zip(collected, claim_rows(connection, claims), strict=True):
        one.already = not new


def _passing_through(one: Handing) -> Collection[int]:
    """Users who have all their mail sent on and keep none: a second copy of a message is not sent on again."""
    passing = dict.fromkeys(hop.params.get("forward_for") for hop in one.hops)
    return [each for each in passing if isinstance(each, int) and each not in one.readers.users]


def _messages(connection: sqlite3.Connection, copies: Sequence[_Copies], first: int) -> None:
    """The rows of the messages and of the bodies that lie in the database; sets the numbers of the messages."""
    rows: list[tuple[object, ...]] = []
    bodies: list[tuple[int, bytes]] = []
    for number, one in enumerate(copies, first):
        one.number = number
        handing = one.handing
        rows.append(_message_row(number, handing))
        if isinstance(handing.body, MemoryBody) and not handing.beside:
            bodies.append((number, handing.body.data))
    _MESSAGE.into(connection, rows)
    _BODY.into(connection, bodies)


def _message_row(number: int, one: Handing) -> tuple[object, ...]:
    envelope, origin = one.envelope, one.origin
    size, header_length, digest, content_digest, key, _ = one.body.facts
    came = _came(origin.source._value_, origin.user_id, origin.peer, origin.helo, origin.secure)
    return (
        number,
        origin.trace,
        one.message_id,
        size,
        header_length,
        SEGMENT if one.beside else FILE if key else INLINE,
        one.beside or key,
        digest,
        content_digest,
        None if envelope.sender is None else str(envelope.sender),
        f'{came}, "recipients": {_addressees(envelope.recipients)}}}',
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


def _read_inboxes(connection: sqlite3.Connection, copies: Sequence[_Copies]) -> _Inboxes:
    users = copies[0].users if len(copies) == 1 else {each for one in copies for each in one.users}
    if not users:
        return {}
    these, asked = chosen(users)
    rows = connection.execute(_INBOX if these is ONE else _INBOXES, (asked,)).fetchall()
    return dict(zip(map(_user_of, rows), rows))  # noqa: B905 - as many


def _suppress(connection: sqlite3.Connection, copies: Sequence[_Copies], inboxes: _Inboxes) -> None:
    """Have mailboxes remember their messages, and note who has met a message before."""
    keyed = [one for one in copies if one.handing.duplicate_key and one.handing.duplicate_window]
    if not keyed:
        return
    remembered = Met(connection, {one.handing.duplicate_key for one in keyed})
    for one in keyed:
        handing = one.handing
        at = handing.at
        mailboxes = [*map(_number_of, filter(None, map(inboxes.get, one.users)))]
        met = remembered.take(
            handing.duplicate_key, handing.origin.trace, at, at - handing.duplicate_window, mailboxes
        )
        if met:
            first = {each: met[inboxes[each][1]] for each in one.users if each in inboxes and inboxes[each][1] in met}
            one.suppressed = tuple(first)
            told = [Event(at, "deliver.duplicate", user_id=each, data={"of": of}) for each, of in first.items()]
            one.events = (*one.events, *told)
    remembered.write()


def _entries(connection: sqlite3.Connection, copies: Sequence[_Copies], inboxes: _Inboxes) -> None:
    """Put the messages into all mailboxes that are to have them.

    :raises MailboxFull: the first of these users whose mailbox cannot take it.
    :raises Unavailable: a user went away between routing and now; the source tries again and is routed anew.
    """
    found = _all_alike(copies, inboxes) if copies and len(copies[0].users) > _FEW else None
    rows, grown, fresh = _made(copies, inboxes) if found is None else _made_alike(copies, found)
    _COUNT_UP.into(connection, grown)
    _USUAL_LINES.into(connection, fresh)
    write_arrivals(connection, rows)


def _all_alike(copies: Sequence[_Copies], inboxes: _Inboxes) -> Sequence[_Inbox] | None:
    """The mailboxes of messages that all go to the same people, where none of them needs a second look."""
    readers = copies[0].handing.readers
    for one in copies:
        if one.suppressed or one.handing.bounds or one.handing.readers is not readers:
            return None
    found = [*map(inboxes.get, readers.users)]
    boxes = [one for one in found if one is not None]
    return boxes if len(boxes) == len(found) and None not in map(_usual_of, boxes) else None


def _made_alike(copies: Sequence[_Copies], boxes: Sequence[_Inbox]) -> _Made:
    """What :func:`_made` gives of such messages, in less than half the time for each copy."""
    rows: list[_Row] = []
    octets = 0
    users, readers = copies[0].handing.readers.users, copies[0].handing.readers
    for came, one in enumerate(copies):
        facts, message = one.handing.body.facts, one.number
        size = facts.size
        octets += size
        made = [
            (number, uid + came, message, size + more, ready, modseq + came, None if lines == usual else lines)
            for (_, lines, more, ready), (_, number, uid, modseq, _, _, usual) in zip(
                readers.copies if facts.ready else readers.unready, boxes, strict=True
            )
        ]
        one.uids = dict(zip(users, map(_uid_of, made), strict=True))
        rows += made
    many = len(copies)
    grown = [(box[1], many, octets + many * each[2]) for box, each in zip(boxes, readers.copies, strict=True)]
    return rows, grown, ()


def _made(copies: Sequence[_Copies], inboxes: _Inboxes) -> _Made:
    """The rows of the entries, what mailboxes grow by, and the lines that are usual for some from now on."""
    rows: list[_Row] = []
    fresh: dict[int, bytes] = {}
    all_grown: dict[int, tuple[int, int, int]] = {}  # by user id: number of the mailbox, messages and octets that came
    for one in copies:
        handing, suppressed, uids, message = one.handing, one.suppressed, one.uids, one.number
        facts, readers, bounds = handing.body.facts, handing.readers, handing.bounds
        octets = facts.size
        for user_id, lines, more, ready in readers.copies if facts.ready else readers.unready:
            if suppressed and user_id in suppressed:
                continue
            if user_id not in inboxes:
                raise Unavailable(detail={"why": "no mailbox of that user", "user_id": user_id})
            _, number, uid, modseq, messages, held, usual = inboxes[user_id]
            came = grown = 0
            if user_id in all_grown:
                _, came, grown = all_grown[user_id]
            if usual is None:
                usual = fresh.get(number)
                if usual is None and lines.count(b"\n") == 1:
                    usual = fresh[number] = lines
            if bounds and user_id in bounds and bounds[user_id].full(messages + came, held + grown, octets):
                raise MailboxFull(user_id)
            uid += came
            size = octets + more
            all_grown[user_id] = number, came + 1, grown + size
            uids[user_id] = uid
            rows.append((number, uid, message, size, ready, modseq + came, None if lines == usual else lines))
    return rows, list(all_grown.values()), list(fresh.items())


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
