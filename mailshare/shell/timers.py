"""One coarse timer for many connections, in place of a delayed call that is moved for every line."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Ticking(Protocol):
    """Something that looks at the clock now and then."""

    def tick(self, now: float) -> None:
        """Called about once per period.

        :param now: ``reactor.seconds()``.
        """


class Ticker:
    """Ticks for its members while it has any. Deadlines kept by it are late by one period at most.

    :param reactor: IReactorTime; a ``Clock`` in tests.
    :param period: seconds.
    """

    def __init__(self, reactor: IReactorTime, period: float = 1.0) -> None:
        self._reactor = reactor
        self._period = period
        self._members: dict[int, Ticking] = {}
        self._call: IDelayedCall | None = None

    def add(self, member: Ticking) -> None:
        """Tick for this one from now on."""
        self._members[id(member)] = member
        if self._call is None:
            self._call = self._reactor.callLater(self._period, self._tick)

    def remove(self, member: Ticking) -> None:
        """Leave this one alone; idempotent. Without members no timer runs."""
        self._members.pop(id(member), None)
        if not self._members and self._call is not None:
            self._call.cancel()
            self._call = None

    def _tick(self) -> None:
        self._call = self._reactor.callLater(self._period, self._tick)
        now = self._reactor.seconds()
        for member in list(self._members.values()):
            member.tick(now)
