"""The journal by local day: its bounds, its lines, and how long it is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

from mailshare.core.errors import PeerFault
from mailshare.core.values import SECOND, Directory, Event
from mailshare.interfaces import IEventLog

_PAGE = 1000
_CUT = 200  # characters of a value that came from outside


def day_of(at: int, zone: tzinfo) -> date:
    """The local day of an instant."""
    return datetime.fromtimestamp(at // SECOND, zone).date()


def bounds(day: date, zone: tzinfo) -> tuple[int, int]:
    """Its first instant and that of the next day, microseconds UTC: 23 or 25 hours apart when the clock changes."""
    first, following = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (day, day + timedelta(days=1)))
    return int(first.timestamp()) * SECOND, int(following.timestamp()) * SECOND


def read_day(text: str) -> date:
    """A day written ``YYYY-MM-DD``.

    :raises PeerFault: it is not one.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PeerFault(f"{text!r} is not a day; write it as 2026-11-21", code=501) from None


def line(number: int, event: Event, directory: Directory, zone: tzinfo) -> str:
    """One line of JSON. Everything but ASCII is escaped, so that nothing in it can act on a terminal."""
    moment = datetime.fromtimestamp(event.at / SECOND, UTC)
    user = directory.user_by_id.get(event.user_id or 0)
    account = directory.account_by_id.get(event.account_id or 0)
    record = {
        "id": number,
        "at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "offset": moment.astimezone(zone).strftime("%z"),
        "kind": event.kind,
        "trace": event.trace,
        "account": str(account.address) if account else "",
        "user": user.name if user else "",
        "data": {key: _cut(value) for key, value in event.data.items()},
    }
    return json.dumps(record, ensure_ascii=True)


def _cut(value: object) -> object:
    """Values of strangers are kept short; lists are cut item by item."""
    if isinstance(value, str):
        return value if len(value) <= _CUT else value[: _CUT - 3] + "..."
    if isinstance(value, Mapping):
        return {str(key)[:_CUT]: _cut(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_cut(each) for each in value]
    return value


async def lines(
    log: IEventLog, directory: Directory, day: date, zone: tzinfo, kinds: Sequence[str] = ()
) -> AsyncIterator[str]:
    """All lines of a local day, oldest first, read a page at a time."""
    since, until = bounds(day, zone)
    after = 0
    while page := await log.page(since=since, until=until, kinds=kinds, after_id=after, limit=_PAGE):
        for number, event in page:
            yield line(number, event, directory, zone)
        after = page[-1][0]


def next_midnight(now: int, zone: tzinfo) -> int:
    """When the next local day begins."""
    return bounds(day_of(now, zone), zone)[1]
