"""Connections that stay are read for together; nobody notices, whatever they do next."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.protocol import ServerFactory as TwistedServerFactory
from twisted.internet.task import Clock, deferLater
from twisted.internet.tcp import Server
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from mailshare.shell.shared_reader import SharedReader
from mailshare.smtp.factory import SMTPFactory

LETTER = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<joe@test.local>\r\nDATA\r\n"
BODY = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 40_000 + b".\r\n"


@pytest.fixture
def served(make_factory: Callable[..., SMTPFactory]) -> Iterator[tuple[SMTPFactory, int]]:
    """A server on the real reactor, and its port."""
    from twisted.internet import reactor

    factory = make_factory(reactor=reactor)
    listening = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
    yield factory, int(listening.getHost().port)
    for each in Client.made:
        each.close()
    Client.made.clear()
    pytest_twisted.blockon(listening.stopListening())
    pytest_twisted.blockon(Deferred.fromCoroutine(factory.drain(5)))


async def until(true: Callable[[], object]) -> None:
    """Let the reactor turn until it is so."""
    from twisted.internet import reactor

    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        await deferLater(reactor, 0.005)  # type: ignore[arg-type]


class Client:
    """A client in threads, one step at a time."""

    made: ClassVar[list[socket.socket]] = []

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.made.append(self.socket)

    async def said(self, octets: bytes, wanted: bytes) -> None:
        """Send, and read until a reply begins so; with no octets, read only."""

        def talk() -> None:
            self.socket.sendall(octets)
            got = b""
            while not any(line.startswith(wanted) for line in got.splitlines()):
                more = self.socket.recv(4096)
                assert more, got
                got += more

        await deferToThread(talk)

    async def rest(self) -> bytes:
        """All that comes until the end."""

        def read() -> bytes:
            got = b""
            while more := self.socket.recv(4096):
                got += more
            return got

        return await deferToThread(read)


async def stayed(factory: SMTPFactory, port: int) -> tuple[Client, Any]:
    """A client that has stayed for a look at the deadlines, and its connection."""
    before = set(factory._connections)
    client = Client(port)
    await client.said(b"", b"220 ")
    await client.said(b"EHLO client.test\r\n", b"250 ")
    (connection,) = factory._connections - before
    connection.tick(factory.reactor.seconds())
    assert connection.transport.reactor is factory.reader
    return client, connection


@pytest_twisted.ensureDeferred
async def test_messages_go_on_as_before(served: tuple[SMTPFactory, int], book: Any) -> None:
    """Small and large, of several at once; and one that just came is the reactor's own."""
    factory, port = served
    first, second, young = (await stayed(factory, port))[0], (await stayed(factory, port))[0], Client(port)
    for number in range(3):
        for client in (first, second):
            await client.said(LETTER, b"354 ")
            await client.said(b"Subject: %d\r\n\r\nx\r\n.\r\n" % number, b"250 ")
            await client.said(LETTER, b"354 ")
            await client.said(BODY, b"250 ")
    await young.said(b"EHLO young.test\r\n", b"250 ")
    for client in (first, young, second):
        await client.said(b"QUIT\r\n", b"221 ")
        assert await client.rest() == b""
    assert len(book.taken) == 12
    assert {len(body) for _, _, body in book.taken} == {17, len(BODY) - 3}
    await until(lambda: not factory._connections)


@pytest_twisted.ensureDeferred
async def test_who_sends_while_nobody_looks_is_read_later(served: tuple[SMTPFactory, int], book: Any) -> None:
    """Reading pauses while a message is stored, and goes on."""
    factory, port = served
    client, connection = await stayed(factory, port)
    await client.said(LETTER, b"354 ")
    book.hold = Deferred()
    client.socket.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n")
    await until(lambda: connection._running)
    envelope = LETTER.removesuffix(b"DATA\r\n")
    await deferToThread(client.socket.sendall, envelope + b"BDAT %d LAST\r\n" % len(BODY) + BODY)
    await until(lambda: connection._paused)
    hold, book.hold = book.hold, None
    hold.callback(None)
    await client.said(b"QUIT\r\n", b"221 ")
    assert len(book.taken) == 2


@pytest_twisted.ensureDeferred
async def test_the_end_of_one_is_its_own(served: tuple[SMTPFactory, int]) -> None:
    """Closing for writing, cutting, and leaving: each ends that connection in its way, and no other."""
    factory, port = served
    one, half, cut, gone = [(await stayed(factory, port)) for _ in range(4)]
    half[0].socket.sendall(b"NOOP\r\nNOOP\r\n")
    half[0].socket.shutdown(socket.SHUT_WR)
    assert (await half[0].rest()).count(b"250 ") == 2
    cut[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cut[0].socket.close()
    gone[0].socket.close()
    await until(lambda: factory._connections == {one[1]})
    await one[0].said(b"NOOP\r\n", b"250 ")
    factory.reader.connectionLost(Failure(ConnectionDone()))
    await until(lambda: not factory._connections)


@pytest_twisted.ensureDeferred
async def test_who_has_sent_the_last_is_not_read_for_again(served: tuple[SMTPFactory, int], book: Any) -> None:
    """The reactor has told of that end once."""
    factory, port = served
    client = Client(port)
    await client.said(b"", b"220 ")
    await client.said(b"EHLO client.test\r\n", b"250 ")
    await client.said(LETTER, b"354 ")
    book.hold = Deferred()
    client.socket.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    (connection,) = factory._connections
    await until(lambda: connection._ended)
    connection.tick(factory.reactor.seconds())
    assert connection.transport.reactor is factory.reactor
    book.hold.callback(None)
    assert (await client.rest()).startswith(b"250 ")


class _Broken(Protocol):
    """Cannot take anything."""

    def __init__(self) -> None:
        self.why: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        raise ValueError(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008 - Twisted's form
        self.why = reason


@pytest_twisted.ensureDeferred
async def test_what_a_protocol_raises_ends_its_connection(logged_failures: Any) -> None:
    """And is told to it, as the reactor would."""
    from twisted.internet import reactor

    protocol, reader = _Broken(), SharedReader(reactor)
    factory = TwistedServerFactory.forProtocol(lambda: protocol)  # type: ignore[arg-type]
    listening = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
    with socket.create_connection(("127.0.0.1", listening.getHost().port), timeout=60) as client:
        await until(lambda: protocol.connected)
        reader.take_over(protocol.transport)
        client.sendall(b"x")
        await until(lambda: protocol.why)
    assert protocol.why is not None
    assert protocol.why.check(ValueError)
    assert len(logged_failures.flush(ValueError)) == 1
    await listening.stopListening()


def test_without_descriptors_nothing_is_taken_over() -> None:
    """A reactor of memory has no sockets; and what is no plain socket is left to the reactor that has some."""
    from twisted.internet import reactor

    clock, transport, other = Clock(), Server.__new__(Server), StringTransport()
    transport.reactor = clock  # type: ignore[assignment]  # it is only looked at
    SharedReader(clock).take_over(transport)
    assert transport.reactor is clock
    before = vars(other).copy()
    SharedReader(reactor).take_over(other)
    assert vars(other) == before
