"""Slows down the guessing of passwords, by peer and by user.

Each failure makes the next try of the same peer (an IPv6 /64 is one peer) wait longer: 0.5, 2, 4, 8, 15 seconds; so
does each failure at the same user from anywhere. Failures are forgotten 15 minutes after the last one. The same wrong
password tried again by the same peer is one failure: that is a mail program that was not told of a new password.

Tries of one peer that has failed stand in a line, so that opening more connections gains nothing. The user's count only
ever delays, and never makes a line: whoever guesses at a user from outside cannot lock that user out.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from attrs import Factory, define, frozen

DELAYS = (0.5, 2.0, 4.0, 8.0, 15.0)
FORGET = 15 * 60.0
LONGEST_LINE = 30.0
APART = 0.4
"""Seconds between two refusals of one peer, however many tries it made at once before the first was refused."""
MAX_REMEMBERED = 10_000
_MAX_GUESSES = 100
_MAX_OTHERS = 8


def peer_name(key: str) -> str:
    """What counts as one peer, for people: the network in place of the first half of an IPv6 address."""
    try:
        return f"{IPv6Address(bytes.fromhex(key) + bytes(8))}/64" if len(key) == 16 else key
    except ValueError:
        return key


@lru_cache(maxsize=4096)
def peer_key(peer: str) -> str:
    """What counts as one peer: an IPv4 address, or the /64 of an IPv6 address; other text stands for itself."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.version == 4:
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else address.packed[:8].hex()


def _login_key(name: str) -> str:
    """Logins are the same in any case."""
    return name.strip().casefold()[:128]


@frozen
class Slowed:
    """Somebody who waits before a try is looked at.

    :ivar name: a login as it was given, or a peer: an address, or the network that counts as one.
    :ivar failures: wrong tries, each wrong password counted once.
    :ivar last, until: seconds: the last failure, and when all is forgotten.
    :ivar wait: seconds that the next try waits.
    :ivar others: the last of those tried: of a login the peers that failed, of a peer the logins that it failed at.
    """

    name: str
    failures: int
    last: float
    until: float
    wait: float
    others: tuple[str, ...]


@define
class _Record:
    failures: int = 0
    last: float = 0.0
    free_at: float = 0.0
    refused_at: float = 0.0
    guesses: set[bytes] = Factory(set)
    others: dict[str, None] = Factory(dict)


class Throttle:
    """Keeps count. Knows no clock: every call is told the time in seconds.

    :ivar forget: seconds after the last failure of a peer or user until it starts anew; may be changed at any time.
    :ivar delays: seconds to wait after the first failures, the last of them after all others; so may these.
    """

    def __init__(self, forget: float = FORGET) -> None:
        self.forget = forget
        self.delays: tuple[float, ...] = DELAYS
        self._peers: OrderedDict[str, _Record] = OrderedDict()
        self._users: OrderedDict[str, _Record] = OrderedDict()

    def wait(self, peer: str, user: str, now: float) -> float | None:
        """How long a try that comes now is to wait before it is looked at; the place in the line is taken.

        :returns: seconds, 0 for none; ``None`` when the line of this peer is too long: refuse without looking.
        """
        peers, users = self._find(self._peers, peer_key(peer), now), self._find(self._users, _login_key(user), now)
        wait = self._delay(users) if users else 0.0
        if peers is None or not peers.failures:
            return wait
        at = max(now, peers.free_at) + self._delay(peers)
        if at - now > LONGEST_LINE:
            return None
        peers.free_at = at
        return max(wait, at - now)

    def failed(self, peer: str, user: str, password: bytes, now: float) -> float:
        """Count a failure, unless this peer tried this very password at this user before.

        :returns: seconds to wait before the refusal is told.
        """
        key, user = peer_key(peer), _login_key(user)
        guess = hashlib.sha256(b"\0".join((key.encode(), user.encode(), password))).digest()
        record = self._make(self._peers, key, now)
        record.refused_at = min(max(now, record.refused_at + APART), now + LONGEST_LINE)
        if guess in record.guesses:
            record.last = now
            return record.refused_at - now
        if len(record.guesses) < _MAX_GUESSES:
            record.guesses.add(guess)
        for each, other in ((record, user), (self._make(self._users, user, now), key)):
            each.failures += 1
            each.last = now
            each.others.pop(other, None)
            each.others[other] = None
            while len(each.others) > _MAX_OTHERS:
                del each.others[next(iter(each.others))]
        return record.refused_at - now

    def slowed_users(self, now: float) -> list[Slowed]:
        """Logins at which somebody failed lately, the latest first."""
        return self._slowed(self._users, now)

    def slowed_peers(self, now: float) -> list[Slowed]:
        """Peers that failed lately, the latest first."""
        return self._slowed(self._peers, now)

    def _slowed(self, records: OrderedDict[str, _Record], now: float) -> list[Slowed]:
        found = []
        for key in list(records):
            one = self._find(records, key, now)
            if one is not None and one.failures:
                wait = max(0.0, one.free_at - now) + self._delay(one)
                others = tuple(peer_name(other) if records is self._users else other for other in one.others)
                name = key if records is self._users else peer_name(key)
                found.append(Slowed(name, one.failures, one.last, one.last + self.forget, wait, others))
        return sorted(found, key=lambda one: -one.last)

    def _delay(self, record: _Record) -> float:
        return self.delays[min(record.failures, len(self.delays)) - 1] if record.failures else 0.0

    def forgive_user(self, name: str) -> bool:
        """Forget the failures at a login, and those of peers that failed at nobody else.

        :returns: whether there were any.
        """
        key = _login_key(name)
        record = self._users.pop(key, None)
        for peer in record.others if record is not None else ():
            if peer in self._peers and set(self._peers[peer].others) <= {key}:
                del self._peers[peer]
        return record is not None

    def forgive_peer(self, peer: str) -> bool:
        """Forget the failures of a peer, by its address or as :class:`Slowed` names it; whether there were any."""
        return self._peers.pop(peer_key(peer.removesuffix("/64")), None) is not None

    def _find(self, records: OrderedDict[str, _Record], key: str, now: float) -> _Record | None:
        record = records.get(key)
        if record is None:
            return None
        if now < record.last:
            # Somebody set the clock back; the place in the line must not lie hours ahead.
            back, record.last = record.last - now, now
            record.free_at -= back
            record.refused_at -= back
        elif now - record.last >= self.forget:
            del records[key]
            return None
        return record

    def _make(self, records: OrderedDict[str, _Record], key: str, now: float) -> _Record:
        record = self._find(records, key, now)
        if record is None:
            record = records[key] = _Record(last=now)
        records.move_to_end(key)
        while len(records) > MAX_REMEMBERED:
            records.popitem(last=False)
        return record
