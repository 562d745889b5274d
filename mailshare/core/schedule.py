"""When an account's mail is collected and sent: windows of weekdays and hours, and the threshold.

Windows are read on the wall clock of one time zone. When the clock jumps forward the hour that does not exist is
skipped; when it falls back, the hour that comes twice counts the first time only. Runs are counted from start to start,
and any number of missed runs is made up for by one. Times are microseconds UTC; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from mailshare.core.values import SECOND, Window

SETTLE = 2 * SECOND  # a flush waits this long after the last message, so that a burst leaves together
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_AHEAD = 9  # days looked at: each weekday once, one for a window from yesterday, one for a day that a zone left out
_MIDNIGHT = 24 * 60


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICRO


def inside(windows: Sequence[Window], zone: tzinfo, now: int) -> bool:
    """Whether any window is open at this instant."""
    return any(_open(window, _moment(now).astimezone(zone)) for window in windows)


def _open(window: Window, local: datetime) -> bool:
    if local.fold:
        return False
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    if window.end > window.start:
        return today in window.days and window.start <= minute < window.end
    return (today in window.days and minute >= window.start) or (yesterday in window.days and minute < window.end)


def next_run(windows: Sequence[Window], zone: tzinfo, last_start: int, now: int, *, jitter: float = 0.0) -> int | None:
    """The next time at which a run should start.

    :param last_start: start of the last run, 0 = never. A time in the future (the clock was set back) counts as now.
    :param jitter: share of the interval added to it, -0.1 to 0.1, so that many offices do not call at the same second.
    :returns: ``now`` when a run is overdue, a later instant, or ``None`` when no window ever opens.
    """
    runs = [at for window in windows if (at := _next_in(window, zone, last_start, now, jitter)) is not None]
    return min(runs, default=None)


def _next_in(window: Window, zone: tzinfo, last_start: int, now: int, jitter: float) -> int | None:
    earliest = now
    if last_start:
        interval = int(max(window.every, 1) * 60 * SECOND * (1 + jitter))
        earliest = max(now, min(last_start, now) + interval)
    return _opening(window, zone, earliest)


def next_opening(windows: Sequence[Window], zone: tzinfo, now: int) -> int | None:
    """The first instant from now on at which a window is open; ``None`` when none ever opens."""
    return min((at for window in windows if (at := _opening(window, zone, now)) is not None), default=None)


def _opening(window: Window, zone: tzinfo, earliest: int) -> int | None:
    moment = _moment(earliest)
    if _open(window, moment.astimezone(zone)):
        return earliest
    candidates = [*_starts(window, zone, moment), *_jumps(zone, moment)]
    later = [at for at in candidates if at >= moment and _open(window, at.astimezone(zone))]
    return _micros(min(later)) if later else None


def _starts(window: Window, zone: tzinfo, moment: datetime) -> Iterator[datetime]:
    """The instants at which the wall clock shows the window's start, on the days ahead."""
    today = moment.astimezone(zone).date()
    for ahead in range(-1, _AHEAD):
        day = today + ahead * _DAY
        hour, minute = divmod(window.start % _MIDNIGHT, 60)
        yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def _jumps(zone: tzinfo, moment: datetime) -> Iterator[datetime]:
    """Instants at which the wall clock may enter a window without passing its start.

    That is the moment of a jump forward, and the end of an hour that comes twice.
    """
    for ahead in range(-1, _AHEAD):
        low, high = moment + ahead * _DAY, moment + (ahead + 1) * _DAY
        before, after = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
        if before is None or after is None or before == after:
            continue
        while high - low > _MICRO:
            middle = low + (high - low) // 2
            if middle.astimezone(zone).utcoffset() == before:
                low = middle
            else:
                high = middle
        yield high
        if after < before:
            yield high + (before - after)


def flush_at(
    *,
    waiting: int,
    threshold: int,
    last_arrival: int,
    now: int,
    urgent: bool = False,
    hold_outside: bool = False,
    windows: Sequence[Window] = (),
    zone: tzinfo = UTC,
) -> int | None:
    """When the outbox is to be flushed because of what waits in it, whichever comes first with the timetable.

    :param waiting: messages in the outbox.
    :param threshold: that many start a flush; 0 = never.
    :param last_arrival: when the newest of them came.
    :param urgent: a priority message waits: no threshold is asked for.
    :param hold_outside: wait for a window to open (a line that costs by the minute).
    :returns: microseconds UTC, ``now`` when overdue, or ``None``: the count alone is no reason.
    """
    if not waiting or not (urgent or (threshold and waiting >= threshold)):
        return None
    at = max(now, last_arrival + SETTLE)
    return next_opening(windows, zone, at) if hold_outside else at
