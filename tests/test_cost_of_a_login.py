"""What a login costs in calls of functions, which are the same everywhere; bounds as for the cost of a message."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from mailshare.core.address import Address
from mailshare.core.values import Account, AccountMode, User
from mailshare.delivery.intake import Intake
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.delivery.submission import Desk
from mailshare.pop3.factory import POP3Factory
from mailshare.portal.checkers import CheckerStack, DirectoryChecker
from mailshare.portal.passwords import Passwords
from mailshare.portal.portal import PromptPortal
from mailshare.portal.realm import MailRealm, mail_avatars
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.shell.prompt_socket import PromptSocket
from mailshare.shell.server import EngineFactory
from mailshare.smtp.factory import SMTPFactory
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import finish
from tests.test_cost_of_a_message import calls_of

T = TypeVar("T")
CALLS = {"pop3": 374, "smtp": 346, "message": 824}
SOCKET_CALLS = {"pop3": 387, "smtp": 358, "message": 838}
LETTER = b"From: Joe <joe@office.example>\r\nTo: joe@office.example\r\nSubject: x\r\nMessage-ID: <1@client.test>\r\n"
SAID = {
    "pop3": (b"USER joe\r\n", b"PASS secret\r\n", b"STAT\r\n", b"QUIT\r\n"),
    "smtp": (b"EHLO client.test\r\n", b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", b"QUIT\r\n"),
    "message": (
        b"EHLO client.test\r\n",
        b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n",
        b"MAIL FROM:<joe@office.example>\r\nRCPT TO:<joe@office.example>\r\nDATA\r\n",
        LETTER + b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nx\r\n.\r\n",
        b"QUIT\r\n",
    ),
}


async def _here(work: Callable[[], T]) -> T:
    return work()


def _factories() -> dict[str, EngineFactory]:
    """Both servers before one store and one user; a password that was right once is remembered."""
    clock = Clock()
    clock.advance(1_795_259_000)
    store = MemoryStore(clock=clock)
    finish(store.open())
    finish(
        store.directory.add_account(
            Account(0, 0, Address("all", "office.example"), mode=AccountMode.DOMAIN, domains=("office.example",))
        )
    )
    finish(store.directory.add_user(User(0, "joe", accounts=(1,))))
    passwords = Passwords(_here, os.urandom, memory=64, passes=1)
    checker = DirectoryChecker(
        store.directory, passwords, Throttle(), VerifiedCache(b"k" * 32), clock, lambda _: "secret"
    )
    intake = Intake(store, Router(), clock, Reports(store, clock, bytes))
    realm = MailRealm(store.directory, mail_avatars(store.mailboxes, Desk(store, intake, clock, os.urandom).submitter))
    portal = PromptPortal(realm, [CheckerStack([checker, AllowAnonymousAccess()])])
    common: dict[str, Any] = {"reactor": clock, "hostname": "mail.test", "trusted_networks": ["192.0.2.0/24"]}
    smtp = SMTPFactory(portal, **common)
    return {"pop3": POP3Factory(portal, **common), "smtp": smtp, "message": smtp}


def _session(factory: EngineFactory, lines: tuple[bytes, ...]) -> bytes:
    """One connection from its beginning to its end; the last reply."""
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 12345))
    transport = StringTransportWithDisconnection()
    transport.protocol = protocol
    protocol.makeConnection(transport)
    for line in lines:
        transport.clear()
        protocol.dataReceived(line)
    assert not transport.connected
    return bytes(transport.value())


class _Still:
    """A reactor that is told who wants to read, and never takes a turn."""

    def addReader(self, _: object) -> None:
        """Somebody begins, or ends."""

    removeReader = addReader


def _session_on_a_socket(factory: EngineFactory, lines: tuple[bytes, ...]) -> bytes:
    """The same on a socket of our own listeners."""
    ours, theirs = socket.socketpair()
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 12345))
    transport = PromptSocket(ours, protocol, ("192.0.2.7", 12345), None, 0, _Still())
    protocol.makeConnection(transport)
    with theirs:
        theirs.recv(4096)
        for line in lines:
            theirs.sendall(line)
            transport.doRead()
            got = theirs.recv(4096)
        assert theirs.recv(1) == b""
    assert not transport.connected
    return got


@pytest.mark.parametrize("kind", ["pop3", "smtp", "message"])
def test_steps_of_a_session_with_a_login(kind: str) -> None:
    """From the connection to its end, with a password that is remembered."""
    factory = _factories()[kind]
    for _ in range(2):
        assert _session(factory, SAID[kind]).startswith((b"+OK", b"221"))
    assert calls_of(lambda: _session(factory, SAID[kind])) <= CALLS[kind]
    for _ in range(2):
        assert _session_on_a_socket(factory, SAID[kind]).startswith((b"+OK", b"221"))
    assert calls_of(lambda: _session_on_a_socket(factory, SAID[kind])) <= SOCKET_CALLS[kind]
