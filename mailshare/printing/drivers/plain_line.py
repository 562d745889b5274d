"""A plain connection to a device, for protocols in which one side speaks at a time: send, wait, read."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailshare.core.errors import NotTaken, Unavailable
from mailshare.interfaces import IPrintable

CONNECT = 15.0  # seconds
STALL = 1800.0  # seconds in which a device that is out of paper may read nothing
_PIECE = 64 * 1024
_MOST_UNREAD = 1 << 20  # octets; devices say little


@implementer(IHalfCloseableProtocol, IPushProducer)
class PlainLine(Protocol):
    """One connection.

    :ivar sent: octets of documents that have gone out.
    """

    transport: Any

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._came: deque[bytes] = deque()
        self._unread = 0
        self._paused = False
        self._ended = False
        self._gone: Failure | None = None
        self._waiting: Deferred[None] | None = None
        self.sent = 0

    # ------------------------------------------------------------------ what Twisted calls

    def connectionMade(self) -> None:
        """It stands."""
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """The device says something."""
        self._unread += len(data)
        if self._unread > _MOST_UNREAD:
            self.drop()
            return
        self._came.append(data)
        self._wake()

    def readConnectionLost(self) -> None:
        """It has said all."""
        self._ended = True
        self._wake()

    def writeConnectionLost(self) -> None:
        """It reads no more."""
        self._gone = self._gone or Failure(ConnectionDone())
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        self._gone, self._ended = reason, True
        self._wake()

    def pauseProducing(self) -> None:
        """Its buffers are full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """They are not any more."""
        self._paused = False
        self._wake()

    def stopProducing(self) -> None:
        """It is over; :meth:`connectionLost` follows."""

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # ------------------------------------------------------------------ for drivers

    async def _wait(self, seconds: float, what: str) -> None:
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        waiting.addTimeout(seconds, self._clock)
        try:
            await waiting
        except TimeoutError as error:
            self.drop()
            raise Unavailable(f"The printer {what} for {seconds:.0f} seconds") from error
        except CancelledError:
            self.drop()
            raise
        finally:
            self._waiting = None

    async def send(self, data: bytes) -> None:
        """Send some octets; waits while the device does not read.

        :raises Unavailable: it broke off, or read nothing for too long.
        """
        while self._paused and self._gone is None:
            await self._wait(STALL, "read nothing")
        if self._gone is not None:
            raise Unavailable("The printer broke off the connection")
        self.transport.write(data)

    async def send_document(self, document: IPrintable) -> None:
        """Send a document; :attr:`sent` counts.

        :raises Unavailable: as :meth:`send`.
        """
        position = 0
        while position < document.length:
            piece = await document.read(position, min(_PIECE, document.length - position))
            if not piece:
                raise Unavailable(detail={"why": "a document ends before its size"})
            position += len(piece)
            self.sent += len(piece)
            await self.send(piece)
        while self._paused and self._gone is None:
            await self._wait(STALL, "read nothing")

    async def read(self, seconds: float) -> bytes:
        """What the device says next; nothing at its end.

        :raises Unavailable: it says nothing for that long.
        """
        while not self._came and not self._ended:
            await self._wait(seconds, "said nothing")
        if not self._came:
            return b""
        data = self._came.popleft()
        self._unread -= len(data)
        return data

    @property
    def clean(self) -> bool:
        """The connection stands, or was closed in order."""
        return self._gone is None or self._gone.check(ConnectionDone) is not None

    def half_close(self) -> None:
        """We say no more."""
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def close(self) -> None:
        """It is over, in order."""
        if self._gone is None:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def drop(self) -> None:
        """It is over, now."""
        if self._gone is None:
            self.transport.abortConnection()


async def connect(reactor: Any, host: str, port: int) -> PlainLine:
    """A connection to a device.

    :raises NotTaken: there is none to be had.
    """
    line = PlainLine(reactor)
    factory = Factory.forProtocol(lambda: line)
    factory.noisy = False
    connecting = HostnameEndpoint(reactor, host, port, timeout=CONNECT).connect(factory)
    connecting.addTimeout(CONNECT, reactor)
    try:
        await connecting
    except (ConnectError, DNSLookupError, OSError) as error:  # a TimeoutError is an OSError
        words = f"No connection to {host} port {port}: {error}"[:300]
        raise NotTaken(words, reasons=("connecting-to-device",)) from error
    return line
