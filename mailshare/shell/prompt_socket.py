"""The sockets of our own listeners: Twisted's, with less done when a connection comes and when it goes.

For each connection Twisted writes two strings for logs that mostly nobody reads, asks the system to send without delay,
and ends in six methods that look for what a plain socket with an empty queue never has. Of the steps of a connection
that brings a login and one message this was a twentieth. All else that a transport can do (TLS, producers, its queue,
cutting off) is Twisted's own here too.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv6Address
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Server

if TYPE_CHECKING:
    from mailshare.shell.server import EngineFactory


class PromptSocket(Server):
    """A server's plain socket. Where others are connected it is read for together with them from its first octet."""

    def __init__(self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any) -> None:
        factory: EngineFactory = protocol.factory
        FileDescriptor.__init__(self, factory.reader_among_others(reactor))
        sock.setblocking(False)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = sessionno
        self.hostname = client[0]
        self.connected = 1
        self.reactor.addReader(self)

    def doRead(self) -> Any:
        """Hand on what came; the base class does it in two methods."""
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def end(self) -> None:
        """Close now, in good order: it is not inside TLS, nothing waits to be sent, nobody produces for it.

        What ``connectionLost(connectionDone)`` does of all that it does.
        """
        self.disconnected = 1
        self.connected = 0
        self.reactor.removeReader(self)
        with suppress(OSError):  # the peer was quicker
            self.socket.shutdown(socket.SHUT_RDWR)  # somebody may have the socket open again, see Outlet.open_again
        self.socket.close()
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(connectionDone)

    def logPrefix(self) -> str:
        """For the log; made when it is asked for."""
        return f"{self._getLogPrefix(self.protocol)},{self.sessionno},{self.hostname}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} #{self.sessionno} of {self.hostname}>"
