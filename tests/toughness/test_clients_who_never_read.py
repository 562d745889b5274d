"""A client that asks and never reads costs no more than 60 kB, whatever it asks for, and its neighbours nothing."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.house import House

MOST = 60_000  # octets that we hold for one client: what came, what is to go, what was read ahead
USER = '[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n'
LOGIN = b"USER andrew\r\nPASS x\r\n"
ASKED = {
    "a large message": ("pop3", LOGIN + b"RETR 1\r\n" * 500),
    "messages of 50 KiB": ("pop3", LOGIN + b"".join(b"RETR %d\r\n" % (2 + n % 3) for n in range(4000))),
    "small messages in order": ("pop3", LOGIN + b"".join(b"RETR %d\r\n" % (5 + n % 60) for n in range(20_000))),
    "headers": ("pop3", LOGIN + b"TOP 2 900\r\n" * 20_000),
    "listings": ("pop3", LOGIN + b"LIST\r\nUIDL\r\n" * 20_000),
    "capabilities": ("pop3", b"CAPA\r\n" * 100_000),
    "transactions": ("smtp", b"EHLO x\r\n" + b"MAIL FROM:<a@far.example>\r\nRSET\r\n" * 5000),
    "greetings": ("smtp", b"EHLO client.example\r\n" * 5000),
}


@pytest_twisted.async_yield_fixture
async def full_house(house: House) -> AsyncIterator[House]:
    """An office with a mailbox of large and small messages."""
    await house.start(USER)
    sizes = [5_000_000, *[50 * 1024] * 3, *[4096] * 60]
    for number, size in enumerate(sizes):
        lines = "z" * 62 + "\r\n"
        octets = f"Message-ID: <{number}@x>\r\nTo: Andrew <mail@company.example>\r\n\r\n{lines * (size // 64)}"
        house.isp.box.put(octets.encode(), f"u{number}")
    await house.office.acts.send_receive()
    yield house


def small(port: int) -> socket.socket:
    """A client whose system takes little."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    return client


def ask(client: socket.socket, octets: bytes) -> None:
    """Send until the server takes no more; read nothing."""
    client.settimeout(1)
    with contextlib.suppress(OSError):
        client.sendall(octets)


async def server_end(house: House) -> Any:
    """Our end of the one connection there is."""
    while True:
        for one in house.office._parts.listeners._open.values():
            for each in one.door.factory._connections:
                each._socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
                return each
        await deferLater(reactor, 0.01)


def held(connection: Any) -> int:
    """Octets that lie in our buffers for one client."""
    engine = connection._session.engine
    below = connection._socket
    queued = len(below.dataBuffer) + below._tempDataLen
    output = sum(map(len, engine._output if hasattr(engine, "_output") else engine._out))
    drop = getattr(connection._session, "_maildrop", None)
    ahead = sum(each.size for each in drop._ahead._kept.values()) if drop is not None else 0
    return connection.unread + len(engine._lines) + output + queued + ahead


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("what", ASKED)
async def test_what_is_held(full_house: House, what: str) -> None:
    """However much is asked for: input and output stop, what was read ahead is let go, the next client is served."""
    service, octets = ASKED[what]
    client = await deferToThread(small, full_house.port(service))
    try:
        connection = await server_end(full_house)
        await deferToThread(ask, client, octets)
        for _ in range(500):
            if connection.full or connection._closing:
                break
            await deferLater(reactor, 0.01)
        assert connection.full or connection._closing
        if connection.full:
            connection.tick(reactor.seconds() + 15)
            assert held(connection) <= MOST
        if service == "smtp":
            assert (await full_house.smtp(lambda other: other.noop()))[0] == 250
    finally:
        client.close()


@pytest_twisted.ensureDeferred
async def test_who_reads_late_gets_everything(full_house: House) -> None:
    """What was dropped because the client did not read is read again when it does; nothing is missing or doubled."""

    def late(port: int) -> bytes:
        client = small(port)
        ask(client, LOGIN + b"RETR 1\r\n" * 3 + b"QUIT\r\n")
        client.settimeout(60)
        found = b"".join(iter(lambda: client.recv(1 << 20), b""))
        client.close()
        return found

    found = await deferToThread(late, full_house.port("pop3"))
    bodies = found.split(b"\r\n.\r\n")
    assert len(bodies) == 4
    sizes = {len(body.partition(b" octets\r\n")[2]) + 2 for body in bodies[:3]}
    assert len(sizes) == 1
    assert f"+OK {sizes.pop()} octets".encode() in found
