"""The POP3 server as a Twisted factory: give it a portal and an endpoint."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IOpenSSLContextFactory, IReactorTime

from mailshare.interfaces import IVerifierSource
from mailshare.pop3.limits import POP3Limits, networks, within
from mailshare.pop3.observed import Observer, unobserved
from mailshare.pop3.session import POP3Session
from mailshare.shell.connection import Connection
from mailshare.shell.limits import Goodbye
from mailshare.shell.server import EngineFactory
from mailshare.wire.pop3_server import ServerSettings
from mailshare.wire.pop3_server_login import LoginOffer

_LAST_WORDS = {
    Goodbye.FULL: b"-ERR [SYS/TEMP] Too many connections; please try again later\r\n",
    Goodbye.FULL_FOR_PEER: b"-ERR [SYS/TEMP] Too many connections from your address\r\n",
    Goodbye.FAULTS: b"-ERR Too many mistakes\r\n",
    Goodbye.SHUTDOWN: b"-ERR [SYS/TEMP] This server stops now; please come again soon\r\n",
    Goodbye.BROKEN: b"-ERR [SYS/TEMP] Something went wrong here; please try again later\r\n",
}


class POP3Factory(EngineFactory):
    """Serves maildrops over POP3.

    The portal's realm gives :class:`~mailshare.interfaces.IMailboxOpener`, or Twisted's ``IMailboxPOP3`` as it is.

    :param portal: twisted.cred's; it is asked with ``PasswordLogin`` (an ``IUsernamePassword``), and with
        ``VerifiedLogin`` when ``verifier`` is given.
    :param reactor: IReactorTime, for deadlines.
    :param hostname: in the greeting.
    :param tls: context for ``STLS``; ``None`` to offer none. Implicit TLS is the endpoint's business.
    :param verifier: for SCRAM; ``None`` to offer none.
    :param trusted_networks: ``192.168.1.0/24`` ...: peers in them may send passwords outside TLS. Others may not.
    :param observe: is told of sessions and wrong logins.
    :param random_octets: gives so many of them, hard to guess.
    :raises ConfigFault: a network is none.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        reactor: IReactorTime,
        hostname: str,
        limits: POP3Limits | None = None,
        tls: IOpenSSLContextFactory | None = None,
        verifier: IVerifierSource | None = None,
        trusted_networks: Sequence[str] = (),
        observe: Observer = unobserved,
        random_octets: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.pop3_limits = limits or POP3Limits()
        super().__init__(reactor, limits=self.pop3_limits.connections, tls=tls)
        self.portal = portal
        self.verifier = verifier
        self.observe = observe
        trusted = networks(trusted_networks)
        self._in_clear = lru_cache(maxsize=4096)(lambda peer: within(peer, trusted))
        self._random_octets = random_octets
        self._sessions: dict[str, int] = {}
        self._settings = {
            clear: ServerSettings(
                hostname,
                LoginOffer(lambda: base64.b64encode(random_octets(18)).decode(), clear, verifier is not None),
                starttls=tls is not None,
                max_logins=self.pop3_limits.failed_logins,
                max_auth_line=self.pop3_limits.auth_line,
            )
            for clear in (False, True)
        }

    def build_session(self, connection: Connection) -> POP3Session:
        """Make the session of a new connection."""
        return POP3Session(self, connection, self._settings[self._in_clear(connection.peer)])

    def last_words(self, why: Goodbye) -> bytes:
        """Say why a connection ends; a client that was silent too long is told nothing (RFC 1939 section 3)."""
        return _LAST_WORDS.get(why, b"")

    def log_id(self) -> str:
        """A name for one line of the log, which a client may be told."""
        return self._random_octets(8).hex()

    def enter(self, user: str) -> bool:
        """Count one more session of a user; ``False`` when there are enough."""
        count = self._sessions.get(user, 0)
        if count >= self.pop3_limits.sessions_per_user:
            return False
        self._sessions[user] = count + 1
        return True

    def leave(self, user: str) -> None:
        """Undo one :meth:`enter` that was let in."""
        left = self._sessions[user] - 1
        if left:
            self._sessions[user] = left
        else:
            del self._sessions[user]
