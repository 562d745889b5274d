"""What one message costs in steps: function calls and SQL statements, which are the same on every machine.

The bounds are a little above what was counted when they were set (docs/performance.md). Whoever needs more steps for
something worth them raises the bound; nobody should do so without having seen it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.values import Account, AccountMode, User
from mailshare.delivery.answers import Answers
from mailshare.delivery.intake import Intake
from mailshare.delivery.quotas import Quotas
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.delivery.submission import Desk
from mailshare.interfaces import ISubmitter
from mailshare.smtp.factory import SMTPFactory
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import BERLIN, finish

CALLS = {1: 366, 20: 414}
STATEMENTS = {1: 13, 20: 15}


@implementer(IRealm)
class _Realm:
    """Gives everybody the submitter of nobody."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> tuple[object, object, object]:
        return ISubmitter, self._desk.submitter(None), lambda: None


class Office:
    """A door with everything behind it in memory, and a client that trusted people would run."""

    def __init__(self) -> None:
        clock = Clock()
        clock.advance(1_795_259_000)
        self.store = MemoryStore(clock=clock)
        finish(self.store.open())
        finish(self.store.directory.add_account(
            Account(0, 0, Address("all", "office.example"), mode=AccountMode.DOMAIN, domains=("office.example",))
        ))  # fmt: skip
        for number in range(20):
            finish(self.store.directory.add_user(User(0, f"user{number}", accounts=(1,))))
        reports = Reports(self.store, clock, bytes)
        intake = Intake(
            self.store, Router(), clock, reports,
            quotas=Quotas(self.store, clock, reports), answers=Answers(self.store, clock, BERLIN, bytes),
        )  # fmt: skip
        portal = Portal(_Realm(Desk(self.store, intake, clock, os.urandom)), [AllowAnonymousAccess()])
        factory = SMTPFactory(portal, reactor=clock, hostname="mail.test", trusted_networks=["192.0.2.0/24"])
        self.protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 12345))
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)
        self.numbers: Iterator[int] = iter(range(1_000))
        self.statements: list[str] = []
        self.store._database._connection.set_trace_callback(self.statements.append)  # type: ignore[attr-defined]
        self.say(b"EHLO client.test\r\n", b"250 ")

    def say(self, octets: bytes, wanted: bytes) -> None:
        """Send; the last reply must begin so."""
        self.protocol.dataReceived(octets)
        replies = self.transport.value().splitlines()
        self.transport.clear()
        assert replies[-1].startswith(wanted), replies

    def hand_in(self, recipients: int) -> None:
        """One message of 4 KiB, the envelope in one piece."""
        number = next(self.numbers)
        names = b"".join(b"RCPT TO:<user%d@office.example>\r\n" % each for each in range(recipients))
        self.say(b"MAIL FROM:<x@outside.example>\r\n" + names + b"DATA\r\n", b"354")
        self.say(
            b"From: Some Body <x@outside.example>\r\nTo: Else <else@outside.example>\r\nSubject: message %d\r\n"
            b"Message-ID: <%d@outside.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\n" % (number, number)
            + b"The quick brown fox jumps over the lazy dog.\r\n" * 90 + b".\r\n",
            b"250",
        )  # fmt: skip


def calls_of(act: Callable[[], object]) -> int:
    """Calls of functions, of Python's and of C's."""
    count = 0

    def look(_frame: Any, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # what becomes of others' garbage is no call of ours
    sys.setprofile(look)
    try:
        act()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


@pytest.mark.parametrize("recipients", [1, 20])
def test_steps_of_a_message_that_comes_in(recipients: int) -> None:
    """From the socket to the row in the mailbox; the second message, for the first fills what is remembered."""
    office = Office()
    office.hand_in(recipients)
    office.statements.clear()
    calls = calls_of(lambda: office.hand_in(recipients))
    assert calls <= CALLS[recipients]
    statements = [each for each, _ in groupby(office.statements)]  # one is told again for what a trigger does within it
    assert len(statements) <= STATEMENTS[recipients], statements
