"""A client endpoint that leads to a server double in memory: no sockets, time by a ``Clock``, cuts where wanted."""

from __future__ import annotations

from typing import Protocol as Shape
from typing import runtime_checkable

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer


class Double(Shape):
    """One session of a pretended server."""

    def connected(self, wire: Wire) -> None:
        """A client came."""

    def received(self, data: bytes) -> None:
        """It sent octets."""


@runtime_checkable
class ForMany(Shape):
    """A pretended server that serves several clients at once."""

    def for_one_client(self) -> Double:
        """What answers the next one."""


class Wire:
    """The client's transport. Delivery in both directions takes a turn of the clock.

    :ivar secure: TLS was started (pretended).
    :ivar sent: everything that the client wrote.
    """

    def __init__(self, clock: IReactorTime, protocol: Protocol, double: Double) -> None:
        self.secure = False
        self.sent = b""
        self.closed = False
        self.disconnecting = False
        self._clock = clock
        self._protocol = protocol
        self._double = double
        self._paused = False
        self._pending: list[bytes] = []
        directlyProvides(self, ITLSTransport)

    # the double's side

    def say(self, data: bytes) -> None:
        """Send octets to the client."""
        self._pending.append(data)
        self._clock.callLater(0, self._deliver)

    def cut(self) -> None:
        """Reset the connection behind what was said."""
        self._clock.callLater(0, self._lose)

    def _deliver(self) -> None:
        if not self._paused and self._pending and not self.closed:
            data = b"".join(self._pending)
            self._pending.clear()
            self._protocol.dataReceived(data)

    def _lose(self) -> None:
        if not self.closed:
            self._deliver()
            self.closed = True
            self._protocol.connectionLost(Failure(error.ConnectionLost()))

    # the client's side, in Twisted's names

    def write(self, data: bytes) -> None:
        """Send octets to the double."""
        self.sent += data
        self._clock.callLater(0, self._hand_over, data)

    def _hand_over(self, data: bytes) -> None:
        if not self.closed:
            self._double.received(data)

    def abortConnection(self) -> None:
        """Reset."""
        self.disconnecting = True
        self.cut()

    loseConnection = abortConnection

    def startTLS(self, _options: object) -> None:
        """Pretend."""
        self.secure = True
        self._clock.callLater(0, self._shaken)

    def _shaken(self) -> None:
        if not self.closed and IHandshakeListener.providedBy(self._protocol):
            self._protocol.handshakeCompleted()

    def pauseProducing(self) -> None:
        """Hold what the double says."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Let it come."""
        self._paused = False
        self._clock.callLater(0, self._deliver)

    def registerProducer(self, _producer: object, _streaming: bool) -> None:
        """This transport never fills up."""

    def unregisterProducer(self) -> None:
        """Nothing was registered."""


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """Leads to ``double``; each connection is told to it.

    :ivar wires: all connections so far.
    """

    def __init__(self, clock: IReactorTime, double: Double | ForMany | None) -> None:
        self._clock = clock
        self._double = double
        self.wires: list[Wire] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect at once, or be refused when there is no double."""
        result: Deferred[IProtocol] = Deferred()
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        if self._double is None or protocol is None:
            result.errback(error.ConnectionRefusedError())
            return result
        assert isinstance(protocol, Protocol)
        double = self._double.for_one_client() if isinstance(self._double, ForMany) else self._double
        wire = Wire(self._clock, protocol, double)
        self.wires.append(wire)
        protocol.makeConnection(wire)
        result.callback(protocol)
        double.connected(wire)
        return result
