"""Connections of an HTTP listener: counted by peer, and let go when the listener does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from typing_extensions import override

from mailshare.shell.limits import ConnectionLimits, PeerCount


class OpenConnections:
    """Those of one listener."""

    def __init__(self, limits: ConnectionLimits, reactor: Any) -> None:
        self._peers = PeerCount(limits)
        self._reactor = reactor
        self._channels: set[CountedChannel] = set()
        self._stopping = False
        self._empty: Deferred[None] | None = None

    def arrived(self, channel: CountedChannel) -> bool:
        """A connection was made; False when it must go."""
        if self._stopping or self._peers.enter(channel.peer) is not None:
            return False
        self._channels.add(channel)
        return True

    def left(self, channel: CountedChannel) -> None:
        """A connection is gone."""
        if channel in self._channels:
            self._channels.discard(channel)
            self._peers.leave(channel.peer)
        if not self._channels and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    async def drain(self, grace: float) -> None:
        """Let requests under way end within ``grace`` seconds; idle connections go at once, new ones are not taken."""
        self._stopping = True
        for channel in list(self._channels):
            if not channel.requests:
                channel.loseConnection()
        if not self._channels:
            return
        self._empty = Deferred()
        cut = self._reactor.callLater(grace, self._cut)
        await self._empty
        if cut.active():
            cut.cancel()

    def _cut(self) -> None:
        for channel in list(self._channels):
            channel.transport.abortConnection()


class CountedChannel(http.HTTPChannel):
    """One connection; its factory has :class:`OpenConnections` as ``connections``."""

    transport: Any
    peer = ""

    @override
    def connectionMade(self) -> None:
        """Count it; Twisted calls this."""
        self.peer = getattr(self.getPeer(), "host", "")
        super().connectionMade()
        if not self.factory.connections.arrived(self):
            self.transport.abortConnection()

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone; Twisted calls this."""
        self.factory.connections.left(self)
        super().connectionLost(reason)
