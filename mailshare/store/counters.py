"""The numbers of messages and of lines of the journal: they grow for ever, and none comes back.

They stand in a temporary table: it is rolled back with the transaction, and no delivery writes a page for it. What a
start cannot read from the rows, because the newest were deleted, stands as the version of a setting of the store.
"""

from __future__ import annotations

import sqlite3

NUMBER_BITS = 36
"""An event's key is its day with its number in so many bits below: a day lies together, and what is new at the end."""
_NUMBER = (1 << NUMBER_BITS) - 1
# The days that have events, one probe of the primary key for each.
FOUND_DAYS = (
    f"WITH RECURSIVE found(day) AS (SELECT min(place) >> {NUMBER_BITS} FROM event UNION ALL "
    f"SELECT (SELECT min(place) >> {NUMBER_BITS} FROM event WHERE place >= (found.day + 1) << {NUMBER_BITS}) "
    "FROM found WHERE found.day IS NOT NULL)"
)
EVENT_NUMBER = f"e.place & {_NUMBER}"
IN_THE_DAY = f"e.place >= found.day << {NUMBER_BITS} AND e.place < (found.day + 1) << {NUMBER_BITS}"
_LAST_OF_DAYS = (
    f"{FOUND_DAYS} SELECT max((SELECT max(place) & {_NUMBER} FROM event "
    f"WHERE place < (found.day + 1) << {NUMBER_BITS})) FROM found WHERE found.day IS NOT NULL"
)
_NOTED = "SELECT version FROM setting WHERE scope = 'store' AND name = '{}'"
_NEWEST_EVENT = f"SELECT max(coalesce(({_LAST_OF_DAYS}), 0), coalesce(({_NOTED.format('last_event')}), 0))"
_NEWEST_MESSAGE = (
    f"SELECT max(coalesce((SELECT max(id) FROM message), 0), coalesce(({_NOTED.format('last_message')}), 0))"
)
_KNOWN_MESSAGE = (
    "SELECT max(coalesce((SELECT max(message_id) FROM entry), 0), "
    f"coalesce((SELECT max(message_id) FROM arrived), 0), coalesce(({_NOTED.format('last_message')}), 0))"
)
_KEEP = (
    "INSERT INTO setting (scope, name, value, version) SELECT 'store', 'last_{0}', 'null', {0} FROM temp.last "
    "WHERE true ON CONFLICT (scope, name) DO UPDATE SET version = excluded.version"
)


def set_counters(connection: sqlite3.Connection) -> None:
    """Set up the counters for a connection that writes."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS last (event INTEGER NOT NULL, message INTEGER NOT NULL)")
    connection.execute("DELETE FROM temp.last")
    last = "INSERT INTO temp.last SELECT ?, ({})"
    event = newest_event(connection)
    try:
        connection.execute(last.format(_NEWEST_MESSAGE), (event,))
    except sqlite3.DatabaseError as fault:
        if (fault.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_CORRUPT:
            raise
        # Nothing can be written behind damaged messages, but the rest of the store is to be read.
        connection.execute(last.format(_KNOWN_MESSAGE), (event,))


def newest_event(connection: sqlite3.Connection) -> int:
    """The greatest number of an event that is stored or was written down."""
    number: int = connection.execute(_NEWEST_EVENT).fetchone()[0]
    return number


def event_numbers(connection: sqlite3.Connection, count: int) -> int:
    """Take so many numbers of events; the first of them."""
    return numbers(connection, 0, count)[1]


def numbers(connection: sqlite3.Connection, messages: int, events: int) -> tuple[int, int]:
    """Take so many numbers of both kinds; the first message's and the first event's."""
    # RETURNING would take as long again as both of these.
    message, event = connection.execute("SELECT message, event FROM temp.last").fetchone()
    connection.execute("UPDATE temp.last SET message = ?, event = ?", (message + messages, event + events))
    return message + 1, event + 1


def keep_event_count(connection: sqlite3.Connection) -> None:
    """Write the counter down before events are deleted."""
    connection.execute(_KEEP.format("event"))


def keep_message_count(connection: sqlite3.Connection) -> None:
    """Write the counter down before messages are deleted."""
    connection.execute(_KEEP.format("message"))
