"""The journal's rows: written with the transaction they tell of, read by day, expired in slices."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from zope.interface import implementer

from mailshare.core.json_text import object_text
from mailshare.core.values import Event, StoredEvent
from mailshare.interfaces import IEventLog
from mailshare.store.counters import (
    EVENT_NUMBER,
    FOUND_DAYS,
    IN_THE_DAY,
    NUMBER_BITS,
    event_numbers,
    keep_event_count,
    newest_event,
)
from mailshare.store.database import Database, marks
from mailshare.store.naming import COUNTED, WORK_KEPT, WORK_KINDS, bare_message_id
from mailshare.store.rows import Insert

DAY = 86_400 * 1_000_000
SLICE = 5_000

_INSERT = Insert("INSERT INTO event (place, at, kind, trace, account_id, user_id, message_id, data)", 8)
# Events with a greater id: one probe of the primary key for each day, so a look costs little when nothing is new.
_AFTER = (
    f"{FOUND_DAYS} SELECT {EVENT_NUMBER}, e.at, e.kind, e.trace, e.account_id, e.user_id, e.message_id, e.data "
    f"FROM found JOIN event e ON e.place > (found.day << {NUMBER_BITS}) + ? AND {IN_THE_DAY} "
    "WHERE found.day IS NOT NULL ORDER BY 1 LIMIT ?"
)
# Work, and no log: what is counted over an hour; a report that is due, until it is sent or nobody would send it now.
_WORK = (
    "kind IN ('public.sent', 'device.sent', 'fax.wrong-code') AND at >= :counted OR kind = 'report.due' "
    "AND at >= :work AND NOT EXISTS (SELECT 1 FROM event sent WHERE sent.trace = event.trace "
    "AND sent.trace <> '' AND sent.kind = 'report.sent' "
    "AND json_extract(sent.data, '$.action') = json_extract(event.data, '$.action') "
    "AND json_extract(sent.data, '$.items') = json_extract(event.data, '$.items') "
    "AND json_extract(sent.data, '$.at') = json_extract(event.data, '$.at'))"
)
_DROP = (
    f"DELETE FROM event WHERE place IN (SELECT place FROM event WHERE place < (:day + 1) << {NUMBER_BITS} "
    f"AND at < CASE WHEN kind GLOB 'admin.*' THEN :audit ELSE :log END AND NOT ({_WORK}) ORDER BY place LIMIT :most)"
)
_TRACES = (
    "SELECT DISTINCT trace FROM event WHERE kind = 'route' AND trace <> '' "
    "AND json_extract(data, '$.message_id') IN (?, ?) ORDER BY place DESC LIMIT 100"
)


def write_events(
    connection: sqlite3.Connection, events: Sequence[Event], *, trace: str = "", message_id: int | None = None
) -> None:
    """Write events in the running transaction; an empty trace or message id is filled in.

    Ids grow for ever, also when the clock is set back: see :mod:`mailshare.store.counters`.
    """
    if events:
        first = event_numbers(connection, len(events))
        write_all_events(connection, [(event, trace, message_id) for event in events], first)


def write_all_events(
    connection: sqlite3.Connection, events: Sequence[tuple[Event, str, int | None]], first: int
) -> None:
    """Write events of several messages, each with what is filled in where it names no trace or message.

    :param first: number of the first of them, of numbers that were taken.
    """
    rows: list[tuple[object, ...]] = []
    for event, trace, message_id in events:
        at, kind, own_trace, account_id, user_id, own_message_id, data = event
        place = (at // DAY << NUMBER_BITS) + first + len(rows)
        about = message_id if own_message_id is None else own_message_id
        rows.append((place, at, kind, own_trace or trace, account_id, user_id, about, object_text(data)))
    _INSERT.into(connection, rows)


def write_alike(
    connection: sqlite3.Connection, at: int, user_id: int, told: Sequence[tuple[str, str, int, str]]
) -> None:
    """Write what a user did to many messages at once, as :func:`write_events` would, without an object for each.

    :param told: ``(kind, trace, message id, data as JSON)`` of each.
    """
    if told:
        first = (at // DAY << NUMBER_BITS) + event_numbers(connection, len(told))
        rows = [
            (place, at, kind, trace, None, user_id, message, data)
            for place, (kind, trace, message, data) in enumerate(told, first)
        ]
        _INSERT.into(connection, rows)


def _event(row: tuple[object, ...]) -> tuple[int, Event]:
    number, at, kind, trace, account_id, user_id, message_id, data = row
    return number, Event(at, kind, trace, account_id, user_id, message_id, json.loads(data))  # type: ignore[return-value, arg-type]


@implementer(IEventLog)
class EventLog:
    """The journal's table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, events: Sequence[Event]) -> None:
        """Write events that belong to no other transaction."""
        kept = tuple(events)
        await self._database.write(lambda connection: write_events(connection, kept), cost=512 * len(kept))

    async def days(self, zone: str = "") -> Sequence[str]:
        """Days with events in that time zone (UTC when empty), ``YYYY-MM-DD``, oldest first."""
        place: tzinfo = ZoneInfo(zone) if zone else UTC
        return await self._database.read(lambda connection: _local_days(connection, place))

    async def page(
        self,
        *,
        since: int,
        until: int,
        trace: str = "",
        kinds: Sequence[str] = (),
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[tuple[int, Event]]:
        """Events in ``[since, until)`` in the order in which they were written, with their ids."""
        clauses = ["e.at >= ?", "e.at < ?", f"{EVENT_NUMBER} > ?"]
        values: list[object] = [since, until, after_id]
        if trace:
            table = "event e"
            clauses.append("e.trace = ? AND e.trace <> ''")
            values.append(trace)
        elif kinds and set(kinds) <= set(WORK_KINDS):
            # In these words SQLite sees that the index over them holds every line that is asked for.
            table = "event e"
            clauses.append(f"e.kind IN {WORK_KINDS}")
        else:
            # Day by day: ids do not follow the days when the clock was set, and the next page asks by id.
            table = f"found JOIN event e ON {IN_THE_DAY}"
            clauses.append("found.day BETWEEN ? AND ?")
            values += [since // DAY, until // DAY]
        if kinds:
            clauses.append(f"e.kind IN ({marks(kinds)})")
            values.extend(kinds)
        statement = (
            f"{FOUND_DAYS} SELECT {EVENT_NUMBER}, e.at, e.kind, e.trace, e.account_id, e.user_id, e.message_id, e.data "
            f"FROM {table} WHERE {' AND '.join(clauses)} ORDER BY 1 LIMIT ?"
        )
        values.append(limit)

        def read(connection: sqlite3.Connection) -> list[tuple[int, Event]]:
            return [_event(row) for row in connection.execute(statement, values)]

        return await self._database.read(read)

    async def counts(
        self, since: int, step: int, steps: int, kinds: Sequence[str]
    ) -> Mapping[tuple[str, int], int]:
        """How many events of each kind and span."""
        until = since + step * steps
        statement = (
            f"{FOUND_DAYS} SELECT e.kind, (e.at - ?) / ?, count(*) FROM found JOIN event e ON {IN_THE_DAY} "
            f"WHERE found.day BETWEEN ? AND ? AND e.at >= ? AND e.at < ? AND e.kind IN ({marks(kinds)}) GROUP BY 1, 2"
        )
        values = (since, step, since // DAY, until // DAY, since, until, *kinds)

        def read(connection: sqlite3.Connection) -> dict[tuple[str, int], int]:
            return {(kind, span): number for kind, span, number in connection.execute(statement, values)}

        return await self._database.read(read)

    async def traces(self, message_id: str) -> Sequence[str]:
        """Traces of messages that came in with this Message-ID, newest first; looks at every line there is."""
        bare = bare_message_id(message_id)

        def read(connection: sqlite3.Connection) -> list[str]:
            return [row[0] for row in connection.execute(_TRACES, (bare, f"<{bare}>"))] if bare else []

        return await self._database.read(read)

    async def newest(self) -> int:
        """The greatest id that was ever given; 0 before the first event."""
        return await self._database.read(newest_event)

    async def after(self, number: int, limit: int = 1000) -> Sequence[StoredEvent]:
        """Events with a greater id, whatever their time, by id."""

        def read(connection: sqlite3.Connection) -> list[StoredEvent]:
            return [StoredEvent(*row) for row in connection.execute(_AFTER, (number, limit)).fetchall()]

        return await self._database.read(read)

    async def expire(self, before: int, *, audit_before: int | None = None) -> int:
        """Delete events older than that, in slices so that deliveries get their turn between them."""
        audit = before if audit_before is None else audit_before
        limits = {
            "day": max(before, audit) // DAY,
            "audit": audit,
            "log": before,
            "work": self._database.now() - WORK_KEPT,
            "counted": self._database.now() - COUNTED,
            "most": SLICE,
        }
        def drop(connection: sqlite3.Connection) -> int:
            keep_event_count(connection)
            return connection.execute(_DROP, limits).rowcount

        gone = 0
        while True:
            dropped = await self._database.write(drop)
            gone += dropped
            if dropped < SLICE:
                return gone


def _local_days(connection: sqlite3.Connection, zone: tzinfo) -> list[str]:
    found: list[str] = []
    candidates = set()
    for (day,) in connection.execute(f"{FOUND_DAYS} SELECT day FROM found WHERE day IS NOT NULL").fetchall():
        first = datetime.fromtimestamp(day * DAY // 1_000_000, zone).date()
        candidates.update({first, first + timedelta(days=1)})
    for date in sorted(candidates):
        start = datetime(date.year, date.month, date.day, tzinfo=zone)
        after = date + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone)
        low, high = int(start.timestamp()) * 1_000_000, int(end.timestamp()) * 1_000_000
        if connection.execute(
            "SELECT 1 FROM event WHERE place >= ? AND place < ? AND at >= ? AND at < ? LIMIT 1",
            (low // DAY << NUMBER_BITS, high // DAY + 1 << NUMBER_BITS, low, high),
        ).fetchone():
            found.append(date.isoformat())
    return found
