"""The SMTP server for Twisted: give it a portal, get a factory to listen with.

The portal's avatars provide :class:`mailshare.interfaces.ISubmitter`; realms that know only Twisted's own
``IMessageDelivery`` or ``IMessageDeliveryFactory`` plug in through :mod:`mailshare.smtp.adapters`.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Callable, Sequence
from functools import lru_cache

from attrs import Factory, frozen
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IOpenSSLContextFactory, IReactorTime

from mailshare.interfaces import IGate, IVerifierSource
from mailshare.shell.limits import ConnectionLimits, Goodbye
from mailshare.shell.server import Connection, EngineFactory
from mailshare.smtp.session import SMTPSession
from mailshare.wire.replies import reply
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import SMTPSettings

_GOODBYE = {
    Goodbye.FULL: (421, (4, 3, 2), "Too many connections; please try again later"),
    Goodbye.FULL_FOR_PEER: (421, (4, 7, 0), "Too many connections from your address"),
    Goodbye.TIMEOUT: (421, (4, 4, 2), "Nothing came for too long"),
    Goodbye.SLOW: (421, (4, 4, 2), "The message comes too slowly"),
    Goodbye.FAULTS: (421, (4, 7, 0), "Too many errors"),
    Goodbye.SHUTDOWN: (421, (4, 3, 2), "The server stops; please try again later"),
    Goodbye.BROKEN: (421, (4, 3, 0), "Something went wrong here; please try again later"),
}


@frozen
class SMTPLimits:
    """Bounds of an SMTP server.

    :ivar max_size: octets of a message.
    :ivar max_recipients: of a message, at least 100.
    :ivar max_hops: ``Received`` fields.
    :ivar first_command: seconds from the greeting to EHLO.
    :ivar command: seconds for each other command (RFC 5321 section 4.5.3.2.7 asks for 300).
    :ivar login_failures: per connection.
    :ivar idle_commands: between two messages.
    :ivar unknown_recipients: refused ones in a session, then each is put off and counts as a mistake.
    :ivar command_line: octets of a command.
    :ivar auth_line: octets of a line of a login exchange.
    :ivar body_line: octets of a line inside a message.
    :ivar header_size: octets of a message in which ``Received`` fields are counted.
    :ivar connections: of the generic server.
    """

    max_size: int = 50_000_000
    max_recipients: int = 200
    max_hops: int = 30
    first_command: float = 30
    command: float = 300
    login_failures: int = 5
    idle_commands: int = 50
    unknown_recipients: int = 20
    command_line: int = 2048
    auth_line: int = 12_288
    body_line: int = 65_536
    header_size: int = 262_144
    connections: ConnectionLimits = Factory(ConnectionLimits)


def _nobody(_: str) -> str:
    return ""


def _unobserved(_: int, __: str) -> None:
    """Nobody looks."""


def random_nonce() -> str:
    """24 random octets in base64, for SCRAM."""
    return base64.b64encode(os.urandom(24)).decode()


class SMTPFactory(EngineFactory):
    """Serves SMTP, for submission and for reception.

    :param portal: is asked for ``ISubmitter``, with :class:`mailshare.shell.logins.PasswordLogin`,
        :class:`mailshare.shell.logins.VerifiedLogin` or twisted's ``Anonymous``.
    :param hostname: what the server calls itself.
    :param tls: offers STARTTLS; for implicit TLS use a TLS endpoint.
    :param gates: asked in order before the avatar.
    :param verifier: offers SCRAM-SHA-256.
    :param trusted_networks: ``192.0.2.0/24`` ...; from there AUTH is taken without TLS, and sessions are ``trusted``.
    :param anonymous: whether those who do not log in get an avatar, by ``Anonymous`` credentials.
    :param device: gives the login that a peer's address stands for, or ``""``; for scanners and the like that cannot
        log in. It is handed to the portal as a proven login.
    :param observe: called with +1 and the client's address when a message begins to come in, with -1 when that is over.
    :param entered: is told ``(login, peer)`` of each who logged in, machines that are known by their address too.
    :param nonce: makes a fresh nonce for SCRAM.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        reactor: IReactorTime,
        hostname: str,
        limits: SMTPLimits | None = None,
        tls: IOpenSSLContextFactory | None = None,
        gates: Sequence[IGate] = (),
        verifier: IVerifierSource | None = None,
        trusted_networks: Sequence[str] = (),
        anonymous: bool = True,
        device: Callable[[str], str] = _nobody,
        observe: Callable[[int, str], None] = _unobserved,
        entered: Callable[[str, str], None] = lambda _login, _peer: None,
        nonce: Callable[[], str] = random_nonce,
    ) -> None:
        self.smtp_limits = limits or SMTPLimits()
        super().__init__(reactor, limits=self.smtp_limits.connections, tls=tls)
        self.portal = portal
        self.hostname = hostname
        self.gates = tuple(gates)
        self.verifier = verifier
        self.trusted_networks = tuple(ipaddress.ip_network(text, strict=False) for text in trusted_networks)
        self.anonymous = anonymous
        self.device = device
        self.observe = observe
        self.entered = entered
        self._nonce = nonce
        self._known = lru_cache(maxsize=4096)(self._lies_within)
        self._settings = {trusted: self._settings_where(trusted=trusted) for trusted in (False, True)}

    def trusts(self, host: str) -> bool:
        """Tell whether this address lies in a trusted network."""
        return self._known(host)

    def _lies_within(self, host: str) -> bool:
        if not self.trusted_networks:
            return False
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted_networks)

    def build_session(self, connection: Connection) -> SMTPSession:
        """Make the session of one connection."""
        trusted = self.trusts(connection.peer)
        engine = SMTPServerEngine(self._settings[trusted], nonce=self._nonce, secure=connection.secure)
        return SMTPSession(self, connection, engine, trusted=trusted)

    def _settings_where(self, *, trusted: bool) -> SMTPSettings:
        """What all sessions of trusted networks, or of others, have in common."""
        limits = self.smtp_limits
        return SMTPSettings(
            self.hostname,
            max_size=limits.max_size,
            max_recipients=limits.max_recipients,
            max_line=limits.command_line,
            max_auth_line=limits.auth_line,
            max_body_line=limits.body_line,
            max_header=limits.header_size,
            max_hops=limits.max_hops,
            tls=self.tls is not None,
            mechanisms=(("SCRAM-SHA-256",) if self.verifier else ()) + ("PLAIN", "LOGIN"),
            clear_auth=trusted,
            old_form=trusted,
            login_failures=limits.login_failures,
            idle_commands=limits.idle_commands,
            unknown_recipients=limits.unknown_recipients,
            whole_envelopes=not self.gates,
        )

    def last_words(self, why: Goodbye) -> bytes:
        """The 421 that ends a connection (RFC 5321 section 3.8)."""
        code, enhanced, text = _GOODBYE[why]
        return reply(code, enhanced, f"{self.hostname} {text}")
