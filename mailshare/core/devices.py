"""Machines that send mail and cannot log in: known by their address, bound to one user and to few recipients."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from attrs import frozen

from mailshare.core.address import Address

SENT = "device.sent"
"""Kind of the journal's line for each message that a machine handed in; by it a restart knows the hourly count."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@frozen
class Device:
    """A machine, e.g. a scanner.

    :ivar user: login it sends as, casefolded.
    :ivar recipients: ``local``, ``*``, addresses and ``@domain``, casefolded.
    :ivar per_hour: messages; 0 = no bound.
    """

    name: str
    networks: tuple[Network, ...]
    user: str
    recipients: tuple[str, ...] = ("local",)
    per_hour: int = 60

    def may_write_to(self, address: Address, *, local: bool) -> bool:
        """Whether the machine may write there.

        :param local: it is a mailbox here, or the shared address.
        """
        local_part, domain = address.key
        return (
            "*" in self.recipients
            or (local and "local" in self.recipients)
            or f"{local_part}@{domain}" in self.recipients
            or (bool(domain) and f"@{domain}" in self.recipients)
        )


def device_at(devices: Sequence[Device], peer: str) -> Device | None:
    """The machine at this address; of several the one with the longest prefix."""
    if not devices:
        return None
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    found = [(network.prefixlen, one) for one in devices for network in one.networks if address in network]
    return max(found, key=lambda each: each[0])[1] if found else None
