"""The generic server: runs an engine without I/O on a transport, under limits and deadlines.

A protocol's own room writes three things: an engine (:class:`ServerEngine`, no I/O), a session (:class:`Session`, which
answers the engine's events by asking the realm), and a factory (subclass of :class:`EngineFactory`). All that is
about sockets stands here and in :mod:`mailshare.shell.connection`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IOpenSSLContextFactory, IReactorTime
from twisted.internet.protocol import ServerFactory

from mailshare.shell.connection import Connection, ConnectionGone, ServerEngine, Session
from mailshare.shell.limits import ConnectionLimits, Goodbye, PeerCount
from mailshare.shell.shared_reader import SharedReader
from mailshare.shell.timers import Ticker

__all__ = ["Connection", "ConnectionGone", "EngineFactory", "ServerEngine", "Session"]


class EngineFactory(ServerFactory, ABC):
    """Builds a connection for each peer, counts them, and ends them in good order.

    :param reactor: IReactorTime, for deadlines.
    :param limits: bounds of all connections together and of each.
    :param tls: for STARTTLS and STLS; ``None`` to offer neither. Implicit TLS is the endpoint's business.
    """

    noisy = False

    def __init__(
        self, reactor: IReactorTime, *, limits: ConnectionLimits, tls: IOpenSSLContextFactory | None = None
    ) -> None:
        self.reactor = reactor
        self.limits = limits
        self.tls = tls
        self.ticker = Ticker(reactor)
        self.reader = SharedReader(reactor)
        self.peers = PeerCount(limits)
        self.stopping = False
        self._connections: set[Connection] = set()
        self._empty: list[Deferred[None]] = []

    @abstractmethod
    def build_session(self, connection: Connection) -> Session:
        """Make the session of a new connection; it may keep the connection and use what is public there."""

    @abstractmethod
    def last_words(self, why: Goodbye) -> bytes:
        """The reply line that ends a connection for this reason, with its CRLF."""

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # type: ignore[override]
        """Make the connection of one peer; Twisted calls this."""
        return Connection(self, getattr(addr, "host", "") or "")

    def arrived(self, connection: Connection) -> Goodbye | None:
        """A connection was made: count it, or say why it must go."""
        refusal = Goodbye.SHUTDOWN if self.stopping else self.peers.enter(connection.peer)
        if refusal is None:
            self._connections.add(connection)
        return refusal

    def reader_among_others(self, reactor: Any) -> Any:
        """What shall read for a connection that has just come: the shared one, or for the only one the reactor itself.

        Alone it would be asked for by two calls to the system in place of one.
        """
        return self.reader if self.peers.total and self.reader.able else reactor

    def left(self, connection: Connection) -> None:
        """A connection that was counted is gone and has given everything back."""
        self._connections.discard(connection)
        self.peers.leave(connection.peer)
        if not self._connections:
            waiting, self._empty = self._empty, []
            for each in waiting:
                each.callback(None)

    async def drain(self, grace: float = 30) -> None:
        """Stop serving: idle sessions are told at once, a message or a ``QUIT`` under way may end first.

        Stop the listening port before. Fires when all connections are gone.

        :param grace: seconds, then what is left is cut.
        """
        self.stopping = True
        for connection in list(self._connections):
            connection.stop()
        if not self._connections:
            return
        cut = self.reactor.callLater(grace, self._cut)
        empty: Deferred[None] = Deferred()
        self._empty.append(empty)
        await empty
        if cut.active():
            cut.cancel()

    def _cut(self) -> None:
        for connection in list(self._connections):
            connection.abort()
