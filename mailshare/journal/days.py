"""The journal by local day: its bounds, and its lines."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from mailshare.core.errors import PeerFault
from mailshare.core.values import SECOND, Directory, Event, StoredEvent

_CUT = 200  # characters of a value that came from outside
_OLD_TARGET = re.compile(r'\[[0-9]+, "')  # a mailbox in a routing of before, by number
_quoted = json.encoder.encode_basestring_ascii


def day_of(at: int, zone: tzinfo) -> date:
    """The local day of an instant."""
    return _local(at // SECOND, zone)[0]


@lru_cache(maxsize=8)  # lines come in the order of their time
def _local(second: int, zone: tzinfo) -> tuple[date, str, str]:
    """The local day of a second, how far the clock is from UTC then, as ``+0100``, and the second as UTC has it."""
    moment = datetime.fromtimestamp(second, zone)
    return moment.date(), moment.strftime("%z"), datetime.fromtimestamp(second, UTC).isoformat()[:19]


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
        raise PeerFault(f"{text!r} is not a day; write it as 2026-11-21", code=400) from None


def record(number: int, event: Event, directory: Directory, zone: tzinfo) -> dict[str, object]:
    """A line of the journal as JSON values: the form of the files and of the API, docs/reference/journal.md.

    Users and accounts are told by name as long as they have one; mailboxes in a routing of before, which holds
    numbers, too.
    """
    data = {str(key): _cut(value) for key, value in event.data.items()}
    if isinstance(targets := data.get("targets"), list):
        data["targets"] = [_named(each, directory) for each in targets]
    account, user = _names(event.account_id, event.user_id, directory)
    _, offset, second = _local(event.at // SECOND, zone)
    return {
        "id": number,
        "at": f"{second}.{event.at % SECOND // 1_000:03}Z",
        "offset": offset,
        "kind": event.kind,
        "trace": event.trace,
        "account": account,
        "user": user,
        "data": data,
    }


def line(stored: StoredEvent, directory: Directory, zone: tzinfo) -> str:
    """:func:`record` as one line of JSON. Everything but ASCII is escaped, so that nothing can act on a terminal.

    Nearly every event's own JSON can stand in the line as it is; reading and writing it again takes twenty times as
    long, and there may be thousands to copy while mail comes in.
    """
    number, at, kind, trace, account_id, user_id, _, data = stored
    plain = data.isascii() and data.isprintable()
    if not plain or _OLD_TARGET.search(data) or _has_long_text(data):
        event = Event(at, kind, trace, account_id, user_id, data=json.loads(data))
        return json.dumps(record(number, event, directory, zone))
    account, user = _names(account_id, user_id, directory)
    _, offset, second = _local(at // SECOND, zone)
    return (
        f'{{"id": {number}, "at": "{second}.{at % SECOND // 1_000:03}Z", "offset": "{offset}", '
        f'"kind": {_quoted(kind)}, "trace": {_quoted(trace)}, '
        f'"account": {_quoted(account)}, "user": {_quoted(user)}, "data": {data}}}'
    )


def _has_long_text(data: str) -> bool:
    """Whether there are so many characters between two quotation marks of this JSON that they would be cut."""
    if '\\"' in data:
        return max(map(len, data.replace('\\"', "..").split('"'))) > _CUT
    # From each mark to the last one that is not too far from it: a tenth of the time of looking at them all.
    mark, end = -1, len(data)
    while end - mark - 1 > _CUT:
        following = data.rfind('"', mark + 1, mark + _CUT + 2)
        if following < 0:
            return True
        mark = following
    return False


def _names(account_id: int | None, user_id: int | None, directory: Directory) -> tuple[str, str]:
    """What account and user are called; empty for those who are gone."""
    account = directory.account_by_id.get(account_id or 0)
    user = directory.user_by_id.get(user_id or 0)
    return str(account.address) if account else "", user.name if user else ""


def _named(target: object, directory: Directory) -> object:
    if not isinstance(target, list) or len(target) != 2 or not isinstance(target[0], int):
        return target
    user = directory.user_by_id.get(target[0])
    return [user.name if user else target[0], target[1]]


def _cut(value: Any) -> object:
    """Values of strangers are kept short; lists are cut item by item."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= _CUT else value[: _CUT - 3] + "..."
    if kind is list or kind is tuple:
        return [each if type(each) is str and len(each) <= _CUT else _cut(each) for each in value]
    if kind is dict:
        return {str(key)[:_CUT]: _cut(each) for key, each in value.items()}
    return value


def next_midnight(now: int, zone: tzinfo) -> int:
    """When the next local day begins."""
    return bounds(day_of(now, zone), zone)[1]
