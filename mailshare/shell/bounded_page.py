"""The body of an HTTP response, of which only so much is read, whatever length it told."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss


def page_of(response: Any, most: int) -> Deferred[bytes | None]:
    """The body; ``None`` when it is larger than ``most`` octets, or breaks off. Cancelling it ends the connection.

    :param response: an :class:`~twisted.web.iweb.IResponse`.
    """
    page = _Page(most)
    response.deliverBody(page)
    return page.done


class _Page(Protocol):
    """Takes the octets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._octets = bytearray()
        self.done: Deferred[bytes | None] = Deferred(lambda _: self._cut())

    def _cut(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Some of it; Twisted calls this."""
        if self.done.called:
            return
        self._octets += data
        if len(self._octets) > self._most:
            self.done.callback(None)
            self._cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All of it, or the connection broke; Twisted calls this."""
        if not self.done.called:
            self.done.callback(bytes(self._octets) if reason.check(ResponseDone, PotentialDataLoss) else None)
