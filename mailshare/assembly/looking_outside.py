"""How the server looks for a provider's servers: HTTPS, SRV records and open ports, each with a deadline and a cap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TooLate
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IResolutionReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.web.client import Agent, BrowserLikeRedirectAgent
from zope.interface import implementer

from mailshare.isp.finding import Finder
from mailshare.shell.bounded_page import page_of

_DEADLINE = 5.0
_NAMES = 3.0  # seconds for an address
_MOST = 65_536
_log = Logger()


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
            body: bytes | None = await self._within(page_of(response, _MOST))
        except Exception as error:  # noqa: BLE001 - whatever a stranger's server does: there is no page
            _log.debug("no page at {url}: {error}", url=url, error=str(error))
            return b""
        return body or b""

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

    async def addresses(self, host: str) -> Sequence[str]:
        """Addresses of a host, as this computer finds them; empty when it has none or nobody answers in time."""
        answer = _Addresses()
        self._reactor.nameResolver.resolveHostName(answer, host)
        try:
            await self._within(answer.complete, _NAMES)
        except TooLate:
            return []
        return list(dict.fromkeys(answer.found))

    async def listens(self, host: str, port: int) -> bool:
        """Whether a connection can be made."""
        endpoint = HostnameEndpoint(self._reactor, host, port, timeout=_DEADLINE)
        try:
            protocol: Any = await self._within(endpoint.connect(Factory.forProtocol(Protocol)))
        except Exception:  # noqa: BLE001 - refused, unknown, too slow: nothing listens there for us
            return False
        protocol.transport.abortConnection()
        return True

    def _within(self, work: Deferred[Any], seconds: float = _DEADLINE) -> Deferred[Any]:
        work.addTimeout(seconds, self._reactor)
        return work


@implementer(IResolutionReceiver)
class _Addresses:
    """Gathers what a resolver says."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.complete: Deferred[None] = Deferred()

    def resolutionBegan(self, resolution: object) -> None:
        """Twisted calls this first."""

    def addressResolved(self, address: Any) -> None:
        """One more."""
        self.found.append(str(address.host))

    def resolutionComplete(self) -> None:
        """There are no more; after the deadline nobody waits for that."""
        if not self.complete.called:
            self.complete.callback(None)
