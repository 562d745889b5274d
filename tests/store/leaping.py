"""A clock for what is judged by how long it took."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor


class Leaping:
    """The reactor, whose clock leaps at each look."""

    def __init__(self) -> None:
        self.leap = 0.0
        self._ahead = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        """The time, and later each time."""
        self._ahead += self.leap
        return float(reactor.seconds()) + self._ahead
