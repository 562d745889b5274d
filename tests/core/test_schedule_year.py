"""A year of clock, both daylight-saving days in it, against lists of due times made in another way."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailshare.core.schedule import next_run
from mailshare.core.values import SECOND, Window

MINUTE = 60 * SECOND
WEEK = frozenset(range(5))
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Sydney", "UTC"]


def stamp(moment: datetime) -> int:
    """Microseconds UTC."""
    return round(moment.timestamp()) * SECOND


def year_of(window: Window, zone: ZoneInfo) -> list[int]:
    """All starts of 2026 of a server that is always punctual."""
    now, end = stamp(datetime(2026, 1, 1, tzinfo=zone)), stamp(datetime(2027, 1, 1, tzinfo=zone))
    last, found = 0, []
    while (following := next_run([window], zone, last, now)) is not None and following < end:
        found.append(following)
        last, now = following, following + 1
    return found


def days() -> list[date]:
    """The days of 2026."""
    return [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]


@pytest.mark.parametrize("name", ZONES)
def test_office_hours_of_a_year(name: str) -> None:
    """Monday to Friday, 07:00 to 19:00 every half hour: exactly these times, whatever the clock does at night."""
    zone = ZoneInfo(name)
    expected = [
        stamp(datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone))
        for day in days()
        if day.weekday() in WEEK
        for minute in range(7 * 60, 19 * 60, 30)
    ]
    assert year_of(Window(WEEK, 7 * 60, 19 * 60, 30), zone) == expected


@pytest.mark.parametrize("name", ZONES)
def test_round_the_clock_of_a_year(name: str) -> None:
    """Every hour of real time: 8,760 starts, one hour apart, in any zone."""
    found = year_of(Window(every=60), ZoneInfo(name))
    begin = stamp(datetime(2026, 1, 1, tzinfo=ZoneInfo(name)))
    assert found == [begin + number * 60 * MINUTE for number in range(8760)]


@pytest.mark.parametrize(
    ("name", "spring", "autumn"),
    [
        ("Europe/Berlin", date(2026, 3, 29), date(2026, 10, 25)),
        ("America/New_York", date(2026, 3, 8), date(2026, 11, 1)),
    ],
)
def test_once_a_night_of_a_year(name: str, spring: date, autumn: date) -> None:
    """A nightly run in the hour that is left out and comes twice: 364 runs, none in spring, one in autumn."""
    zone = ZoneInfo(name)
    start = 150 if name == "Europe/Berlin" else 90
    # New York leaves out 02:00 and doubles 01:00, so there only the doubled hour is met.
    left_out = {spring} if name == "Europe/Berlin" else set()
    window = Window(start=start, end=start + 10, every=1440)
    found = [datetime.fromtimestamp(at // SECOND, zone) for at in year_of(window, zone)]
    assert [moment.date() for moment in found] == [day for day in days() if day not in left_out]
    assert {(moment.hour, moment.minute) for moment in found} == {divmod(start, 60)}
    assert [moment.fold for moment in found if moment.date() == autumn] == [0]


def test_a_window_over_midnight_of_a_year() -> None:
    """Saturdays 22:00 to 06:00 every two hours: four runs a night, five on the long one."""
    zone = ZoneInfo("Europe/Berlin")
    window = Window(frozenset({5}), 22 * 60, 6 * 60, 120)
    nights: dict[date, int] = {}
    for at in year_of(window, zone):
        moment = datetime.fromtimestamp(at // SECOND, zone) - timedelta(hours=12)
        nights[moment.date()] = nights.get(moment.date(), 0) + 1
    assert nights.pop(date(2026, 10, 24)) == 5
    assert nights.pop(date(2026, 3, 28)) == 4
    assert set(nights.values()) == {4}
    assert len(nights) == 50
