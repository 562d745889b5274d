"""When a queue row is tried again, when its sender is told of a delay, and when it is given up.

The steps: 1, 5, 15 and 60 minutes after a failed try, every hour from then on, and once more at the moment at
which the sender is to hear of the delay (four hours after the message came), so that he hears of a try just made; given
up after five days. RFC 5321 section 4.5.4.1 asks for at least 30 minutes between tries in the long run and four to five
days before giving up. Everything here is a pure function of times in microseconds UTC.
"""

from __future__ import annotations

from attrs import frozen

from mailshare.core.values import SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ENOUGH = 5
"""No row is given up before that many tries, however old it is: its age may be a night in a closed laptop or a clock
that somebody set wrong."""


@frozen
class RetryRule:
    """The figures of the back-off.

    :ivar first: waits after the first failed tries, microseconds.
    :ivar late: wait from then on.
    :ivar warn_after: age at which the sender is told of the delay.
    :ivar give_up_after: age at which the row fails for good.
    """

    first: tuple[int, ...] = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
    late: int = HOUR
    warn_after: int = 4 * HOUR
    give_up_after: int = 5 * DAY

    def wait(self, attempts: int) -> int:
        """How long to wait.

        :param attempts: failed tries so far, this one counted, >= 1.
        """
        return self.first[max(attempts, 1) - 1] if attempts <= len(self.first) else self.late

    def next_try(self, attempts: int, queued: int, expires: int, now: int) -> int | None:
        """The time of the next try after one that failed for now.

        The last try falls on the very moment of expiry, so that no row is given up untried for hours.

        :param attempts: failed tries so far, this one counted.
        :param expires: when the row gives up; 0 means the rule's own ``give_up_after``.
        :returns: microseconds UTC, or ``None`` when it is time to give up.
        """
        end = expires or queued + self.give_up_after
        if now >= end:
            return None if attempts >= self._planned(end - queued) else now + self.wait(attempts)
        return min(self.before_notice(now + self.wait(attempts), queued, now), end)

    def before_notice(self, following: int, queued: int, now: int) -> int:
        """That time, or the moment at which the sender is to hear of the delay when that comes first."""
        notice = queued + self.warn_after
        return notice if now < notice < following else following

    def delay_due(self, queued: int, now: int) -> bool:
        """Whether a row that still waits is old enough for its sender to be told (once; the caller keeps count)."""
        return now - queued >= self.warn_after

    def _planned(self, life: int) -> int:
        """How many tries a row of that life gets on a clock that runs evenly, at most :data:`ENOUGH`."""
        tries, age = 1, 0
        while age < life and tries < ENOUGH:
            age += self.wait(tries)
            tries += 1
        return tries


STANDARD = RetryRule()
