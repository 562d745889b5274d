"""Jobs that come by mail as rows: ``assembly`` holds a set, ``part`` which stored mails hold its parts.

``assembly.ref`` is the set's key, so that no job is ever two sets. A set that is over keeps its row without manifest
and parts: the memory by which nothing prints twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, evolve
from zope.interface import implementer

from mailshare.core.errors import NoSuchJob, PolicyRefusal
from mailshare.core.values import (
    Event,
    PrintDocument,
    PrintJob,
    PrintMail,
    PrintSet,
    PrintTicket,
    SetBounds,
    SetPart,
    SetState,
)
from mailshare.interfaces import IBody, IPrintSets
from mailshare.store.database import Database
from mailshare.store.events import write_events
from mailshare.store.print_jobs import PrintJobs

KIND = "print-set"
PAGES = "print-pages"  # scope of the settings that count pages
_COLUMNS = "id, ref, state, parts, created, expires, manifest"
_ONE = f"SELECT {_COLUMNS} FROM assembly WHERE kind = '{KIND}' AND "
_INSERT = (
    "INSERT INTO assembly (kind, ref, state, parts, parts_have, created, expires, manifest) "
    f"VALUES ('{KIND}', ?, ?, ?, 0, ?, ?, ?) ON CONFLICT (kind, ref) DO NOTHING"
)
_UPDATE = "UPDATE assembly SET state = ?, manifest = ? WHERE id = ?"
_PART = (
    "INSERT INTO part (assembly_id, num, message_id, offset, length, digest, received) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (assembly_id, num) DO NOTHING"
)
_PARTS = "SELECT num, message_id, offset, length, digest, received FROM part WHERE assembly_id = ? ORDER BY num"
# A set counts with what was announced, or with what has come where that is more: fragments announce nothing.
_OPEN = (
    "SELECT count(*), coalesce(sum(max(json_extract(manifest, '$.octets'), "
    "(SELECT coalesce(sum(length), 0) FROM part WHERE assembly_id = assembly.id))), 0) FROM assembly "
    f"WHERE kind = '{KIND}' AND state = {int(SetState.COLLECTING)} AND json_extract(manifest, '$.printer') = ?"
)
_OVER = f"DELETE FROM assembly WHERE kind = '{KIND}' AND state <> {int(SetState.COLLECTING)} AND created < ?"
_MONTHS = 62  # days that are counted
_NO_BOUNDS = SetBounds()


@implementer(IPrintSets)
class PrintSets:
    """Over the tables ``assembly``, ``part`` and ``setting``.

    :param jobs: makes print jobs of sets.
    """

    def __init__(self, database: Database, jobs: PrintJobs) -> None:
        self._database = database
        self._jobs = jobs

    async def find(self, key: str) -> PrintSet | None:
        """The set of that identity."""
        return await self._database.read(lambda connection: _read(connection, "ref = ?", key))

    async def collecting(self) -> Sequence[PrintSet]:
        """The sets that are being collected."""

        def read(connection: sqlite3.Connection) -> list[PrintSet]:
            rows = connection.execute(f"{_ONE} state = ? ORDER BY id", (int(SetState.COLLECTING),)).fetchall()
            return [_made_of(connection, row) for row in rows]

        return await self._database.read(read)

    async def count(self, state: SetState) -> int:
        """How many there are."""
        statement = f"SELECT count(*) FROM assembly WHERE kind = '{KIND}' AND state = ?"

        def read(connection: sqlite3.Connection) -> int:
            return int(connection.execute(statement, (int(state),)).fetchone()[0])

        return await self._database.read(read)

    async def pages(self, printer: str, sender: str) -> Mapping[str, int]:
        """Pages by days."""
        return await self._database.read(lambda connection: _pages(connection, _counter(printer, sender)))

    # ------------------------------------------------------------------ writing

    async def open(self, new: PrintSet, bounds: SetBounds, events: Sequence[Event] = ()) -> PrintSet:
        """Begin to collect."""
        told = tuple(events)

        def write(connection: sqlite3.Connection) -> PrintSet:
            found = _read(connection, "ref = ?", new.key)
            if found is None:
                _within(connection, new, new.octets, bounds)
                _insert(connection, new)
                found = _read(connection, "ref = ?", new.key)
                write_events(connection, told)
            assert found is not None
            return found

        return await self._database.write(write, cost=len(new.manifest) * 2)

    async def add(
        self,
        set_id: int,
        number: int,
        part: SetPart,
        at: int,
        events: Sequence[Event] = (),
        bounds: SetBounds = _NO_BOUNDS,
    ) -> PrintSet:
        """A part has come."""
        told = tuple(events)

        def write(connection: sqlite3.Connection) -> PrintSet:
            found = _read(connection, "id = ?", set_id)
            if found is None:
                raise NoSuchJob
            if found.state is not SetState.COLLECTING or number in found.have:
                return found
            _within(connection, found, part.length, bounds)
            values = (set_id, number, part.message_id, part.offset, part.length, part.digest, at)
            connection.execute(_PART, values)
            connection.execute("UPDATE assembly SET parts_have = ? WHERE id = ?", (len(found.have) + 1, set_id))
            write_events(connection, told)
            return evolve(found, have={**found.have, number: part}, last=max(at, found.last))

        return await self._database.write(write)

    async def asked(self, set_id: int, at: int, events: Sequence[Event] = ()) -> PrintSet:
        """Missing parts were asked for."""
        told = tuple(events)

        def write(connection: sqlite3.Connection) -> PrintSet:
            found = _read(connection, "id = ?", set_id)
            if found is None:
                raise NoSuchJob
            after = evolve(found, last=at, requests=found.requests + 1)
            _update(connection, after)
            write_events(connection, told)
            return after

        return await self._database.write(write)

    async def take(
        self,
        one: PrintSet,
        ticket: PrintTicket,
        documents: Sequence[tuple[PrintDocument, IBody]],
        at: int,
        *,
        held: bool = False,
        day: str = "",
        events: Sequence[Event] = (),
    ) -> PrintJob | None:
        """Make a print job of a set."""
        told = tuple(events)

        def also(connection: sqlite3.Connection, job: PrintJob) -> None:
            found = _read(connection, "ref = ?", one.key)
            if found is None:
                _insert(connection, one)
                found = _read(connection, "ref = ?", one.key)
            elif found.state is not SetState.COLLECTING:
                raise _TakenBefore
            assert found is not None
            _close(connection, evolve(found, state=SetState.TAKEN, job=job.ticket.uuid))
            pages = ticket.mail.pages if ticket.mail is not None else 0
            if day and pages > 0:
                _count(connection, _counter(one.printer, one.mail.sender), day, pages)
            write_events(connection, told)

        try:
            return await self._jobs.take_with(ticket, documents, at, held=held, also=also)
        except _TakenBefore:
            return None

    async def end(self, one: PrintSet, at: int, words: str, events: Sequence[Event] = ()) -> None:
        """It is over."""
        told = tuple(events)

        def write(connection: sqlite3.Connection) -> None:
            found = _read(connection, "ref = ?", one.key)
            if found is None:
                _insert(connection, one)
                found = _read(connection, "ref = ?", one.key)
            assert found is not None
            state = SetState.ENDED if found.state is SetState.COLLECTING else found.state
            if not found.ended:
                _close(connection, evolve(found, state=state, ended=at, words=words))
                write_events(connection, told)

        await self._database.write(write)

    async def forget(self, before: int) -> int:
        """Let go of what is old."""
        return await self._database.write(lambda connection: connection.execute(_OVER, (before,)).rowcount)


class _TakenBefore(Exception):
    """The set is over: nothing of the transaction stays."""


# ---------------------------------------------------------------------- rows


def _document(one: PrintSet) -> str:
    facts = {
        "printer": one.printer,
        "octets": one.octets,
        "digest": one.digest,
        "mail": asdict(one.mail),
        "payload": one.manifest.decode(),
        "last": one.last,
        "requests": one.requests,
        "job": one.job,
        "ended": one.ended,
        "words": one.words,
    }
    return json.dumps(facts, ensure_ascii=False)


def _insert(connection: sqlite3.Connection, new: PrintSet) -> None:
    values = (new.key, int(new.state), new.total, new.created, new.expires, _document(new))
    connection.execute(_INSERT, values)


def _update(connection: sqlite3.Connection, one: PrintSet) -> None:
    connection.execute(_UPDATE, (int(one.state), _document(one), one.id))


def _close(connection: sqlite3.Connection, one: PrintSet) -> None:
    """Keep what must be remembered, and let go of the mails."""
    connection.execute("DELETE FROM part WHERE assembly_id = ?", (one.id,))
    _update(connection, evolve(one, manifest=b""))


def _read(connection: sqlite3.Connection, where: str, value: object) -> PrintSet | None:
    row = connection.execute(_ONE + where, (value,)).fetchone()
    return None if row is None else _made_of(connection, row)


def _made_of(connection: sqlite3.Connection, row: tuple[Any, ...]) -> PrintSet:
    number, key, state, total, created, expires, text = row
    facts = json.loads(text)
    mail = facts["mail"]
    have, last = {}, facts["last"]
    for num, message_id, offset, length, digest, received in connection.execute(_PARTS, (number,)):
        have[num] = SetPart(message_id, offset, length, digest)
        last = max(last, received)
    return PrintSet(
        key=key,
        printer=facts["printer"],
        created=created,
        expires=expires,
        total=total,
        octets=facts["octets"],
        digest=facts["digest"],
        mail=PrintMail(**{**mail, "ignored": tuple(mail["ignored"])}),
        manifest=facts["payload"].encode(),
        id=number,
        state=SetState(state),
        have=have,
        last=last,
        requests=facts["requests"],
        job=facts["job"],
        ended=facts["ended"],
        words=facts["words"],
    )


def _within(connection: sqlite3.Connection, one: PrintSet, more: int, bounds: SetBounds) -> None:
    """Raise when too much is under way, or would be with so many octets more."""
    _, octets = connection.execute(_OPEN, (one.printer,)).fetchone()
    if bounds.printer_octets and octets + more > bounds.printer_octets:
        raise PolicyRefusal("All jobs that are on their way to this printer are as large as they may be together")
    mine = _OPEN + " AND json_extract(manifest, '$.mail.sender') = ?"
    jobs, octets = connection.execute(mine, (one.printer, one.mail.sender)).fetchone()
    if bounds.open_jobs and not one.id and jobs >= bounds.open_jobs:
        raise PolicyRefusal(f"{jobs} jobs of this sender are on their way already; wait until they are whole")
    if bounds.octets and octets + more > bounds.octets:
        raise PolicyRefusal("The jobs of this sender that are on their way are as large as they may be together")


# ---------------------------------------------------------------------- pages


def _counter(printer: str, sender: str) -> str:
    return f"{printer} {sender.casefold()}"


def _pages(connection: sqlite3.Connection, name: str) -> dict[str, int]:
    row = connection.execute("SELECT value FROM setting WHERE scope = ? AND name = ?", (PAGES, name)).fetchone()
    return dict(json.loads(row[0])) if row is not None else {}


def _count(connection: sqlite3.Connection, name: str, day: str, pages: int) -> None:
    days = _pages(connection, name)
    days[day] = days.get(day, 0) + pages
    kept = {one: days[one] for one in sorted(days)[-_MONTHS:]}
    connection.execute(
        "INSERT INTO setting (scope, name, value, version) VALUES (?, ?, ?, 1) "
        "ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value, version = version + 1",
        (PAGES, name, json.dumps(kept)),
    )
