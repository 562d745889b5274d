"""Messages that a maildrop has at hand are answered before anything else is done with the command."""

from __future__ import annotations

from collections.abc import MutableMapping

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.interfaces import IForesightedMaildrop, IMailboxOpener
from mailshare.pop3.limits import POP3Limits

TEXT = b"Subject: x\r\n\r\n..dot\r\n"
REPLY = b"+OK 20 octets\r\n" + TEXT + b".\r\n"


@implementer(IForesightedMaildrop)
class Foresighted:
    """A maildrop that has small messages at hand."""

    shown: MutableMapping[str, bytes]

    def __init__(self, drop: object, given: list[int]) -> None:
        self._drop = drop
        self._given = given
        self.shown = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def at_hand(self, uid: int) -> bytes | None:
        self._given.append(uid)
        if uid == 13:
            raise ZeroDivisionError("a fault of the maildrop")
        return TEXT

    def forget_ahead(self) -> None:
        """Nothing is held."""


@pytest.fixture
def reading(build_office):
    """An office whose maildrop has messages at hand, what it gave, and a client that has asked for its listing."""
    office = build_office(limits=POP3Limits(idle=600))
    given: list[int] = []

    @implementer(IMailboxOpener)
    class Opener:
        async def open(self, owner: str) -> Foresighted:
            return Foresighted(await inner.open(owner), given)

    realm = office.factory.portal.realm
    interface, inner, logout = realm._answer
    realm._answer = interface, Opener(), logout
    office.box.messages = dict.fromkeys((11, 12, 13), b"Subject: x\r\n\r\n.dot\r\n")
    client = office.connect()
    client.log_in()
    client.say(b"LIST")
    return office, client, given


def test_whoever_fetches_is_not_idle(reading):
    """Each answer moves the deadline."""
    office, client, given = reading
    for _ in range(5):
        office.clock.advance(500)
        assert client.say(b"RETR 1") == REPLY
    assert given == [11] * 5
    office.clock.advance(601)
    assert client.closed


def test_nothing_is_answered_behind_the_last_words(reading):
    """A session that was told goodbye gets no mail on top."""
    office, client, given = reading
    done = Deferred.fromCoroutine(office.factory.drain(30))
    assert b"stops now" in client.read()
    assert client.say(b"RETR 1", b"RETR 2") == b""
    assert given == []
    client.drop()
    assert done.called


def test_nobody_who_does_not_read_is_answered(reading):
    """While octets wait for the client its commands wait as well; afterwards they are answered in order."""
    _, client, given = reading
    client.protocol.outlet_full()
    assert client.say(b"RETR 1", b"RETR 2") == b""
    assert given == []
    client.protocol.outlet_free()
    assert client.read() == 2 * REPLY
    assert given == [11, 12]


def test_a_fault_of_the_maildrop_ends_the_session(reading, logged_failures):
    """It is logged and told as any other."""
    _, client, _ = reading
    assert client.say(b"RETR 3") == b"-ERR [SYS/TEMP] Something went wrong here; please try again later\r\n"
    assert client.closed
    assert len(logged_failures.flush(ZeroDivisionError)) == 1
