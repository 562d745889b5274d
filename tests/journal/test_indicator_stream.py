"""The six indicators as a stream: nothing is missed, nothing piles up (S19, S20)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from mailshare.journal.counting import Counting, Watching
from mailshare.status import Indicators
from tests.journal.conftest import finish


def test_a_reader_who_keeps_up_gets_every_value() -> None:
    """The value of now comes at once, then each change when it happens."""
    counting = Counting()
    stream = counting.follow()
    assert finish(stream.__anext__()) == Indicators()
    for step in (1, -1, 1):
        counting.sending(step)
        assert finish(stream.__anext__()).local_sending == max(step, 0)


def test_a_slow_reader_sees_each_flash_and_costs_no_memory() -> None:
    """A thousand changes are two values: one with every lamp that was on meanwhile, and that of now."""
    counting = Counting()
    stream = counting.follow()
    assert finish(stream.__anext__()) == Indicators()
    for _ in range(1000):
        counting.receiving(1)
        counting.upstream(outgoing=3, incoming=0)
        counting.receiving(-1)
        counting.upstream(outgoing=0, incoming=1)
        counting.upstream(outgoing=0, incoming=0)
    assert finish(stream.__anext__()) == Indicators(local_receiving=1, outgoing=3, incoming=1)
    assert finish(stream.__anext__()) == Indicators()
    waiting = Deferred.fromCoroutine(stream.__anext__())
    assert not waiting.called
    counting.sending(1)
    assert waiting.called


def test_an_iterator_ends_when_it_is_closed() -> None:
    """Also while somebody waits for the next value; a closed one hears of nothing."""
    counting = Counting()
    stream = counting.follow()
    seen: list[Indicators] = []

    async def read(stream: Watching) -> None:
        seen.extend([value async for value in stream])

    reading = Deferred.fromCoroutine(read(stream))
    counting.sending(1)
    stream.close()
    assert reading.called
    counting.sending(1)
    assert len(seen) == 2
    with pytest.raises(StopAsyncIteration):
        finish(stream.__anext__())
