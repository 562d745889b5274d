"""The timer of an account: a grid of weekdays and hours, how often, and the next runs that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mailshare.core.errors import MailshareError, PeerFault
from mailshare.web.routing import Page
from mailshare.web.visit import CHANGED, Visit, mark

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRESETS: Mapping[str, tuple[str, Sequence[Mapping[str, object]]]] = {
    "always": ("Day and night", [{"days": "mon-sun", "from": "00:00", "to": "24:00"}]),
    "office": ("Office hours, Monday to Friday 07-19", [{"days": "mon-fri", "from": "07:00", "to": "19:00"}]),
    "never": ("Only when somebody asks", []),
}


def hours_of(timetable: Sequence[Mapping[str, Any]]) -> dict[str, set[int]]:
    """The hours in which a window is open, by weekday."""
    found: dict[str, set[int]] = {day: set() for day in DAYS}
    for window in timetable:
        first = _minute(str(window.get("from", "00:00")))
        last = _minute(str(window.get("to", "24:00")))
        for number in _days(str(window.get("days", "mon-sun"))):
            end = last if last > first else last + 24 * 60
            for hour in range(first // 60, -(-end // 60)):
                found[DAYS[(number + hour // 24) % 7]].add(hour % 24)
    return found


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes or 0)


def _days(text: str) -> list[int]:
    found = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        start = DAYS.index(first[:3])
        end = DAYS.index(last[:3]) if dash else start
        found += [(start + step) % 7 for step in range((end - start) % 7 + 1)]
    return found


def windows_of(hours: Mapping[str, set[int]], every: int) -> list[dict[str, object]]:
    """The fewest windows for a grid: days with the same hours share a line."""
    spans: dict[tuple[int, int], list[str]] = {}
    for day in DAYS:
        for span in _spans(hours.get(day, set())):
            spans.setdefault(span, []).append(day)
    return [
        {"days": ",".join(days), "from": f"{first:02}:00", "to": f"{last:02}:00", "every": every}
        for (first, last), days in spans.items()
    ]


def _spans(hours: set[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for hour in sorted(hours):
        if spans and spans[-1][1] == hour:
            spans[-1] = (spans[-1][0], hour + 1)
        else:
            spans.append((hour, hour + 1))
    return spans


async def timer(visit: Visit) -> bytes:
    """The grid as it is."""
    return await _shown(visit)


async def _shown(
    visit: Visit, error: str = "", status: int = 200, unsaved: Mapping[str, Any] | None = None
) -> bytes:
    """:param unsaved: a table, zone and threshold that were filled in, in place of those that count."""
    one = await visit.ask("account_show", address=visit.path["address"])
    filled = unsaved or {}
    table = filled.get("timetable", one["timetable"])
    odd = any(str(window.get(edge, "00:00"))[3:] != "00" for window in table for edge in ("from", "to"))
    return visit.page(
        "timer.html",
        status=status,
        one={**one, **filled},
        days=DAYS,
        hours=hours_of(table),
        every=min((int(window.get("every", 5)) for window in table), default=5),
        mixed=odd or len({window.get("every", 5) for window in table}) > 1,
        presets=PRESETS,
        threshold=filled.get("threshold", one["threshold"]),
        unsaved=unsaved is not None,
        runs=await visit.ask("preview_runs", address=visit.path["address"], timetable=table, zone=filled.get("zone")),
        was=mark(one["timetable"]),
        error=error,
    )


async def change(visit: Visit) -> bytes:
    """Take over the grid, or a preset; or only show what the grid would do."""
    address = visit.path["address"]
    one = await visit.ask("account_show", address=address)
    try:
        visit.unchanged(one["timetable"])
        filled = _filled_in(visit, int(one["threshold"]))
        if visit.text("preset") == "look" or visit.text("toggle"):
            return await _shown(visit, unsaved=filled)
        await visit.ask("change_account", address=address, **filled)
    except MailshareError as error:
        return await _shown(visit, error.public, 412 if error.code == CHANGED else 422)
    return visit.go(f"/accounts/{quote(address, safe='')}/timer", "Saved")


def _filled_in(visit: Visit, threshold: int) -> dict[str, Any]:
    every, waiting = visit.text("every", "5"), visit.text("threshold", str(threshold))
    if not every.isascii() or not every.isdigit() or not 1 <= int(every[:6]) <= 1440:
        raise PeerFault("The minutes between two runs are a number from 1 to 1440", code=400)
    if not waiting.isascii() or not waiting.isdigit():
        raise PeerFault("The waiting mails are a number; 0 = only the timer sends", code=400)
    preset, ticked = PRESETS.get(visit.text("preset")), _ticked(visit.texts("hour"))
    if toggle := visit.text("toggle"):
        _turn(ticked, toggle)
    table = [{**one, "every": int(every)} for one in preset[1]] if preset else windows_of(ticked, int(every))
    return {"timetable": table, "zone": visit.text("zone"), "threshold": int(waiting[:9])}


def _turn(ticked: Mapping[str, set[int]], what: str) -> None:
    """A whole day (``mon-``) or hour (``-7``): all of it on, or off when all of it is on."""
    day, _, hour = what.partition("-")
    days = [day] if day in ticked else [] if day else list(ticked)
    hours = {int(hour)} if hour.isascii() and hour.isdigit() and int(hour[:3]) < 24 else set(range(24))
    full = all(hours <= ticked[one] for one in days)
    for one in days:
        ticked[one].difference_update(hours) if full else ticked[one].update(hours)


def _ticked(boxes: Sequence[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {day: set() for day in DAYS}
    for box in boxes:
        day, _, hour = box.partition("-")
        if day in found and hour.isascii() and hour.isdigit() and int(hour[:3]) < 24:
            found[day].add(int(hour))
    return found


PAGES = (Page("/accounts/<address>/timer", timer), Page("/accounts/<address>/timer", change, "POST"))
