"""A clock that somebody sets: jumps are noticed, small corrections are not, and timers keep the time they had left."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from mailshare.assembly.clock_watch import ClockWatch, steady


class Clocks:
    """A wall clock that can be set, and a steady one."""

    def __init__(self) -> None:
        self.wall = Clock()
        self.wall.advance(1_800_000_000)
        self.since_boot = 50.0
        self.jumps: list[int] = []
        self.watch = ClockWatch(self.wall, self.jumps.append, steady=lambda: self.since_boot)

    def pass_by(self, seconds: float) -> None:
        """Time as it goes."""
        self.wall.advance(seconds)
        self.since_boot += seconds


@pytest.mark.parametrize("hours", [-5, 7])
def test_a_jump_is_told_once(hours: int) -> None:
    """With its sign and size, and no second time."""
    clocks = Clocks()
    clocks.pass_by(100)
    assert clocks.watch.check() == 0
    clocks.wall.rightNow += hours * 3600
    assert clocks.watch.check() == hours * 3600 * 1_000_000
    clocks.pass_by(100)
    assert clocks.watch.check() == 0
    assert clocks.jumps == [hours * 3600 * 1_000_000]


def test_timers_keep_what_they_had_left() -> None:
    """Set back by five hours, a timer of ten minutes that had run for four comes after six more."""
    clocks = Clocks()
    fired: list[float] = []
    clocks.wall.callLater(600, lambda: fired.append(clocks.since_boot))
    clocks.pass_by(240)
    clocks.wall.rightNow -= 5 * 3600
    clocks.watch.check()
    clocks.pass_by(359)
    assert fired == []
    clocks.pass_by(2)
    assert len(fired) == 1


def test_a_daemon_that_corrects_slowly_makes_no_jump() -> None:
    """A second at a time, for an hour."""
    clocks = Clocks()
    for _ in range(240):
        clocks.pass_by(15)
        clocks.wall.rightNow -= 1
        assert clocks.watch.check() == 0
    assert clocks.jumps == []


def test_sleep_is_no_jump() -> None:
    """Both clocks went on for the night; on this system the steady one is such a clock."""
    clocks = Clocks()
    clocks.pass_by(9 * 3600)
    assert clocks.watch.check() == 0
    assert steady() <= steady()


def test_the_thread_ends_with_the_watch() -> None:
    """Starting and stopping leaves no thread behind."""
    clocks = Clocks()
    clocks.watch.start()
    thread = clocks.watch._thread
    assert thread is not None
    assert thread.is_alive()
    clocks.watch.stop()
    assert not thread.is_alive()
