"""A fax office over a store in memory, with lines that do with each call what a test says."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC
from pathlib import Path

import pytest_twisted
from attrs import define, field
from twisted.internet.task import Clock
from zope.interface import implementer

from mailshare.core.errors import StorageFull
from mailshare.core.values import Hop, Outcome, QueueItem, QueueState
from mailshare.core.values.fax import FaxCapabilities, FaxCause, FaxJob, FaxOutcome
from mailshare.fax.lines.calling import Call, Calls
from mailshare.fax.office import FaxOffice
from mailshare.fax.pool import PooledLine
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IFaxLine, IFaxPages, IFaxReceiver
from mailshare.store.memory import MemoryStore
from mailshare.testing.fax_documents import InThread
from mailshare.testing.store_office import HEADER, NOW, Office, office

DOCUMENT = HEADER + b"one\r\n\x0c\r\ntwo\r\n\x0c\r\nthree\r\n"
Act = Callable[[Call, IFaxPages], Awaitable[FaxOutcome]]


@implementer(IFaxLine)
class ScriptedLine:
    """Does with each call what a test says."""

    capabilities = FaxCapabilities()

    trouble = ""

    def __init__(self, name: str = "line", channels: int = 1) -> None:
        self.name = name
        self.channels = channels
        self.acts: list[Act] = []
        self.jobs: list[FaxJob] = []
        self.known: dict[str, Act] = {}
        self.calls = Calls()

    def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        await self.calls.end_all()

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Nobody calls."""

    def free_channels(self) -> int:
        return self.channels - len(self.calls.by_id)

    def send(self, job: FaxJob, pages: IFaxPages) -> Call:
        self.jobs.append(job)
        act = self.acts.pop(0)

        async def work(call: Call) -> FaxOutcome:
            await call.tell("dialing")
            return await act(call, pages)

        return self.calls.begin(Call(job, work))

    def find(self, native: str, job: FaxJob) -> Call | None:
        act = self.known.get(native)
        return None if act is None else self.calls.begin(Call(job, lambda call: act(call, None)))  # type: ignore[arg-type,return-value]

    async def cancel(self, call_id: str) -> bool:
        return self.calls.cancel(call_id)


def ends(cause: FaxCause, pages: int = 0, **facts: object) -> Act:
    """So many pages arrive, then the call ends."""

    async def act(call: Call, _: IFaxPages) -> FaxOutcome:
        first = call.job.first_page
        for number in range(first, first + pages):
            await call.tell("begun", number)
            await call.tell("page", number)
        return FaxOutcome(cause, pages, **facts)  # type: ignore[arg-type]

    return act


@define
class Room:
    """A fax office over a store in memory.

    :ivar disk: of the last start: whether it takes anything.
    """

    office: Office
    folder: Path
    clock: Clock
    line: ScriptedLine = field(factory=ScriptedLine)
    others: list[ScriptedLine] = field(factory=list)
    disk: list[bool] = field(factory=lambda: [True])
    fax: FaxOffice = field(init=False)
    rules: FaxRules = field(factory=lambda: FaxRules(head=False))

    async def open(self) -> None:
        """Start, or start again after a stop."""
        disk = self.disk = [True]

        async def aside(act: Callable[[], object]) -> object:
            if not disk[0]:
                raise StorageFull
            return act()

        self.fax = FaxOffice(
            self.office.store,
            self.clock,
            self.rules,
            directory=str(self.folder),
            aside=aside,
            perform=InThread(aside).perform,
            zone=UTC,
            token=os.urandom,
        )
        await self.fax.use([PooledLine(one) for one in (self.line, *self.others)])

    async def row(self, number: str = "+12025550123", **params: object) -> QueueItem:
        """A row under way."""
        hop = Hop("fax", f"FAX={number}@x", "fax", params={"number": number, "dial": number, **params})
        await self.office.deliver(os.urandom(8).hex(), [], data=DOCUMENT, hops=[hop], at=self.now())
        [item] = await self.office.store.queue.claim("fax", 1, self.now() + 10**12, 10**12)
        return item

    def now(self) -> int:
        return int(self.clock.seconds() * 1_000_000)

    async def tried(self, item: QueueItem) -> Outcome:
        """One try, and what became of it written down."""
        outcome = await self.unsettled(item)
        if outcome.state is not QueueState.QUEUED:
            await self.fax.agent.settled([item.id])
        return outcome

    async def unsettled(self, item: QueueItem) -> Outcome:
        """One try; the stop of the server comes before what became of it is written down."""
        [outcome] = await self.fax.agent.deliver([item], lambda *_: None)
        return outcome


@pytest_twisted.async_yield_fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    clock = Clock()
    clock.advance(NOW / 1_000_000)
    async with office(lambda: MemoryStore(clock=clock)) as place:
        made = Room(place, tmp_path, clock)
        await made.open()
        yield made
        await made.fax.close()
