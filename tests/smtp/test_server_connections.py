"""The generic server under SMTP: limits, deadlines, back-pressure and the orderly end, on a clock and in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.errors import Unavailable
from mailshare.shell.limits import ConnectionLimits, Goodbye, PeerCount, peer_network
from mailshare.smtp.factory import SMTPFactory, SMTPLimits

HELLO = b"EHLO client.test"
MAIL = b"MAIL FROM:<a@b.test>"
RCPT = b"RCPT TO:<joe@test.local>"


@pytest.fixture
def limited(make_factory: Callable[..., SMTPFactory]) -> Callable[..., SMTPFactory]:
    """Give a function that builds a factory with some connection limits changed."""

    def make(**limits: object) -> SMTPFactory:
        return make_factory(limits=SMTPLimits(connections=ConnectionLimits(**limits)))

    return make


def test_connections_are_limited(connect, limited, clock: Clock) -> None:
    """Past the limits the greeting is 421, by peer and in all; whoever leaves makes room."""
    factory = limited(total=3, per_peer=2)
    first, second, third = connect(factory), connect(factory), connect(factory)
    clock.pump([0] * 4)
    assert third.read() == ["421 4.7.0 mail.test Too many connections from your address"]
    assert third.gone
    other, fourth = connect(factory, "2001:db8::1"), connect(factory, "2001:db8:1::1")
    clock.pump([0] * 4)
    assert other.read()[0].startswith("220 ")
    assert fourth.read()[0].startswith("421 4.3.2 ")
    first.transport.loseConnection()
    assert connect(factory).read()[0].startswith("220 ")
    assert second.codes(HELLO) == ["220", "250"]


def test_who_left_in_the_same_turn_takes_no_room(connect, limited, clock: Clock) -> None:
    """Connections that were reset at once are heard of after the next one came."""
    factory = limited(per_peer=2)
    scanners = [connect(factory) for _ in range(6)]
    client = connect(factory)
    assert client.read() == []
    for each in scanners:
        each.transport.loseConnection()
    clock.pump([0] * 4)
    assert [line[:4] for line in client.read()] == ["220 "]
    assert client.codes(HELLO) == ["250"]
    client.transport.loseConnection()
    assert factory.peers.total == 0


@pytest.mark.parametrize(("leaves", "code"), [(True, "554"), (False, "421")])
def test_who_speaks_before_there_is_room(connect, limited, clock: Clock, leaves: bool, code: str) -> None:
    """What it says is kept, one piece of it, and answered if it may come in: that one waits for the greeting."""
    factory = limited(per_peer=1)
    first, second = connect(factory), connect(factory)
    assert second.say(HELLO + b"\r\n") == []
    assert second.transport.producerState == "paused"
    second.protocol.readConnectionLost()
    if leaves:
        first.transport.loseConnection()
    clock.pump([0] * 4)
    assert [line[:3] for line in second.read()] == [code]
    assert second.gone


def test_peers_are_counted_by_network() -> None:
    """One IPv6 /64 is one peer, an IPv4 address inside IPv6 is itself, and nothing is kept of those who left."""
    assert peer_network("2001:db8::1") == peer_network("2001:db8::ffff:1") != peer_network("2001:db8:0:1::1")
    assert peer_network("::ffff:192.0.2.1") == "192.0.2.1"
    assert peer_network("fe80::1%eth0") == "fe80::/64"
    count = PeerCount(ConnectionLimits(total=5, per_peer=1))
    assert count.enter("192.0.2.1") is None
    assert count.enter("192.0.2.1") is Goodbye.FULL_FOR_PEER
    count.leave("192.0.2.1")
    assert (count.total, count._by_network) == (0, {})


def test_silence_is_ended(connect, make_factory, clock: Clock) -> None:
    """30 seconds for EHLO, 300 for each command after, to the second and with a reason."""
    silent, talking = connect(make_factory()), connect(make_factory())
    talking.codes(HELLO)
    silent.read()
    clock.pump([1] * 32)
    assert silent.read() == ["421 4.4.2 mail.test Nothing came for too long"]
    assert silent.gone
    assert not talking.gone
    clock.pump([1] * 260)
    assert talking.codes(b"NOOP") == ["250"]
    clock.pump([1] * 299)
    assert not talking.gone
    clock.pump([1] * 2)
    assert talking.gone


def test_a_dripping_command_is_no_activity(connect, clock: Clock) -> None:
    """An octet now and then does not move the deadline of a command."""
    client = connect()
    for _ in range(32):
        client.say(b"x")
        clock.advance(1)
    assert client.gone


def test_a_dripping_body_is_too_slow(connect, clock: Clock, book) -> None:
    """A message that brings fewer than 200 octets a second over a minute is ended."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    said = []
    for _ in range(62):
        said += client.say(b"x" * 150)
        clock.advance(1)
    assert said + client.read() == ["421 4.4.2 mail.test The message comes too slowly"]
    assert (client.gone, book.aborted, book.taken) == (True, 1, [])


def test_a_slow_body_in_time_is_taken(connect, clock: Clock, book) -> None:
    """300 octets a second are enough, for as long as a message may take."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    for _ in range(600):
        client.say(b"x" * 298 + b"\r\n")
        clock.advance(1)
    assert client.codes(b".") == ["250"]
    assert client.codes(MAIL, RCPT, b"DATA")[-1] == "354"
    for _ in range(1802):
        client.say(b"x" * 298 + b"\r\n")
        clock.advance(1)
    assert client.gone
    assert len(book.taken) == 1


def test_a_silent_body_is_ended(connect, limited, clock: Clock) -> None:
    """No octet of a body for three minutes ends it, whatever its rate was."""
    client = connect(limited(rate=0))
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    clock.pump([1] * 179)
    assert not client.gone
    clock.pump([1] * 2)
    assert client.gone


def test_time_that_we_need_is_not_counted(connect, book, clock: Clock) -> None:
    """While the realm works on a message, however long, the peer is not late."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    book.hold = Deferred()
    client.say(b"x\r\n.\r\n")
    clock.pump([10] * 60)
    assert not client.gone
    book.hold.callback(None)
    assert client.read()[0].startswith("250 ")
    clock.pump([1] * 299)
    assert not client.gone


def test_a_wait_that_fails_is_the_answer(connect, book, logged_failures) -> None:
    """What was waited for may end in a refusal, also after another wait; the session hears that one and goes on."""
    client = connect()
    client.codes(HELLO)
    for fault, code in ((Unavailable("not now", code=452, enhanced=(4, 3, 1)), "452"), (KeyError("odd"), "451")):
        book.hold = Deferred()
        client.say(MAIL + b"\r\n")
        assert client.read() == []
        book.hold.errback(fault)
        book.hold = None
        assert client.read()[0].startswith(code)
    assert client.codes(MAIL, RCPT) == ["250", "250"]
    assert len(logged_failures.flush(KeyError)) == 1


def test_faults_slow_down_then_end(connect, clock: Clock) -> None:
    """From the fifth fault each costs a second, the fifteenth is the last; the rest of the flood is not looked at."""
    client = connect()
    client.read()
    got = [line[:3] for line in client.say(HELLO + b"\r\n") if line[3] == " "]
    got += [line[:3] for line in client.say(b"JUNK\r\n" * 100)]
    assert got == ["250"] + ["500"] * 5
    for _ in range(9):
        clock.advance(1)
        got += [line[:3] for line in client.read()]
    assert got == ["250"] + ["500"] * 14
    clock.advance(1)
    got += [line[:3] for line in client.read()]
    assert got == ["250"] + ["500"] * 15 + ["421"]
    assert client.gone


def test_flood_while_busy_is_paused(connect, book) -> None:
    """When commands wait for a slow realm the transport is paused, and goes on when they are read."""
    client = connect()
    client.codes(HELLO)
    book.hold = Deferred()
    client.say(MAIL + b"\r\n")
    assert client.transport.producerState == "producing"
    client.say(b"NOOP\r\n" * 40)
    assert client.transport.producerState == "paused"
    book.hold.callback(None)
    assert client.transport.producerState == "producing"
    assert len(client.read()) == 1 + 40


def test_slow_disk_stops_reading(connect, book) -> None:
    """While a write waits for the disk nothing more is handed to it."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    book.write_hold = Deferred()
    client.say(b"a" * 100)
    for _ in range(3):
        client.say(b"b" * 29_998 + b"\r\n")
    assert client.transport.producerState == "paused"
    hold, book.write_hold = book.write_hold, None
    hold.callback(None)
    assert client.transport.producerState == "producing"
    assert client.codes(b"", b".") == ["250"]
    assert len(book.taken[0][2]) == 100 + 90_000 + 2


def test_peer_that_does_not_read(connect, clock: Clock) -> None:
    """While our replies lie unread no command is run, and after ten minutes the connection is cut."""
    client = connect()
    client.codes(HELLO)
    client.transport.producer.pauseProducing()
    assert client.say(b"NOOP\r\n" * 40) == []
    client.transport.producer.resumeProducing()
    assert len(client.read()) == 40
    client.transport.producer.pauseProducing()
    client.say(b"NOOP\r\n")
    clock.pump([1] * 601)
    assert client.transport.disconnecting or client.gone


def test_half_closed_peer_gets_its_answers(connect, book) -> None:
    """A client that sends everything and stops sending is answered, then closed; a body without its dot is dropped."""
    client = connect()
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    book.hold = Deferred()
    client.say(b"x\r\n.\r\n")
    client.protocol.readConnectionLost()
    assert not client.gone
    book.hold.callback(None)
    assert client.read()[0].startswith("250 ")
    assert client.gone
    cut = connect()
    cut.codes(HELLO, MAIL, RCPT, b"DATA")
    cut.say(b"half")
    cut.protocol.readConnectionLost()
    assert (cut.gone, book.aborted, len(book.taken)) == (True, 1, 1)


def test_orderly_stop(connect, make_factory, book, clock: Clock) -> None:
    """Idle sessions are told, a message under way is finished first, newcomers are turned away."""
    factory = make_factory()
    idle, busy, sending = connect(factory), connect(factory), connect(factory)
    for client in (idle, busy, sending):
        client.codes(HELLO, MAIL, RCPT)
    book.hold = Deferred()
    busy.codes(b"DATA", b"x", b".")
    sending.codes(b"DATA")
    done = Deferred.fromCoroutine(factory.drain(30))
    assert idle.read() == ["421 4.3.2 mail.test The server stops; please try again later"]
    assert connect(factory).read()[0].startswith("421 4.3.2 ")
    assert not done.called
    book.hold.callback(None)
    assert [line[:3] for line in busy.read()] == ["250", "421"]
    book.hold = None
    assert sending.codes(b"y", b".") == ["250", "421"]
    assert done.called
    assert len(book.taken) == 2
    assert not clock.getDelayedCalls()


def test_stop_after_the_grace(connect, make_factory, book, clock: Clock) -> None:
    """What does not end in time is cut."""
    factory = make_factory()
    client = connect(factory)
    client.codes(HELLO, MAIL, RCPT, b"DATA")
    done = Deferred.fromCoroutine(factory.drain(5))
    clock.advance(4)
    assert not done.called
    clock.advance(1)
    assert done.called
    assert (client.gone, book.aborted) == (True, 1)


def test_no_timer_without_connections(connect, make_factory, clock: Clock) -> None:
    """One ticker serves all connections, and none runs when there are none."""
    factory = make_factory()
    clients = [connect(factory) for _ in range(5)]
    assert len(clock.getDelayedCalls()) == 1
    for client in clients:
        client.transport.loseConnection()
    assert clock.getDelayedCalls() == []


def test_a_session_that_breaks(connect, logged_failures, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of our own is logged once and ends that session alone, with a reply."""
    client, other = connect(), connect()
    client.codes(HELLO)

    def broken(_: bytes) -> object:
        raise ZeroDivisionError

    client.protocol._session.engine._line = broken
    assert client.codes(b"NOOP") == ["421"]
    assert client.gone
    assert len(logged_failures.flush(ZeroDivisionError)) == 1
    assert other.codes(HELLO)[-1] == "250"


def test_one_write_for_a_flight(connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replies to pipelined commands leave in one write."""
    client = connect()
    client.codes(HELLO)
    writes = []
    monkeypatch.setattr(client.transport, "write", writes.append)
    client.protocol.dataReceived(MAIL + b"\r\n" + RCPT + b"\r\nNOOP\r\n")
    assert len(writes) == 1


def test_a_handshake_that_never_ends(connect, make_factory, clock: Clock) -> None:
    """Whoever asked for TLS has 20 seconds to do it; then the connection is cut."""
    client = connect(make_factory(tls=object()))
    begun: list[object] = []
    client.transport.startTLS = begun.append
    assert client.codes(HELLO, b"STARTTLS") == ["220", "250", "220"]
    assert len(begun) == 1
    clock.pump([1] * 19)
    assert not client.gone
    clock.pump([1] * 2)
    assert client.gone


def test_octets_that_arrived_behind_starttls(connect, make_factory, book) -> None:
    """Octets that came in a later packet, but before TLS could start, end the connection without being looked at."""
    client = connect(make_factory(tls=object()))
    begun: list[object] = []
    client.transport.startTLS = begun.append
    client.codes(HELLO)
    book.hold = Deferred()
    client.say(MAIL + b"\r\nSTARTTLS\r\n", b"EHLO evil.test\r\n")
    book.hold.callback(None)
    assert begun == []
    assert client.gone
    assert not any("evil" in line or line.startswith("250-") for line in client.read())


def test_one_session_has_an_end(connect, limited, clock: Clock) -> None:
    """However lively it is, a session lasts no longer than its limit."""
    client = connect(limited(session=100))
    for _ in range(101):
        client.say(b"NOOP\r\n")
        clock.advance(1)
    assert client.gone
