"""The words of a timetable line: days and hours, to and from :class:`mailshare.core.values.Window`."""

from __future__ import annotations

import re

from mailshare.config.schema import WindowTable
from mailshare.core.values import Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\Z")


def parse_days(text: str) -> frozenset[int]:
    """``mon-fri`` or ``mon,wed,sat-sun`` as weekdays, 0 = Monday; a span may pass Sunday.

    :raises ValueError: with the reason in words.
    """
    days: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        for word in (first, last) if dash else (first,):
            if word[:3] not in _DAYS or word not in _LONG:
                raise ValueError(f"{word!r} is not a day; write mon, tue, wed, thu, fri, sat, sun or a span as mon-fri")
        start = _DAYS.index(first[:3])
        end = _DAYS.index(last[:3]) if dash else start
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(days)


_LONG = {*_DAYS, "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "thur", "thurs", "tues"}


def parse_clock(text: str) -> int:
    """``HH:MM`` as minutes after midnight, 0 to 1440.

    :raises ValueError: with the reason in words.
    """
    match = _CLOCK.match(text)
    if not match or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise ValueError(f"{text!r} is not a time of day; write HH:MM, 00:00 to 24:00")
    return int(match[1]) * 60 + int(match[2])


def parse_window(table: WindowTable) -> Window:
    """One line of a timetable.

    :raises ValueError: with the reason in words.
    """
    return Window(parse_days(table.days), parse_clock(table.from_), parse_clock(table.to), table.every)


def parse_hours(text: str) -> Window:
    """Hours without an interval: ``18:00-08:00``, or ``sat-sun 00:00-24:00``.

    :raises ValueError: with the reason in words.
    """
    days, _, hours = text.strip().rpartition(" ")
    start, dash, end = hours.partition("-")
    if not dash:
        raise ValueError(f"{text!r} are no hours; write 18:00-08:00 or mon-fri 18:00-08:00")
    return Window(parse_days(days or "mon-sun"), parse_clock(start), parse_clock(end))


def write_days(days: frozenset[int]) -> str:
    """Weekdays in the words of the file, runs as spans."""
    out: list[str] = []
    for day in sorted(days):
        if day and day - 1 in days:
            out[-1] = f"{out[-1].partition('-')[0]}-{_DAYS[day]}"
        else:
            out.append(_DAYS[day])
    return ",".join(out)


def write_window(window: Window) -> dict[str, object]:
    """A window as an inline table of the file."""
    return {
        "days": write_days(window.days),
        "from": f"{window.start // 60:02}:{window.start % 60:02}",
        "to": f"{window.end // 60:02}:{window.end % 60:02}",
        "every": window.every,
    }
