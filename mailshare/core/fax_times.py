"""When a fax may be sent: later, in cheap hours, and no more after its deadline.

Instants are microseconds UTC. What people write is read on the wall clock of the office's zone: an hour that comes
twice is its first coming, one that does not exist is the jump (see :mod:`mailshare.core.schedule`).

Sources: RFC 2156 section 5.3.6 (``Deferred-Delivery``), RFC 4021 section 2.1.50 (``Expiry-Date``), RFC 2156 section
5.3.2 and custom (``Priority: non-urgent``, ``X-Priority`` 4 and 5, ``Importance: low``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime

from mailshare.core.headers import Headers
from mailshare.core.schedule import at_wall_clock, next_opening
from mailshare.core.values import Window

FARTHEST = 31 * 24 * 3600 * 1_000_000
"""How far ahead a fax may be put off, microseconds."""
URGENT, NORMAL, LATER = "urgent", "normal", "later"
PRIORITIES = (URGENT, NORMAL, LATER)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\Z")
_SPAN = re.compile(r"\+(\d{1,4})([mh])\Z")
_WALL = re.compile(r"(\d{4})-(\d{2})-(\d{2})[ T](\d{1,2}):(\d{2})\Z")


def read_moment(text: str, zone: tzinfo, now: int) -> int:
    """What people write for a time to come.

    :param text: ``18:30`` (today, or tomorrow when that is over), ``2026-12-24 18:30``, ``+90m``, ``+8h``, or an
        instant with its offset as RFC 3339 writes it.
    :raises ValueError: it is none of these, is over, or too far ahead; in words.
    """
    at = _read(text.strip(), zone, now)
    if at <= now:
        raise ValueError(f"{text} is over")
    if at > now + FARTHEST:
        raise ValueError(f"{text} is more than {FARTHEST // 86_400_000_000} days ahead")
    return at


def _read(text: str, zone: tzinfo, now: int) -> int:
    if found := _SPAN.match(text):
        return now + int(found[1]) * (60 if found[2] == "m" else 3600) * 1_000_000
    try:
        if found := _CLOCK.match(text):
            today, minute = datetime.fromtimestamp(now / 1_000_000, zone).date(), _minute(found[1], found[2])
            at = at_wall_clock(today, minute, zone)
            return at if at > now else at_wall_clock(today + timedelta(days=1), minute, zone)
        if found := _WALL.match(text):
            return at_wall_clock(date(*map(int, found.groups()[:3])), _minute(found[4], found[5]), zone)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return int(moment.timestamp()) * 1_000_000
    except (ValueError, OverflowError) as fault:
        raise ValueError(
            f"{text!r} is no time; write 18:30, 2026-12-24 18:30, +90m, +8h or an RFC 3339 time"
        ) from fault


def _minute(hour: str, minute: str) -> int:
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError
    return int(hour) * 60 + int(minute)


def asked_in(headers: Headers) -> dict[str, object]:
    """What a mail says of the time, the haste and the cover sheet of its fax, as parameters of a queue row.

    A date that cannot be read says nothing: the fax goes out.
    """
    asked: dict[str, object] = {}
    for name, key in (("deferred-delivery", "not_before"), ("expiry-date", "not_after")):
        at = _date(headers.first(name) or "")
        if at:
            asked[key] = at
    for name in ("priority", "x-priority", "importance"):
        word = headers.text(name).strip().partition(" ")[0].partition("(")[0].casefold()
        if word in {"non-urgent", "low"} or (name == "x-priority" and word in {"4", "5"}):
            asked["priority"] = LATER
    cover = headers.text("x-fax-cover").strip()
    if cover:
        asked["cover"] = cover[:64]
    return asked


def _date(text: str) -> int:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return int(moment.timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return 0


def begins(now: int, *, not_before: int, queued: int, cheap: Sequence[Window], zone: tzinfo) -> int:
    """When the next call of a fax may begin.

    :param cheap: the hours that it waits for; none = it waits for no hours.
    :returns: ``now``, or a later instant. What lies too far ahead counts as the farthest that is allowed.
    """
    earliest = max(now, min(not_before, queued + FARTHEST))
    return (next_opening(cheap, zone, earliest) or earliest) if cheap else earliest
