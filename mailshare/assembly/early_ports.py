"""Ports below 1024, bound while the process may still do so: before ``twistd --uid`` gives its rights away."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.error import CannotListenError

from mailshare.config import Config
from mailshare.config.endpoint_strings import interface_of, port_of

_FIRST_FREE = 1024
BACKLOG = 1024  # connections that wait to be accepted; the system may allow fewer


class EarlyPorts:
    """Sockets that listen for nobody yet, and a reactor that hands them to whoever asks for their port.

    Endpoints of every kind end in ``listenTCP``; it is answered here from the sockets that were bound early, and
    everything else by the real reactor.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def bind(self, config: Config, below: int = _FIRST_FREE) -> None:
        """Bind the low ports of a configuration.

        :param below: ports from here on are left to the reactor.
        :raises CannotListenError: one of them cannot be had.
        """
        for listener in config.listeners:
            port, interface = port_of(listener.endpoint), interface_of(listener.endpoint)
            if port and port < below:
                self._sockets[interface, port] = _bound(interface, port)

    def listenTCP(self, port: int, factory: Any, backlog: int = BACKLOG, interface: str = "") -> Any:
        """As the reactor's own."""
        early = self._sockets.pop((interface, port), None)
        if early is None:
            return self._reactor.listenTCP(port, factory, backlog, interface)
        with early:
            return self._reactor.adoptStreamPort(early.fileno(), early.family, factory)

    def close(self) -> None:
        """Let those go that nobody asked for."""
        for early in self._sockets.values():
            early.close()
        self._sockets.clear()


def _bound(interface: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in interface else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind((interface, port))
        made.listen(BACKLOG)
    except OSError as fault:
        made.close()
        raise CannotListenError(interface, port, fault) from fault
    return made
