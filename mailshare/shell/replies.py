"""Who waits for the replies of a server: a coroutine, by a Deferred, or somebody who is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from mailshare.wire.client_engine import Command, Reply

Taker = Callable[[bytes], Awaitable[None] | None]
"""Gets each chunk of a long reply; returns an awaitable to have the server wait."""


@define(eq=False)
class Waiter:
    """Who waits for a reply, or for several.

    :ivar last: of several commands; their replies are added to ``replies`` as they come.
    """

    deferred: Deferred[object]
    take: Taker | None = None
    last: Command | None = None
    replies: list[Reply] = field(factory=list)

    def hear(self, reply: Reply) -> None:
        """One of them came."""
        if self.last is not None:
            self.replies.append(reply)
        if self.last is None or self.last is reply.command:
            self.deferred.callback(reply)

    def fail(self, error: BaseException) -> None:
        """It will not come."""
        if not self.deferred.called:
            self.deferred.errback(error)


class Listener(ABC):
    """Who is called: where replies are many, a Deferred for each would take longer than the reply itself."""

    __slots__ = ()

    @abstractmethod
    def hear(self, reply: Any) -> None:
        """The reply is there, behind the chunks of what is long."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """The connection ended, or :meth:`take` raised this."""

    @abstractmethod
    def take(self, data: bytes) -> Awaitable[None] | None:
        """A chunk of a long reply; an awaitable has the server wait."""

    @abstractmethod
    def hear_whole(self, text: bytes) -> None:
        """In place of all that, the reply to a command that may come whole."""
