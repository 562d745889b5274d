"""What a connection stands between: the engine, which knows the protocol, and the session, which knows the answers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol


class ServerEngine(Protocol):
    """A server's half of a protocol without I/O.

    Each complete command shows up as one event, those that the engine answered alone as
    :class:`mailshare.wire.replies.Answered`; a command that asks for TLS as :class:`mailshare.wire.replies.StartTLS`.

    :ivar waiting: the last event wants an answer, by a method of the engine, before parsing goes on.
    :ivar closing: close the connection once the output is sent.
    :ivar errors: faults of the peer so far, for slowing down and closing.
    :ivar spent: it need not be asked for events before it is fed again.

    An engine with a true ``wants_end`` is fed once with no octets when the peer has closed its side, and may have
    events after that.
    """

    waiting: bool
    closing: bool
    errors: int
    spent: bool

    def greet(self) -> None:
        """Queue the greeting."""

    def feed(self, data: bytes) -> None:
        """Take octets from the peer, of any length."""

    def next_event(self) -> object | None:
        """The next event; ``None`` when more input, or an answer, is needed."""

    def receive(self, data: bytes) -> object | None:
        """:meth:`feed`, then :meth:`next_event`, in fewer steps where what came can be taken as it is."""

    def take_output(self) -> bytes:
        """Everything that is to be sent now."""

    def secured(self) -> None:
        """TLS was started; forget what was said before."""


class Session(Protocol):
    """What the server's own room does with one connection.

    :ivar patience: seconds that the peer has for its next command, asked after each event.
    :ivar receiving: a body is on its way in, so the deadlines of bodies hold and not ``patience``.
    """

    @property
    def engine(self) -> ServerEngine:
        """The connection's engine."""

    @property
    def patience(self) -> float:
        """Seconds."""

    @property
    def receiving(self) -> bool:
        """In a body."""

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """The connection is there; greet (``self.engine.greet()``) or refuse. What is given is as of :meth:`handle`."""

    def handle(self, event: object) -> Coroutine[Any, Any, None] | None:
        """Answer an event; ``None`` when that is done, else what must be awaited for it, as ``async def`` gives.

        Called one at a time, never while what the last call gave has not ended.

        Long output goes in pieces, each followed by ``await connection.drain()``. :class:`ConnectionGone` may be let
        through; anything else that is raised is logged and ends the connection.
        """

    def stalled(self) -> None:
        """The peer does not read: let go of what can be had again."""

    def lost(self) -> None:
        """The connection is gone and no call of :meth:`handle` is under way: give everything back. Called once."""


class ConnectionGone(Exception):
    """The peer is gone; there is nobody to answer."""
