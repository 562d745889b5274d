"""The clock is set forward by a year or back by a day: nobody is locked out, let in or counted twice by it."""

from __future__ import annotations

import itertools
from copy import deepcopy

import pytest

from mailshare.core.retry import DAY, MINUTE, STANDARD
from mailshare.core.trace import trace_id
from mailshare.core.values import SECOND
from mailshare.delivery.public_rate import PublicRate
from mailshare.portal.throttle import LONGEST_LINE, Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.smtp.device_rate import DeviceRate

NOON = 1_800_000_000.0
YEAR, BACK = 365 * 86_400.0, -86_400.0
JUMPS = [YEAR, BACK]


class Watch:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.now = NOON

    def seconds(self) -> float:
        return self.now

    def micros(self) -> int:
        return int(self.now * SECOND)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_guesser_waits_as_long_as_before_or_not_at_all(jump: float) -> None:
    """Nobody is shut out for a day because his place in the line lies there; on a clock set back delays go on."""
    throttle, watch = Throttle(), Watch()
    for number in range(3):
        throttle.wait("192.0.2.1", "greg", watch.now)
        throttle.failed("192.0.2.1", "greg", b"%d" % number, watch.now)
    other = deepcopy(throttle)  # on a clock that goes evenly
    found = throttle.wait("192.0.2.1", "greg", watch.now + jump)
    assert found == (0.0 if jump > 0 else other.wait("192.0.2.1", "greg", watch.now))
    assert throttle.failed("192.0.2.1", "greg", b"again", watch.now + jump) <= LONGEST_LINE
    assert throttle.wait("192.0.2.1", "greg", watch.now + jump + 3600) == 0.0


@pytest.mark.parametrize("jump", JUMPS)
def test_a_verified_password_is_not_remembered_longer(jump: float) -> None:
    """Ten minutes are ten minutes; after a jump it is computed again."""
    cache, watch = VerifiedCache(b"k" * 32), Watch()
    cache.keep("greg", "hash", b"correct", watch.now)
    assert cache.holds("greg", "hash", b"correct", watch.now)
    watch.now += jump
    assert not cache.holds("greg", "hash", b"correct", watch.now)


@pytest.mark.parametrize("jump", JUMPS)
def test_the_hourly_counts_begin_anew(jump: float) -> None:
    """Whoever wrote his ten messages may write again within the hour, and not a day later."""
    watch = Watch()
    public, device = PublicRate(watch.micros), DeviceRate(watch.seconds)
    for _ in range(10):
        public.add(1, "a@far.example")
        device.add("scanner")
    assert (public.count(1, "a@far.example"), device.count("scanner")) == (10, 10)
    watch.now += jump
    assert (public.count(1, "a@far.example"), device.count("scanner")) == (0, 0)
    public.add(1, "a@far.example")
    device.add("scanner")
    assert (public.count(1, "a@far.example"), device.count("scanner")) == (1, 1)


def test_a_small_correction_forgives_nobody() -> None:
    """A time daemon that puts the clock back by a minute leaves the counts as they are."""
    watch = Watch()
    public, device = PublicRate(watch.micros), DeviceRate(watch.seconds)
    public.add(1, "a@far.example")
    device.add("scanner")
    watch.now -= 60
    assert (public.count(1, "a@far.example"), device.count("scanner")) == (1, 1)


def test_a_year_ahead_gives_up_no_mail_at_once() -> None:
    """A row that fails for the first time on a clock that is a year ahead is tried again, five times in all."""
    queued = int(NOON) * SECOND
    now = queued + int(YEAR) * SECOND
    times = [STANDARD.next_try(attempts, queued, 0, now) for attempts in range(1, 6)]
    assert all(time is not None and time - now >= MINUTE for time in times[:4])
    assert times[4] is None


def test_a_day_back_leaves_mail_waiting_no_longer_than_its_pause() -> None:
    """The next try is counted from now, whatever the row says of its age."""
    queued = int(NOON) * SECOND
    now = queued - DAY
    assert STANDARD.next_try(1, queued, 0, now) == now + MINUTE


def test_traces_stay_apart() -> None:
    """Seconds that come twice give other traces."""
    numbers = itertools.count()
    moments = [int(NOON + second) * SECOND for second in (*range(100), *range(100))]
    assert len({trace_id(at, next(numbers).to_bytes(3, "big")) for at in moments}) == 200
