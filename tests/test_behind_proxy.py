"""Listeners behind a proxy: sessions are the client's, for trust, for delays after wrong passwords and for counts."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.shell.behind_proxy import NOBODY, PATIENCE, ProxiedFactory

TRUSTED = b"PROXY TCP4 192.0.2.5 127.0.0.1 4711 25\r\n"
STRANGER = b"PROXY TCP4 198.51.100.7 127.0.0.1 4712 25\r\n"
# Version 2, PROXY, TCP over IPv4, 12 octets of addresses and ports.
TRUSTED_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 5, 127, 0, 0, 1, 0, 80, 0, 25])
FILE = """\
[server]
grace = 1
[trusted]
networks = ["127.0.0.0/8", "192.0.2.0/24"]
[limits]
connections_per_peer = 2
[listen]
smtp = ["haproxy:tcp:0:interface=127.0.0.1"]
[[user]]
name = "andrew"
password = "andrew"
"""


class Echo(Protocol):
    """Says who it speaks with, and what it hears."""

    def connectionMade(self) -> None:
        self.transport.write(f"hello {self.factory.peer}\n".encode())  # type: ignore[attr-defined, union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class Echoes(Factory):
    protocol = Echo

    def buildProtocol(self, addr: object) -> Protocol | None:
        self.peer = addr.host  # type: ignore[attr-defined]
        return super().buildProtocol(addr)  # type: ignore[arg-type]


def spoken(*chunks: bytes) -> tuple[StringTransport, Clock]:
    """A connection on which this was heard."""
    clock, transport = Clock(), StringTransport()
    protocol = ProxiedFactory(Echoes(), clock).buildProtocol(None)
    protocol.makeConnection(transport)
    for chunk in chunks:
        protocol.dataReceived(chunk)
    return transport, clock


@pytest.mark.parametrize("header", [TRUSTED, TRUSTED_2])
def test_the_session_begins_after_the_header(header: bytes) -> None:
    """However the octets are cut, nothing is said before, and what follows is the session's."""
    for cut in range(1, len(header)):
        transport, clock = spoken(header[:cut])
        assert transport.value() == b""
        assert len(clock.getDelayedCalls()) == 1
        transport, clock = spoken(header[:cut], header[cut:] + b"more")
        assert transport.value() == b"hello 192.0.2.5\nmore"
        assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
def test_who_is_not_named_is_nobody(header: bytes) -> None:
    """Not the proxy, which may be trusted."""
    transport, _ = spoken(header)
    assert transport.value() == f"hello {NOBODY.host}\n".encode()


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 here there 1 2\r\n",
        b"PROXY TCP4 192.0.2.5 127.0.0.1 x 2\r\n",
        b"PROXY " * 50,
    ],
)
def test_who_says_no_header_is_cut_off(octets: bytes) -> None:
    """No session begins for clients that come past the proxy, or for nonsense."""
    transport, _ = spoken(octets)
    assert transport.value() == b""
    assert transport.disconnected


def test_who_says_nothing_is_cut_off_in_time() -> None:
    """A connection without header is no session with its own deadlines yet."""
    transport, clock = spoken(b"PROXY TCP4")
    clock.advance(PATIENCE)
    assert transport.disconnected


@pytest_twisted.async_yield_fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Of an office that trusts loopback, where its proxy is."""
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    config = load_config(str(path))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    await office.started
    assert not office.trouble
    (place,) = office.places()
    yield int(str(place["address"]).rpartition(":")[2])
    await office.stopService()


def ehlo(port: int, header: bytes) -> bytes:
    """What a client is offered."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(header)
        said = client.recv(4096)
        if not said.startswith(b"220"):
            return said
        client.sendall(b"EHLO client.example\r\n")
        return client.recv(4096)


@pytest_twisted.ensureDeferred
async def test_trust_is_the_clients(port: int) -> None:
    """Passwords without TLS are for trusted clients; the proxy's own address, trusted too, helps nobody else."""
    assert b"AUTH" in await deferToThread(ehlo, port, TRUSTED)
    assert b"AUTH" in await deferToThread(ehlo, port, TRUSTED_2)
    for header in (STRANGER, b"PROXY UNKNOWN\r\n"):
        offered = await deferToThread(ehlo, port, header)
        assert offered.startswith(b"250")
        assert b"AUTH" not in offered


@pytest_twisted.ensureDeferred
async def test_counts_are_the_clients(port: int) -> None:
    """Two connections of one client are all that it gets; others behind the same proxy are served."""
    held = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(2)]
    for one in held:
        one.sendall(TRUSTED)
        assert (await deferToThread(one.recv, 4096)).startswith(b"220")
    assert (await deferToThread(ehlo, port, TRUSTED)).startswith(b"421")
    assert (await deferToThread(ehlo, port, STRANGER)).startswith(b"250")
    for one in held:
        one.close()
