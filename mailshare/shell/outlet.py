"""The way out of a connection: straight to the socket while nothing waits there, else through the transport's queue.

A transport's ``write`` queues, asks the reactor to tell when the socket takes octets, and stops asking afterwards:
three system calls and a turn of the reactor for a reply that the socket would have taken at once. Closing costs as much
once more, although nothing is left to be sent.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Protocol

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Server
from zope.interface import implementer

from mailshare.shell.prompt_socket import PromptSocket

_MORE = getattr(socket, "MSG_MORE", 0)  # Linux has it


class Listener(Protocol):
    """Who is told how the queue stands."""

    def outlet_full(self) -> None:
        """Octets wait; hand over no more than must be."""

    def outlet_free(self) -> None:
        """None wait any more."""


@implementer(IPushProducer, IPullProducer)
class Outlet:
    """Writes to one transport and tells when its queue is full, and when it is empty again.

    On a plain socket the queue counts as full as soon as anything is in it, so a peer that does not read costs what was
    handed over in one piece and no more. Inside TLS, and on transports that are no sockets, the transport's own bound
    holds (64 KiB in Twisted).
    """

    __slots__ = ("_listener", "_prompt", "_registered", "_socket", "_straight", "_transport")

    def __init__(self, transport: Any, listener: Listener, *, secure: bool) -> None:
        self._transport = transport
        self._listener = listener
        self._straight: Any = None
        self._prompt = not secure and type(transport) is PromptSocket
        self._socket = self._prompt or (isinstance(transport, Server) and not secure)
        self._registered = False
        if not secure:
            self._straight = transport.socket.send if self._socket else getattr(transport, "writeSomeData", None)
        if not self._prompt:
            self._register()

    def _register(self) -> None:
        """Be told how the queue stands: of a plain socket from the first octet that it did not take."""
        if not self._registered:
            self._registered = True
            # A pull producer is told whenever the queue has become empty, a push producer only after it was paused.
            self._transport.registerProducer(self, self._straight is None)

    def write(self, data: bytes, *, queued: bool, last: bool = False) -> None:
        """Send.

        :param queued: octets wait already, so these go behind them.
        :param last: :meth:`close` follows at once. So the kernel sends one packet with the octets and the end in place
            of two.
        """
        if self._straight is None or queued:
            self._transport.write(data)
            return
        try:
            sent = self._straight(data, _MORE) if last and self._socket else self._straight(data)
        except OSError:  # the socket is full, or broken: the transport meets that again and ends in good order
            sent = 0
        if sent != len(data):
            self._register()
            self._transport.write(data[sent:] if isinstance(sent, int) else data)
            self._listener.outlet_full()

    def close(self, *, queued: bool) -> None:
        """End the connection when everything is sent, which is now where nothing waits.

        :param queued: as for :meth:`write`.
        """
        transport = self._transport
        if self._registered:
            transport.unregisterProducer()
        if not self._socket or self._straight is None or queued:
            transport.loseConnection()
        elif self._prompt and not self._registered:
            transport.end()
        else:
            transport.connectionLost(connectionDone)

    def open_again(self) -> int | None:
        """Another descriptor of the socket; ``None`` where octets must not go past the transport."""
        return None if self._straight is None else os.dup(self._transport.fileno())

    def await_room(self) -> None:
        """Have the listener told when the socket takes octets again, although none wait here."""
        self._register()
        self._transport.startWriting()

    def use_queue(self) -> None:
        """TLS begins: from now on octets may not reach the socket past it."""
        if self._straight is not None:
            self._straight = None
            if self._registered:
                self._transport.unregisterProducer()
            self._registered = False
            self._register()

    def pauseProducing(self) -> None:
        """Twisted: the queue is full."""
        self._listener.outlet_full()

    def resumeProducing(self) -> None:
        """Twisted: the queue is empty."""
        self._listener.outlet_free()

    def stopProducing(self) -> None:
        """Nothing to stop: the connection hears of its end itself."""


def lowest(transport: Any) -> Any:
    """The transport below all TLS."""
    while (below := getattr(transport, "transport", None)) is not None:
        transport = below
    return transport
