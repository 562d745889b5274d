"""When an account's mail is collected and sent: windows of weekdays and hours, and the threshold.

A window's edges are read on the wall clock of one time zone, each once a day: when the clock falls back, the hour that
comes twice opens and closes windows the first time only; when it jumps forward, an edge in the hour that does not exist
falls on the jump. Between its edges a window counts real time, so one that is open round the clock runs on through the
doubled hour, every so many minutes. Runs are counted from start to start, and any number of missed runs is made up for
by one. Times are microseconds UTC; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from mailshare.core.values import SECOND, Window

SETTLE = 2 * SECOND  # a flush waits this long after the last message, so that a burst leaves together
LONGEST_BURST = 30 * SECOND  # and no longer than this, for a stream that does not end is no burst
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_DAY_MINUTES = 24 * 60
_AHEAD = 9  # days looked at: each weekday once, one for a window from yesterday, one for a day that a zone left out


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICRO


def inside(windows: Sequence[Window], zone: tzinfo, now: int) -> bool:
    """Whether any window is open at this instant."""
    return any(_opening(window, zone, now) == now for window in windows)


def open_until(windows: Sequence[Window], zone: tzinfo, now: int) -> int:
    """When the windows that are open now, and those that follow without a gap, have all closed.

    :returns: ``now`` when none is open; a day from now when none closes sooner.
    """
    end, latest = now, now + _micros(_EPOCH + _DAY)
    while end < latest:
        moment = _moment(end)
        closes = [
            _micros(closing)
            for window in windows
            for opening, closing in _spans(window, zone, moment)
            if opening <= moment < closing
        ]
        if not closes:
            return end
        end = max(closes)
    return latest


def next_run(windows: Sequence[Window], zone: tzinfo, last_start: int, now: int, *, jitter: float = 0.0) -> int | None:
    """The next time at which a run should start.

    :param last_start: start of the last run, 0 = never. A time in the future (the clock was set back) counts as now.
    :param jitter: share of the interval added to it, -0.1 to 0.1, so that many offices do not call at the same second.
    :returns: ``now`` when a run is overdue, a later instant, or ``None`` when no window ever opens.
    """
    runs = [at for window in windows if (at := _next_in(window, zone, last_start, now, jitter)) is not None]
    return min(runs, default=None)


def _next_in(window: Window, zone: tzinfo, last_start: int, now: int, jitter: float) -> int | None:
    if not last_start:
        return _opening(window, zone, now)
    last, interval = min(last_start, now), max(window.every, 1) * 60 * SECOND
    if interval > lasts(window):
        # One run for each opening: a run by hand in between must not make it miss the next one.
        return _unused_opening(window, zone, last, now)
    plain = _opening(window, zone, max(now, last + interval))
    stretch = int(interval * jitter)
    moved = _opening(window, zone, max(now, last + interval + stretch))
    if plain is not None and moved is not None and moved > plain + max(stretch, 0):
        return plain  # the jitter alone must not carry a run over the end of its window
    return moved


def lasts(window: Window) -> int:
    """How long the window is open on an ordinary day; one without end is never shorter than its interval."""
    minutes = (window.end - window.start) % _DAY_MINUTES
    return minutes * 60 * SECOND if minutes else 2 * _DAY_MINUTES * 60 * SECOND


def _unused_opening(window: Window, zone: tzinfo, last: int, now: int) -> int | None:
    """The first opening of the window that began after the last run."""
    for opens, closes in _spans(window, zone, _moment(now)):
        if closes > _moment(now) and _micros(opens) > last:
            return max(_micros(opens), now)
    return None


def next_opening(windows: Sequence[Window], zone: tzinfo, now: int) -> int | None:
    """The first instant from now on at which a window is open; ``None`` when none ever opens."""
    return min((at for window in windows if (at := _opening(window, zone, now)) is not None), default=None)


def _opening(window: Window, zone: tzinfo, earliest: int) -> int | None:
    """The first instant from ``earliest`` on at which a window is open."""
    moment = _moment(earliest)
    for opens, closes in _spans(window, zone, moment):
        if closes > moment:
            return max(_micros(opens), earliest)
    return None


def _spans(window: Window, zone: tzinfo, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When the window opens and closes, from the day before on; days on which it never opens are left out."""
    today = moment.astimezone(zone).date()
    over_midnight = window.end <= window.start
    for ahead in range(-1, _AHEAD):
        day = today + ahead * _DAY
        if day.weekday() in window.days:
            opens = _edge(day, window.start, zone)
            closes = _edge(day + _DAY if over_midnight else day, window.end, zone)
            if opens < closes:
                yield opens, closes


def at_wall_clock(day: date, minute: int, zone: tzinfo) -> int:
    """When the wall clock shows that minute of a day: the first time of two, or the jump over it."""
    return _micros(_edge(day, minute, zone))


@lru_cache(maxsize=1024)
def _edge(day: date, minute: int, zone: tzinfo) -> datetime:
    """The first instant at which the wall clock shows that minute of a day, or is past it by a jump."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  a wall clock's reading
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # Nobody's clock shows it: PEP 495 reads it by the offset from before the jump, so the jump lies before ``found``.
    high = found
    low = high - _DAY
    while low.astimezone(zone).replace(tzinfo=None) >= wall:
        low -= _DAY
    while high - low > _MICRO:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            low = middle
        else:
            high = middle
    return high


def flush_at(
    *,
    waiting: int,
    threshold: int,
    last_arrival: int,
    now: int,
    reached: int = 0,
    urgent: bool = False,
    hold_outside: bool = False,
    windows: Sequence[Window] = (),
    zone: tzinfo = UTC,
) -> int | None:
    """When the outbox is to be flushed because of what waits in it, whichever comes first with the timetable.

    :param waiting: messages in the outbox.
    :param threshold: that many start a flush; 0 = never.
    :param last_arrival: when the newest of them came.
    :param reached: when the threshold was reached, 0 = not known: a stream without end is waited for half a minute.
    :param urgent: a priority message waits, or one whose next try is due: no threshold is asked for, no burst waited
        for.
    :param hold_outside: wait for a window to open (a line that costs by the minute), urgent or not.
    :returns: microseconds UTC, ``now`` when overdue, or ``None``: the count alone is no reason.
    """
    if not waiting or not (urgent or (threshold and waiting >= threshold)):
        return None
    # An arrival in the future is one from before the clock was set back.
    settled = min(last_arrival, now) + SETTLE
    if reached:
        settled = min(settled, min(reached, now) + LONGEST_BURST)
    at = now if urgent else max(now, settled)
    return next_opening(windows, zone, at) if hold_outside else at
