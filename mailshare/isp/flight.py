"""How much may be under way at once, counted in pieces and in octets."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

T = TypeVar("T")


def end_of(run: Deferred[Any]) -> Deferred[object]:
    """Fires when a run has ended; for runs whose errors became results before. Their result is left alone."""
    end: Deferred[object] = Deferred()

    def pass_on(result: Any) -> Any:
        end.callback(None)
        return result

    run.addCallback(pass_on)
    return end


class Flight:
    """Admits pieces while there is room; one alone always fits, however large.

    :param pieces: at most that many at once.
    :param octets: at most that many octets at once.
    :param lot: who waits is admitted when there is room for so many, so that many go at once.
    """

    def __init__(self, pieces: int, octets: int, lot: int = 1) -> None:
        self._pieces = pieces
        self._octets = octets
        self._lot = lot
        self._landed: Deferred[None] | None = None
        self._aloft = 0
        self._weight = 0
        self._queue: deque[tuple[int, Deferred[None]]] = deque()

    def enters(self, octets: int) -> bool:
        """Whether there is room at once; then it is taken."""
        if self._queue or not self._has_room(octets):
            return False
        self._aloft += 1
        self._weight += octets
        return True

    async def enter(self, octets: int) -> None:
        """Wait for room, in order of asking.

        :cancel: gives the place in the queue up.
        """
        if self.enters(octets):
            return
        waiting: Deferred[None] = Deferred(self._forget)
        self._queue.append((octets, waiting))
        await waiting

    async def landed(self) -> None:
        """Wait until nothing is aloft."""
        if self._aloft:
            self._landed = Deferred()
            await self._landed

    def _has_room(self, octets: int) -> bool:
        return not self._aloft or (self._aloft < self._pieces and self._weight + octets <= self._octets)

    def leave(self, octets: int) -> None:
        """Give the room back."""
        self._aloft -= 1
        self._weight -= octets
        if self._queue and (self._lot == 1 or self._is_roomy()):
            self._admit()
        if self._landed is not None and not self._aloft:
            landed, self._landed = self._landed, None
            landed.callback(None)

    def _is_roomy(self) -> bool:
        return not self._aloft or (self._aloft + self._lot <= self._pieces and 4 * self._weight <= 3 * self._octets)

    def _admit(self) -> None:
        while self._queue:
            octets, waiting = self._queue[0]
            if not self._has_room(octets):
                return
            self._queue.popleft()
            self._aloft += 1
            self._weight += octets
            waiting.callback(None)

    def _forget(self, waiting: Deferred[None]) -> None:
        self._queue = deque(entry for entry in self._queue if entry[1] is not waiting)


async def all_of(waits: Sequence[Deferred[T]]) -> list[T]:
    """Wait until every one is done, then raise the first error, if there was one.

    :cancel: cancels them all.
    """
    results = await DeferredList(waits, consumeErrors=True)
    for _, result in results:
        if isinstance(result, Failure):
            result.raiseException()
    return [result for _, result in results]
