"""DNS records by which programs find the server: SRV by RFC 6186 and RFC 8314, and service discovery by RFC 6763.

The text is a piece of a zone file (RFC 1035 section 5) for the resolver of the local network. In the public DNS of the
mail domain it would lead everybody outside to a server that they do not reach.
"""

from __future__ import annotations

import ipaddress

from mailshare.core.address import is_domain
from mailshare.core.errors import ConfigFault
from mailshare.web.handout.description import Door, Handout

_SERVICES = {
    ("pop3", "implicit"): "_pop3s._tcp",
    ("pop3", "starttls"): "_pop3._tcp",
    ("smtp", "implicit"): "_submissions._tcp",
    ("smtp", "starttls"): "_submission._tcp",
}
_ABSENT = ("_imap._tcp", "_imaps._tcp")
_SECONDS = 3600


def dns_records(handout: Handout, domain: str = "") -> str:
    """Records for a domain of the local network.

    :param domain: that of the server's own name when empty.
    :returns: zone file text; services without TLS are left out, for these records announce TLS (RFC 8314 section 5.1).
    :raises ConfigFault: there is no domain, no name of the server that DNS could point to, or no listener with TLS.
    """
    zone = _wire_name(domain or handout.local_domain)
    target = _wire_name(handout.hostname)
    found: dict[str, Door] = {}
    for door in sorted(handout.doors, key=lambda one: one.rank):
        service = _SERVICES.get((door.protocol, door.tls))
        if service and not door.near:
            found.setdefault(service, door)
    if not found:
        raise ConfigFault("No listener with TLS can be reached from the network, so there is nothing to announce")
    lines = [f"; Mail programs of the local network find {target} by these. Not for the public DNS.", f"$ORIGIN {zone}"]
    for service, door in found.items():
        priority = 0 if door.tls == "implicit" else 10
        lines.append(f"{service} {_SECONDS} IN SRV {priority} 1 {door.port} {target}")
    lines += [f"{service} {_SECONDS} IN SRV 0 0 0 ." for service in _ABSENT]
    lines.append("; Service discovery: what there is, under the name mailshare.")
    for service, door in found.items():
        lines.append(f"_services._dns-sd._udp {_SECONDS} IN PTR {service}.{zone}")
        lines.append(f"{service} {_SECONDS} IN PTR mailshare.{service}.{zone}")
        lines.append(f"mailshare.{service} {_SECONDS} IN SRV 0 1 {door.port} {target}")
        lines.append(f'mailshare.{service} {_SECONDS} IN TXT "txtvers=1"')
    return "\n".join(lines) + "\n"


def _wire_name(name: str) -> str:
    """A name as zone files have it: A-labels and the dot of the root."""
    bare = name.rstrip(".")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        if is_domain(bare) and not bare.startswith("["):
            try:
                return bare.encode("idna").decode("ascii").lower() + "."
            except UnicodeError:
                raise ConfigFault(f"{name!a} cannot be written in DNS") from None
    raise ConfigFault(f"{name!a} is no name that DNS could hold; set hostname under [server]")
