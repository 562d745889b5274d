"""Replies go straight to a socket that takes them; what it does not take waits in one bounded place."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Server
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailshare.pop3.session import CHUNK
from mailshare.shell.outlet import Outlet
from mailshare.shell.prompt_socket import PromptSocket

BIG = b"Subject: big\r\n\r\n" + (b"x" * 62 + b"\r\n") * (20 * CHUNK // 64)


SOCKETS = pytest.mark.parametrize("kind", [Server, PromptSocket])


class Socket(StringTransport):
    """A transport on a socket that takes so many octets and then none until :meth:`take`."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.taken = b""
        self.lost = False

    def writeSomeData(self, data: bytes) -> object:
        if self.lost:
            return CONNECTION_LOST
        sent = min(len(data), self.room)
        self.taken += data[:sent]
        self.room -= sent
        return sent

    def take(self, room: int) -> None:
        """Send what waits, as a reactor does, and tell the producer when nothing waits any more."""
        self.room = room
        waiting = self.value()
        self.clear()
        sent = self.writeSomeData(waiting)
        self.write(waiting[sent:])
        if not self.value() and self.producer is not None:
            self.producer.resumeProducing()


class Heard:
    """What the outlet says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def outlet_full(self) -> None:
        self.said.append("full")

    def outlet_free(self) -> None:
        self.said.append("free")


def connected(office, room: int):
    """A POP3 connection on such a socket, logged in."""
    transport = Socket(room)
    protocol = office.factory.buildProtocol(transport.getPeer())
    protocol.peer = "192.0.2.7"
    protocol.makeConnection(transport)
    protocol.dataReceived(b"USER joe\r\nPASS secret\r\n")
    return transport, protocol


def test_a_reply_takes_no_queue(office):
    """While the socket takes what it is given, nothing is queued and the reactor is asked for nothing."""
    transport, protocol = connected(office, 1 << 20)
    protocol.dataReceived(b"STAT\r\nRETR 1\r\n")
    assert transport.value() == b""
    assert transport.taken.endswith(b"first\r\n..dot\r\n.\r\n")


def test_order_is_kept_when_the_socket_is_full(office):
    """What the socket left and what came later arrive in order, whole."""
    office.box.messages = {1: BIG}
    transport, protocol = connected(office, 1 << 20)
    transport.taken, transport.room = b"", 1000
    protocol.dataReceived(b"RETR 1\r\nSTAT\r\n")
    while transport.value():
        transport.take(50_000)
    assert transport.taken == b"+OK %d octets\r\n" % len(BIG) + BIG + b".\r\n+OK 1 %d\r\n" % len(BIG)


def test_a_reader_that_never_reads_costs_one_piece(office):
    """Twenty times more is asked for than read: one piece is fetched and held, and no command is worked on."""
    office.box.messages = {1: BIG}
    transport, protocol = connected(office, 1 << 20)
    protocol.dataReceived(b"LIST\r\n")
    transport.room = 0
    protocol.dataReceived(b"RETR 1\r\n" * 500)
    assert len(office.box.bodies) == 1
    assert sum(length for _, length in office.box.bodies[0].reads) <= CHUNK
    assert len(transport.value()) <= CHUNK + 100


def test_small_replies_to_somebody_who_does_not_read(office):
    """A flood of small commands whose answers nobody takes is not answered on and on: the answers stop, and so does
    the reading."""
    transport, protocol = connected(office, 1 << 20)
    transport.room = 0
    for _ in range(2000):
        protocol.dataReceived(b"CAPA\r\n" * 50)
        if transport.producerState == "paused":
            break
    assert transport.producerState == "paused"
    assert len(transport.value()) < 64_000
    assert protocol.unread < 140_000


def test_a_lost_socket_is_left_to_the_transport():
    """An error of the socket is not taken for a count: the octets go to the transport, which meets it and closes."""
    transport, heard = Socket(100), Heard()
    outlet = Outlet(transport, heard, secure=False)
    transport.lost = True
    outlet.write(b"+OK\r\n", queued=False)
    assert transport.value() == b"+OK\r\n"


def test_tls_is_never_written_past():
    """Once TLS begins, and on a transport that came with it, every octet goes through the transport."""
    transport = Socket(100)
    outlet = Outlet(transport, Heard(), secure=False)
    outlet.write(b"+OK Begin TLS now\r\n", queued=False)
    outlet.use_queue()
    outlet.write(b"secret", queued=False)
    assert (transport.taken, transport.value()) == (b"+OK Begin TLS now\r\n", b"secret")
    other = Socket(100)
    Outlet(other, Heard(), secure=True).write(b"secret", queued=False)
    assert (other.taken, other.value()) == (b"", b"secret")


class Still:
    """A reactor that never takes a turn."""

    def addReader(self, _: object) -> None:
        """Somebody wants to read."""

    addWriter = removeReader = removeWriter = addReader


class Noting(socket.socket):
    """Keeps the flags of what it sends."""

    flags: list[int]

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        self.flags = [*getattr(self, "flags", []), flags]
        return super().send(data, flags)


def on_a_socket(office, kind: type[Server]) -> tuple[socket.socket, Server]:
    """Both ends of a TCP connection to the POP3 server, whose reactor stands still; the client's takes little.

    :param kind: of the server's socket.
    """
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        client.connect(listening.getsockname())
        accepted, address = listening.accept()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    accepted = Noting(fileno=accepted.detach())
    accepted.setblocking(False)
    protocol = office.factory.buildProtocol(None)
    protocol.peer = "192.0.2.7"
    transport = kind(accepted, protocol, address, None, 1, Still())  # type: ignore[arg-type]
    protocol.makeConnection(transport)
    client.settimeout(60)
    return client, transport


@SOCKETS
def test_a_session_ends_in_the_turn_of_its_last_reply(office, kind):
    """A session over a socket needs no turn of the reactor after QUIT: everything was read and sent in those before."""
    client, transport = on_a_socket(office, kind)
    with closing(client):
        for line in (b"USER joe\r\n", b"PASS secret\r\n", b"RETR 1\r\n", b"QUIT\r\n"):
            client.sendall(line)
            transport.doRead()
        assert not transport.connected
        with client.makefile("rb") as replies:
            assert replies.read().endswith(b"first\r\n..dot\r\n.\r\n+OK Bye\r\n")


@SOCKETS
def test_the_last_reply_and_the_end_are_one_packet(office, kind):
    """The kernel keeps back the answer to QUIT, and nothing before it, for the end that follows at once."""
    client, transport = on_a_socket(office, kind)
    with closing(client):
        sent = transport.socket
        for line in (b"USER joe\r\n", b"PASS secret\r\n", b"QUIT\r\n"):
            client.sendall(line)
            transport.doRead()
        assert sent.flags == [0, 0, 0, socket.MSG_MORE]


@SOCKETS
def test_what_the_socket_left_is_sent_before_it_closes(office, kind):
    """A client that asks for more than the socket takes, and leaves, gets all of it before the end."""
    office.box.messages = {1: BIG}
    client, transport = on_a_socket(office, kind)
    with closing(client):
        client.sendall(b"USER joe\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n")
        transport.doRead()
        assert transport.connected
        got = b""
        client.settimeout(0.01)
        while True:
            if transport.connected and (end := transport.doWrite()):
                transport.connectionLost(Failure(end))
            try:
                piece = client.recv(1 << 20)
            except TimeoutError:
                continue
            if not piece:
                break
            got += piece
        assert got.endswith(BIG + b".\r\n+OK Bye\r\n")


def test_who_waits_for_room_hears_of_it(office):
    """Nothing is in the queue, and the socket is full, as when the system sends from a file: a turn in which the socket
    takes octets again lets the session go on, and not before."""
    client, transport = on_a_socket(office, PromptSocket)
    with closing(client):
        connection = transport.protocol
        connection.await_room()
        assert connection.full
        assert transport.doWrite() is None
        assert not connection.full
        transport.connectionLost(connectionDone)
