"""Jobs on their way into a device: trouble that is no failure, cancelling, what is converted, what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from cutting import Seams, Server
from devices import HERE, Network, OverIPP
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.print_formats import PDF, PWG
from mailshare.core.values import SECOND, Conversion, PrintChange, PrinterState, PrintState, QueueState
from mailshare.interfaces import IMadeDocument
from mailshare.testing.pretend_printer import PretendJob, PretendPrinter
from mailshare.wire.ipp_codes import Operation


@pytest.mark.parametrize(
    ("trouble", "reasons", "condition"),
    [
        ({"stopped": True, "reasons": ("media-empty-error",)}, ["media-empty-error"], ("media-empty-error",)),
        ({"off": True}, ["connecting-to-device"], ("offline-report",)),
        ({"busy": True}, ["connecting-to-device"], None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_trouble_is_no_failure(
    trouble: dict[str, Any], reasons: list[str], condition: tuple[str, ...] | None
) -> None:
    """Tried again after 5, 10, 20 ... seconds, which count for nothing; what is wrong is known; then it prints."""
    device = OverIPP(PretendPrinter(**trouble))
    server = Server(device, HERE)
    number = await server.open()
    waits = []
    for _ in range(7):
        outcome = await server.try_once(number)
        assert outcome is not None
        assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
        assert outcome.detail["reasons"] == reasons
        waits.append((outcome.next_at - outcome.at) // SECOND)
    assert waits == [5, 10, 20, 30, 60, 60, 60]
    seen = server.service.conditions.of("office")
    assert (None if seen is None else seen.reasons) == condition
    device.printer.stopped = device.printer.off = device.printer.busy = False
    outcome = await server.try_once(number)
    assert outcome is not None
    assert outcome.state is QueueState.DELIVERED
    job = await server.job(number)
    assert (job.state, job.impressions, job.members["office"].certainty) == (PrintState.COMPLETED, 3, "completed")
    assert len(device.printed()) == 1
    seen = server.service.conditions.of("office")
    assert seen is None or seen.accepting


@pytest_twisted.ensureDeferred
async def test_a_job_whose_time_is_over_waits_no_longer() -> None:
    """The printer is off for longer than anybody tries."""
    server = Server(OverIPP(PretendPrinter(off=True)), HERE)
    number = await server.open()
    (row,) = await server.store.queue.items(agent="print")
    object.__setattr__(row, "expires", 1)
    outcome = await server.way.hand_on(await server.job(number), "office", server.device.uri, row)
    assert outcome.state is QueueState.EXPIRED


@pytest_twisted.ensureDeferred
async def test_out_of_paper_in_the_middle_is_told_and_waited_for() -> None:
    """The printer has the job: its reasons stand in the job, and it goes on when somebody fills in paper."""
    printer = PretendPrinter(by_hand=True)
    server = Server(OverIPP(printer), HERE)
    number = await server.open()
    work: Deferred[Any] = Deferred.fromCoroutine(server.try_once(number))
    printer.reasons = ("media-empty-error",)
    while "media-empty-error" not in (await server.job(number)).reasons:
        await deferLater(HERE, 0.05)
    job = await server.job(number)
    assert (job.state, job.reasons) == (PrintState.PROCESSING, ("job-printing", "media-empty-error"))
    seen = server.service.conditions.of("office")
    assert seen is not None
    assert (seen.state, seen.reasons) == (PrinterState.IDLE, ("media-empty-error",))
    printer.reasons = ()
    printer.finish()
    outcome = await work
    assert outcome.state is QueueState.DELIVERED
    assert len(printer.printed) == 1
    seen = server.service.conditions.of("office")
    assert seen is not None
    assert seen.reasons == ()


@pytest.mark.parametrize("others", [False, True], ids=["no-job", "job-of-that-number"])
@pytest_twisted.ensureDeferred
async def test_a_printer_that_was_switched_off_while_it_printed_leaves_doubt(*, others: bool) -> None:
    """It has forgotten the job, and may count its jobs from 1 again: nobody says done, and nobody prints it twice."""
    printer = PretendPrinter(by_hand=True)
    server = Server(OverIPP(printer), HERE)
    number = await server.open()
    work: Deferred[Any] = Deferred.fromCoroutine(server.try_once(number))
    while "job-printing" not in (await server.job(number)).reasons:
        await deferLater(HERE, 0.02)
    printer.off = True
    while "offline-report" not in server.service.conditions.of("office").reasons:  # type: ignore[union-attr]
        await deferLater(HERE, 0.02)
    printer.jobs.clear()
    if others:
        printer.jobs[1] = PretendJob(1, "Somebody else's", "bert", {}, document=b"x", state=PrintState.COMPLETED)
    printer.off = False
    outcome = await work
    assert outcome.state is QueueState.HELD
    job = await server.job(number)
    assert (job.state, job.members["office"].certainty) == (PrintState.STOPPED, "unknown")
    assert not printer.printed


@pytest_twisted.ensureDeferred
async def test_a_printer_that_changes_names_is_believed() -> None:
    """Some call every job the same: that is no sign that the number is another job's."""
    printer = PretendPrinter(by_hand=True, calls_all="Remote document")
    server = Server(OverIPP(printer), HERE)
    number = await server.open()
    work: Deferred[Any] = Deferred.fromCoroutine(server.try_once(number))
    while "job-printing" not in (await server.job(number)).reasons:
        await deferLater(HERE, 0.02)
    printer.finish()
    assert (await work).state is QueueState.DELIVERED
    assert (await server.job(number)).members["office"].certainty == "completed"


@pytest_twisted.ensureDeferred
async def test_a_job_that_the_printer_gives_up_has_failed() -> None:
    """With the printer's own words; what is cancelled at the printer is cancelled here."""
    for state, ends in ((PrintState.ABORTED, QueueState.FAILED), (PrintState.CANCELED, QueueState.CANCELLED)):
        printer = PretendPrinter(by_hand=True)
        server = Server(OverIPP(printer), HERE)
        number = await server.open()
        work: Deferred[Any] = Deferred.fromCoroutine(server.try_once(number))
        while not printer.jobs or printer.jobs[1].document is None:
            await deferLater(HERE, 0.02)
        printer.jobs[1].state, printer.jobs[1].reasons = state, ("document-format-error",)
        outcome = await work
        assert outcome.state is ends
        assert printer.printed == []
        job = await server.job(number)
        if state is PrintState.CANCELED:
            assert (job.state, job.reasons[0]) == (PrintState.CANCELED, "job-canceled-at-device")
        else:
            assert "document-format-error" in outcome.reply


@pytest_twisted.ensureDeferred
async def test_cancelling_breaks_off_what_is_being_sent() -> None:
    """In the middle of a document: the printer gets no more, and its own job is cancelled."""
    printer = PretendPrinter(by_hand=True)
    server = Server(OverIPP(printer), HERE)
    number = await server.open()
    server.start(Seams())
    stuck: Deferred[None] = Deferred()
    point = server.seams.point

    async def sticking(name: str) -> None:
        if name.startswith("read"):
            await stuck
        await point(name)

    server.seams.point = sticking  # type: ignore[method-assign]
    work: Deferred[Any] = Deferred.fromCoroutine(server.try_once(number))
    while Operation.CREATE_JOB not in printer.asked:
        await deferLater(HERE, 0.02)
    job = await server.store.print_jobs.change(number, PrintChange(state=PrintState.CANCELED), server.service.now())
    await server.way.call_back(job, "office", server.device.uri)
    outcome = await work
    assert outcome.state is QueueState.CANCELLED
    assert (printer.jobs[1].document, printer.jobs[1].state) == (None, PrintState.CANCELED)


@implementer(IMadeDocument)
@define
class Made:
    """A conversion's result."""

    format: str
    octets: bytes
    released: bool = False
    pages: int | None = 1
    digest: bytes = bytes(32)
    facts: Any = field(factory=dict)

    @property
    def size(self) -> int:
        return len(self.octets)

    async def read(self, start: int, length: int) -> bytes:
        return self.octets[start : start + length]

    def release(self) -> None:
        self.released = True


@define
class Converter:
    """Makes raster of everything."""

    made: list[Made] = field(factory=list)
    wanted: list[Conversion] = field(factory=list)
    possible: bool = True

    async def convert(self, octets: AsyncIterator[bytes], wanted: Conversion, declared: str = "") -> Made:
        data = b"".join([piece async for piece in octets])
        assert data.startswith(b"%PDF")
        self.wanted.append(wanted)
        if not self.possible:
            raise NotConvertible(Hindrance.NOT_TAKEN)
        self.made.append(Made(wanted.formats[0], b"RaS2" + data))
        return self.made[-1]


@pytest_twisted.ensureDeferred
async def test_a_document_that_the_printer_does_not_take_is_converted() -> None:
    """To what it likes best; the file is let go of afterwards. One that it takes goes as it came."""
    for formats, number_up in (((PWG,), 1), ((PDF, PWG), 1), ((PDF, PWG), 2)):
        device = OverIPP(PretendPrinter(formats=formats))
        server = Server(device, HERE)
        number = await server.open()
        options = {"number-up": number_up} if number_up > 1 else {}
        await server.store.print_jobs.change(number, PrintChange(options=options), server.service.now())
        converter = server.way._documents = Converter()  # type: ignore[assignment]
        outcome = await server.try_once(number)
        assert outcome is not None
        assert outcome.state is QueueState.DELIVERED
        assert device.printed()[0].startswith(b"%PDF" if formats[0] == PDF and number_up == 1 else b"RaS2")
        assert [one.released for one in converter.made] == ([] if number_up == 1 and formats[0] == PDF else [True])
        for wanted in converter.wanted:
            assert wanted.formats == formats
            assert "number-up" not in wanted.done_there


@pytest_twisted.ensureDeferred
async def test_copies_that_a_device_cannot_make_are_made_here() -> None:
    """A device on port 9100 knows no options; what cannot be made into copies goes as it came."""
    for possible in (True, False):
        device = Network("socket")
        device.listen()
        server = Server(device, HERE)
        number = await server.open(copies=2)
        converter = server.way._documents = Converter(possible=possible)  # type: ignore[assignment]
        outcome = await server.try_once(number)
        assert outcome is not None
        assert outcome.state is QueueState.DELIVERED
        assert "copies" not in converter.wanted[0].done_there
        assert device.printed()[0].startswith(b"RaS2" if possible else b"%PDF")
        await device.port.stopListening()
