"""What the journal's tests share: coroutines that do not really wait, and a day in Berlin."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred

T = TypeVar("T")
BERLIN = ZoneInfo("Europe/Berlin")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of something that does not really wait."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(outcome.append)
    assert outcome, "it waits"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]  # type: ignore[no-any-return]


async def here(work: Callable[[], T], /) -> T:
    """Another thread that is none."""
    return work()
