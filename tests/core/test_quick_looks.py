"""Looks between the runs (requirement 10): near enough for a login code, rare enough for a provider."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.quick_looks import FLOOR, MOST, REFILL, Looks, Pace, Rhythm, Stir, next_look
from mailshare.core.schedule import inside, next_run
from mailshare.core.values import SECOND, Window

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
NOON = 1_800_000_000 * SECOND
ALL_DAY = (Window(),)
A_DAYS_MOST = MOST + DAY // REFILL


def looks_after(looks: Looks, windows: tuple[Window, ...] = ALL_DAY, *, took: int = 0) -> list[int]:
    """Seconds from a run at noon to each look before the next run, when nothing more happens."""
    found: list[int] = []
    due = next_run(windows, UTC, NOON, NOON)
    last = NOON
    while (at := next_look(looks, windows, UTC, last=last, took=took, due=due, now=last)) is not None:
        found.append((at - NOON) // SECOND)
        looks, last = looks.paid(at), at
    return found


def test_each_look_is_twice_as_far_as_the_one_before() -> None:
    """By the interval of 5 minutes: after 30 s, 1 min more, 2 min more; the run itself is next."""
    assert looks_after(Looks().stirred(Stir.FOUND)) == [30, 90, 210]


@pytest.mark.parametrize(
    ("every", "expected"),
    [(1, [30]), (2, [30, 90]), (5, [30, 90, 210]), (15, [90, 270, 630]), (60, [360, 1080, 2520])],
)
def test_the_looks_are_in_proportion_to_the_interval(every: int, expected: list[int]) -> None:
    """Whoever wants an hour between two runs gets no look every half minute."""
    assert looks_after(Looks().stirred(Stir.ASKED), (Window(every=every),)) == expected


def test_nothing_stirs_nothing_looks() -> None:
    """A quiet account keeps to its interval; so does one that never ran, or never will."""
    assert looks_after(Looks()) == []
    stirred = Looks().stirred(Stir.ASKED)
    assert next_look(stirred, ALL_DAY, UTC, last=0, took=0, due=NOON, now=NOON) is None
    assert next_look(stirred, (), UTC, last=NOON, took=0, due=None, now=NOON) is None


def test_one_run_for_each_opening_stays_one() -> None:
    """A window that is shorter than its interval asks for one run, and gets no look."""
    hour = (Window(start=8 * 60, end=9 * 60, every=1440),)
    assert looks_after(Looks().stirred(Stir.ASKED), hour) == []


def test_who_waits_is_looked_for_at_once() -> None:
    """The last run is minutes old when somebody presses the button: the look is now, not half a minute later."""
    now, due = NOON + 200 * SECOND, NOON + 300 * SECOND
    assert next_look(Looks().stirred(Stir.ASKED), ALL_DAY, UTC, last=NOON, took=0, due=due, now=now) == now


def test_a_run_that_takes_long_is_not_followed_soon() -> None:
    """Ten times its length: a mailbox with thousands of messages left there is not listed again and again."""
    assert looks_after(Looks().stirred(Stir.ASKED), took=8 * SECOND) == [80, 160]
    assert looks_after(Looks().stirred(Stir.ASKED), took=40 * SECOND) == []


def test_the_provider_sets_the_pace() -> None:
    """LOGIN-DELAY holds towards the last run and towards the next one; a rest that it asked for holds too."""
    stirred, due = Looks().stirred(Stir.ASKED), NOON + 300 * SECOND
    slow = Pace(least_gap=100 * SECOND)
    assert next_look(stirred, ALL_DAY, UTC, last=NOON, took=0, due=due, now=NOON, pace=slow) == NOON + 100 * SECOND
    late = NOON + 201 * SECOND
    assert next_look(stirred, ALL_DAY, UTC, last=NOON, took=0, due=due, now=late, pace=slow) is None
    rest = Pace(rest_until=NOON + 120 * SECOND)
    assert next_look(stirred, ALL_DAY, UTC, last=NOON, took=0, due=due, now=NOON, pace=rest) == NOON + 120 * SECOND
    never = Pace(rest_until=NOON + DAY)
    assert next_look(stirred, ALL_DAY, UTC, last=NOON, took=0, due=due, now=NOON, pace=never) is None


def test_a_part_of_the_allowance_is_kept_for_persons() -> None:
    """A mailbox that gets mail every minute uses up half; who waits for a code then still gets his looks."""
    busy = Looks().stirred(Stir.FOUND)
    made = 0
    while busy.allowed_from() <= NOON:
        busy = busy.paid(NOON).stirred(Stir.FOUND)
        made += 1
    assert made == MOST // 2
    person = busy.stirred(Stir.ASKED)
    while person.allowed_from() <= NOON:
        person = person.paid(NOON).stirred(Stir.ASKED)
        made += 1
    assert made == MOST
    assert person.allowed_from() == NOON + REFILL


def test_a_clock_set_back_does_not_stop_the_looks() -> None:
    """A last run that seems to lie in the future counts as now."""
    late = NOON + DAY
    at = next_look(Looks().stirred(Stir.ASKED), ALL_DAY, UTC, last=late, took=0, due=NOON + 300 * SECOND, now=NOON)
    assert at == NOON + FLOOR


windows_of = st.lists(
    st.builds(
        Window,
        st.frozensets(st.integers(0, 6), min_size=1),
        st.integers(0, 1439),
        st.integers(0, 1440),
        st.sampled_from([1, 2, 5, 15, 60, 240, 1440]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@given(
    windows_of,
    st.integers(NOON, NOON + 400 * DAY),
    st.integers(0, 3600 * SECOND),
    st.integers(0, 100 * SECOND),
    st.sampled_from(list(Stir)),
    st.integers(0, 5),
    st.integers(0, 900 * SECOND),
    st.integers(0, 8000 * SECOND),
)
def test_a_look_keeps_every_promise(
    windows: tuple[Window, ...], now: int, ago: int, took: int, stir: Stir, made: int, delay: int, spent: int
) -> None:
    """Inside the window, not nearer than the floor on both sides, before the run that is due, within the allowance."""
    zone = ZoneInfo("Europe/Berlin")
    last = now - ago
    due = next_run(windows, zone, last, now)
    looks = Looks(stir, made, now + spent)
    at = next_look(looks, windows, zone, last=last, took=took, due=due, now=now, pace=Pace(delay))
    if at is None:
        return
    assert due is not None
    least = max(FLOOR, delay)
    assert max(now, last + least, last + 10 * took) <= at <= due - least
    assert inside(windows, zone, at)
    assert at >= looks.allowed_from()


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("Europe/Berlin", Window(frozenset(range(5)), 7 * 60, 19 * 60, 15)),
        ("America/New_York", Window(start=22 * 60, end=6 * 60, every=20)),
    ],
)
def test_a_year_of_looks(name: str, window: Window) -> None:
    """A restless year with both clock changes: the runs are those of a quiet one, and no day has too many looks."""
    zone, chance = ZoneInfo(name), Random(7)
    now = round(datetime(2026, 1, 1, tzinfo=zone).timestamp()) * SECOND
    end, windows = now + 365 * DAY, (window,)
    runs: list[int] = []
    made: list[int] = []
    looks, last, last_run, stir_at = Looks(), 0, 0, now
    while True:
        due = next_run(windows, zone, last_run, now)
        assert due is not None
        look = next_look(looks, windows, zone, last=last, took=0, due=due, now=now)
        at = min(one for one in (due, look, stir_at) if one is not None)
        if at >= end:
            break
        if at == stir_at:
            looks = looks.stirred(chance.choice(list(Stir)))
            stir_at += chance.randrange(1, 2 * 3600) * SECOND
        elif at == due:
            runs.append(at)
            last = last_run = at
        else:
            made.append(at)
            looks, last = looks.paid(at), at
        now = at
    assert runs == quiet_year(windows, zone, runs[0], end)
    assert len(made) > 3000
    assert all(inside(windows, zone, at) for at in made)
    everything = sorted(runs + made)
    assert min(after - before for before, after in pairwise(everything)) >= FLOOR
    assert max(bisect_right(made, at + DAY) - number for number, at in enumerate(made)) <= A_DAYS_MOST


def quiet_year(windows: tuple[Window, ...], zone: ZoneInfo, first: int, end: int) -> list[int]:
    """The runs when nothing stirs."""
    found = [first]
    while (following := next_run(windows, zone, found[-1], found[-1])) is not None and following < end:
        found.append(following)
    return found


def test_a_program_with_its_rhythm_is_nobody_who_waits() -> None:
    """Every five minutes for a day, some seconds early or late: no login of these is a person."""
    rhythm, now, chance = Rhythm(), NOON, Random(1)
    for _ in range(288):
        now += 300 * SECOND + chance.randrange(-20, 20) * SECOND
        rhythm, waits = rhythm.login(now)
        assert not waits


def test_who_presses_the_button_waits() -> None:
    """Sooner than the program comes by itself, or after an hour's absence; two logins within seconds are one."""
    rhythm = Rhythm(NOON, 300 * SECOND)
    pressed, waits = rhythm.login(NOON + 60 * SECOND)
    assert waits
    again, waits = pressed.login(NOON + 62 * SECOND)
    assert not waits
    assert again == pressed
    _, waits = pressed.login(NOON + 80 * SECOND)
    assert waits
    _, waits = rhythm.login(NOON + 3600 * SECOND)
    assert waits
    _, waits = rhythm.login(NOON + 200 * SECOND)
    assert not waits


def test_a_program_that_was_set_to_come_more_often_is_soon_believed() -> None:
    """Every minute from now on, where it was ten: after a few logins this is its rhythm."""
    rhythm = Rhythm(NOON, 600 * SECOND)
    hurried = 0
    for number in range(1, 30):
        rhythm, waits = rhythm.login(NOON + number * 60 * SECOND)
        hurried += waits
    assert hurried <= 8
    assert rhythm.usual == 60 * SECOND


def test_the_first_login_and_a_clock_set_back_prove_nothing() -> None:
    """Nothing is known of a program that was never seen, nor when its last login lies in the future."""
    rhythm, waits = Rhythm().login(NOON)
    assert (rhythm.last, waits) == (NOON, False)
    _, waits = evolve(rhythm, usual=600 * SECOND).login(NOON - MINUTE)
    assert not waits
