"""A year of clock, minute by minute: the due times against a list that a plain walk over all minutes makes.

The walk knows nothing of edges, offsets and jumps: it looks at the wall clock of each minute of the year, opens a
window when its opening time is first shown or passed on a day, closes it likewise, and runs when the interval is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from mailshare.core.schedule import next_run
from mailshare.core.values import SECOND, Window

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]
ALL, WEEK = frozenset(range(7)), frozenset(range(5))
SHAPES = {
    "round the clock every 37": (Window(every=37),),
    "office hours every 30": (Window(WEEK, 7 * 60, 19 * 60, 30),),
    "over midnight every 45": (Window(frozenset({4, 5, 6}), 21 * 60 + 15, 5 * 60 + 10, 45),),
    "the hours of the change every 20": (Window(ALL, 60, 180, 20),),
    "a short one in the gap": (Window(ALL, 130, 170, 15),),
    "once a night": (Window(ALL, 105, 115, 1440),),
    "noon to noon every 600": (Window(frozenset({6}), 720, 720, 600),),
    "two windows": (Window(WEEK, 8 * 60, 17 * 60, 15), Window(ALL, 17 * 60, 8 * 60, 120)),
}
YEAR = 2026


@cache
def walls(name: str) -> list[datetime]:
    """The wall clock of each minute of the year in UTC, without its zone."""
    zone, start = ZoneInfo(name), datetime(YEAR, 1, 1, tzinfo=UTC)
    minutes = (start + timedelta(minutes=number) for number in range(365 * 24 * 60))
    return [moment.astimezone(zone).replace(tzinfo=None) for moment in minutes]


def first_minutes(shown: list[datetime]) -> Iterator[tuple[int, datetime]]:
    """``(number, wall)`` of each minute at which the clock is later than it ever was: a doubled hour counts once."""
    latest = shown[0] - timedelta(days=1)
    for number, wall in enumerate(shown):
        if wall > latest:
            latest = wall
            yield number, wall


def edge_minutes(window: Window, shown: list[datetime]) -> dict[int, int]:
    """Minute numbers to +1 or -1: the window opens or closes then, openings of the year before left out."""
    opening, closing = time(*divmod(window.start, 60)), divmod(window.end % 1440, 60)
    pending: list[tuple[datetime, datetime]] = []
    for ahead in range(-2, 368):
        day = date(YEAR, 1, 1) + timedelta(days=ahead)
        if day.weekday() in window.days:
            end = day + timedelta(days=1) if window.end <= window.start or window.end == 1440 else day
            pending.append((datetime.combine(day, opening), datetime.combine(end, time(*closing))))
    edges: dict[int, int] = {}
    reached = list(first_minutes(shown))
    place = 0
    opens = []
    for wanted, _ in pending:
        while place < len(reached) and reached[place][1] < wanted:
            place += 1
        opens.append(reached[place][0] if place < len(reached) else None)
    place = 0
    for (_, wanted), begins in zip(pending, opens, strict=True):
        while place < len(reached) and reached[place][1] < wanted:
            place += 1
        ends = reached[place][0] if place < len(reached) else len(shown)
        if begins is not None and begins < ends:
            edges[begins] = edges.get(begins, 0) + 1
            edges[ends] = edges.get(ends, 0) - 1
    return edges


def walked(windows: tuple[Window, ...], shown: list[datetime]) -> list[int]:
    """All minutes at which a punctual server runs, found by looking at each."""
    tables = [(window, edge_minutes(window, shown)) for window in windows]
    lengths = [(w.end - w.start) % 1440 or 2880 for w, _ in tables]
    inside, unused, last, found = [0] * len(tables), [False] * len(tables), None, []
    for minute in range(len(shown)):
        due = False
        for number, (window, edges) in enumerate(tables):
            change = edges.get(minute)
            if change is not None:
                inside[number] += change
                unused[number] = inside[number] > 0
            if not inside[number]:
                continue
            once = window.every > lengths[number]
            if last is None or (unused[number] if once else minute - last >= window.every):
                due = True
        if due:
            last = minute
            unused = [False] * len(tables)
            found.append(minute)
    return found


def computed(windows: tuple[Window, ...], zone: ZoneInfo) -> list[int]:
    """The same from the timetable's own function, asked from run to run."""
    begin = round(datetime(YEAR, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    end = begin + 365 * 24 * 3600 * SECOND
    last, now, found = 0, begin, []
    while (following := next_run(windows, zone, last, now)) is not None and following < end:
        found.append((following - begin) // (60 * SECOND))
        last, now = following, following + 1
    return found


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("name", ZONES)
def test_a_year_minute_by_minute(name: str, shape: str) -> None:
    """Both changes of the clock in it, Lord Howe's of half an hour too: not one run more, less or elsewhere."""
    expected = walked(SHAPES[shape], walls(name))
    assert len(expected) > 45
    assert computed(SHAPES[shape], ZoneInfo(name)) == expected


def test_the_walk_meets_every_change() -> None:
    """The year's minutes hold a gap and a doubled hour in three of the zones: the comparison is about something."""
    for name, minutes in (("Europe/Berlin", 60), ("America/New_York", 60), ("Australia/Lord_Howe", 30), ("UTC", 0)):
        shown = walls(name)
        steps = {int((b - a).total_seconds() // 60) for a, b in pairwise(shown)}
        assert steps == ({1, 1 + minutes, 1 - minutes} if minutes else {1})
