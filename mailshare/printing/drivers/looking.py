"""When to ask a device how a job stands: soon, then less often."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

FIRST, LAST = 1.0, 10.0  # seconds


def delays() -> Iterator[float]:
    """1, 2, 4, 8, 10, 10 ... seconds."""
    wait = FIRST
    while True:
        yield min(wait, LAST)
        wait = min(wait * 2, LAST)


def look_by_clock(clock: IReactorTime, look: Callable[[], None]) -> Callable[[], None]:
    """Call ``look`` again and again; the result ends it."""
    waits = delays()
    calls: list[IDelayedCall] = []

    def again() -> None:
        calls[:] = [clock.callLater(next(waits), again)]
        look()

    calls.append(clock.callLater(next(waits), again))

    def end() -> None:
        if calls[0].active():
            calls[0].cancel()

    return end


def never() -> None:
    """The end of a watch that had nothing to look for."""
