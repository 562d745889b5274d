"""One reader for the plain sockets of many connections, where the system has epoll.

For each event of each descriptor Twisted's reactor makes a log context and looks at what kind of event it is, in ten
calls of functions. A set of sockets that is watched as one descriptor costs that once a turn; those whose event is no
plain "there is something to read" go back to the reactor, which knows what to do.
"""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Server
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

_EPOLL = hasattr(select, "epoll")


@implementer(IReadDescriptor)
class SharedReader:
    """Reads for those it has taken over. To them it is their reactor: what it does not do itself that one does.

    :param reactor: the reactor; without descriptors, as in tests, nothing is ever taken over.
    """

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.able = _EPOLL and IReactorFDSet.providedBy(reactor)
        self._poller: Any = None
        self._readers: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        """Whatever else is asked of a reactor."""
        return getattr(self._reactor, name)

    def take_over(self, transport: object) -> None:
        """Read for this one from now on, if it is a plain socket; the reactor reads for it now."""
        if self.able and isinstance(transport, Server) and transport.reactor is not self:  # type: ignore[comparison-overlap]
            transport.stopReading()
            transport.reactor = self  # type: ignore[assignment]  # as much of one as a socket asks for
            transport.startReading()

    # ------------------------------------------------------------------ as the reactor of those taken over

    def addReader(self, reader: Any) -> None:
        """Read for it."""
        readers, number = self._readers, reader.fileno()
        if not readers:
            self._poller = self._poller or select.epoll()
            self._reactor.addReader(self)
        if number not in readers:
            self._poller.register(number, select.EPOLLIN | select.EPOLLRDHUP)
            readers[number] = reader

    def removeReader(self, reader: Any) -> None:
        """Read no more for it."""
        number = reader.fileno()
        if self._readers.get(number) is not reader:
            return
        del self._readers[number]
        self._poller.unregister(number)
        if not self._readers:
            self._reactor.removeReader(self)

    # ------------------------------------------------------------------ called by the reactor

    def fileno(self) -> int:
        """Of the whole set."""
        number: int = self._poller.fileno()
        return number

    def logPrefix(self) -> str:
        """For the reactor's log."""
        return "connections"

    def doRead(self) -> None:
        """Some have something to read, or another event."""
        for number, event in self._poller.poll(0):
            reader = self._readers.get(number)
            if reader is None:  # ended by what another one said
                continue
            why: Any = CONNECTION_DONE
            if event == select.EPOLLIN:
                try:
                    why = reader.doRead()
                except Exception as fault:  # noqa: BLE001 - as the reactor does with whatever a protocol raises
                    self.log.failure("A connection failed")
                    why = fault
            if why is CONNECTION_DONE:  # it has sent its last, or there is an error: the reactor finds out once more
                reader.stopReading()
                reader.reactor = self._reactor
                reader.startReading()
            elif why:
                reader.connectionLost(Failure(why))

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops."""
        for reader in list(self._readers.values()):
            reader.connectionLost(reason)
