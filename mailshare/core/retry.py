"""When a queue row is tried again, when its sender is told of a delay, and when it is given up.

The steps: 1, 5, 15 and 60 minutes after a failed try; hourly until the sender has been told of the delay (four
hours after the message came); every four hours after that; given up after five days. RFC 5321 section 4.5.4.1 asks for
at least 30 minutes between tries in the long run and four to five days before giving up. Everything here is a pure
function of times in microseconds UTC.
"""

from __future__ import annotations

from attrs import frozen

from mailshare.core.values import SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@frozen
class RetryRule:
    """The figures of the back-off.

    :ivar first: waits after the first failed tries, microseconds.
    :ivar steady: wait after those, until the sender has been told of the delay.
    :ivar late: wait from then on.
    :ivar warn_after: age at which the sender is told of the delay.
    :ivar give_up_after: age at which the row fails for good.
    """

    first: tuple[int, ...] = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
    steady: int = HOUR
    late: int = 4 * HOUR
    warn_after: int = 4 * HOUR
    give_up_after: int = 5 * DAY

    def wait(self, attempts: int, age: int) -> int:
        """How long to wait.

        :param attempts: failed tries so far, this one counted, >= 1.
        :param age: microseconds since the row was queued.
        """
        if attempts <= len(self.first):
            return self.first[max(attempts, 1) - 1]
        return self.steady if age < self.warn_after else self.late

    def next_try(self, attempts: int, queued: int, expires: int, now: int) -> int | None:
        """The time of the next try after one that failed for now.

        The last try falls on the very moment of expiry, so that no row is given up untried for hours.

        :param attempts: failed tries so far, this one counted.
        :param expires: when the row gives up; 0 means the rule's own ``give_up_after``.
        :returns: microseconds UTC, or ``None`` when it is time to give up.
        """
        end = expires or queued + self.give_up_after
        if now >= end:
            return None
        return min(now + self.wait(attempts, now - queued), end)

    def delay_due(self, queued: int, now: int) -> bool:
        """Whether a row that still waits is old enough for its sender to be told (once; the caller keeps count)."""
        return now - queued >= self.warn_after


STANDARD = RetryRule()
