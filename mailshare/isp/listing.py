"""What to do with each message that the provider lists, decided from the ledger. Pure, so that every case can be tried.

A unique-id alone proves nothing: providers reuse ids, give two messages the same one, or have none. So a message is
*known* only when id and size fit, and it is *deleted* only when its header's digest fits too, or when it has just been
stored. Where there is no id, the digest of the header is the name; a message that looks like one stored before is then
fetched again and compared whole, which costs a transfer and never a message.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from attrs import define, frozen

from mailshare.core.bounds import BOUNDS
from mailshare.core.values import SECOND, LedgerRow, LedgerState

DAY = 24 * 3600 * SECOND
IMPORTED = "fetched by"
"""What the note of a ledger row begins with when another program fetched that message before us."""
SAMPLE = 16
"""Messages left at the provider whose headers are compared in one run."""
CLOSE_LOOK = 500
"""The same, when something looks wrong; the first that differs makes a run compare them all."""
SMALL = 65_536
"""Octets up to which messages are fetched in the order in which they stand."""
_ADOPTED = 500
HEADER_WEIGHT = 4096
"""Octets that a header under way is counted with."""
HEADER_LIMIT = 256 * 1024
"""Octets of a header that its digest covers."""


@define
class Upstream:
    """One message as listed.

    :ivar uid: the server's unique-id; empty when it has none, or none that is unique.
    :ivar size: octets as listed, 0 when unknown.
    :ivar name: what the ledger calls it, or for one without id what all its rows begin with.
    :ivar digest: of its header, when TOP was asked for it.
    :ivar place: of its folder among those collected from; 0 = the first.
    :ivar folder: its folder, unless that is the inbox; ``junk``: it is the one for junk.
    :ivar recognized: it came without id, and its header and size are those of a message that the ledger knows by id.
    """

    number: int
    uid: str
    size: int
    name: str = ""
    digest: bytes = b""
    recognized: bool = False
    place: int = 0
    folder: str = ""
    junk: bool = False


class Act(Enum):
    """What to do with a message."""

    FETCH = "fetch"
    DELETE = "delete"  # stored before: only the deletion is missing
    LEAVE = "leave"
    SKIP = "skip"  # larger than the limit


@frozen
class Decision:
    """One message and what to do with it."""

    message: Upstream
    act: Act


def list_upstream(count: int, sizes: Mapping[int, int], uids: Mapping[int, str], most: int) -> list[Upstream]:
    """Put the listings together: each number from 1 to ``count`` that LIST or UIDL named, ids that stand twice dropped.

    When the server lists nothing at all, the numbers are all there is. The last ``most`` are given.
    """
    often = Counter(uids.values())
    numbers = (sorted(sizes.keys() | uids.keys()) or range(1, count + 1))[-most:]
    found = []
    for number in numbers:
        uid = uids.get(number, "")
        uid = uid if often[uid] == 1 else ""
        found.append(Upstream(number, uid, sizes.get(number, 0), uid))
    return found


def header_name(digest: bytes) -> str:
    """The name of a message without unique-id. No unique-id can be equal to it: they have no blanks."""
    return f"header {digest.hex()}"


def left_id(account_id: int, name: str) -> str:
    """What people call a message that was left at the provider: 16 hex digits, the same in every run.

    It is the trace of the journal's line about it too.
    """
    return hashlib.sha256(f"left {account_id} {name}".encode()).hexdigest()[:16]


def stem(name: str) -> str:
    """The part of a ledger name that names the header; the name itself when it is a unique-id."""
    return " ".join(name.split(" ", 2)[:2])


def recognize(messages: Iterable[Upstream], known: Mapping[str, LedgerRow]) -> int:
    """Find the rows of messages that came without id this time: UIDL was refused, or gave one id twice.

    They are left alone until their ids are back: equal headers prove too little to delete by. Each row is used once.

    :returns: how many were recognized.
    """
    messages = list(messages)
    listed = {message.uid for message in messages if message.uid}
    rows: dict[tuple[int, bytes], list[str]] = {}
    for uidl, row in known.items():
        stays = row.state in (LedgerState.KEPT, LedgerState.SKIPPED, LedgerState.POISON)
        if stays and row.key.digest and uidl not in listed and not uidl.startswith("header "):
            rows.setdefault((row.key.size, row.key.digest), []).append(uidl)
    found = 0
    for message in messages:
        fitting = rows.get((message.size, message.digest)) if message.digest and not message.uid else None
        if fitting:
            message.name, message.recognized = fitting.pop(), True
            found += 1
    return found


def decide(
    messages: Iterable[Upstream],
    known: Mapping[str, LedgerRow],
    *,
    leave_days: int,
    limit: int,
    now: int,
    wanted: Collection[str] = (),
    reused: Collection[str] = (),
    ids_last: bool = False,
) -> list[Decision]:
    """Decide for each message.

    :param messages: those without unique-id have their digest's name, or an empty one where TOP did not work.
    :param leave_days: as in :class:`mailshare.core.values.Account`.
    :param limit: octets of the largest message taken unasked.
    :param wanted: names of messages that somebody asked for, whatever their size and history.
    :param reused: unique-ids that belong to another message than the ledger says.
    :param ids_last: an id is never given to another message, so another size alone does not make one.
    """
    messages = list(messages)
    unnamed = _known_by_header(messages, known, leave_days, limit, now)
    decisions = []
    for message in messages:
        row = known.get(message.uid) if message.uid else None
        take = Act.SKIP if message.size > limit and message.name not in wanted else Act.FETCH
        if message.recognized and message.name not in wanted:
            act = Act.LEAVE
        elif row is None:
            act = Act.LEAVE if message.name in unnamed and message.name not in wanted else take
        elif message.uid in reused or (not ids_last and _of_another_size(message, row)):
            act = take
        else:
            act = _of_row(row, take, leave_days, now, wanted=message.name in wanted)
        decisions.append(Decision(message, act))
    return decisions


def _of_another_size(message: Upstream, row: LedgerRow) -> bool:
    return bool(message.size and row.key.size) and message.size != row.key.size


def _of_row(row: LedgerRow, take: Act, leave_days: int, now: int, *, wanted: bool) -> Act:
    """What to do with a message that the ledger knows."""
    if row.state in (LedgerState.DELETE, LedgerState.GONE):
        return Act.DELETE
    if row.state is LedgerState.KEPT:
        # What another program fetched before us is not ours to delete.
        ours = not row.error.startswith(IMPORTED)
        return Act.DELETE if ours and expired(row, leave_days, now) else Act.LEAVE
    if wanted or (row.state is LedgerState.SKIPPED and take is Act.FETCH):
        return Act.FETCH
    return take if row.state is LedgerState.POISON and row.attempts < BOUNDS.fetch_tries else Act.LEAVE


def expired(row: LedgerRow, leave_days: int, now: int) -> bool:
    """Whether a message that was left at the provider has been there long enough."""
    return leave_days == 0 or (leave_days > 0 and now - row.first_seen >= leave_days * DAY)


def _known_by_header(
    messages: Sequence[Upstream], known: Mapping[str, LedgerRow], leave_days: int, limit: int, now: int
) -> frozenset[str]:
    """Names of messages without unique-id that need no look: as many rows are kept as messages are listed."""
    rows: Counter[str] = Counter()
    for uidl, row in known.items():
        kept = row.state is LedgerState.KEPT and not expired(row, leave_days, now)
        given_up = row.state is LedgerState.POISON and row.attempts >= BOUNDS.fetch_tries
        too_large = row.state is LedgerState.SKIPPED and row.key.size > limit
        if uidl.startswith("header ") and (kept or given_up or too_large):
            rows[stem(uidl)] += 1
    listed = Counter(message.name for message in messages if not message.uid and message.name)
    return frozenset(name for name, times in listed.items() if times <= rows[name])


def in_order(messages: Iterable[Upstream]) -> list[Upstream]:
    """The order of fetching: folder by folder, small messages as they stand, then the large ones, the smallest first.

    So nobody's short letter waits behind a large attachment, and ordinary mail keeps the order it arrived in.
    """
    return sorted(messages, key=lambda one: (one.place, one.size if one.size > SMALL else 0, one.number))


def suspicious(messages: Sequence[Upstream], known: Mapping[str, LedgerRow]) -> bool:
    """Whether the ids themselves show that the server gives them out again.

    Another size under a known id, ids that are the mere numbers of the session, or numbers that have begun anew.
    """
    rows = [(message, known[message.uid]) for message in messages if message.uid in known]
    if any(_of_another_size(message, row) for message, row in rows):
        return True
    if rows and all(message.uid == str(message.number) for message in messages):
        return True
    largest = max((int(m.uid) for m in messages if _is_number(m.uid)), default=0)
    before = max((int(uid) for uid, row in known.items() if _is_number(uid) and row.message_id is not None), default=0)
    return bool(rows) and 0 < largest < before


def _is_number(uid: str) -> bool:
    return uid.isascii() and uid.isdigit() and len(uid) < 19


def to_verify(
    messages: Sequence[Upstream],
    known: Mapping[str, LedgerRow],
    *,
    seed: int,
    most: int | None,
    ids_last: bool = False,
) -> list[Upstream]:
    """Messages left at the provider whose header shall be compared with what was stored under their id.

    :param seed: any number; chooses the sample, so that in time all have their turn.
    :param most: as many of them; ``None`` = all.
    :param ids_last: another size alone does not make another message; those that have one are all looked at.
    """
    kept = [
        message
        for message in messages
        if message.uid in known
        and known[message.uid].state is LedgerState.KEPT
        and known[message.uid].key.digest
        and (ids_last or not _of_another_size(message, known[message.uid]))
    ]
    if most is None or len(kept) <= most:
        return kept
    first = seed % len(kept)
    chosen = [kept[(first + step) % len(kept)] for step in range(most)]
    numbers = {message.number for message in chosen}
    return chosen + [one for one in kept if _of_another_size(one, known[one.uid]) and one.number not in numbers]


def without_digest(messages: Sequence[Upstream], known: Mapping[str, LedgerRow]) -> list[Upstream]:
    """Messages that another program fetched, and whose header we have not seen yet; some hundreds at a time."""
    rows = ((message, known.get(message.uid)) for message in messages if message.uid)
    imported = [m for m, row in rows if row is not None and row.state is LedgerState.KEPT and not row.key.digest]
    return imported[:_ADOPTED]


def vanished(
    messages: Sequence[Upstream], known: Mapping[str, LedgerRow], *, ids_last: bool = False
) -> dict[str, LedgerRow]:
    """Rows of stored messages that may lie there under another id by now.

    Those that were stored without an id, once there are ids; and all that are missing, when they are more than half of
    those expected, for then the provider has renumbered.

    :param ids_last: an id goes with its message or its folder only, so whatever is missing may have another one now:
        its folder was renumbered, or it was moved to another folder.
    """
    listed = {message.uid for message in messages if message.uid}
    if not listed:
        return {}
    expected = {u: row for u, row in known.items() if row.state in (LedgerState.KEPT, LedgerState.DELETE)}
    gone = {uidl: row for uidl, row in expected.items() if uidl not in listed}
    if ids_last or 2 * len(gone) > len(expected):
        return gone
    return {uidl: row for uidl, row in gone.items() if uidl.startswith("header ")}


def renumbering_suspects(
    messages: Sequence[Upstream], gone: Mapping[str, LedgerRow], known: Mapping[str, LedgerRow]
) -> list[Upstream]:
    """New ids that may be old messages, for the sizes fit."""
    sizes = {row.key.size for row in gone.values()}
    return [message for message in messages if message.uid and message.uid not in known and message.size in sizes]


def renumbered(suspects: Iterable[Upstream], gone: Mapping[str, LedgerRow]) -> dict[str, str]:
    """Old id to new id, for suspects whose digest is that of a vanished message. Each row is used once."""
    rows: dict[tuple[int, bytes], list[str]] = {}
    for uidl, row in gone.items():
        rows.setdefault((row.key.size, row.key.digest), []).append(uidl)
    pairs = {}
    for message in suspects:
        old = rows.get((message.size, message.digest))
        if message.digest and old:
            pairs[old.pop()] = message.uid
    return pairs


class HeaderReader:
    """Keeps the header of a message that streams by, up to a limit, and gives its digest.

    The digest covers the header lines without the empty line behind them, so that RETR and ``TOP n 0`` agree whether or
    not the server sends that line.
    """

    def __init__(self) -> None:
        self._octets = bytearray()
        self._whole = False
        self._lines = b""

    @property
    def begun(self) -> bool:
        """Something of it has come."""
        return bool(self._octets or self._lines)

    def feed(self, data: bytes) -> None:
        """Take octets of the message."""
        if self._whole:
            return
        if not self._octets:
            # Nearly always the first piece has all of it.
            end = data.find(b"\r\n\r\n", 0, HEADER_LIMIT)
            if end >= 0 and not data.startswith(b"\r\n"):
                self._lines = data[: end + 2]
                self._whole = True
                return
            self._octets += b"\r\n"
        start = max(len(self._octets) - 3, 0)
        self._octets += data[: HEADER_LIMIT + 4]
        end = self._octets.find(b"\r\n\r\n", start)
        if end >= 0:
            del self._octets[end + 2 :]
            self._whole = True
        elif len(self._octets) > HEADER_LIMIT:
            self._whole = True
        if len(self._octets) > HEADER_LIMIT:
            del self._octets[HEADER_LIMIT:]

    @property
    def octets(self) -> bytes:
        """The header lines."""
        return self._lines or bytes(self._octets[2:])

    @property
    def digest(self) -> bytes:
        """SHA-256 over them."""
        return hashlib.sha256(self.octets).digest()
