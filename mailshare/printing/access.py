"""From where jobs are taken, and from where queues are steered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

from attrs import field, frozen

Network = IPv4Network | IPv6Network
Prints = Callable[[str], bool]
"""Whether jobs are taken from an address."""


@frozen
class Access:
    """Who may print, and who may steer.

    :ivar networks: from where jobs are taken; ``operators`` from where queues and everybody's jobs are steered.
    :ivar ports: of ``ipp`` and ``ipps``, for the URIs that are told.
    """

    networks: tuple[Network, ...] = ()
    operators: tuple[Network, ...] = ()
    ports: Mapping[str, int] = field(factory=dict, hash=False)

    def prints(self, peer: str) -> bool:
        """Whether jobs are taken from there."""
        return within(peer, self.networks) or within(peer, self.operators)

    def operates(self, peer: str) -> bool:
        """Whether queues are steered from there."""
        return within(peer, self.operators)


def within(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)
