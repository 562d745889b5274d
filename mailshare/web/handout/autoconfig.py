"""Mozilla's ``config-v1.1.xml``, which Thunderbird, K-9, Evolution and others read.

The format is described in draft-ietf-mailmaint-autoconfig. A shared address says nothing about the login, so the form
for one person carries the login itself and may be served at an address of that person's only; the form for a domain has
the placeholder ``%EMAILLOCALPART%`` and fits domains whose local parts are logins.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from mailshare.core.address import is_domain
from mailshare.core.errors import ConfigFault
from mailshare.web.handout.description import Door, Handout
from mailshare.web.handout.xml_text import document, leaf

_SOCKETS = {"implicit": "SSL", "starttls": "STARTTLS", "none": "plain"}


def user_autoconfig(handout: Handout) -> str:
    """The settings of one person, login inside; never a password."""
    domain = handout.address.domain or handout.hostname
    return _config(domain, handout.name, handout.hostname, _both(handout), handout.login)


def domain_autoconfig(domain: str, doors: Sequence[Door]) -> str:
    """The settings of everybody whose address is ``login@domain``.

    :param domain: one of the local network, or that of a catch-all whose DNS is answered locally.
    :param doors: the listeners to name.
    :raises ConfigFault: not a domain, or no doors.
    """
    if not is_domain(domain):
        raise ConfigFault(f"{domain!a} is not a domain")
    if not doors:
        raise ConfigFault("There is no listener to name")
    return _config(domain, domain, "mailshare", tuple(sorted(doors, key=lambda one: one.rank)), "%EMAILLOCALPART%")


def _both(handout: Handout) -> tuple[Door, ...]:
    """All usable doors, the best first; one of each protocol must be there."""
    handout.needed("pop3")
    handout.needed("smtp")
    best = handout.best("pop3"), handout.best("smtp")
    far = [door for door in handout.doors if not door.near or door in best]
    return tuple(sorted(far, key=lambda one: one.rank))


def _config(domain: str, name: str, short: str, doors: Sequence[Door], username: str) -> str:
    root = ET.Element("clientConfig", version="1.1")
    provider = ET.SubElement(root, "emailProvider", id=domain)
    leaf(provider, "domain", domain)
    leaf(provider, "displayName", name)
    leaf(provider, "displayShortName", short)
    for kind, protocol in (("incomingServer", "pop3"), ("outgoingServer", "smtp")):
        for door in doors:
            if door.protocol == protocol:
                server = ET.SubElement(provider, kind, type=protocol)
                leaf(server, "hostname", door.host)
                leaf(server, "port", str(door.port))
                leaf(server, "socketType", _SOCKETS[door.tls])
                leaf(server, "username", username)
                leaf(server, "authentication", "password-cleartext")
    return document(root)
