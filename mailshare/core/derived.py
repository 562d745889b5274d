"""What follows from a frozen value: worked out at the first question and forgotten with the value."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import update_wrapper
from typing import TypeVar

Value = TypeVar("Value")
Derived = TypeVar("Derived")


def derived(work_out: Callable[[Value], Derived]) -> Callable[[Value], Derived]:
    """Have a pure function of one value remember its results.

    A value is known by its identity, so nothing of it is compared or hashed; it must not change.
    """
    known: dict[int, tuple[weakref.ref[Value], Derived]] = {}

    def look(value: Value) -> Derived:
        key = id(value)
        found = known.get(key)
        if found is not None and found[0]() is value:
            return found[1]
        result = work_out(value)
        known[key] = (weakref.ref(value, lambda _: known.pop(key, None)), result)
        return result

    update_wrapper(look, work_out)
    return look
