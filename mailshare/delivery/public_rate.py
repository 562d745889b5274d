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

    A message counts once, however often it comes: providers bring copies, and what could not be stored comes again.

    :param now: the clock, microseconds UTC.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._sent: dict[tuple[int, str], deque[tuple[int, str]]] = {}

    def count(self, account_id: int, sender: str, key: bytes = b"") -> int:
        """Messages in the last hour, those that were refused left out.

        :param key: of the message that is about to count; copies of it are left out.
        """
        sent = self._sent.get((account_id, sender))
        if sent is None:
            return 0
        now = self._now()
        while sent and not now - HOUR < sent[0][0] < now + HOUR:  # what lies ahead was counted by another clock
            sent.popleft()
        if not sent:
            del self._sent[account_id, sender]
        own = key.hex()
        return sum(1 for _, other in sent if not own or other != own)

    async def recover(self, events: IEventLog) -> None:
        """Count what the journal tells of the last hour, so that a restart forgives nobody."""
        now, after = self._now(), 0
        while page := await events.page(since=now - HOUR, until=now + HOUR, kinds=(PUBLIC,), after_id=after):
            for number, event in page:
                after = max(after, number)
                if event.account_id is not None:
                    key = bytes.fromhex(str(event.data.get("key", "")))
                    self.add(event.account_id, str(event.data.get("sender", "")), key, event.at)

    def add(self, account_id: int, sender: str, key: bytes = b"", at: int | None = None) -> None:
        """One more was let through, now or at that time; a copy of one that counts already changes nothing."""
        whose, own = (account_id, sender), key.hex()
        sent = self._sent.pop(whose, None) or deque()
        if not own or all(own != other for _, other in sent):
            sent.append((self._now() if at is None else at, own))
        self._sent[whose] = sent
        if len(self._sent) > MAX_SENDERS:
            del self._sent[next(iter(self._sent))]
