"""How the server looks for a provider's servers: HTTPS, SRV records and open ports, each with a deadline and a cap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikeRedirectAgent, ResponseDone
from twisted.web.http import PotentialDataLoss

from mailshare.isp.finding import Finder

_DEADLINE = 5.0
_MOST = 65_536
_log = Logger()


class _Page(Protocol):
    """Takes the octets of a page, and no more than a page may have."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self.done: Deferred[bytes] = Deferred(lambda _: self._cut())

    def _cut(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Some of it; Twisted calls this."""
        if self.done.called:
            return
        self._octets += data
        if len(self._octets) > _MOST:
            self.done.callback(b"")
            self._cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All of it, or the connection broke; Twisted calls this."""
        if not self.done.called:
            self.done.callback(bytes(self._octets) if reason.check(ResponseDone, PotentialDataLoss) else b"")


def page_of(response: Any) -> Deferred[bytes]:
    """The body of a response; nothing when it is too large or breaks off, whatever length it told."""
    page = _Page()
    response.deliverBody(page)
    return page.done


class Outside:
    """The three ways, none of which ever raises."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def finder(self) -> Finder:
        """What uses them."""
        return Finder(self.get, self.srv, self.listens)

    async def get(self, url: str) -> bytes:
        """The body of a page by HTTPS; empty when there is none, it is too large, or takes too long."""
        agent = BrowserLikeRedirectAgent(Agent(self._reactor, connectTimeout=_DEADLINE), redirectLimit=2)
        try:
            response: Any = await self._within(agent.request(b"GET", url.encode("ascii", "ignore")))
            if response.code != 200:
                return b""
            body: bytes = await self._within(page_of(response))
        except Exception as error:  # noqa: BLE001 - whatever a stranger's server does: there is no page
            _log.debug("no page at {url}: {error}", url=url, error=str(error))
            return b""
        return body

    async def srv(self, name: str) -> Sequence[tuple[str, int]]:
        """``(host, port)``, best first (RFC 2782)."""
        from twisted.names import client, dns  # noqa: PLC0415 - on need

        try:
            answers, _, _ = await self._within(client.lookupService(name, timeout=(2, 3)))
        except Exception:  # noqa: BLE001 - a name that is not there fails like one that cannot be asked for
            return []
        found = [one.payload for one in answers if one.type == dns.SRV]
        found.sort(key=lambda one: (one.priority, -one.weight))
        return [
            (name, one.port) for one in found if (name := one.target.name.decode("ascii", "replace").rstrip("."))
        ]

    async def listens(self, host: str, port: int) -> bool:
        """Whether a connection can be made."""
        endpoint = HostnameEndpoint(self._reactor, host, port, timeout=_DEADLINE)
        try:
            protocol: Any = await self._within(endpoint.connect(Factory.forProtocol(Protocol)))
        except Exception:  # noqa: BLE001 - refused, unknown, too slow: nothing listens there for us
            return False
        protocol.transport.abortConnection()
        return True

    def _within(self, work: Deferred[Any]) -> Deferred[Any]:
        work.addTimeout(_DEADLINE, self._reactor)
        return work
