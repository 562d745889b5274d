"""Ends the server at one of the points of a job's way into a device, and starts it again on the same store."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from mailshare.core.values import Outcome, PrintJob, QueueItem, QueueState
from mailshare.interfaces import IPrinterKind
from mailshare.printing.by_driver import ByDriver
from mailshare.printing.destinations import Destination, PrintRules
from mailshare.printing.documents import Said
from mailshare.printing.service import PrintService
from mailshare.store.memory import MemoryStore


@define(slots=False)
class Seams:
    """Counts the points at which a kill may come; at one of them nothing goes on.

    :ivar kill_at: number of the point, from 1; 0 = never.
    """

    kill_at: int = 0
    met: int = 0
    names: list[str] = field(factory=list)
    dead: Deferred[None] = field(factory=Deferred)

    async def point(self, name: str) -> None:
        self.met += 1
        self.names.append(name)
        if self.met == self.kill_at:
            self.dead.callback(None)
            await Deferred()

    @property
    def killed(self) -> bool:
        return bool(self.dead.called)


class CutDriver:
    """A driver with points in front of and behind what touches the device."""

    def __init__(self, driver: Any, seams: Seams) -> None:
        self._driver = driver
        self._seams = seams
        self.at_once, self.certainty, self.name, self.uri = 1, driver.certainty, driver.name, driver.uri
        for name in ("capabilities", "status", "find", "poll", "cancel", "watch"):
            setattr(self, name, getattr(driver, name))

    async def submit(self, task: Any, document: Any, named: Any) -> Any:
        seams, read = self._seams, document.read

        async def reading(position: int, length: int) -> bytes:
            await seams.point(f"read at {position}")
            data: bytes = await read(position, length)
            return data

        document.read = reading
        await seams.point("before submit")
        ref = await self._driver.submit(task, document, named)
        await seams.point("after submit")
        return ref


@define
class CutKind:
    kind: IPrinterKind
    seams: Seams

    @property
    def scheme(self) -> str:
        return self.kind.scheme

    def driver(self, name: str, uri: str) -> Any:
        return CutDriver(self.kind.driver(name, uri), self.seams)


@define
class Server:
    """A print service on a store, with one destination: the device."""

    device: Any
    clock: Any
    store: MemoryStore = field(init=False)
    service: PrintService = field(init=False)
    way: ByDriver = field(init=False)
    seams: Seams = field(factory=Seams)
    outcomes: list[Outcome] = field(factory=list)

    async def open(self, copies: int = 1) -> int:
        """With one job of one document; its id."""
        self.store = MemoryStore(clock=self.clock)
        await self.store.open()
        self.start(Seams())
        ticket = self.service.ticket(
            self.service.destinations["office"], user="anna", name="Report", options={"copies": copies}
        )
        intake = self.service.intake(ticket, Said())
        intake.write(b"%PDF-1.4\n" + bytes(150_000) + b"\n%%EOF\n")
        job = await self.store.print_jobs.take(ticket, [await intake.finish()], self.service.now())
        return job.id

    def start(self, seams: Seams) -> None:
        """Begin anew: nothing but the store and the device is as it was."""
        self.seams = seams
        tokens = iter(range(1, 1000))
        self.service = PrintService(
            self.store, self.clock, "print.example", lambda count: next(tokens).to_bytes(count)
        )
        self.service.follow([Destination("office", self.device.uri)], PrintRules())
        change = self.service.change

        async def changing(job: PrintJob, wanted: Any) -> PrintJob:
            await seams.point("before a change is stored")
            after = await change(job, wanted)
            await seams.point("after a change is stored")
            return after

        self.service.change = changing  # type: ignore[method-assign]
        self.way = ByDriver(self.service, CutKind(self.device.kind(), seams))  # type: ignore[arg-type]

    async def job(self, number: int) -> PrintJob:
        found = await self.store.print_jobs.job(number)
        assert found is not None
        return found

    async def try_once(self, number: int) -> Outcome | None:
        """One try of the row; ``None`` when the server was killed in it."""
        job = await self.job(number)
        (row,) = await self.store.queue.items(agent="print", open_only=False)
        work = Deferred.fromCoroutine(self._tried(job, row))
        either: Deferred[Any] = Deferred()
        work.addBoth(lambda result: either.called or either.callback(result))
        self.seams.dead.addCallback(lambda _: either.called or either.callback(None))
        result = await either
        if self.seams.killed:
            work.cancel()
            return None
        assert isinstance(result, Outcome), result
        self.outcomes.append(result)
        return result

    async def _tried(self, job: PrintJob, row: QueueItem) -> Outcome | None:
        try:
            return await self.way.hand_on(job, "office", self.device.uri, row)
        except CancelledError:
            return None

    async def to_the_end(self, number: int, tries: int = 6) -> Outcome:
        """Start again and try until the row is settled or held."""
        for _ in range(tries):
            self.start(Seams())
            outcome = await self.try_once(number)
            if outcome is not None and outcome.state is not QueueState.QUEUED:
                return outcome
        raise AssertionError(self.outcomes)
