"""Where others come to a line: an endpoint that is listened at while the line runs."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger


class Door:
    """One endpoint. When it cannot be listened at, the log says so and the line goes on without.

    :param line: its name, for the log.
    :param place: endpoint, e.g. ``tcp:8090:interface=127.0.0.1``.
    """

    _log = Logger()

    def __init__(self, line: str, reactor: Any, place: str, factory: IProtocolFactory) -> None:
        self._line = line
        self._reactor = reactor
        self._place = place
        self._factory = factory
        self._port: IListeningPort | None = None
        self._wanted = False

    @property
    def host(self) -> Any:
        """The address at which it listens; ``None`` while it does not."""
        return self._port.getHost() if self._port is not None else None

    def open(self) -> None:
        """Listen."""
        self._wanted = True
        opened = serverFromString(self._reactor, self._place).listen(self._factory)
        opened.addCallbacks(self._opened, self._failed)

    def _opened(self, port: IListeningPort) -> None:
        self._port = port
        if not self._wanted:
            port.stopListening()

    def _failed(self, failure: Any) -> None:
        why = failure.getErrorMessage()
        self._log.warn("line {line}: nothing listens at {place}: {why}", line=self._line, place=self._place, why=why)

    async def close(self) -> None:
        """Listen no more."""
        self._wanted = False
        port, self._port = self._port, None
        if port is not None:
            stopped = port.stopListening()
            if stopped is not None:
                await stopped
