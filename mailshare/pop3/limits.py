"""What the POP3 server bears, and how it may be told that a peer's network is trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from attrs import field, frozen

from mailshare.core.errors import ConfigFault
from mailshare.shell.limits import ConnectionLimits

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@frozen
class POP3Limits:
    """Bounds of the POP3 server.

    :ivar connections: of all connections, and of one address.
    :ivar idle: seconds without a command after login; RFC 1939 section 3 wants 600 at least.
    :ivar login: seconds without a command before login.
    :ivar sessions_per_user: logged in at once by one name.
    :ivar failed_logins: in one connection, the last one closes it.
    :ivar auth_line: octets of a line of a login exchange.
    """

    connections: ConnectionLimits = field(factory=ConnectionLimits)
    idle: float = 600
    login: float = 180
    sessions_per_user: int = 10
    failed_logins: int = 5
    auth_line: int = 12_288


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks such as ``192.168.1.0/24`` or ``fd00::/8``.

    :raises ConfigFault: one of them is none.
    """
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigFault(f"Not a network: {error}") from error


def within(peer: str, trusted: tuple[Network, ...]) -> bool:
    """Tell whether an address lies in one of the networks; what is no address lies in none."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)
