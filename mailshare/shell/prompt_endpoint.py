"""Has the connections of an endpoint be :class:`mailshare.shell.prompt_socket.PromptSocket`."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.internet.tcp import Port, Server
from zope.interface import implementer

from mailshare.shell.connection import Connection
from mailshare.shell.prompt_socket import PromptSocket


@implementer(IStreamServerEndpoint)
class PromptEndpoint:
    """An endpoint whose plain connections to a server of ours cost less.

    :param endpoint: any. Where it listens for something else than TCP, or something stands between its sockets and our
        connections (TLS, a proxy's header), all is as it was.
    """

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, factory: IProtocolFactory) -> Deferred[Any]:
        """As the endpoint inside does."""
        listening: Deferred[Any] = self._endpoint.listen(factory)
        return listening.addCallback(_made_prompt)


def _made_prompt(port: Any) -> Any:
    if type(port) is Port:
        port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted there inherits it
        made: Any = _transport
        port.transport = made  # Twisted's Port says of it: "will be called ..., so it can be replaced"
    return port


def _transport(sock: Any, protocol: Any, client: Any, server: Any, number: int, reactor: Any) -> Server:
    made = PromptSocket if isinstance(protocol, Connection) else Server
    return made(sock, protocol, client, server, number, reactor)
