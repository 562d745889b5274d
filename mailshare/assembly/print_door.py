"""The printing side of an office until there is something to print; a tenth of what a start would import waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from zope.interface import implementer

from mailshare.assembly.document_room import DocumentRoom
from mailshare.config import Config
from mailshare.core.headers import Headers
from mailshare.core.values import Outcome, QueueItem
from mailshare.interfaces import IAgent, IIntake, ILaned, IStore

if TYPE_CHECKING:
    from mailshare.assembly.print_room import PrintRoom
    from mailshare.printing.basic_login import Check
    from mailshare.printing.by_mail import Largest, Reveal
    from mailshare.printing.drivers.folder import Aside
    from mailshare.printing.hand_on import PrintAgent
    from mailshare.printing.printer_agent import PrinterAgent
    from mailshare.printing.service import Note
    from mailshare.shell.limits import ConnectionLimits

SERVICES = ("ipp", "ipps", "lpd", "socket")


@frozen
class _MailWay:
    """What jobs that leave by mail need."""

    intake: IIntake
    reveal: Reveal
    largest: Largest


@implementer(ILaned, IAgent)
class _AgentBehind:
    """Stands in the queue for an agent of the print room, which may not be made yet."""

    def __init__(self, name: str, door: PrintDoor, find: Callable[[PrintRoom], PrintAgent | PrinterAgent]) -> None:
        self.name = name
        self._door = door
        self._find = find

    def lane(self, item: QueueItem) -> str:
        """As the agent has it."""
        return self._find(self._door.print_room).lane(item)

    def room(self, item: QueueItem) -> int:
        """As the agent has it."""
        return self._find(self._door.print_room).room(item)

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Let the agent try them."""
        return await self._find(await self._door.opened()).deliver(batch, progress)


class PrintDoor:
    """Has the print room made when the configuration speaks of printing, or jobs are left of one that did.

    :param note: writes a line of the journal.
    :param aside: what touches files runs there.
    :param drivers: of printers, by extensions.
    :param documents: where documents are worked out.
    :ivar agents: for the queue.
    """

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        config: Config,
        *,
        note: Note,
        aside: Aside,
        drivers: Sequence[Any],
        documents: DocumentRoom,
    ) -> None:
        self._documents = documents
        self.agents = (
            _AgentBehind("print", self, lambda room: room.agent),
            _AgentBehind("printer", self, lambda room: room.receiving.agent),
        )
        self._drivers = drivers
        self._store = store
        self._reactor = reactor
        self._config = config
        self._note = note
        self._aside = aside
        self._mail: _MailWay | None = None
        self._check: Check | None = None
        self._room: PrintRoom | None = None
        self._opened = False

    def send_mail(self, intake: IIntake, reveal: Reveal, largest: Largest) -> None:
        """Let jobs leave by mail: the door for it, who reads keys, and what the ways out take."""
        self._mail = _MailWay(intake, reveal, largest)

    def check_logins(self, check: Check) -> None:
        """Who knows the logins of the office."""
        self._check = check

    @property
    def print_room(self) -> PrintRoom:
        """What is behind the door; whoever asks has it made."""
        if self._room is None:
            from mailshare.assembly.print_room import PrintRoom  # noqa: PLC0415 - see above

            self._room = PrintRoom(
                self._store,
                self._reactor,
                self._config,
                note=self._note,
                aside=self._aside,
                documents=self._documents.documents,
            )
            self._room.ways.of_others(self._drivers)
            self._room.check = self._check
            if self._mail is not None:
                self._room.send_mail(self._mail.intake, self._mail.reveal, self._mail.largest)
        return self._room

    async def open(self) -> None:
        """Read the jobs that are there; before any listener takes more."""
        if self._config.tables.prints or await self._store.print_jobs.jobs(limit=1):
            await self.opened()

    async def opened(self) -> PrintRoom:
        """The print room, looking after the jobs that there are."""
        if not self._opened:
            self._opened = True
            await self.print_room.open()
        return self.print_room

    async def pause(self, name: str, *, paused: bool) -> None:
        """Hand nothing of a queue on, or go on.

        :raises NoSuchUser: there is no such queue.
        """
        await (await self.opened()).pause(name, paused=paused)

    async def follow(self, config: Config) -> None:
        """Take over destinations and rules."""
        self._config = config
        if self._room is not None:
            self._room.follow(config)
        if not self._opened:
            await self.open()

    def mail_came(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message: perhaps a printing server reports what became of a job."""
        if self._room is not None:
            self._room.mail_came(message_id, headers)

    def announce(self, config: Config, places: Iterable[Mapping[str, object]]) -> None:
        """The office listens at these places: let queues be found there."""
        if self._room is not None:
            self._room.announcing.follow(config, places)

    async def silence(self) -> None:
        """Announce nothing any more."""
        if self._room is not None:
            await self._room.announcing.close()

    async def close(self) -> None:
        """The listeners are closed already."""
        if self._room is not None:
            await self._room.close()

    @staticmethod
    def serves(service: str) -> bool:
        """Whether that kind of listener is for printing."""
        return service.partition(" ")[0] in SERVICES

    def factory(self, service: str, config: Config, limits: ConnectionLimits) -> Any:
        """The factory for ``ipp``, ``ipps``, ``lpd``, or ``socket`` with the name of a destination."""
        return self.print_room.factory(service, config, limits)

