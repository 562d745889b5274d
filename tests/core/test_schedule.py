"""The timetable over ordinary days, midnight and both clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.schedule import SETTLE, flush_at, inside, next_opening, next_run
from mailshare.core.values import SECOND, Window

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
MINUTE = 60 * SECOND
ALL = frozenset(range(7))
WEEK = frozenset(range(5))


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    """Microseconds of a wall clock time."""
    moment = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
    return round(moment.timestamp()) * SECOND


def local(micros: int, zone: ZoneInfo = BERLIN) -> str:
    """Weekday and wall clock of an instant."""
    return datetime.fromtimestamp(micros // SECOND, zone).strftime("%a %d %H:%M")


def runs(windows: list[Window], start: int, end: int, zone: ZoneInfo = BERLIN) -> list[int]:
    """All starts from ``start`` until before ``end`` of a server that is always punctual."""
    last, now, found = 0, start, []
    while (following := next_run(windows, zone, last, now)) is not None and following < end:
        found.append(following)
        last, now = following, following + 1
    return found


def test_default_window_runs_every_five_minutes() -> None:
    """The default of the product: every five minutes, round the clock."""
    found = runs([Window()], at("2026-06-10T00:00"), at("2026-06-11T00:00"))
    assert len(found) == 24 * 12
    assert {b - a for a, b in pairwise(found)} == {5 * MINUTE}


def test_office_hours_skip_the_weekend() -> None:
    """After Friday's last run comes Monday morning."""
    window = Window(days=WEEK, start=7 * 60, end=19 * 60, every=30)
    assert local(next_run([window], BERLIN, at("2026-06-12T18:40"), at("2026-06-12T18:41")) or 0) == "Mon 15 07:00"


def test_window_over_midnight_belongs_to_the_day_it_begins() -> None:
    """22:00 to 02:00 on Fridays is open on Saturday at 01:59 and shut at 02:00, and shut on Friday at 01:00."""
    window = Window(days=frozenset({4}), start=22 * 60, end=2 * 60, every=60)
    found = runs([window], at("2026-06-12T00:00"), at("2026-06-19T00:00"))
    assert [local(each) for each in found] == ["Fri 12 22:00", "Fri 12 23:00", "Sat 13 00:00", "Sat 13 01:00"]
    assert inside([window], BERLIN, at("2026-06-13T01:59"))
    assert not inside([window], BERLIN, at("2026-06-13T02:00"))
    assert not inside([window], BERLIN, at("2026-06-12T01:00"))


def test_spring_day_skips_the_hour_that_does_not_exist() -> None:
    """01:00 to 03:00 every quarter of an hour: four runs on the day without 02:00."""
    window = Window(start=60, end=180, every=15)
    found = runs([window], at("2026-03-29T00:00"), at("2026-03-30T00:00"))
    assert [local(each)[-5:] for each in found] == ["01:00", "01:15", "01:30", "01:45"]


def test_spring_day_enters_a_window_whose_start_does_not_exist() -> None:
    """02:30 to 04:00 opens with the jump, at 03:00."""
    window = Window(start=150, end=240, every=30)
    found = runs([window], at("2026-03-29T00:00"), at("2026-03-30T00:00"))
    assert [local(each)[-5:] for each in found] == ["03:00", "03:30"]


def test_spring_day_leaves_out_a_window_inside_the_gap() -> None:
    """02:00 to 03:00 has no run that day and runs again on the next."""
    window = Window(start=120, end=180, every=60)
    assert local(next_run([window], BERLIN, at("2026-03-28T02:00"), at("2026-03-28T03:00")) or 0) == "Mon 30 02:00"


def test_autumn_day_reads_each_edge_once() -> None:
    """02:15 to 02:45 opens in the first 02:00 only; 01:00 to 02:30 does not open again behind its end."""
    found = runs([Window(start=135, end=165, every=15)], at("2026-10-25T00:00"), at("2026-10-26T00:00"))
    assert found == [at("2026-10-25T02:15"), at("2026-10-25T02:30")]
    found = runs([Window(start=60, end=150, every=30)], at("2026-10-25T00:00"), at("2026-10-26T00:00"))
    assert found == [at("2026-10-25T01:00"), at("2026-10-25T01:30"), at("2026-10-25T02:00")]


def test_autumn_day_counts_real_time_within_a_window() -> None:
    """01:00 to 03:00 every quarter of an hour lasts three hours that day: twelve runs, and no silent hour."""
    window = Window(start=60, end=180, every=15)
    found = runs([window], at("2026-10-25T00:00"), at("2026-10-26T00:00"))
    assert len(found) == 12
    assert {b - a for a, b in pairwise(found)} == {15 * MINUTE}
    assert found[-1] == at("2026-10-25T02:45", fold=1)


def test_autumn_day_goes_on_through_the_doubled_hour() -> None:
    """A window open all day has twenty-five hours: every five minutes of them."""
    found = runs([Window()], at("2026-10-25T00:00"), at("2026-10-26T00:00"))
    assert len(found) == 25 * 12
    assert {b - a for a, b in pairwise(found)} == {5 * MINUTE}
    assert inside([Window()], BERLIN, at("2026-10-25T02:30", fold=1))


def test_a_daily_run_in_the_doubled_hour_comes_once() -> None:
    """Once a night at 02:30: one run on the long day, none on the day that has no 02:30."""
    window = Window(start=150, end=160, every=1440)
    found = runs([window], at("2026-10-24T00:00"), at("2026-10-27T00:00"))
    assert [local(each) for each in found] == ["Sat 24 02:30", "Sun 25 02:30", "Mon 26 02:30"]
    assert found[1] == at("2026-10-25T02:30")
    spring = runs([window], at("2026-03-28T00:00"), at("2026-03-31T00:00"))
    assert [local(each) for each in spring] == ["Sat 28 02:30", "Mon 30 02:30"]


def test_a_run_by_hand_does_not_cost_the_daily_one() -> None:
    """Collected by hand in the afternoon, the next morning's run still comes, jitter or not."""
    window = Window(start=7 * 60, end=7 * 60 + 30, every=1440)
    for jitter in (-0.1, 0.0, 0.1):
        following = next_run([window], BERLIN, at("2026-06-10T15:00"), at("2026-06-10T15:01"), jitter=jitter)
        assert following == at("2026-06-11T07:00")
    assert next_run([window], BERLIN, at("2026-06-11T07:00"), at("2026-06-11T07:10")) == at("2026-06-12T07:00")


def test_jitter_alone_costs_no_run() -> None:
    """The last run of the day is not carried over the window's end."""
    window = Window(start=9 * 60, end=10 * 60 + 1, every=60)
    following = next_run([window], BERLIN, at("2026-06-10T09:00"), at("2026-06-10T09:01"), jitter=0.1)
    assert following == at("2026-06-10T10:00")


def test_new_york_changes_at_another_hour() -> None:
    """The doubled hour there is 01:00."""
    window = Window(start=0, end=180, every=60)
    found = runs([window], at("2026-11-01T00:00", NEW_YORK), at("2026-11-02T00:00", NEW_YORK), NEW_YORK)
    assert [local(each, NEW_YORK)[-5:] for each in found] == ["00:00", "01:00", "01:00", "02:00"]


def test_midnight_itself_may_not_exist_or_come_twice() -> None:
    """Cairo jumps at midnight, and falls back to 23:00: a window round the clock is never shut."""
    cairo = ZoneInfo("Africa/Cairo")
    for day, hours in (("2026-04-23", 47), ("2026-10-29", 49)):
        begin = at(f"{day}T00:00", cairo)
        found = runs([Window(every=30)], begin, begin + hours * 60 * MINUTE, cairo)
        assert len(found) == 2 * hours
        assert {b - a for a, b in pairwise(found)} == {30 * MINUTE}


def test_missed_runs_are_made_up_for_once() -> None:
    """After three hours of sleep one run is due now and the next one interval later."""
    now = at("2026-06-10T12:00")
    assert next_run([Window()], BERLIN, now - 180 * MINUTE, now) == now
    assert next_run([Window()], BERLIN, now, now + 1) == now + 5 * MINUTE


def test_clock_set_back_does_not_stop_the_runs() -> None:
    """A last start in the future counts as now."""
    now = at("2026-06-10T12:00")
    assert next_run([Window()], BERLIN, now + 10**12, now) == now + 5 * MINUTE


def test_several_windows_take_the_earliest() -> None:
    """Every five minutes in office hours, hourly else."""
    windows = [Window(days=WEEK, start=9 * 60, end=17 * 60, every=5), Window(every=60)]
    assert next_run(windows, BERLIN, at("2026-06-10T16:58"), at("2026-06-10T16:59")) == at("2026-06-10T17:58")
    assert next_run(windows, BERLIN, at("2026-06-10T16:50"), at("2026-06-10T16:51")) == at("2026-06-10T16:55")


def test_no_window_never_runs() -> None:
    """No windows, or one without days: only the hand and the threshold start a run."""
    assert next_run([], BERLIN, 0, at("2026-06-10T12:00")) is None
    assert next_opening([Window(days=frozenset())], BERLIN, at("2026-06-10T12:00")) is None


def test_jitter_stretches_the_interval() -> None:
    """Ten per cent of five minutes is thirty seconds."""
    now = at("2026-06-10T12:00")
    assert next_run([Window()], BERLIN, now, now, jitter=0.1) == now + 5 * MINUTE + 30 * SECOND


@pytest.mark.parametrize(
    ("waiting", "threshold", "due"), [(0, 1, False), (1, 1, True), (2, 3, False), (3, 3, True), (9, 0, False)]
)
def test_threshold(waiting: int, threshold: int, due: bool) -> None:
    """N messages start a flush; 0 means never."""
    assert (flush_at(waiting=waiting, threshold=threshold, last_arrival=0, now=10**9) is not None) is due


def test_threshold_waits_for_the_burst_and_for_the_window() -> None:
    """Two seconds after the last message; with hold_outside not before the window opens; urgent mail asks no count."""
    now = at("2026-06-13T12:00")
    window = [Window(days=WEEK, start=7 * 60, end=8 * 60)]
    assert flush_at(waiting=1, threshold=1, last_arrival=now, now=now) == now + SETTLE
    held = flush_at(waiting=1, threshold=1, last_arrival=now, now=now, hold_outside=True, windows=window, zone=BERLIN)
    assert held == at("2026-06-15T07:00")
    assert flush_at(waiting=1, threshold=5, last_arrival=0, now=now, urgent=True) == now


WINDOWS = st.builds(
    Window,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 1439),
    end=st.integers(0, 1440),
    every=st.integers(1, 600),
)


@given(
    WINDOWS,
    st.integers(0, 366 * 24 * 60),
    st.integers(0, 3000),
    st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
)
def test_any_day_of_the_year(window: Window, minute: int, ago: int, zone: ZoneInfo) -> None:
    """Each run falls in an open window, never before its interval, and no open minute before it was passed over."""
    now = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND + minute * MINUTE
    last = now - ago * MINUTE
    following = next_run([window], zone, last, now)
    assert following is not None
    assert following >= now
    assert inside([window], zone, following)
    if window.every > ((window.end - window.start) % 1440 or 2880):
        assert not inside([window], zone, last) or following > last
        return  # one run for each opening
    assert following >= last + window.every * MINUTE
    step = max(now, last + window.every * MINUTE)
    for passed in range(step, following, 7 * MINUTE):
        assert not inside([window], zone, passed)


def test_a_fixed_offset_is_a_zone_too() -> None:
    """Any tzinfo serves."""
    zone = timezone(timedelta(hours=5, minutes=30))
    assert next_run([Window(start=60, end=120)], zone, 0, 0) == (19 * 60 + 30) * MINUTE
