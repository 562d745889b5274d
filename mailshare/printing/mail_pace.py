"""Keeps mails about one thing apart: what happens meanwhile is told together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mailshare.core.values import SECOND

Work = Callable[[], Awaitable[object]]
_MOST_KNOWN = 1_000


class MailPace:
    """For each key one piece of work in so many microseconds.

    :param soon: does a piece of work and logs what goes wrong.
    :param now: microseconds UTC.
    """

    def __init__(
        self, reactor: Any, now: Callable[[], int], soon: Callable[[Awaitable[object]], None], pause: int
    ) -> None:
        self._reactor = reactor
        self._now = now
        self._soon = soon
        self._pause = pause
        self._last: dict[str, int] = {}
        self._waiting: dict[str, tuple[Any, Work, bool]] = {}
        self._closed = False

    def later(self, key: str, work: Work, *, weak: bool = False) -> None:
        """Do it, at once or when the pause is over; it takes the place of what waits under that key.

        :param weak: it does not take the place of what is not weak.
        """
        if self._closed:
            return
        waits = self._waiting.get(key)
        if waits is not None:
            if waits[2] or not weak:
                self._waiting[key] = (waits[0], work, weak)
            return
        wait = max(0, self._last[key] + self._pause - self._now()) if key in self._last else 0
        call = self._reactor.callLater(min(wait, self._pause) / SECOND, self._do, key)
        self._waiting[key] = (call, work, weak)

    def _do(self, key: str) -> None:
        _, work, _ = self._waiting.pop(key)
        now = self._now()
        if len(self._last) >= _MOST_KNOWN:
            self._last = {one: at for one, at in self._last.items() if at > now - self._pause}
        self._last[key] = now
        self._soon(work())

    def drop(self, key: str) -> None:
        """What waits under that key is not done."""
        waits = self._waiting.pop(key, None)
        if waits is not None:
            waits[0].cancel()

    def close(self) -> None:
        """Nothing that waits is done, nor what comes later; whoever keeps work here keeps it durably, too."""
        self._closed = True
        for key in tuple(self._waiting):
            self.drop(key)
