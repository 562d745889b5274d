"""How long a reactor was busy with one turn: what a test holds against the bound within which others are served."""

from __future__ import annotations

import gc
import time
from typing import Any


class StallWatch:
    """Measures each turn of a reactor, from one look at its timers to the next, while a ``with`` lasts.

    What counts is the processor time of the reactor's thread, so neither waiting for octets nor a busy machine does.

    :param reactor: the running reactor; one with Twisted's own main loop.
    :ivar longest: seconds of the longest turn so far.
    :ivar turns: how many there were.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._look = reactor.runUntilCurrent
        self._last: float | None = None
        self.longest = 0.0
        self.turns = 0

    def __enter__(self) -> StallWatch:
        """Begin with the next turn."""
        # A full collection of everything that a long test run has piled up is no turn of the server's.
        gc.collect()
        gc.freeze()
        self._reactor.runUntilCurrent = self._turn
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        del self._reactor.runUntilCurrent
        gc.unfreeze()

    def _turn(self) -> None:
        now = time.thread_time()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last)
            self.turns += 1
        self._last = time.thread_time()
        self._look()
