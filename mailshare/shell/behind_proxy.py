"""Listeners behind a proxy that says first whom it speaks for (the PROXY protocol of haproxy, versions 1 and 2).

A session begins when the proxy has named the client: trust, delays after wrong passwords and counts of connections are
then the client's, as on every other listener. Twisted's own wrapper begins it before. Whoever is not named is nobody:
an address that no network has, so the proxy's own is never trusted in place of a client's.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory, IReactorTime, IStreamServerEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

NOBODY = IPv4Address("TCP", "0.0.0.0", 0)  # noqa: S104 - compared with, not listened on
PATIENCE = 10.0
"""Seconds for the header; a proxy sends it with the first packet."""
_TELLING = 13  # octets after which it is clear which version it is; none is shorter


class _V1(V1Parser):
    """Version 1, also for connections of the proxy's own, which it checks servers by."""

    @classmethod
    def parse(cls, line: bytes) -> Any:
        """A header of one line; Twisted wants a blank behind the word for nobody, which proxies do not write."""
        return super().parse(line + b" " if line == b"PROXY UNKNOWN" else line)


class _Proxied(ProtocolWrapper):
    """A connection whose session begins after the header."""

    def __init__(self, factory: ProxiedFactory) -> None:
        wrapping: Any = factory
        super().__init__(wrapping, Protocol())
        self._door = factory
        self._waiting: IDelayedCall | None = None
        self._held = b""
        self._parser: V1Parser | V2Parser | None = None
        self._peer: IPv4Address | IPv6Address | None = None

    def connectionMade(self) -> None:
        """Wait for the header; Twisted calls this."""
        transport: Any = self.transport
        self._waiting = self._door.clock.callLater(PATIENCE, transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """The header, or what belongs to the session; Twisted calls this."""
        if self._peer is not None:
            self.wrappedProtocol.dataReceived(data)
            return
        if self._parser is None:
            self._held += data
            if len(self._held) < _TELLING:
                return
            data, self._held = self._held, b""
            self._parser = _parser(data)
        try:
            if self._parser is None:
                raise InvalidProxyHeader
            info, rest = self._parser.feed(data)
            if info is not None:
                self._begin(_named(info.source), rest or b"")
        except (InvalidProxyHeader, ValueError):
            self.transport.abortConnection()  # type: ignore[union-attr]

    def _begin(self, peer: IPv4Address | IPv6Address, rest: bytes) -> None:
        self._stop_waiting()
        self._peer = peer
        session: Any = self._door.wrappedFactory.buildProtocol(peer)
        if session is None:
            self.loseConnection()
            return
        self.wrappedProtocol = session
        session.makeConnection(self)
        if rest:
            session.dataReceived(rest)

    def getPeer(self) -> Any:
        """The client."""
        return self._peer or NOBODY

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this."""
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        if self._waiting is not None and self._waiting.active():
            self._waiting.cancel()


def _parser(beginning: bytes) -> V1Parser | V2Parser | None:
    if beginning.startswith(V1Parser.PROXYSTR):
        return _V1()
    return V2Parser() if beginning.startswith(V2Parser.PREFIX) and beginning[12] & 0xF0 == 0x20 else None


def _named(source: object) -> IPv4Address | IPv6Address:
    """The client that a header names, if that is an address of the network.

    :raises ValueError: it calls something an address that is none.
    """
    if not isinstance(source, IPv4Address | IPv6Address):
        return NOBODY
    ipaddress.ip_address(source.host)
    return source


class ProxiedFactory(WrappingFactory):
    """Connections behind a proxy, over the factory of their sessions."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(factory)
        self.clock = clock

    def buildProtocol(self, addr: Any) -> Any:
        """A connection that waits for its header; Twisted calls this."""
        del addr
        return _Proxied(self)


@implementer(IStreamServerEndpoint)
class ProxiedEndpoint:
    """An endpoint to which only proxies connect."""

    def __init__(self, endpoint: IStreamServerEndpoint, clock: IReactorTime) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def listen(self, factory: IProtocolFactory) -> Any:
        """As the endpoint inside does."""
        return self._endpoint.listen(ProxiedFactory(factory, self._clock))
