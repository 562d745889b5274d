"""How somebody connects, as one frozen description that everything handed out is made of."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import textwrap
from collections.abc import Iterable

from attrs import Attribute, field, frozen, validators

from mailshare.core.address import Address, is_domain
from mailshare.core.errors import ConfigFault
from mailshare.web.handout.plain_text import exact, shown

_TLS = ("implicit", "starttls", "none")


def _host(_: object, attribute: Attribute[str], value: str) -> None:
    """A domain name or a bare IP address, and nothing that means something to the files it goes into."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not is_domain(value) or value.startswith("["):
            raise ConfigFault(f"{attribute.name} {value!a} is not a host name") from None


def _login(_: object, __: Attribute[str], value: str) -> None:
    exact(value, "login")


def _all_shown(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(shown(text) for text in texts)


@frozen(kw_only=True)
class Door:
    """One listener as a mail program sees it.

    :ivar protocol: ``"pop3"`` or ``"smtp"``.
    :ivar tls: ``"implicit"``, ``"starttls"`` or ``"none"``.
    :ivar near: it listens on the computer itself only.
    """

    protocol: str = field(validator=validators.in_(("pop3", "smtp")))
    host: str = field(validator=_host)
    port: int = field(validator=[validators.ge(1), validators.le(65535)])
    tls: str = field(validator=validators.in_(_TLS))
    near: bool = False

    @property
    def rank(self) -> tuple[bool, int]:
        """Smaller is better: reachable from the desk, then TLS from the first octet (RFC 8314 section 3)."""
        return self.near, _TLS.index(self.tls)


@frozen
class Authority:
    """A private certificate authority, or a certificate that signed itself.

    :ivar der: the certificate.
    :ivar name: its subject, for people.
    """

    der: bytes = field(repr=False)
    name: str = field(default="mailshare", converter=shown)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate as programs show it: pairs of hex digits between colons."""
        return hashlib.sha256(self.der).digest().hex(":").upper()

    @property
    def pem(self) -> str:
        """The certificate as text (RFC 7468)."""
        body = "\n".join(textwrap.wrap(base64.b64encode(self.der).decode("ascii"), 64))
        return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


@frozen(kw_only=True)
class Certificate:
    """What the server shows of itself.

    :ivar names: host names and addresses it is made out for, casefolded.
    :ivar authority: who signed it, when that is private.
    :ivar known: somebody signed it whom this computer trusts, so that clients probably do as well.
    """

    names: tuple[str, ...] = ()
    authority: Authority | None = None
    known: bool = False

    def fits(self, host: str) -> bool:
        """It is made out for this name; a star stands for one label (RFC 9525 section 6.3)."""
        wanted = host.casefold().rstrip(".")
        parent = wanted.partition(".")[2]
        return wanted in self.names or (bool(parent) and f"*.{parent}" in self.names)


@frozen
class Identity:
    """An address that somebody writes from.

    :ivar address: for the field "e-mail address", e.g. ``mail@company.example``.
    :ivar usable: how others may write, the surest first, e.g. ``Greg Jones <mail@company.example>``.
    """

    address: Address
    usable: tuple[str, ...] = field(default=(), converter=_all_shown)


@frozen(kw_only=True)
class Handout:
    """How one person connects.

    :ivar hostname: of the server, on the local network.
    :ivar login: for POP3 and SMTP alike.
    :ivar display_name: the full name, for people; made harmless here.
    :ivar identities: what the person writes from, the main one first; never empty.
    :ivar doors: listeners in any order.
    :ivar certificate: ``None`` when no listener has TLS.
    :ivar enabled: the login is open.
    :ivar unknown: listeners whose port cannot be told from the configuration, e.g. sockets that systemd opens.
    """

    hostname: str = field(validator=_host)
    login: str = field(validator=_login)
    display_name: str = field(converter=shown)
    identities: tuple[Identity, ...] = field(validator=validators.min_len(1))
    doors: tuple[Door, ...] = ()
    certificate: Certificate | None = None
    enabled: bool = True
    unknown: tuple[str, ...] = ()

    def best(self, protocol: str) -> Door | None:
        """The door to use for ``pop3`` or ``smtp``."""
        return min((door for door in self.doors if door.protocol == protocol), key=lambda one: one.rank, default=None)

    def needed(self, protocol: str) -> Door:
        """As :meth:`best`.

        :raises ConfigFault: there is none.
        """
        door = self.best(protocol)
        if door is None:
            kind = "read mail: pop3s or pop3" if protocol == "pop3" else "send mail: submissions, submission or smtp"
            raise ConfigFault(f"No listener with a known port is there to {kind}")
        return door

    @property
    def address(self) -> Address:
        """The main address."""
        return self.identities[0].address

    @property
    def name(self) -> str:
        """The full name, or the login when there is none."""
        return self.display_name or shown(self.login)

    @property
    def authority(self) -> Authority | None:
        """The private authority that a program must be told to trust."""
        return self.certificate.authority if self.certificate else None

    @property
    def local_domain(self) -> str:
        """The domain that the server's name lies in: ``office.example`` of ``mail.office.example``.

        Empty when the server's name has no domain.
        """
        host = self.hostname.rstrip(".")
        if ":" in host or host.replace(".", "").isdigit():
            return ""
        return host.partition(".")[2]
