"""How often machines that send without a login did so in the last hour: one count for all listeners, over restarts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mailshare.core.devices import SENT
from mailshare.core.values import SECOND
from mailshare.interfaces import IEventLog

_HOUR = 3600.0


class DeviceRate:
    """Counts messages by the machine's name. A message counts when its text begins; after a restart, what was stored.

    :param now: seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sent: dict[str, deque[float]] = {}

    def count(self, name: str) -> int:
        """Messages in the last hour."""
        times = self._sent.get(name, ())
        now = self._now()
        while times and not now - _HOUR < times[0] < now + _HOUR:  # what lies ahead was counted by another clock
            times.popleft()
        return len(times)

    def add(self, name: str, at: float | None = None) -> None:
        """One more, now or at that time."""
        self._sent.setdefault(name, deque()).append(self._now() if at is None else at)

    async def recover(self, events: IEventLog) -> None:
        """Count what the journal tells of the last hour."""
        now, after = int(self._now() * SECOND), 0
        span = int(_HOUR) * SECOND
        while page := await events.page(since=now - span, until=now + span, kinds=(SENT,), after_id=after):
            for number, event in page:
                after = max(after, number)
                self.add(str(event.data.get("device", "")), event.at / SECOND)
