"""AppSocket, as printers take it on port 9100: a document comes, and the client closes."""

from __future__ import annotations

from collections import deque

from mailshare.core.errors import MailshareError
from mailshare.printing.access import Prints
from mailshare.printing.documents import DocumentIntake, Said
from mailshare.printing.service import PrintService
from mailshare.shell.limits import ConnectionLimits, Goodbye
from mailshare.shell.server import Connection, EngineFactory

PATIENCE = 300.0  # seconds for the first octet


class _Pass:
    """The engine: octets in, octets out.

    :ivar wants_end: an empty :meth:`feed` tells that the client sends no more.
    """

    wants_end = True
    waiting = spent = False
    errors = 0

    def __init__(self) -> None:
        self.closing = False
        self._pieces: deque[bytes] = deque()

    def greet(self) -> None:
        """Nobody says anything."""

    def secured(self) -> None:
        """There is no TLS here."""

    def feed(self, data: bytes) -> None:
        """Take octets; none = the end."""
        self._pieces.append(data)

    def next_event(self) -> object | None:
        """The next piece."""
        return self._pieces.popleft() if self._pieces and not self.closing else None

    def receive(self, data: bytes) -> object | None:
        """Take octets and give the first event."""
        self.feed(data)
        return self.next_event()

    def take_output(self) -> bytes:
        """Nothing is ever said."""
        return b""


class SocketSession:
    """One connection, one job."""

    def __init__(self, factory: SocketFactory, connection: Connection) -> None:
        self._engine = _Pass()
        self._service = factory.service
        self._queue = factory.queue
        self._connection = connection
        self._intake: DocumentIntake | None = None

    @property
    def engine(self) -> _Pass:
        """The connection's engine."""
        return self._engine

    @property
    def patience(self) -> float:
        """Seconds for the first octet."""
        return PATIENCE

    @property
    def receiving(self) -> bool:
        """A document is on its way in."""
        return self._intake is not None

    def begin(self) -> None:
        """Nothing is said."""

    def stalled(self) -> None:
        """Answers are short; there is nothing to let go of."""

    def lost(self) -> None:
        """A connection that broke before the client closed it: half a document is not printed."""
        if self._intake is not None:
            self._intake.abort()
            self._intake = None

    async def handle(self, event: object) -> None:
        """A piece of the document, or its end."""
        try:
            if event:
                await self._piece(bytes(event))  # type: ignore[call-overload]
            else:
                await self._end()
        except MailshareError as fault:
            self._service.note("print.refused", "", {"peer": self._connection.peer, "why": fault.public})
            self.engine.closing = True

    async def _piece(self, data: bytes) -> None:
        service = self._service
        if self._intake is None:
            queue = service.queue(self._queue)
            if queue is None or not service.states.get(queue.name).accepting or service.full(queue):
                self.engine.closing = True
                return
            self._ticket = service.ticket(queue, user="anonymous", via="socket", peer=self._connection.peer)
            self._intake = service.intake(self._ticket, Said())
        wait = self._intake.write(data)
        if wait is not None:
            await wait
        if self._intake.fault is not None:
            raise self._intake.fault

    async def _end(self) -> None:
        service = self._service
        intake, self._intake = self._intake, None
        self.engine.closing = True
        if intake is None:
            return
        document = await intake.finish()
        queue = service.queue(self._ticket.queue)
        if queue is None:
            return
        service.check_format(queue, document[0])
        held = service.states.get(queue.name).holding
        await service.store.print_jobs.take(self._ticket, [document], service.now(), held=held)


class SocketFactory(EngineFactory):
    """The factory for the AppSocket listener of one destination.

    :param queue: its name.
    """

    def __init__(self, service: PrintService, limits: ConnectionLimits, prints: Prints, queue: str) -> None:
        super().__init__(service.reactor, limits=limits)
        self.service = service
        self.queue = queue
        self._prints = prints

    def arrived(self, connection: Connection) -> Goodbye | None:
        """Only from where printing is allowed."""
        return super().arrived(connection) if self._prints(connection.peer) else Goodbye.FAULTS

    def build_session(self, connection: Connection) -> SocketSession:
        """The session of a new connection."""
        return SocketSession(self, connection)

    def last_words(self, why: Goodbye) -> bytes:
        """There is nobody who would read them."""
        del why
        return b""
