"""The control socket, before anybody has come to it: what speaks HTTP is imported with the first connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ServerFactory

if TYPE_CHECKING:
    from mailshare.assembly.acts_on_need import ActsOnNeed
    from mailshare.web.control import Aside, ControlAPI


class ControlDoor(ServerFactory):
    """Hands connections to the control API, which it makes for the first one.

    :param acts: the office as its administrator sees it.
    """

    noisy = False

    def __init__(self, acts: ActsOnNeed, reactor: IReactorTime, aside: Aside) -> None:
        self._acts = acts
        self._reactor = reactor
        self._aside = aside
        self._api: ControlAPI | None = None
        self._site: Any = None

    def buildProtocol(self, addr: Any) -> Any:
        """A connection that speaks HTTP; Twisted calls this."""
        if self._site is None:
            from mailshare.web.control import ControlAPI  # noqa: PLC0415 - most starts are seen by nobody

            self._api = ControlAPI(self._acts, self._reactor, self._aside)
            self._site = self._api.site()
            self._site.doStart()
        return self._site.buildProtocol(addr)

    def close(self) -> None:
        """End the event streams, which would live for ever."""
        if self._api is not None:
            self._api.close()

    def stopFactory(self) -> None:
        """The socket is closed; Twisted calls this."""
        if self._site is not None:
            self._site.doStop()
