"""Connections to listeners of our own: they are Twisted's to whoever looks, and cost less."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Server

from mailshare.shell.behind_proxy import ProxiedEndpoint
from mailshare.shell.prompt_endpoint import PromptEndpoint
from mailshare.shell.prompt_socket import PromptSocket
from mailshare.smtp.factory import SMTPFactory
from tests.smtp.test_shared_reader import Client, until

Listen = Callable[[Any], Any]


@pytest.fixture
def factory(make_factory: Callable[..., SMTPFactory]) -> SMTPFactory:
    """On the real reactor."""
    from twisted.internet import reactor

    return make_factory(reactor=reactor)


@pytest.fixture
def listen(factory: SMTPFactory) -> Iterator[Listen]:
    """Serves at an endpoint until the test is over; gives its place."""
    ports: list[IListeningPort] = []

    async def begin(endpoint: Any) -> Any:
        ports.append(await endpoint.listen(factory))
        return ports[-1].getHost()

    yield begin
    for each in Client.made:
        each.close()
    Client.made.clear()
    for port in ports:
        pytest_twisted.blockon(port.stopListening())
    pytest_twisted.blockon(Deferred.fromCoroutine(factory.drain(5)))


def _four() -> TCP4ServerEndpoint:
    from twisted.internet import reactor

    return TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")  # type: ignore[arg-type]


async def came(factory: SMTPFactory, port: int) -> tuple[Client, Any]:
    """A client that was greeted, and its connection."""
    before = set(factory._connections)
    client = Client(port)
    await client.said(b"", b"220 ")
    (connection,) = factory._connections - before
    return client, connection


@pytest_twisted.ensureDeferred
async def test_the_first_is_the_reactors_and_those_beside_it_are_read_for_together(
    factory: SMTPFactory, listen: Listen
) -> None:
    """From their first octet; all of them go on, and end in the order in which they say so."""
    port = (await listen(PromptEndpoint(_four()))).port
    first, one = await came(factory, port)
    second, two = await came(factory, port)
    third, three = await came(factory, port)
    assert type(one.transport) is PromptSocket
    assert one.transport.reactor is factory.reactor
    assert two.transport.reactor is three.transport.reactor is factory.reader
    for client in (third, first, second):
        await client.said(b"EHLO client.test\r\n", b"250 ")
        await client.said(b"QUIT\r\n", b"221 ")
        assert await client.rest() == b""
    assert not factory._connections
    assert factory.peers.total == 0
    again, fourth = await came(factory, port)
    assert fourth.transport.reactor is factory.reactor
    connection = (await came(factory, port))[1]
    assert connection.transport.reactor is factory.reader
    connection.tick(factory.reactor.seconds())
    assert connection.transport.reactor is factory.reader
    await again.said(b"NOOP\r\n", b"250 ")


@pytest_twisted.ensureDeferred
async def test_it_tells_of_itself_what_twisteds_does(factory: SMTPFactory, listen: Listen) -> None:
    """Both addresses, that nothing is delayed, and a name for the log."""
    place = await listen(PromptEndpoint(_four()))
    client, connection = await came(factory, place.port)
    transport = connection.transport
    assert transport.getPeer() == IPv4Address("TCP", *client.socket.getsockname())
    assert transport.getHost() == place
    assert transport.getTcpNoDelay()
    assert not transport.getTcpKeepAlive()
    assert transport.logPrefix() == "Connection,0,127.0.0.1"
    assert repr(transport) == "<PromptSocket #0 of 127.0.0.1>"
    assert transport.getHandle().getpeername() == client.socket.getsockname()


@pytest.mark.parametrize("end", ["loseConnection", "abortConnection"])
@pytest_twisted.ensureDeferred
async def test_it_is_ended_as_twisteds_is(factory: SMTPFactory, listen: Listen, end: str) -> None:
    """What waits is sent first, or nothing more is; and a client that cuts it is forgotten."""
    port = (await listen(PromptEndpoint(_four()))).port
    await came(factory, port)
    client, connection = await came(factory, port)
    connection.transport.write(b"250 last words\r\n")
    getattr(connection.transport, end)()
    try:
        got = await client.rest()
    except ConnectionResetError:
        got = b"reset"
    assert got == {"loseConnection": b"250 last words\r\n", "abortConnection": b"reset"}[end]
    await until(lambda: len(factory._connections) == 1)
    connection.transport.abortConnection()  # once more does nothing
    connection.transport.loseConnection()
    assert connection.transport.disconnected


def test_by_the_other_family_of_addresses(factory: SMTPFactory) -> None:
    """IPv6 has longer addresses."""
    here, there = socket.socketpair()
    with there:
        protocol = factory.buildProtocol(None)
        transport = PromptSocket(here, protocol, ("::1", 4711, 0, 0), None, 1, factory.reactor)
        assert transport.getPeer() == IPv6Address("TCP", "::1", 4711, 0, 0)
        transport.connectionLost(connectionDone)


@pytest_twisted.ensureDeferred
async def test_where_something_stands_between_twisteds_own_serves(
    factory: SMTPFactory, listen: Listen, tmp_path: Any
) -> None:
    """A proxy that must name its client first, and a socket of the file system."""
    from twisted.internet import reactor

    port = (await listen(ProxiedEndpoint(PromptEndpoint(_four()), factory.reactor))).port
    client = Client(port)
    await client.said(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n", b"220 ")
    (connection,) = factory._connections
    assert connection.peer == "192.0.2.7"
    assert type(connection.transport.transport) is Server
    await listen(PromptEndpoint(UNIXServerEndpoint(reactor, str(tmp_path / "s"))))  # type: ignore[arg-type]
    local = socket.socket(socket.AF_UNIX)
    Client.made.append(local)
    local.connect(str(tmp_path / "s"))
    await until(lambda: len(factory._connections) == 2)
    assert not any(isinstance(each.transport, PromptSocket) for each in factory._connections)
