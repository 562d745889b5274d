"""The control socket, before anybody has come to it: what speaks HTTP is imported with the first connection."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory

if TYPE_CHECKING:
    from mailshare.assembly.acts_on_need import ActsOnNeed
    from mailshare.web.control import Aside, ControlAPI


class ControlDoor(ServerFactory):
    """Hands connections to the control API, which it makes for the first one.

    :param acts: the office as its administrator sees it.
    """

    noisy = False

    def __init__(self, acts: ActsOnNeed, reactor: Any, aside: Aside) -> None:
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

    def listen(self, path: str) -> IListeningPort:
        """Open the socket.

        A server that was killed leaves it, and beside it the number of its process, which another one may have by now:
        in a container it nearly always has. So what does not answer is cleared away, whatever has that number.

        :raises CannotListenError: another server answers there, or it cannot be made.
        """
        if not _answers(path):
            for left in (path, path + ".lock"):
                if os.path.islink(left) or (os.path.exists(left) and stat.S_ISSOCK(os.stat(left).st_mode)):
                    os.unlink(left)
        port: IListeningPort = self._reactor.listenUNIX(path, self, mode=0o600, wantPID=True)
        return port

    def close(self) -> None:
        """End the event streams, which would live for ever."""
        if self._api is not None:
            self._api.close()

    def stopFactory(self) -> None:
        """The socket is closed; Twisted calls this."""
        if self._site is not None:
            self._site.doStop()


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.setblocking(False)
        try:
            visitor.connect(path)
        except BlockingIOError:  # so many wait there already
            return True
        except OSError:
            return False
        return True
