"""How often a sender wrote to everybody: a spammer who found PUBLIC must not reach sixty-four people a minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mailshare.core.values import SECOND
from mailshare.delivery.events import PUBLIC
from mailshare.interfaces import IEventLog

HOUR = 3600 * SECOND
MAX_SENDERS = 10_000


class PublicRate:
    """Counts messages to everybody by account and sender over the last hour. Bounded: the oldest senders fall out.

    :param now: the clock, microseconds UTC.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._sent: dict[tuple[int, str], deque[int]] = {}

    def count(self, account_id: int, sender: str) -> int:
        """Messages in the last hour, those that were refused left out."""
        times = self._sent.get((account_id, sender))
        if times is None:
            return 0
        while times and times[0] <= self._now() - HOUR:
            times.popleft()
        if not times:
            del self._sent[account_id, sender]
        return len(times)

    async def recover(self, events: IEventLog) -> None:
        """Count what the journal tells of the last hour, so that a restart forgives nobody."""
        now, after = self._now(), 0
        while page := await events.page(since=now - HOUR, until=now + HOUR, kinds=(PUBLIC,), after_id=after):
            for number, event in page:
                after = max(after, number)
                if event.account_id is not None:
                    self.add(event.account_id, str(event.data.get("sender", "")), event.at)

    def add(self, account_id: int, sender: str, at: int | None = None) -> None:
        """One more was let through, now or at that time."""
        key = (account_id, sender)
        times = self._sent.pop(key, None) or deque()
        times.append(self._now() if at is None else at)
        self._sent[key] = times
        if len(self._sent) > MAX_SENDERS:
            del self._sent[next(iter(self._sent))]
