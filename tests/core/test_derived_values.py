"""What follows from a value is worked out once, and is forgotten with the value."""

from __future__ import annotations

import gc

from attrs import frozen

from mailshare.core.derived import derived


@frozen(slots=False)
class Thing:
    """Something that never changes."""

    size: int


def test_each_value_is_asked_once() -> None:
    """The same object costs one computation, an equal one its own."""
    asked: list[int] = []

    @derived
    def double(thing: Thing) -> int:
        asked.append(thing.size)
        return 2 * thing.size

    one, equal = Thing(3), Thing(3)
    assert [double(one), double(one), double(equal)] == [6, 6, 6]
    assert asked == [3, 3]


def test_nothing_is_kept_of_a_value_that_is_gone() -> None:
    """A result dies with the value, and never answers for another one that got its place in memory."""
    freed: list[str] = []

    class Result:
        def __del__(self) -> None:
            freed.append("gone")

    @derived
    def result(_: Thing) -> Result:
        return Result()

    thing = Thing(1)
    result(thing)
    del thing
    gc.collect()
    assert freed == ["gone"]
