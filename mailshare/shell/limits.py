"""What a server bears from its peers: figures, and the count of connections."""

from __future__ import annotations

import ipaddress
from enum import Enum
from functools import lru_cache

from attrs import frozen

BODY_AT_ONCE = 131_072
"""Octets of a message read from a socket at once: with 64 KiB large messages take a tenth more processor time."""
BODY_FIRST = 65_536
"""The same for what comes first of a message, mostly all of it: to find room for twice as much takes 1 us of 3 more."""
BODY_WAITS = 65_536
"""Octets of a message that may wait for the engine before the transport is paused."""
COMMANDS_AT_ONCE = 4_096
"""Octets of commands read at once; none may wait beside them, for who sends them may never read an answer."""


class Goodbye(Enum):
    """Why the server ends a connection of its own accord; each protocol has last words for it."""

    FULL = "too many connections"
    FULL_FOR_PEER = "too many connections from this address"
    TIMEOUT = "no command in time"
    SLOW = "message too slow"
    FAULTS = "too many errors"
    SHUTDOWN = "server stops"
    BROKEN = "error in the server"


@frozen
class ConnectionLimits:
    """Bounds of connections; seconds and octets.

    :ivar total: connections at once.
    :ivar per_peer: of them from one IPv4 address or one IPv6 /64.
    :ivar slow_from: faults in a session from which each next one costs ``penalty`` seconds.
    :ivar faults: faults that end the session.
    :ivar handshake: for TLS.
    :ivar session: for everything.
    :ivar body_idle: without an octet of a message.
    :ivar body_whole: for a whole message.
    :ivar rate: octets per second that a message must reach ...
    :ivar rate_over: ... measured over so many seconds.
    :ivar stall: how long a peer may leave our octets unread.
    :ivar linger: how long the last words may take.
    """

    total: int = 200
    per_peer: int = 20
    slow_from: int = 5
    penalty: float = 1.0
    faults: int = 15
    handshake: float = 20
    session: float = 7200
    body_idle: float = 180
    body_whole: float = 1800
    rate: int = 200
    rate_over: float = 60
    stall: float = 600
    linger: float = 10


@lru_cache(maxsize=4096)
def peer_network(host: str) -> str:
    """What connections are counted by: an IPv4 address, an IPv6 /64, or the text itself (a UNIX socket)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


class PeerCount:
    """Counts connections, in all and by network."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._by_network: dict[str, int] = {}
        self.total = 0

    def enter(self, host: str) -> Goodbye | None:
        """Count one more; or say why it may not come in."""
        network = peer_network(host)
        count = self._by_network.get(network, 0)
        if self.total >= self._limits.total:
            return Goodbye.FULL
        if count >= self._limits.per_peer:
            return Goodbye.FULL_FOR_PEER
        self.total += 1
        self._by_network[network] = count + 1
        return None

    def leave(self, host: str) -> None:
        """Undo one :meth:`enter` that let it in."""
        network = peer_network(host)
        self.total -= 1
        left = self._by_network[network] - 1
        if left:
            self._by_network[network] = left
        else:
            del self._by_network[network]
