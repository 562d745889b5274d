"""What to do with each message that the provider lists, decided from the ledger. Pure, so that every case can be tried.

A unique-id alone proves nothing: providers reuse ids, give two messages the same one, or have none. So a message is
*known* only when id and size fit, and it is *deleted* only when its header's digest fits too, or when it has just been
stored. Where there is no id, the digest of the header is the name; a message that looks like one stored before is then
fetched again and compared whole, which costs a transfer and never a message.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from attrs import define, frozen

from mailshare.core.values import SECOND, LedgerRow, LedgerState

DAY = 24 * 3600 * SECOND
HEADER_LIMIT = 256 * 1024
"""Octets of a header that its digest covers."""


@define
class Upstream:
    """One message as listed.

    :ivar uid: the server's unique-id; empty when it has none, or none that is unique.
    :ivar size: octets as listed, 0 when unknown.
    :ivar name: what the ledger calls it, or for one without id what all its rows begin with.
    :ivar digest: of its header, when TOP was asked for it.
    """

    number: int
    uid: str
    size: int
    name: str = ""
    digest: bytes = b""


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


def list_upstream(count: int, sizes: Mapping[int, int], uids: Mapping[int, str]) -> list[Upstream]:
    """Put the listings together: each number from 1 to ``count`` that LIST or UIDL named, ids that stand twice dropped.

    When the server lists nothing at all, the numbers are all there is.
    """
    often = Counter(uids.values())
    numbers = sorted(sizes.keys() | uids.keys()) or range(1, count + 1)
    found = []
    for number in numbers:
        uid = uids.get(number, "")
        uid = uid if often[uid] == 1 else ""
        found.append(Upstream(number, uid, sizes.get(number, 0), uid))
    return found


def header_name(digest: bytes) -> str:
    """The name of a message without unique-id. No unique-id can be equal to it: they have no blanks."""
    return f"header {digest.hex()}"


def stem(name: str) -> str:
    """The part of a ledger name that names the header; the name itself when it is a unique-id."""
    return " ".join(name.split(" ", 2)[:2])


def decide(
    messages: Iterable[Upstream], known: Mapping[str, LedgerRow], *, leave_days: int, limit: int, now: int
) -> list[Decision]:
    """Decide for each message.

    :param messages: those without unique-id have their digest's name, or an empty one where TOP did not work.
    :param leave_days: as in :class:`mailshare.core.values.Account`.
    :param limit: octets of the largest message taken.
    """
    messages = list(messages)
    unnamed = _known_by_header(messages, known, leave_days, now)
    decisions = []
    for message in messages:
        row = known.get(message.uid) if message.uid else None
        too_large = message.size > limit
        if row is None:
            act = Act.LEAVE if message.name in unnamed else Act.SKIP if too_large else Act.FETCH
        elif message.size and row.key.size and message.size != row.key.size:
            act = Act.SKIP if too_large else Act.FETCH
        elif row.state in (LedgerState.DELETE, LedgerState.GONE):
            act = Act.DELETE
        elif row.state is LedgerState.KEPT:
            act = Act.DELETE if expired(row, leave_days, now) else Act.LEAVE
        elif row.state is LedgerState.SKIPPED and not too_large:
            act = Act.FETCH
        else:
            act = Act.LEAVE
        decisions.append(Decision(message, act))
    return decisions


def expired(row: LedgerRow, leave_days: int, now: int) -> bool:
    """Whether a message that was left at the provider has been there long enough."""
    return leave_days == 0 or (leave_days > 0 and now - row.first_seen >= leave_days * DAY)


def _known_by_header(
    messages: Sequence[Upstream], known: Mapping[str, LedgerRow], leave_days: int, now: int
) -> frozenset[str]:
    """Names of messages without unique-id that need no look: as many rows are kept as messages are listed."""
    rows: Counter[str] = Counter()
    for uidl, row in known.items():
        kept = row.state is LedgerState.KEPT and not expired(row, leave_days, now)
        if uidl.startswith("header ") and (kept or row.state in (LedgerState.POISON, LedgerState.SKIPPED)):
            rows[stem(uidl)] += 1
    listed = Counter(message.name for message in messages if not message.uid and message.name)
    return frozenset(name for name, times in listed.items() if times <= rows[name])


def renumbering_suspects(messages: Sequence[Upstream], known: Mapping[str, LedgerRow]) -> list[Upstream]:
    """New ids that may be old messages: more than half of those expected are gone, and the sizes fit.

    Empty when the provider did not renumber.
    """
    listed = {message.uid for message in messages if message.uid}
    expected = [row for row in known.values() if row.state in (LedgerState.KEPT, LedgerState.DELETE)]
    gone = [row for row in expected if row.key.uidl not in listed]
    if not gone or 2 * len(gone) <= len(expected):
        return []
    sizes = {row.key.size for row in gone}
    return [message for message in messages if message.uid and message.uid not in known and message.size in sizes]


def renumbered(suspects: Iterable[Upstream], listed: Iterable[str], known: Mapping[str, LedgerRow]) -> dict[str, str]:
    """Old id to new id, for suspects whose digest is that of a vanished message. Each row is used once."""
    present = set(listed)
    rows: dict[tuple[int, bytes], list[str]] = {}
    for uidl, row in known.items():
        if row.state in (LedgerState.KEPT, LedgerState.DELETE) and uidl not in present:
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
        self._octets = bytearray(b"\r\n")
        self._whole = False

    def feed(self, data: bytes) -> None:
        """Take octets of the message."""
        if self._whole:
            return
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
        return bytes(self._octets[2:])

    @property
    def digest(self) -> bytes:
        """SHA-256 over them."""
        return hashlib.sha256(self.octets).digest()
