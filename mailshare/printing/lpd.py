"""LPD: jobs by the old protocol of line printers, into the same queues."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field

from mailshare.core.errors import MailshareError
from mailshare.core.values import PrintChange, PrintDocument, PrintJob, PrintState, PrintTicket
from mailshare.interfaces import IBody
from mailshare.printing.access import Access
from mailshare.printing.destinations import Destination
from mailshare.printing.documents import DocumentIntake, Said
from mailshare.printing.service import PrintService
from mailshare.shell.limits import ConnectionLimits, Goodbye
from mailshare.shell.server import Connection, EngineFactory
from mailshare.wire.ipp_asked import printable
from mailshare.wire.ipp_job import state_message
from mailshare.wire.lpd import (
    ControlFile,
    FileOffered,
    FilePiece,
    FileWhole,
    JobAborted,
    JobFile,
    JobOffered,
    LPDServer,
    RemovalWanted,
    StateWanted,
)

PATIENCE = 60.0  # seconds for the next line
_MOST_FILES = 100  # of one job, and jobs that are not whole on one connection


@define
class _Half:
    """A job of which not everything is there."""

    ticket: PrintTicket
    control: ControlFile | None = None
    files: dict[str, tuple[PrintDocument, IBody]] = field(factory=dict)

    def missing(self) -> bool:
        """A file that the control file names has not come."""
        return self.control is None or any(name not in self.files for name in self.control.printed())


class LPDSession:
    """One connection."""

    def __init__(self, factory: LPDFactory, connection: Connection) -> None:
        self._engine = LPDServer()
        self._service = factory.service
        self._operates = factory.operates
        self._connection = connection
        self._queue: Destination | None = None
        self._jobs: dict[tuple[str, str], _Half] = {}
        self._intake: DocumentIntake | None = None
        self._name = ""

    @property
    def engine(self) -> LPDServer:
        """The connection's engine."""
        return self._engine

    @property
    def patience(self) -> float:
        """Seconds for the next line."""
        return PATIENCE

    @property
    def receiving(self) -> bool:
        """In the middle of a file."""
        return self._engine.receiving

    def begin(self) -> None:
        """The client speaks first."""

    def stalled(self) -> None:
        """Answers are short; there is nothing to let go of."""

    def lost(self) -> None:
        """What did not come whole is forgotten; the client was told of all that did."""
        self._forget()

    def _forget(self) -> None:
        if self._intake is not None:
            self._intake.abort()
            self._intake = None

    async def handle(self, event: object) -> None:
        """Answer an event."""
        try:
            await self._handle(event)
        except MailshareError as fault:
            self._service.note("print.refused", "", {"peer": self._connection.peer, "why": fault.public})
            if self.engine.waiting:
                self.engine.refuse()
            else:
                self.engine.closing = True

    async def _handle(self, event: object) -> None:
        if isinstance(event, FilePiece):
            wait = self._intake.write(event.data) if self._intake is not None else None
            if wait is not None:
                await wait
        elif isinstance(event, JobOffered):
            self._offered(event)
        elif isinstance(event, FileOffered):
            self._file(event)
        elif isinstance(event, ControlFile):
            half = self._half(event.name)
            half.control = event
            await self._settle(event.name)
        elif isinstance(event, FileWhole):
            await self._arrived()
        elif isinstance(event, JobAborted):
            self._forget()
            self._jobs.clear()
        elif isinstance(event, StateWanted):
            self.engine.tell(self._state(event))
        elif isinstance(event, RemovalWanted):
            self.engine.tell(await self._remove(event))

    # ------------------------------------------------------------------ jobs

    def _offered(self, event: JobOffered) -> None:
        queue = self._service.queue(event.queue)
        if queue is None or not self._service.states.get(queue.name).accepting or self._service.full(queue):
            self.engine.refuse()
            return
        self._queue = queue
        self.engine.into(queue.name)
        self.engine.accept()

    def _half(self, name: str) -> _Half:
        parsed = JobFile.parse(name)
        key = (parsed.number, parsed.host) if parsed is not None else ("", "")
        if key not in self._jobs:
            assert self._queue is not None
            ticket = self._service.ticket(self._queue, via="lpd", peer=self._connection.peer)
            self._jobs[key] = _Half(ticket)
        return self._jobs[key]

    def _file(self, event: FileOffered) -> None:
        most = self._service.rules.most_octets
        if event.control:
            self.engine.accept()
            return
        half = self._half(event.name)
        if len(half.files) >= _MOST_FILES or len(self._jobs) > _MOST_FILES or (event.size or 0) > most:
            self.engine.refuse()
            return
        self._name = event.name
        number = len(half.files) + 1
        self._intake = self._service.intake(half.ticket, Said(), number=number, size_hint=event.size or 0)
        self.engine.accept()

    async def _arrived(self) -> None:
        intake, self._intake = self._intake, None
        assert intake is not None
        half = self._half(self._name)
        document, body = await intake.finish()
        assert self._queue is not None
        self._service.check_format(self._queue, document)
        half.files[self._name] = document, body
        await self._settle(self._name)

    async def _settle(self, name: str) -> None:
        """The file is kept; when it was the last of its job, the job is durable before the client hears so."""
        half = self._half(name)
        if not half.missing():
            await self._take(half)
            self._jobs = {key: one for key, one in self._jobs.items() if one is not half}
        self.engine.accept()

    async def _take(self, half: _Half) -> None:
        control, queue = half.control, self._queue
        assert control is not None
        assert queue is not None
        printed = control.printed()
        if not printed:
            return
        copies = min(max(printed.values()), queue.abilities.copies)
        user = printable(control.first("P"))[:255] or "anonymous"
        named = control.first("J") or control.first("N") or control.first("T")
        about = self._service.ticket(queue, user=user, name=printable(named)[:255])
        ticket = evolve(
            half.ticket,
            user=about.user,
            user_id=about.user_id,
            name=about.name,
            options={"copies": copies} if copies > 1 else {},
        )
        documents = [(_named(half.files[name], control), half.files[name][1]) for name in printed]
        held = self._service.states.get(queue.name).holding
        await self._service.store.print_jobs.take(ticket, documents, self._service.now(), held=held)

    # ------------------------------------------------------------------ questions

    def _chosen(self, queue: Destination, names: Sequence[str]) -> list[PrintJob]:
        jobs = self._service.board.waiting(queue.name)
        if not names:
            return jobs
        return [job for job in jobs if str(job.id) in names or job.ticket.user in names]

    def _state(self, event: StateWanted) -> str:
        queue = self._service.queue(event.queue)
        if queue is None:
            return f"There is no printer {printable(event.queue)} here\n"
        _, _, words = self._service.standing(queue)
        lines = [f"{queue.name}: {words}"]
        jobs = self._chosen(queue, event.names)
        lines += [_long(job) if event.long else _short(job) for job in jobs]
        return "\n".join(lines if jobs else [*lines, "no entries"]) + "\n"

    async def _remove(self, event: RemovalWanted) -> str:
        """Jobs of the agent that asks; any jobs when an operator's machine asks as ``root`` (RFC 1179 section 5.5)."""
        queue = self._service.queue(event.queue)
        if queue is None:
            return f"There is no printer {printable(event.queue)} here\n"
        root = event.agent == "root" and self._operates(self._connection.peer)
        jobs = [job for job in self._chosen(queue, event.names) if root or job.ticket.user == event.agent]
        for job in jobs:
            await self._service.change(job, PrintChange(state=PrintState.CANCELED))
        return "".join(f"{job.id} is canceled\n" for job in jobs)


def _named(found: tuple[PrintDocument, IBody], control: ControlFile) -> PrintDocument:
    return evolve(found[0], name=printable(control.first("N"))[:255])


def _short(job: PrintJob) -> str:
    return f"{job.id:>6}  {job.ticket.user[:16]:<16} {job.octets:>12} octets  {job.ticket.name[:40]}"


def _long(job: PrintJob) -> str:
    return f"{_short(job)}\n        {state_message(job)}; {len(job.documents)} documents, from {job.ticket.peer}"


class LPDFactory(EngineFactory):
    """The factory for ``lpd``."""

    def __init__(self, service: PrintService, limits: ConnectionLimits, access: Access) -> None:
        super().__init__(service.reactor, limits=limits)
        self.service = service
        self.operates = access.operates
        self._prints = access.prints

    def arrived(self, connection: Connection) -> Goodbye | None:
        """Only from where printing is allowed."""
        return super().arrived(connection) if self._prints(connection.peer) else Goodbye.FAULTS

    def build_session(self, connection: Connection) -> LPDSession:
        """The session of a new connection."""
        return LPDSession(self, connection)

    def last_words(self, why: Goodbye) -> bytes:
        """The protocol has no words for it but no."""
        del why
        return b"\1"
