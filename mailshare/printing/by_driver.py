"""Makes a way for print jobs of any driver of a device, so that each copy is printed once or said to be unknown.

What a crash may leave behind stands in the job before the next step is taken: that a document is about to be sent, what
the device calls it, that the device has all of it. Whoever goes on asks the device what it has; where that cannot be
found out, the job stops as *unknown* and nobody prints it again by machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import Doubtful, MailshareError, NotTaken, PolicyRefusal, Unavailable
from mailshare.core.values import (
    SECOND,
    Certainty,
    DeviceJob,
    DeviceRef,
    Handed,
    Outcome,
    PrintChange,
    PrintDocument,
    PrinterState,
    PrinterStatus,
    PrinterTask,
    PrintJob,
    PrintState,
    QueueItem,
    QueueState,
)
from mailshare.interfaces import IDocuments, IPrinterDriver, IPrinterKind, IPrintWay
from mailshare.printing.by_mail import travel_id
from mailshare.printing.printables import MadeDocument, fitting, stored
from mailshare.printing.service import PrintService

BACK_OFF = (5, 10, 20, 30, 60)  # seconds between tries while the device takes nothing
_CALL_BACKS = (2, 10, 30, 60)  # seconds between tries to cancel at the device
_WEAKEST = (Certainty.UNKNOWN, Certainty.HANDED_OVER, Certainty.ACCEPTED, Certainty.COMPLETED)
_SURE = {
    Certainty.COMPLETED: "The printer reported that it is printed",
    Certainty.ACCEPTED: "The printer took all of it; it cannot report paper",
    Certainty.HANDED_OVER: "It was handed over; the printer reports nothing",
}
_UNKNOWN = "Nobody knows whether it is printed: {why}. Look at the printer; it is not printed again by itself"


class _Over(Exception):
    """The job was cancelled meanwhile."""


class _Unknown(Exception):
    """Whether a document was printed cannot be found out."""


@define
class _Device:
    """A driver, and what is remembered of it while the server runs."""

    driver: IPrinterDriver
    turn: DeferredSemaphore
    address: str
    tries: int = 0


@define
class _Run:
    """One job at one printer, under way.

    :ivar handed: as it is stored.
    :ivar away: the device could not be asked since it had the document: it may have been switched off.
    """

    job: PrintJob
    member: str
    device: _Device
    work: Deferred[Outcome] | None = None
    called_back: bool = False
    handed: dict[int, Handed] = field(factory=dict)
    ends: list[DeviceJob] = field(factory=list)
    away: bool = False
    look: Deferred[None] | None = None

    def wake(self) -> None:
        """There may be news."""
        look, self.look = self.look, None
        if look is not None:
            look.callback(None)


@implementer(IPrintWay)
class ByDriver:
    """Jobs to the devices of one kind.

    :param documents: makes of a document what a device takes; ``None`` = everything goes as it came.
    """

    _log = Logger()

    def __init__(self, service: PrintService, kind: IPrinterKind, documents: IDocuments | None = None) -> None:
        self._service = service
        self._kind = kind
        self._documents = documents
        self.scheme = kind.scheme
        self._devices: dict[str, _Device] = {}
        self._runs: dict[tuple[int, str], _Run] = {}

    def driver(self, member: str, address: str) -> IPrinterDriver:
        """The driver of a printer.

        :raises ConfigFault: its address is wrong.
        """
        return self._device(member, address).driver

    def _device(self, member: str, address: str) -> _Device:
        known = self._devices.get(member)
        if known is None or known.address != address:
            driver = self._kind.driver(member, address)
            known = self._devices[member] = _Device(driver, DeferredSemaphore(driver.at_once), address)
        return known

    # ------------------------------------------------------------------ one row of the queue

    async def hand_on(self, job: PrintJob, member: str, address: str, item: QueueItem) -> Outcome:
        """Send what is not sent, and follow it to its end; the row is busy meanwhile."""
        run = _Run(job, member, self._device(member, address))
        run.handed = {one.document: one for one in job.members[member].handed}
        run.work = Deferred.fromCoroutine(self._work(run, item))
        self._runs[job.id, member] = run
        try:
            return await run.work
        except CancelledError:
            if run.called_back:
                return self._settled(item, QueueState.CANCELLED, "The print job is over")
            raise
        finally:
            del self._runs[job.id, member]

    async def _work(self, run: _Run, item: QueueItem) -> Outcome:
        try:
            wanted = [one for one in run.job.documents if not one.canceled]
            left = [one for one in wanted if one.number not in run.job.members[run.member].printed]
            for document in left:
                await self._send(run, document)
            run.device.tries = 0
            await self._look_again(run)
            for document in left:
                await self._follow(run, document)
        except _Over:
            await self._cancelled(run)
            return self._settled(item, QueueState.CANCELLED, "The print job is over")
        except _Unknown as why:
            return await self._unknown(run, item, str(why))
        except NotTaken as fault:
            self._saw_trouble(run, fault)
            return self._later(run, item, fault.public, fault.reasons)
        except MailshareError as fault:
            if fault.temporary:
                return self._later(run, item, fault.public, ("connecting-to-device",))
            return self._settled(item, QueueState.FAILED, fault.public, fault)
        return await self._ended(run, item)

    def _settled(self, item: QueueItem, state: QueueState, words: str, fault: MailshareError | None = None) -> Outcome:
        code, status = (250, "2.0.0") if state is QueueState.DELIVERED else (550, "5.0.0")
        if fault is not None:
            code, status = fault.code, fault.status
        return Outcome(item.id, state, self._service.now(), code, status, words)

    def _later(self, run: _Run, item: QueueItem, words: str, reasons: Sequence[str]) -> Outcome:
        """The device takes nothing now: that is no failure, until the job's time is over."""
        now = self._service.now()
        if item.expires and item.expires <= now:
            return Outcome(item.id, QueueState.EXPIRED, now, 451, "4.4.7", f"Its time was over: {words}")
        wait = BACK_OFF[min(run.device.tries, len(BACK_OFF) - 1)]
        run.device.tries += 1
        detail = {"reasons": list(reasons or ("connecting-to-device",))}
        at = now + wait * SECOND
        return Outcome(
            item.id, QueueState.QUEUED, now, 451, "4.3.0", words, next_at=at, counts=False, detail=detail
        )

    def _saw_trouble(self, run: _Run, fault: NotTaken) -> None:
        if not fault.reasons:
            return  # busy, or of another mind: that is nothing to be mended
        away = "connecting-to-device" in fault.reasons
        reasons = ("offline-report",) if away else fault.reasons
        state = None if away else PrinterState.STOPPED
        self._service.conditions.saw(run.member, PrinterStatus(state, reasons, fault.public, accepting=False))

    async def _look_again(self, run: _Run) -> None:
        """The device takes documents again, or is done with one: what was wrong with it may be over."""
        known = self._service.conditions.of(run.member)
        if known is not None and (known.reasons or not known.accepting):
            self._service.conditions.saw(run.member, await run.device.driver.status())

    # ------------------------------------------------------------------ what is stored

    async def _change(self, run: _Run, change: PrintChange) -> None:
        """Write what is known of the job here.

        :raises _Over: somebody has cancelled it.
        """
        run.job = await self._service.change(run.job, evolve(change, member=run.member))
        state = run.job.members[run.member].state
        if state.final and change.state is not state:
            raise _Over

    async def _note(self, run: _Run, number: int, handed: Handed | None) -> None:
        """How far a document has come; ``None`` = nothing of it was sent."""
        if handed is None:
            run.handed.pop(number, None)
        else:
            run.handed[number] = handed
        await self._change(run, PrintChange(handed=tuple(run.handed.values())))

    # ------------------------------------------------------------------ sending

    async def _send(self, run: _Run, document: PrintDocument) -> None:
        """See to it that the device has all of a document, once."""
        handed = run.handed.get(document.number)
        if handed is not None and not handed.whole:
            handed = await self._taken_up(run, document, handed)
        if handed is None:
            await run.device.turn.acquire()
            try:
                await self._submit(run, document)
            finally:
                run.device.turn.release()

    def _task(self, run: _Run, document: PrintDocument) -> PrinterTask:
        ticket, place = run.job.ticket, self._service.place(run.member)
        options = {**ticket.options, **document.options}
        state = run.job.members[run.member]
        return PrinterTask(
            uuid=travel_id(ticket.uuid, run.member, document.number, state.serial),
            name=document.name or ticket.name,
            user=ticket.user,
            options=options if place is None else self._service.options(place, options),
            fidelity=ticket.fidelity,
            language=ticket.language,
            job=run.job.id,
            document=document.number,
        )

    async def _submit(self, run: _Run, document: PrintDocument) -> None:
        driver, number = run.device.driver, document.number
        task = self._task(run, document)
        try:
            able = await driver.capabilities()
        except Unavailable as fault:
            raise NotTaken(fault.public, reasons=("connecting-to-device",)) from fault
        original = await stored(self._service.store, run.job, document)
        printable = await fitting(original, able, task, self._documents)
        try:
            await self._note(run, number, Handed(number))

            async def named(ref: DeviceRef) -> None:
                """The device has a name for it now."""
                await self._note(run, number, Handed(number, ref.text))

            try:
                ref = await driver.submit(task, printable, named)
            except (NotTaken, PolicyRefusal):
                await self._note(run, number, None)
                raise
            await self._note(run, number, Handed(number, ref.text, whole=True))
        finally:
            if isinstance(printable, MadeDocument):
                printable.release()

    async def _taken_up(self, run: _Run, document: PrintDocument, handed: Handed) -> Handed | None:
        """What became of a document that was about to be sent when something broke; ``None`` = it may be sent now.

        :raises _Unknown: the device does not know.
        :raises Unavailable: it cannot be asked now.
        """
        driver, number = run.device.driver, document.number
        try:
            ref = DeviceRef(handed.ref) if handed.ref else await driver.find(self._task(run, document))
            if ref is None:
                await self._note(run, number, None)
                return None
            handed = Handed(number, ref.text)
            found = await driver.poll(ref)
        except Doubtful as fault:
            raise _Unknown(fault.public) from fault
        if found.state is PrintState.COMPLETED or (found.whole and not found.state.final):
            handed = evolve(handed, whole=True)
        elif not found.state.final:
            # It waits for the rest of it, which never comes: take it back there, and look what it makes of that.
            await driver.cancel(ref)
            await self._note(run, number, handed)
            nothing = found.state in (PrintState.PENDING, PrintState.HELD)
            if not nothing:
                raise NotTaken("The printer still has the beginning of it", reasons=("job-data-insufficient",))
            await self._note(run, number, None)
            return None
        elif found.impressions == 0:
            await self._note(run, number, None)  # cut off, and by its own word no page came out
            return None
        else:
            raise _Unknown("it broke off while it was sent, and the printer does not say that no page came out")
        await self._note(run, number, handed)
        return handed

    # ------------------------------------------------------------------ following

    async def _follow(self, run: _Run, document: PrintDocument) -> None:
        """Wait until the device is done with a document."""
        handed = run.handed[document.number]
        driver, ref = run.device.driver, DeviceRef(handed.ref)
        with self._watching(run, driver.watch(ref, run.wake)):
            while True:
                look: Deferred[None] = Deferred()
                run.look = look
                found = await self._polled(run, ref)
                if found is not None and found.state.final:
                    break
                await look
        await self._look_again(run)
        if found.state is PrintState.COMPLETED:
            printed = tuple(sorted({*run.job.members[run.member].printed, document.number}))
            run.ends.append(found)
            if len(printed) < sum(not one.canceled for one in run.job.documents):
                await self._change(run, PrintChange(printed=printed))
            return
        words = found.message or "The printer gave it up"
        if found.state is PrintState.CANCELED:
            reasons = tuple(dict.fromkeys(("job-canceled-at-device", *found.reasons)))
            change = PrintChange(state=PrintState.CANCELED, reasons=reasons, message=words)
            await self._change(run, change)
            raise _Over
        raise PolicyRefusal(f"{words}: {', '.join(found.reasons)}" if found.reasons else words)

    @contextmanager
    def _watching(self, run: _Run, end: Callable[[], None]) -> Iterator[None]:
        try:
            yield
        finally:
            end()
            run.look = None

    async def _polled(self, run: _Run, ref: DeviceRef) -> DeviceJob | None:
        """How it stands, written into the job; ``None`` = the device cannot be asked now."""
        driver = run.device.driver
        try:
            found = await driver.poll(ref)
        except Doubtful as fault:
            if run.away:
                # What it had in its memory is gone with the current, printed or not.
                raise _Unknown("the printer was away while it printed, and does not know the job any more") from fault
            # It had all of it, and has forgotten it since: that is all that will ever be known.
            return DeviceJob(PrintState.COMPLETED, message=fault.public, certainty=Certainty.ACCEPTED)
        except Unavailable as fault:
            run.away = True
            status = PrinterStatus(None, ("offline-report",), fault.public, accepting=False)
            found = DeviceJob(PrintState.PROCESSING, message=fault.public)
        else:
            if found.state.final:
                return found
            status = await driver.status()
        self._service.conditions.saw(run.member, status)
        stopped = ("printer-stopped",) if status.state in (None, PrinterState.STOPPED) else ()
        printing = ("job-printing",) if found.state is PrintState.PROCESSING else ("queued-in-device",)
        reasons = tuple(dict.fromkeys((*(stopped or printing), *status.reasons)))
        change = PrintChange(
            state=PrintState.PROCESSING,
            reasons=reasons,
            message=found.message or status.message,
            impressions=found.impressions,
            sheets=found.sheets,
        )
        state = run.job.members[run.member]
        before = (state.reasons, state.message, state.impressions, state.sheets)
        if before != (change.reasons, change.message, change.impressions, change.sheets):
            await self._change(run, change)
        return found

    # ------------------------------------------------------------------ the end

    async def _ended(self, run: _Run, item: QueueItem) -> Outcome:
        sure = min((one.certainty for one in run.ends), key=_WEAKEST.index, default=Certainty.ACCEPTED)
        words = next((one.message for one in run.ends if one.message), "") or _SURE.get(sure, "")
        counts = {}
        for name in ("impressions", "sheets"):
            numbers = [getattr(one, name) for one in run.ends]
            if numbers and min(numbers) >= 0:
                counts[name] = sum(numbers)
        change = PrintChange(state=PrintState.COMPLETED, certainty=sure.value, message=words, **counts)
        try:
            await self._change(run, change)
        except _Over:
            return self._settled(item, QueueState.CANCELLED, "The print job is over")
        return self._settled(item, QueueState.DELIVERED, words)

    async def _unknown(self, run: _Run, item: QueueItem, why: str) -> Outcome:
        words = _UNKNOWN.format(why=why.rstrip("."))
        change = PrintChange(
            state=PrintState.STOPPED,
            reasons=("printer-stopped",),
            message=words,
            certainty=Certainty.UNKNOWN.value,
        )
        try:
            await self._change(run, change)
        except _Over:
            return self._settled(item, QueueState.CANCELLED, "The print job is over")
        return self._settled(item, QueueState.HELD, words)

    # ------------------------------------------------------------------ cancelling

    async def call_back(self, job: PrintJob, member: str, address: str) -> None:
        """Break off what is being sent, and cancel at the device what it has."""
        run = self._runs.get((job.id, member))
        if run is None:
            run = _Run(job, member, self._device(member, address))
            run.handed = {one.document: one for one in job.members[member].handed}
            await self._cancelled(run)
            return
        run.called_back = True
        if run.work is not None and not run.work.called:
            run.work.cancel()
        await self._cancelled(run)

    async def _cancelled(self, run: _Run) -> None:
        """Tell the device; some tries, then it is left to whoever stands beside it."""
        printed = run.job.members[run.member].printed
        for document in run.job.documents:
            handed = run.handed.get(document.number)
            if handed is not None and document.number not in printed:
                await self._cancel_there(run, document, handed)

    async def _cancel_there(self, run: _Run, document: PrintDocument, handed: Handed) -> None:
        driver = run.device.driver
        for wait in (*_CALL_BACKS, 0):
            try:
                ref = DeviceRef(handed.ref) if handed.ref else await driver.find(self._task(run, document))
                if ref is not None:
                    await driver.cancel(ref)
            except Doubtful:
                return
            except Unavailable as fault:
                if not wait:
                    words = "job {job} could not be cancelled at {printer}: {why}"
                    self._log.warn(words, job=run.job.id, printer=run.member, why=fault.public)
                    return
                clock: Any = self._service.reactor
                await deferLater(clock, wait)
            else:
                return
