"""The back-off of the queue."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.retry import DAY, HOUR, MINUTE, STANDARD


def tries(expires: int = 0) -> list[int]:
    """The times of all tries of a row queued at 1 that always fails at once."""
    now, attempts, found = 1, 0, []
    while True:
        found.append(now)
        attempts += 1
        following = STANDARD.next_try(attempts, 1, expires, now)
        if following is None:
            return found
        now = following


def test_the_first_day_in_full() -> None:
    """The waits are 1, 5, 15, 60 minutes, then hourly until four hours have passed, then four hours."""
    times = tries()
    waits = [(b - a) // MINUTE for a, b in pairwise(times)]
    assert waits[:9] == [1, 5, 15, 60, 60, 60, 60, 240, 240]


def test_the_last_try_falls_on_expiry() -> None:
    """A row is tried once more at the moment it expires and never after."""
    assert tries()[-1] == 1 + 5 * DAY
    assert tries(expires=1 + HOUR)[-1] == 1 + HOUR


def test_delay_notice_after_four_hours() -> None:
    """The sender is told from four hours on, not before."""
    assert not STANDARD.delay_due(0, 4 * HOUR - 1)
    assert STANDARD.delay_due(0, 4 * HOUR)


@given(st.integers(1, 10_000), st.integers(0, 10 * DAY))
def test_next_try_is_always_later(attempts: int, age: int) -> None:
    """No row can spin: the next try lies at least a minute ahead or at expiry."""
    following = STANDARD.next_try(attempts, 7, 0, 7 + age)
    if age >= 5 * DAY:
        assert following is None
    else:
        assert following is not None
        assert following >= min(7 + age + MINUTE, 7 + 5 * DAY)
        assert following > 7 + age
