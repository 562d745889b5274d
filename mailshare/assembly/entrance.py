"""The servers that local mail programs talk to: one portal, one factory for each kind of listener."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import maybeDeferred

from mailshare.assembly.extensions import Extensions
from mailshare.assembly.keys import machine_key
from mailshare.config import Config, Limits
from mailshare.core.errors import LoginRefused
from mailshare.core.values import SECOND
from mailshare.delivery.submission import Desk
from mailshare.interfaces import IStore
from mailshare.journal.counting import Counting
from mailshare.pop3.factory import POP3Factory
from mailshare.pop3.limits import POP3Limits
from mailshare.pop3.observed import LoginRejected, Observed, SessionClosed, SessionOpened
from mailshare.portal.app_passwords import AppPasswords
from mailshare.portal.checkers import CheckerStack, Declared, DirectoryChecker
from mailshare.portal.last_seen import FETCHED, LastSeen
from mailshare.portal.passwords import Passwords
from mailshare.portal.portal import PromptPortal
from mailshare.portal.realm import MailRealm, mail_avatars
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.portal.verifier import DirectoryVerifiers
from mailshare.shell.certificates import CertificateDirectory
from mailshare.shell.limits import ConnectionLimits
from mailshare.shell.logins import PasswordLogin
from mailshare.shell.server import EngineFactory
from mailshare.smtp.device_gate import DeviceGate
from mailshare.smtp.device_rate import DeviceRate
from mailshare.smtp.factory import SMTPFactory, SMTPLimits
from mailshare.store.naming import resolved_login

Told = Callable[[str, str, Mapping[str, object]], None]
Opened = Callable[[str, str], None]


class Entrance:
    """Builds factories over one portal.

    :param declared: the password that the configuration file gives to a login.
    :param counting: hears what local clients are doing now.
    :param tell: ``(kind, user name, data)`` of what sessions did, for the journal.
    :param opened: ``(user name, peer)`` of each mailbox that a mail program opens.
    :ivar device_rate: what machines sent in the last hour.
    :ivar seen: when each user came in last.
    """

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        passwords: Passwords,
        *,
        desk: Desk,
        declared: Declared,
        counting: Counting,
        tell: Told,
        opened: Opened,
        data: str,
        extensions: Extensions,
    ) -> None:
        self._reactor = reactor
        self._tell = tell
        self._opened = opened
        self.throttle = Throttle()
        self.seen = LastSeen(store.settings, lambda: int(reactor.seconds() * SECOND))
        self._counting = counting
        self._store = store
        self.device_rate = DeviceRate(reactor.seconds)
        apps = AppPasswords(store.settings)
        checker = DirectoryChecker(
            store.directory, passwords, self.throttle, VerifiedCache(os.urandom(32)), reactor, declared, apps
        )
        realm = MailRealm(store.directory, mail_avatars(store.mailboxes, desk.submitter))
        self._gates = extensions.built("gates")
        self._checkers = CheckerStack([*extensions.built("checkers"), checker, AllowAnonymousAccess()])
        self.portal = PromptPortal(next(iter(extensions.built("realms")), realm), [self._checkers])
        self._verifiers = DirectoryVerifiers(
            store.directory, passwords, machine_key(data, os.urandom), declared, apps
        )

    def follow(self, config: Config) -> None:
        """Take over what holds for all factories together."""
        self.throttle.forget = config.tables.limits.auth_forget
        self.throttle.delays = tuple(one / 1_000 for one in config.tables.limits.auth_delays)

    async def login(self, name: str, password: bytes, peer: str) -> str:
        """The login that a name and a password are, for whoever opens no mailbox.

        :raises LoginRefused: they are none, or this peer has guessed too often.
        """
        try:
            found = await maybeDeferred(self._checkers.requestAvatarId, PasswordLogin(name, password, peer))
        except UnauthorizedLogin:
            raise LoginRefused from None
        if not isinstance(found, bytes) or not found:
            raise LoginRefused
        login = found.decode("utf-8")
        self._came("print", login, peer)
        return login

    def factory(self, service: str, config: Config) -> EngineFactory:
        """The factory for ``pop3``, ``pop3s``, ``smtp``, ``submission``, ``submissions`` or ``device``."""
        tables = config.tables
        tls: Any = None
        if config.certificates and service not in ("pop3s", "submissions", "device"):
            tls = CertificateDirectory(config.certificates)
        common: dict[str, Any] = {
            "reactor": self._reactor,
            "hostname": tables.server.hostname,
            "tls": tls,
            "verifier": self._verifiers,
            "trusted_networks": tuple(str(network) for network in config.trusted),
        }
        if service in ("pop3", "pop3s"):
            return POP3Factory(
                self.portal, limits=pop3_limits(tables.limits), observe=self._observed, **common
            )
        by_address = service in ("smtp", "device")
        return SMTPFactory(
            self.portal,
            limits=smtp_limits(tables.limits),
            anonymous=service == "smtp",
            device=Devices(config).login if by_address else _nobody,
            observe=self._counting.sending,
            entered=lambda login, peer: self._came("smtp", login, peer),
            gates=[*self._gates, *self._device_gate(service, config)],
            **common,
        )

    def _device_gate(self, service: str, config: Config) -> list[DeviceGate]:
        """The bounds of machines, where there are any; nobody is asked in vain at each command."""
        only = service == "device"
        if not only and (service != "smtp" or not config.device_rules):
            return []
        return [DeviceGate(config.device_rules, self._store.directory.current, self.device_rate, only=only)]

    def _observed(self, seen: Observed) -> None:
        if isinstance(seen, SessionOpened):
            self._counting.receiving(1, seen.peer)
            self._opened(seen.user, seen.peer)
            self._came("pop3", seen.user, seen.peer)
        elif isinstance(seen, SessionClosed):
            self._counting.receiving(-1, seen.peer)
            if seen.retrieved:
                self._came(FETCHED, seen.user, seen.peer)
            if seen.retrieved or seen.deleted:
                data = {"peer": seen.peer, "retrieved": seen.retrieved, "deleted": seen.deleted, "quit": seen.quit}
                self._tell("pop3.session", seen.user, data)
        elif isinstance(seen, LoginRejected):
            self._tell("login.refused", "", {"peer": seen.peer, "login": seen.user[:64], "mechanism": seen.mechanism})

    def _came(self, door: str, login: str, peer: str) -> None:
        user = self._store.directory.current().user_by_name.get(resolved_login(login))
        if user is not None:
            self.seen.note(str(user.id), door, peer)


class Devices:
    """Which login a peer's address stands for."""

    def __init__(self, config: Config) -> None:
        # The longest prefix first: one machine of a network may have a login of its own.
        known = [(network, one.user) for one in config.device_rules for network in one.networks]
        self._devices = sorted([*known, *config.devices], key=lambda one: one[0].prefixlen, reverse=True)

    def login(self, peer: str) -> str:
        """The login, or empty."""
        if not self._devices:
            return ""
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return ""
        address = getattr(address, "ipv4_mapped", None) or address
        return next((login for network, login in self._devices if address in network), "")


def _nobody(_: str) -> str:
    return ""


def connections(limits: Limits) -> ConnectionLimits:
    """The bounds of connections, of every kind of listener."""
    return ConnectionLimits(
        total=limits.connections,
        per_peer=limits.connections_per_peer,
        slow_from=limits.errors_slow,
        penalty=limits.errors_pause,
        faults=limits.errors_close,
        handshake=limits.tls_handshake,
        session=limits.session,
        body_idle=limits.data_block,
        body_whole=limits.data_whole,
        rate=limits.data_rate,
        rate_over=limits.data_rate_over,
    )


def pop3_limits(limits: Limits) -> POP3Limits:
    """The limits of the configuration as the POP3 server takes them."""
    return POP3Limits(
        connections=connections(limits),
        idle=limits.pop3_idle,
        sessions_per_user=limits.pop3_per_user,
        failed_logins=limits.auth_tries,
        auth_line=limits.auth_line,
    )


def smtp_limits(limits: Limits) -> SMTPLimits:
    """The limits of the configuration as the SMTP server takes them."""
    return SMTPLimits(
        max_size=limits.message_size,
        max_recipients=limits.recipients,
        max_hops=limits.received_hops,
        first_command=limits.greeting_timeout,
        command=limits.smtp_idle,
        login_failures=limits.auth_tries,
        idle_commands=limits.idle_commands,
        unknown_recipients=limits.unknown_recipients,
        command_line=limits.command_line,
        auth_line=limits.auth_line,
        body_line=limits.body_line,
        header_size=limits.header_size,
        connections=connections(limits),
    )
