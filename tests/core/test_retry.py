"""The back-off of the queue."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.retry import DAY, ENOUGH, HOUR, MINUTE, STANDARD, RetryRule


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
    """1, 5, 15 and 60 minutes, an hour each time from then on, and the moment of the delay notice."""
    times = tries()
    waits = [(b - a) // MINUTE for a, b in pairwise(times)]
    assert waits[:9] == [1, 5, 15, 60, 60, 60, 240 - 201, 60, 60]
    assert 1 + 4 * HOUR in times


def test_a_closed_laptop_gives_nothing_up() -> None:
    """A row that is a week old after one try is tried four times more, by the same steps, before it is given up."""
    now, waits = 1 + 7 * DAY, []
    for attempts in range(2, 5):
        following = STANDARD.next_try(attempts, 1, 0, now)
        assert following is not None
        waits.append((following - now) // MINUTE)
        now = following
    assert waits == [5, 15, 60]
    assert STANDARD.next_try(5, 1, 0, now) is None


def test_a_short_life_has_fewer_tries() -> None:
    """Five minutes of ``give_up`` hold three tries."""
    rule = RetryRule(give_up_after=5 * MINUTE)
    assert rule.next_try(2, 1, 0, 1 + MINUTE) == 1 + 5 * MINUTE
    assert rule.next_try(3, 1, 0, 1 + 5 * MINUTE) is None


def test_the_configured_last_step_counts() -> None:
    """``late`` follows the fixed steps."""
    rule = RetryRule(late=2 * HOUR)
    assert rule.wait(4) == HOUR
    assert rule.wait(5) == rule.wait(50) == 2 * HOUR


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
    if age >= 5 * DAY and attempts >= ENOUGH:
        assert following is None
    elif age >= 5 * DAY:
        assert following is not None
        assert following >= 7 + age + MINUTE
    else:
        assert following is not None
        assert following >= min(7 + age + MINUTE, 7 + 5 * DAY)
        assert following > 7 + age
