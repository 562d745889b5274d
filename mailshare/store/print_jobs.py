"""Print jobs and their documents: taken, closed and changed in one transaction each, with their rows of the queue."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve
from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.errors import NoSuchJob, NotPossible, Unavailable
from mailshare.core.headers import Headers
from mailshare.core.print_jobs import changed, opened, standing
from mailshare.core.print_usage import PrintUsage
from mailshare.core.trace import trace_of
from mailshare.core.values import (
    Event,
    Origin,
    PrintChange,
    PrintDocument,
    PrintJob,
    PrintState,
    PrintTicket,
    QueueState,
    Source,
)
from mailshare.interfaces import IBody, IPrintJobs
from mailshare.store.bodies import MemoryBody
from mailshare.store.database import Database, marks
from mailshare.store.deliver import ROW_COST, Delivery, listed_fields
from mailshare.store.events import write_events
from mailshare.store.handing import Handing, readers_of
from mailshare.store.notifier import Notifier
from mailshare.store.print_rows import COLUMNS, KIND, insert_document, insert_job, made_of, read_job, update_job
from mailshare.store.print_usage import read_usage
from mailshare.store.submissions import SUBMISSION, SUBMISSION_ROW

AGENT = "print"
_JOBS = f"SELECT {COLUMNS} FROM assembly WHERE kind = '{KIND}' AND state < ? AND id < ? ORDER BY id DESC LIMIT ?"
_UNTOLD = (
    f"SELECT {COLUMNS} FROM assembly WHERE kind = '{KIND}' AND state >= {int(PrintState.CANCELED)} AND id < ? "
    "AND json_extract(manifest, '$.ticket.mail.reply') <> '' ORDER BY id DESC LIMIT ?"
)
LEDGER_KEPT = 400 * 86_400 * 1_000_000  # microseconds that jobs which came by mail are kept
_NOT_BY_MAIL = "json_extract(manifest, '$.ticket.mail') IS NULL"
_OVER = f"kind = '{KIND}' AND state >= {int(PrintState.CANCELED)} AND json_extract(manifest, '$.completed') < ?"
_STEER = "UPDATE delivery SET state = ?, next_at = ?, done = ? WHERE submission_id = ? AND state IN ({}) AND {}"
_PENDING = (
    "UPDATE submission SET pending = (SELECT count(*) FROM delivery WHERE submission_id = submission.id "
    "AND state IN (0, 1)) WHERE id = ?"
)
_WAITING = f"{int(QueueState.QUEUED)}, {int(QueueState.HELD)}"


@implementer(IPrintJobs)
class PrintJobs:
    """Over the tables ``assembly`` and ``part``.

    :param delivery: stores documents as messages.
    :param body_of_message: reads them again.
    :param give_up_after: microseconds after which rows of the queue are given up, for tickets that say nothing.
    """

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        delivery: Delivery,
        body_of_message: Callable[[int], Awaitable[IBody]],
        give_up_after: int = 5 * 86_400 * 1_000_000,
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._delivery = delivery
        self._body_of_message = body_of_message
        self._give_up_after = give_up_after
        self._watching: list[Callable[[PrintJob], None]] = []

    async def open(self, ticket: PrintTicket, at: int, *, held: bool = False) -> PrintJob:
        """A job without documents yet."""
        new = _new_job(ticket, at, held=held)
        return await self._written(lambda connection: (insert_job(connection, new), False))

    async def take(
        self, ticket: PrintTicket, documents: Sequence[tuple[PrintDocument, IBody]], at: int, *, held: bool = False
    ) -> PrintJob:
        """A whole job in one transaction."""
        return await self.take_with(ticket, documents, at, held=held)

    async def take_with(
        self,
        ticket: PrintTicket,
        documents: Sequence[tuple[PrintDocument, IBody]],
        at: int,
        *,
        held: bool,
        also: Callable[[sqlite3.Connection, PrintJob], None] = lambda _connection, _job: None,
    ) -> PrintJob:
        """A whole job, and what is to be written with it.

        :param also: runs in the transaction, and undoes all of it by an error.
        """
        new = _new_job(ticket, at, held=held)
        handings = [await self._handing(ticket, document, body, at) for document, body in documents]

        def write(connection: sqlite3.Connection) -> tuple[PrintJob, bool]:
            job = insert_job(connection, new)
            for (document, _), handing in zip(documents, handings, strict=True):
                job = _with_document(connection, job, document, handing)
            job, wake = self._closed(connection, job, at)
            also(connection, job)
            return job, wake

        return await self._written(write, *handings)

    async def add(self, job_id: int, document: PrintDocument, body: IBody, at: int, *, last: bool) -> PrintJob:
        """One more document; with ``last`` the job is whole."""
        known = await self.job(job_id)
        if known is None:
            raise NoSuchJob
        handing = await self._handing(known.ticket, document, body, at)

        def write(connection: sqlite3.Connection) -> tuple[PrintJob, bool]:
            job, submission = _found(connection, job_id)
            if job.closed or job.state.final:
                raise NotPossible("No more documents are taken for this job")
            job = _with_document(connection, job, document, handing)
            if last:
                return self._closed(connection, job, at)
            update_job(connection, job, submission)
            return job, False

        return await self._written(write, handing)

    async def close(self, job_id: int, at: int) -> PrintJob:
        """No more documents come."""

        def write(connection: sqlite3.Connection) -> tuple[PrintJob, bool]:
            job, _ = _found(connection, job_id)
            if job.closed or job.state.final:
                return job, False
            return self._closed(connection, job, at)

        return await self._written(write)

    async def change(self, job_id: int, change: PrintChange, at: int, events: Sequence[Event] = ()) -> PrintJob:
        """Write a change; rows of the queue follow."""
        told = tuple(events)

        def write(connection: sqlite3.Connection) -> tuple[PrintJob, bool]:
            before, submission = _found(connection, job_id)
            after = changed(before, change, at)
            if after == before:
                return before, False
            wake = False
            if change.again:
                _steer(connection, submission, QueueState.CANCELLED, at, "", states=_WAITING)
                submission, wake = self._queued(connection, after, at)
            else:
                wake = _follow(connection, submission, before, after, at)
            update_job(connection, after, submission)
            write_events(connection, told, trace=trace_of(after.ticket.uuid))
            return after, wake

        return await self._written(write)

    # ------------------------------------------------------------------ reading

    async def job(self, job_id: int) -> PrintJob | None:
        """One job."""
        found = await self._database.read(lambda connection: read_job(connection, "id = ?", job_id))
        return None if found is None else found[0]

    async def find(self, uuid: str) -> PrintJob | None:
        """The job with that uuid."""
        found = await self._database.read(lambda connection: read_job(connection, "ref = ?", uuid))
        return None if found is None else found[0]

    async def jobs(
        self, *, open_only: bool = False, before_id: int | None = None, limit: int = 500
    ) -> Sequence[PrintJob]:
        """Jobs, newest first."""
        return await self._page(_JOBS, int(PrintState.CANCELED) if open_only else 99, before_id or 1 << 62, limit)

    async def untold(self, before_id: int | None = None, limit: int = 500) -> Sequence[PrintJob]:
        """Jobs that are over and came by mail, newest first."""
        return await self._page(_UNTOLD, before_id or 1 << 62, limit)

    async def _page(self, statement: str, *values: int) -> Sequence[PrintJob]:
        def read(connection: sqlite3.Connection) -> list[PrintJob]:
            return [made_of(connection, row)[0] for row in connection.execute(statement, values).fetchall()]

        return await self._database.read(read)

    async def document(self, job_id: int, number: int) -> tuple[IBody, int]:
        """The stored body of a document and where the document begins in it."""

        def read(connection: sqlite3.Connection) -> tuple[int, int] | None:
            row: tuple[int, int] | None = connection.execute(
                "SELECT message_id, offset FROM part WHERE assembly_id = ? AND num = ?", (job_id, number)
            ).fetchone()
            return row

        found = await self._database.read(read)
        if found is None:
            raise Unavailable("This document is not kept any more", detail={"job": job_id, "document": number})
        return await self._body_of_message(found[0]), found[1]

    async def usage(self, first: int, until: int) -> Sequence[PrintUsage]:
        """How much was printed."""
        return await self._database.read(lambda connection: read_usage(connection, first, until))

    # ------------------------------------------------------------------ letting go

    async def forget(self, *, documents_before: int, jobs_before: int) -> int:
        """Let go of what is old; the messages go with the next collection of garbage."""

        def write(connection: sqlite3.Connection) -> int:
            parts = connection.execute(
                f"DELETE FROM part WHERE assembly_id IN (SELECT id FROM assembly WHERE {_OVER})", (documents_before,)
            ).rowcount
            jobs = connection.execute(f"DELETE FROM assembly WHERE {_OVER} AND {_NOT_BY_MAIL}", (jobs_before,)).rowcount
            ledger_before = min(jobs_before, self._database.now() - LEDGER_KEPT)
            return parts + jobs + connection.execute(f"DELETE FROM assembly WHERE {_OVER}", (ledger_before,)).rowcount

        return await self._database.write(write)

    async def purge(self, ids: Sequence[int]) -> int:
        """Take jobs away whole."""

        def write(connection: sqlite3.Connection) -> int:
            at = self._database.now()
            for number in ids:
                found = read_job(connection, "id = ?", number)
                if found is not None:
                    _steer(connection, found[1], QueueState.CANCELLED, at, "", states=_WAITING)
            return connection.execute(
                f"DELETE FROM assembly WHERE kind = '{KIND}' AND id IN ({marks(ids)})", tuple(ids)
            ).rowcount

        return await self._database.write(write)

    def watch(self, call: Callable[[PrintJob], None]) -> Callable[[], None]:
        """Be called after each durable change."""
        self._watching.append(call)
        return lambda: self._watching.remove(call) if call in self._watching else None

    # ------------------------------------------------------------------ writing

    async def _written(
        self, operation: Callable[[sqlite3.Connection], tuple[PrintJob, bool]], *handings: Handing
    ) -> PrintJob:
        cost = sum(each.body.size for each in handings if isinstance(each.body, MemoryBody))
        directories = {self._delivery.directory_of(each.body) for each in handings} - {""}
        directory = directories.pop() if directories else ""
        for other in directories:  # documents that came before and after midnight
            await self._database.write(lambda _: None, directory=other)
        job, wake = await self._database.write(operation, cost=ROW_COST + cost, directory=directory)
        if wake:
            self._notifier.wake(AGENT)
        for call in tuple(self._watching):
            call(job)
        return job

    async def _handing(self, ticket: PrintTicket, document: PrintDocument, body: IBody, at: int) -> Handing:
        own = await self._delivery.own(body)
        message_id, listed = listed_fields(Headers.parse(await own.header()))
        origin = Origin(
            Source.PRINT,
            trace_of(ticket.uuid),
            user_id=ticket.user_id,
            peer=ticket.peer,
            helo=ticket.via,
            secure=ticket.via == "ipps",
        )
        data = {"queue": ticket.queue, "via": ticket.via, "peer": ticket.peer, "octets": document.length}
        event = Event(at, "print.taken", user_id=ticket.user_id, data={**data, "format": document.format})
        nobody = readers_of(())
        return Handing(
            Envelope(None, ()), own, origin, nobody, (), (event,), at, b"", 0, None, 0, False, message_id, listed
        )

    def _closed(self, connection: sqlite3.Connection, job: PrintJob, at: int) -> tuple[PrintJob, bool]:
        """The whole job with its rows of the queue; one without documents is aborted."""
        job = standing(evolve(job, closed=True))
        submission, wake = 0, False
        if job.documents:
            submission, wake = self._queued(connection, job, at)
        else:
            reasons = ("aborted-by-system", "document-access-error")
            change = PrintChange(state=PrintState.ABORTED, reasons=reasons, message="No document came")
            job = changed(job, change, at)
        update_job(connection, job, submission)
        return job, wake

    def _queued(self, connection: sqlite3.Connection, job: PrintJob, at: int) -> tuple[int, bool]:
        """A submission with a row for each destination."""
        ticket = job.ticket
        expires = ticket.expires or at + self._give_up_after
        held = int(job.held)
        number = connection.execute(
            SUBMISSION,
            (
                job.documents[0].message_id,
                AGENT,
                None,
                ticket.user_id,
                None,
                "{}",
                Source.PRINT.value,
                held,
                at,
                expires,
                0 if held else len(job.members),
            ),
        ).lastrowid
        assert number is not None
        state = int(QueueState.HELD if job.held else QueueState.QUEUED)
        rows = []
        for member in job.members:
            params = json.dumps({"job": job.id, "uuid": ticket.uuid, "member": member})
            rows.append((number, AGENT, None, member, member, ticket.via, params, state, at))
        connection.executemany(SUBMISSION_ROW, rows)
        return number, not job.held


def _new_job(ticket: PrintTicket, at: int, *, held: bool) -> PrintJob:
    return opened(PrintJob(0, ticket, PrintState.PENDING, at, held=held, order=at))


def _found(connection: sqlite3.Connection, job_id: int) -> tuple[PrintJob, int]:
    found = read_job(connection, "id = ?", job_id)
    if found is None:
        raise NoSuchJob
    return found


def _with_document(
    connection: sqlite3.Connection, job: PrintJob, document: PrintDocument, handing: Handing
) -> PrintJob:
    """Store a document of a job as a message, and its part."""
    own = handing.body
    number = len(job.documents) + 1
    handing = evolve(handing, origin=evolve(handing.origin, trace=trace_of(job.ticket.uuid, number)))
    stored = evolve(
        document,
        number=number,
        message_id=handing(connection).message_id,
        offset=own.header_length,
        length=own.size - own.header_length,
    )
    insert_document(connection, job.id, stored, handing.at)
    return evolve(job, documents=(*job.documents, stored))


def _follow(connection: sqlite3.Connection, submission: int, before: PrintJob, after: PrintJob, at: int) -> bool:
    """Let the rows of the queue follow the job; tells whether some are due now."""
    wake = False
    if not submission:
        return wake
    for name, member in after.members.items():
        if member.state.final and not before.members[name].state.final:
            _steer(connection, submission, QueueState.CANCELLED, at, name, states=_WAITING)
        elif member.serial > before.members[name].serial:
            # Begun anew: its row goes back into the queue, if it had done its work.
            _steer(connection, submission, QueueState.QUEUED, at, name, states=str(int(QueueState.DELIVERED)))
            wake = True
    if after.held and not before.held:
        _steer(connection, submission, QueueState.HELD, at, "", states=str(int(QueueState.QUEUED)))
    elif before.held and not after.held and not after.state.final:
        _steer(connection, submission, QueueState.QUEUED, at, "", states=str(int(QueueState.HELD)))
        wake = True
    return wake


def _steer(
    connection: sqlite3.Connection, submission: int, state: QueueState, at: int, member: str, *, states: str
) -> None:
    """Set the state of a submission's waiting rows, of one destination or of all."""
    done = at if state is QueueState.CANCELLED else 0
    statement = _STEER.format(states, "address = ?" if member else "? = ''")
    connection.execute(statement, (int(state), at, done, submission, member))
    connection.execute(_PENDING, (submission,))
