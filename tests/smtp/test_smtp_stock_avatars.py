"""Avatars of Twisted's own kind serve through the adapters, unchanged."""

from __future__ import annotations

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory, IMessageSMTP
from twisted.mail.smtp import SMTPBadRcpt, SMTPServerError
from zope.interface import implementer

from mailshare.core.errors import LocalFault
from mailshare.smtp.adapters import StockAddress, submitter_for
from mailshare.smtp.factory import SMTPFactory

HELLO = b"EHLO client.test"
MAIL = b"MAIL FROM:<a@b.test>"


@implementer(IMessageSMTP)
class StockMessage:
    """Keeps lines."""

    def __init__(self, outcome: Deferred[None]) -> None:
        self.lines: list[bytes] = []
        self.outcome = outcome
        self.ended = self.dropped = False

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)

    def eomReceived(self) -> Deferred[None]:
        self.ended = True
        return self.outcome

    def connectionLost(self) -> None:
        self.dropped = True


@implementer(IMessageDelivery)
class StockDelivery:
    """Takes mail for joe."""

    def __init__(self) -> None:
        self.messages: list[StockMessage] = []
        self.outcome: Deferred[None] = succeed(None)

    def receivedHeader(self, helo: object, origin: object, recipients: list[object]) -> bytes:
        return b"Received: from " + helo[0] + b" for " + b",".join(str(each).encode() for each in recipients)  # type: ignore[index]

    def validateFrom(self, helo: object, origin: StockAddress) -> Deferred[StockAddress]:
        return succeed(origin)

    def validateTo(self, user: object) -> object:
        if user.dest.local != b"joe":  # type: ignore[attr-defined]
            raise SMTPBadRcpt(user)
        return self.make

    def make(self) -> StockMessage:
        self.messages.append(StockMessage(self.outcome))
        return self.messages[-1]


@implementer(IMessageDeliveryFactory)
class StockDeliveryFactory:
    """Gives the same delivery each time."""

    def __init__(self, delivery: StockDelivery) -> None:
        self.delivery = delivery
        self.made = 0

    def getMessageDelivery(self) -> StockDelivery:
        self.made += 1
        return self.delivery


@pytest.fixture(params=["delivery", "factory"])
def stock(request: pytest.FixtureRequest, clock) -> tuple[StockDelivery, SMTPFactory]:
    """A realm that never heard of mailshare, and a server over it."""
    delivery = StockDelivery()
    factory = StockDeliveryFactory(delivery)

    @implementer(IRealm)
    class StockRealm:
        def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> tuple[object, object, object]:
            if request.param == "factory":
                return IMessageDeliveryFactory, factory, lambda: None
            return IMessageDelivery, delivery, lambda: None

    portal = Portal(StockRealm())
    portal.registerChecker(AllowAnonymousAccess())
    return delivery, SMTPFactory(portal, reactor=clock, hostname="mail.test")


def test_stock_realm_takes_a_message(stock, connect) -> None:
    """One IMessage per recipient, the realm's own Received line first, lines without their ends."""
    delivery, factory = stock
    client = connect(factory)
    assert client.codes(HELLO, MAIL, b"RCPT TO:<joe@x.test>", b"RCPT TO:<who@x.test>", b"DATA") == [
        "220", "250", "250", "250", "550", "354",
    ]  # fmt: skip
    assert client.say(b"a: b\r\n\r\nhi", b"\r\n..\r\n.\r\n")[0].startswith("250 ")
    (message,) = delivery.messages
    assert message.lines == [b"Received: from client.test for joe@x.test", b"a: b", b"", b"hi", b"."]
    assert message.ended
    assert not message.dropped


def test_stock_realm_fails(stock, connect) -> None:
    """A code of the realm's own reaches the client; a temporary one stays temporary."""
    delivery, factory = stock
    client = connect(factory)
    delivery.outcome = fail(SMTPServerError(452, b"No room"))
    client.codes(HELLO, MAIL, b"RCPT TO:<joe@x.test>", b"DATA")
    assert client.say(b"x\r\n.\r\n") == ["452 4.0.0 No room"]


def test_stock_realm_hears_of_a_lost_client(stock, connect) -> None:
    """Messages whose client left are told so, and never ended."""
    delivery, factory = stock
    client = connect(factory)
    client.codes(HELLO, MAIL, b"RCPT TO:<joe@x.test>", b"DATA")
    client.say(b"x\r\n")
    client.transport.loseConnection()
    assert delivery.messages[0].dropped
    assert not delivery.messages[0].ended


def test_avatar_of_an_unknown_kind() -> None:
    """A realm that answers with something else is told apart at once."""
    with pytest.raises(LocalFault):
        submitter_for(IRealm, object())
