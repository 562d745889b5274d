"""What a login costs in calls of functions, which are the same everywhere; bounds as for the cost of a message."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from mailshare.core.address import Address
from mailshare.core.values import Account, User
from mailshare.pop3.factory import POP3Factory
from mailshare.portal.checkers import CheckerStack, DirectoryChecker
from mailshare.portal.passwords import Passwords
from mailshare.portal.portal import PromptPortal
from mailshare.portal.realm import MailRealm, mail_avatars
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.shell.server import EngineFactory
from mailshare.smtp.factory import SMTPFactory
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import finish
from tests.test_cost_of_a_message import calls_of

T = TypeVar("T")
CALLS = {"pop3": 392, "smtp": 370}
SAID = {
    "pop3": (b"USER joe\r\n", b"PASS secret\r\n", b"STAT\r\n", b"QUIT\r\n"),
    "smtp": (b"EHLO client.test\r\n", b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", b"QUIT\r\n"),
}


async def _here(work: Callable[[], T]) -> T:
    return work()


def _factories() -> dict[str, EngineFactory]:
    """Both servers before one store and one user; a password that was right once is remembered."""
    clock = Clock()
    clock.advance(1_795_259_000)
    store = MemoryStore(clock=clock)
    finish(store.open())
    finish(store.directory.add_account(Account(0, 0, Address("all", "office.example"))))
    finish(store.directory.add_user(User(0, "joe", accounts=(1,))))
    passwords = Passwords(_here, os.urandom, memory=64, passes=1)
    checker = DirectoryChecker(
        store.directory, passwords, Throttle(), VerifiedCache(b"k" * 32), clock, lambda _: "secret"
    )
    realm = MailRealm(store.directory, mail_avatars(store.mailboxes, lambda user: ("submitter", user)))  # type: ignore[arg-type, return-value]
    portal = PromptPortal(realm, [CheckerStack([checker, AllowAnonymousAccess()])])
    common: dict[str, Any] = {"reactor": clock, "hostname": "mail.test", "trusted_networks": ["192.0.2.0/24"]}
    return {"pop3": POP3Factory(portal, **common), "smtp": SMTPFactory(portal, **common)}


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


@pytest.mark.parametrize("kind", ["pop3", "smtp"])
def test_steps_of_a_session_with_a_login(kind: str) -> None:
    """From the connection to its end, with a password that is remembered."""
    factory = _factories()[kind]
    for _ in range(2):
        assert _session(factory, SAID[kind]).startswith((b"+OK", b"221"))
    assert calls_of(lambda: _session(factory, SAID[kind])) <= CALLS[kind]
