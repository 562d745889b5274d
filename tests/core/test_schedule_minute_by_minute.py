"""A year of clock, minute by minute: the due times against a list that a plain walk over all minutes makes.

The walk knows nothing of edges, offsets and jumps: it looks at the wall clock of each minute of the year, opens a
window when its opening time is first shown or passed on a day, closes it likewise, and runs when the interval is over.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate, pairwise
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
def walls(name: str) -> list[int]:
    """What the wall clock shows in each minute of the year in UTC, as minutes since the year's first midnight.

    No zone changes its clock within a quarter of an hour, so each quarter's first minute tells the other fourteen.
    """
    zone, start = ZoneInfo(name), datetime(YEAR, 1, 1, tzinfo=UTC)
    shown: list[int] = []
    for number in range(0, 365 * 24 * 60, 15):
        offset = (start + timedelta(minutes=number)).astimezone(zone).utcoffset()
        assert offset is not None
        first = number + offset // timedelta(minutes=1)
        shown.extend(range(first, first + 15))
    return shown


@cache
def first_minutes(name: str) -> tuple[list[int], list[int]]:
    """Numbers and walls of each minute at which the clock is later than it ever was: a doubled hour counts once."""
    shown = walls(name)
    latest = list(accumulate(shown, max, initial=shown[0] - 1))
    numbers = [number for number, wall in enumerate(shown) if wall > latest[number]]
    return numbers, [shown[number] for number in numbers]


def edge_minutes(window: Window, name: str) -> dict[int, int]:
    """Minute numbers to +1 or -1: the window opens or closes then, openings of the year before left out."""
    numbers, reached = first_minutes(name)
    edges: dict[int, int] = {}
    for ahead in range(-2, 368):
        if (date(YEAR, 1, 1) + timedelta(days=ahead)).weekday() not in window.days:
            continue
        later = 1 if window.end <= window.start or window.end == 1440 else 0
        opens = bisect_left(reached, ahead * 1440 + window.start)
        closes = bisect_left(reached, (ahead + later) * 1440 + window.end % 1440)
        if opens < len(reached):
            begins = numbers[opens]
            ends = numbers[closes] if closes < len(reached) else len(walls(name))
            if begins < ends:
                edges[begins] = edges.get(begins, 0) + 1
                edges[ends] = edges.get(ends, 0) - 1
    return edges


def walked(windows: tuple[Window, ...], name: str) -> list[int]:
    """All minutes at which a punctual server runs, found by looking at each."""
    tables = [(window, edge_minutes(window, name)) for window in windows]
    lengths = [(w.end - w.start) % 1440 or 2880 for w, _ in tables]
    inside, unused, last, found = [0] * len(tables), [False] * len(tables), None, []
    for minute in range(len(walls(name))):
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
    expected = walked(SHAPES[shape], name)
    assert len(expected) > 45
    assert computed(SHAPES[shape], ZoneInfo(name)) == expected


def test_the_walk_meets_every_change() -> None:
    """The year's minutes hold a gap and a doubled hour in three of the zones: the comparison is about something."""
    for name, minutes in (("Europe/Berlin", 60), ("America/New_York", 60), ("Australia/Lord_Howe", 30), ("UTC", 0)):
        shown = walls(name)
        steps = {b - a for a, b in pairwise(shown)}
        assert steps == ({1, 1 + minutes, 1 - minutes} if minutes else {1})
