"""A coroutine that need not wait is over when it was begun; one that waits behaves as Deferred.fromCoroutine has it."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred

from mailshare.shell.steps import begun


async def doubled(wait: Deferred[int] | None, value: int = 0) -> int:
    """Twice what comes, or an error for what is negative."""
    if wait is not None:
        value = await wait
    if value < 0:
        raise ValueError(value)
    return 2 * value


@pytest_twisted.ensureDeferred
async def test_results_and_errors_come_through():
    """With and without a wait."""
    assert begun(doubled(None, 4)).result == 8
    with pytest.raises(ValueError, match="-1"):
        await begun(doubled(None, -1))
    wait: Deferred[int] = Deferred()
    waiting = begun(doubled(wait))
    assert not waiting.called
    wait.callback(5)
    assert await waiting == 10
    wait = Deferred()
    waiting = begun(doubled(wait))
    wait.errback(ValueError("later"))
    with pytest.raises(ValueError, match="later"):
        await waiting


@pytest_twisted.ensureDeferred
async def test_cancelling_reaches_what_is_waited_for():
    """As a login that is given up must."""
    cancelled = []
    wait: Deferred[int] = Deferred(cancelled.append)
    waiting = begun(doubled(wait))
    waiting.cancel()
    assert cancelled == [wait]
    with pytest.raises(CancelledError):
        await waiting
