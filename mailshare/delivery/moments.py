"""The time of a reactor in the unit of the core, and work that is too long for the reactor's thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from mailshare.core.values import SECOND

T = TypeVar("T")


def micros(clock: IReactorTime) -> int:
    """Now, in microseconds UTC."""
    return int(clock.seconds() * SECOND)


class Aside(Protocol):
    """Does work where it does not hold up the reactor, and fires on the reactor's thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Do it; raises what the work raises."""
        ...


async def at_once(work: Callable[[], T], /) -> T:
    """An :class:`Aside` that does the work here and now, for programs that only meet small messages."""
    return work()
