"""Coroutines that need not wait cost nothing; those that do go on just as if they had been awaited from the start."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from mailshare.shell.steps import first_step


async def work(seen: list[object], *waits: Deferred[object]) -> None:
    for wait in waits:
        try:
            seen.append(await wait)
        except ValueError as error:
            seen.append(str(error))
    seen.append("end")


def test_without_waiting() -> None:
    """It has run to its end, and there is nothing to await."""
    seen: list[object] = []
    assert first_step(work(seen)) is None
    assert seen == ["end"]


def test_values_and_failures_reach_it() -> None:
    """What the Deferreds it waits for bring is what it sees, in order."""
    seen: list[object] = []
    first: Deferred[object] = Deferred()
    second: Deferred[object] = Deferred()
    rest = first_step(work(seen, first, second))
    assert rest is not None
    done = Deferred.fromCoroutine(rest)
    first.errback(ValueError("no"))
    assert not done.called
    second.callback(7)
    assert done.called
    assert seen == ["no", 7, "end"]


def test_what_it_raises_comes_out() -> None:
    """At once when it has not waited, else through the Deferred."""

    async def breaks(wait: Deferred[object] | None) -> None:
        if wait is not None:
            await wait
        raise KeyError

    with pytest.raises(KeyError):
        first_step(breaks(None))
    wait: Deferred[object] = Deferred()
    rest = first_step(breaks(wait))
    assert rest is not None
    done = Deferred.fromCoroutine(rest)
    wait.callback(None)
    failures: list[object] = []
    done.addErrback(failures.append)
    assert len(failures) == 1


def test_cancelling_reaches_what_is_waited_for() -> None:
    """As with any coroutine behind a Deferred."""
    cancelled: list[object] = []
    wait: Deferred[object] = Deferred(cancelled.append)
    seen: list[object] = []
    rest = first_step(work(seen, wait))
    assert rest is not None
    done = Deferred.fromCoroutine(rest)
    done.cancel()
    done.addErrback(lambda _: None)
    assert cancelled == [wait]
