"""The fax side of an office: lines, the gateway for recipients, the agent that calls, the receiver of calls.

An office without a line imports none of it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.assembly.document_room import DocumentRoom
from mailshare.assembly.keys import machine_key
from mailshare.assembly.opening import zone_of
from mailshare.assembly.randomness import TOKENS
from mailshare.config import Config
from mailshare.core.errors import NoSuchJob, Unavailable
from mailshare.core.headers import Headers
from mailshare.core.values import Outcome, QueueItem, QueueState
from mailshare.delivery.reports import Reports
from mailshare.interfaces import IAgent, IGateway, IIntake, ILaned, IMadeDocument, ISettled, IStore

if TYPE_CHECKING:
    from mailshare.core.address_book import BookEntry
    from mailshare.fax.office import FaxOffice
    from mailshare.fax.pool import PooledLine

DESK = "fax-desk"
Paper = Callable[[int], Awaitable[tuple[str, bytes]]]
_PAUSE = 60_000_000  # microseconds after which a row is looked at again when there are no lines any more


@implementer(ILaned, ISettled, IAgent)
class FaxRoom:
    """The parts of fax, made when the configuration has a line.

    :param aside: what touches files or takes long runs there.
    :param documents: where documents are worked out.
    :ivar paper: makes the transmission report of a fax; set when the acts of the office are there.
    :ivar gateways: what the router and the desk ask; filled when there are lines.
    """

    name = "fax"
    _log = Logger()

    def __init__(
        self, store: IStore, reactor: Any, config: Config, *, aside: Any, documents: DocumentRoom
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._config = config
        self._aside = aside
        self._documents = documents
        self._intake: IIntake | None = None
        self._reports: Reports | None = None
        self._resolve: Callable[[object], Awaitable[str]] | None = None
        self._open = False
        self._book: Sequence[BookEntry] = ()
        self.gateways: list[IGateway] = []
        self.office: FaxOffice | None = None
        self.paper: Paper | None = None
        if config.tables.fax_line:
            self._make()

    def _make(self) -> None:
        from mailshare.assembly.fax_settings import fax_rules  # noqa: PLC0415 - see the head of this module
        from mailshare.fax.office import FaxOffice  # noqa: PLC0415

        self.office = FaxOffice(
            self._store,
            self._reactor,
            fax_rules(self._config, self._book),
            directory=os.path.join(self._config.data, "fax"),
            aside=self._aside,
            perform=self._perform,
            zone=zone_of(self._config),
            token=TOKENS,
            key=hmac.digest(machine_key(self._config.data, os.urandom), b"answers to reports", hashlib.sha256),
        )
        self.office.paper = self._paper
        if self._reports is not None:
            self._reports.details[self.name] = self.office
        self.gateways.append(self.office.gateway)

    async def _paper(self, number: int) -> tuple[str, bytes]:
        if self.paper is None:
            raise Unavailable("The server is starting or stopping")
        return await self.paper(number)

    async def _perform(
        self, operation: str, octets: AsyncIterable[bytes], options: Mapping[str, object], declared: str = ""
    ) -> IMadeDocument:
        """Have a document worked out; the room for that is made when the first comes."""
        return await self._documents.documents.perform(operation, octets, options, declared)

    def receive(
        self, intake: IIntake, reports: Reports, resolve: Callable[[object], Awaitable[str]]
    ) -> None:
        """The door for faxes that come in, and who writes to people.

        :param resolve: follows the references of the lines' passwords, and of the codes of boxes and callers.
        """
        self._intake, self._reports, self._resolve = intake, reports, resolve
        reports.failures.append(self.report_written)
        if self.office is not None:
            reports.details[self.name] = self.office

    def mail_came(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message: perhaps a report about a fax that came in, or faxes that go out."""
        if self.office is not None:
            self.office.returns.seen(message_id, headers)
            self.office.receipts.seen(message_id, headers)

    def mail_collected(self, account_id: int, headers: Headers) -> None:
        """The door has stored a message from a provider's mailbox: perhaps one that wanted to be a fax."""
        if self.office is not None:
            self.office.refusals.seen(account_id, headers)

    def report_written(self, message_id: str, report: bytes) -> None:
        """This server has written that a message could not be delivered."""
        if self.office is not None:
            self.office.returns.reported(message_id, report)

    async def open(self) -> None:
        """Store what a stop left behind, then let the lines ring."""
        self._open = True
        if self.office is not None:
            from mailshare.assembly.book_keeping import stored_entries  # noqa: PLC0415 - see the head of this module

            self.take_book((await stored_entries(self._store.settings))[0])
        await self._start()

    async def _start(self) -> None:
        if self.office is None or self._intake is None or self._reports is None:
            return
        await self.office.open(self._intake, self._reports.notify, self._resolve)
        await self.office.use(self._lines(self._config))

    def _lines(self, config: Config) -> Sequence[PooledLine]:
        from mailshare.assembly.fax_line_kinds import LineKinds  # noqa: PLC0415 - see the head of this module

        if self._resolve is None:
            raise Unavailable("The server is starting or stopping")
        kinds = LineKinds(
            self._store,
            self._reactor,
            aside=self._aside,
            resolve=self._resolve,
            door=self.door,
            to_pages=self.running().pages.of_document,
        )
        return kinds.lines(config)

    def follow(self, config: Config) -> None:
        """Take over what a changed configuration says; lines that changed are hung up and begun anew."""
        before, self._config = self._config, config
        if self.office is None:
            if not config.tables.fax_line:
                return
            self._make()
            self._soon(self._start())
            return
        from mailshare.assembly.fax_settings import fax_rules  # noqa: PLC0415

        self.office.follow(fax_rules(config, self._book))
        if before.tables.fax_line != config.tables.fax_line and self._open:
            self._soon(self.office.use(self._lines(config)))
        self.gateways[:] = [self.office.gateway] if config.tables.fax_line else []

    def take_book(self, entries: Sequence[BookEntry]) -> None:
        """The address book of the store is another now."""
        self._book = tuple(entries)
        if self.office is not None:
            from mailshare.assembly.fax_settings import fax_rules  # noqa: PLC0415 - see the head of this module

            self.office.follow(fax_rules(self._config, self._book))

    def _soon(self, work: Any) -> None:
        done = Deferred.fromCoroutine(work)
        done.addErrback(lambda failure: self._log.warn("fax: {reason}", reason=failure.getErrorMessage()))

    async def close(self) -> None:
        """Hang up."""
        self._open = False
        if self.office is not None:
            await self.office.close()

    @property
    def agents(self) -> list[IAgent]:
        """What the queue asks."""
        return [self, _Desk(self)]

    # ------------------------------------------------------------------ the agent

    def lane(self, item: QueueItem) -> str:
        """As the fax agent says."""
        return self.office.agent.lane(item) if self.office is not None else ""

    def room(self, item: QueueItem) -> int:
        """As the fax agent says."""
        return self.office.agent.room(item) if self.office is not None else 1

    async def deliver(self, batch: Sequence[QueueItem], progress: Any) -> Sequence[Outcome]:
        """Let the fax agent try them; without lines they wait."""
        if self.office is not None:
            return await self.office.agent.deliver(batch, progress)
        return self.waiting(batch)

    async def settled(self, rows: Sequence[int]) -> None:
        """What became of these is written down."""
        if self.office is not None:
            await self.office.agent.settled(rows)

    def waiting(self, batch: Sequence[QueueItem]) -> Sequence[Outcome]:
        """What becomes of rows while there is no line."""
        now = int(self._reactor.seconds() * 1_000_000)
        return [
            Outcome(one.id, QueueState.QUEUED, now, reply="There is no line", next_at=now + _PAUSE, counts=False)
            for one in batch
        ]

    # ------------------------------------------------------------------ what the commands ask

    def running(self) -> FaxOffice:
        """The fax office.

        :raises Unavailable: the configuration has no line.
        """
        if self.office is None or not self._config.tables.fax_line:
            raise Unavailable("This office has no fax line; declare one with [[fax_line]]")
        return self.office

    def door(self) -> IIntake:
        """The one door.

        :raises Unavailable: it is not known yet.
        """
        if self._intake is None:
            raise Unavailable("The server is starting or stopping")
        return self._intake

    async def cancel(self, row: int) -> bool:
        """Give a fax up, under way or not.

        :raises NoSuchJob: there is no such fax.
        """
        item = await self._store.queue.item(row)
        if item is None or item.agent != self.name:
            raise NoSuchJob(f"There is no fax {row}")
        if self.office is not None:
            return await self.office.give_up(row)
        return bool(await self._store.queue.steer([row], "cancel", int(self._reactor.seconds() * 1_000_000)))


@implementer(IAgent)
class _Desk:
    """The fax desk as an agent of the queue; it may come and go with the lines."""

    name = DESK

    def __init__(self, room: FaxRoom) -> None:
        self._room = room

    async def deliver(self, batch: Sequence[QueueItem], progress: Any) -> Sequence[Outcome]:
        """Let the desk do what is asked for."""
        office = self._room.office
        return self._room.waiting(batch) if office is None else await office.desk.deliver(batch, progress)
