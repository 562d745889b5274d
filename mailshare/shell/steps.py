"""Runs a coroutine as far as it goes without waiting, so that one that need not wait costs no Deferred."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any


def first_step(step: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Begin a coroutine.

    :returns: ``None`` when it has finished, else what must be awaited for the rest of it.
    :raises: whatever it raises before it waits.
    """
    try:
        awaited = step.send(None)
    except StopIteration:
        return None
    return _rest(step, awaited)


@types.coroutine
def _rest(step: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Stand between a coroutine that was begun and whoever drives it now."""
    failure: BaseException | None = None
    value: Any = None
    while True:
        try:
            value = yield awaited
            failure = None
        except GeneratorExit:
            step.close()
            raise
        except BaseException as error:  # noqa: BLE001 - it is handed on, whatever it is
            failure = error
        try:
            awaited = step.send(value) if failure is None else step.throw(failure)
        except StopIteration:
            return
