"""A second connection for one file or one listing, as FTP and its kin make for each transfer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailshare.core.errors import PeerFault, Unavailable

CONNECT = 20.0  # seconds


class SideConnection(Protocol):
    """One transfer, in one direction. Made by :func:`open_side`.

    :param most: octets that may come.
    """

    transport: Any

    def __init__(self, most: int) -> None:
        self._most = most
        self._octets = bytearray()
        self._over: Failure | None = None
        self._waiting: Deferred[bytes] | None = None

    def send(self, data: bytes) -> None:
        """Send a whole file; its end is the end of the connection."""
        self.transport.write(data)
        self.transport.loseConnection()

    def received(self) -> Deferred[bytes]:
        """Everything up to the end of the connection. May be asked once.

        :raises PeerFault: it is more than is allowed.
        :raises Unavailable: the connection broke.
        :cancel: cuts the connection.
        """
        waiting: Deferred[bytes] = Deferred(lambda _: self.drop())
        self._waiting = waiting
        self._tell()
        return waiting

    def drop(self) -> None:
        """Cut it; nobody wants the rest."""
        if self._over is None:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """More has come."""
        self._octets += data
        if len(self._octets) > self._most:
            self.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self._over = reason
        self._tell()

    def _tell(self) -> None:
        if self._waiting is None or self._over is None or self._waiting.called:
            return
        if len(self._octets) > self._most:
            self._waiting.errback(PeerFault(f"The server sent more than {self._most} octets"))
        elif self._over.check(ConnectionDone):
            self._waiting.callback(bytes(self._octets))
        else:
            self._waiting.errback(Unavailable(f"A transfer broke off: {self._over.getErrorMessage()}"[:200]))


async def open_side(reactor: Any, host: str, port: int, most: int) -> SideConnection:
    """Connect.

    :param most: octets that may come.
    :raises Unavailable: it cannot be.
    """
    factory = Factory.forProtocol(lambda: SideConnection(most))
    factory.noisy = False
    try:
        made = await HostnameEndpoint(reactor, host, port, timeout=CONNECT).connect(factory)
    except (ConnectError, DNSLookupError, OSError) as error:
        raise Unavailable(f"No connection for a transfer: {error}"[:200]) from error
    assert isinstance(made, SideConnection)
    return made
