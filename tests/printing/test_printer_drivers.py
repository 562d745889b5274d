"""Every driver against the contract of drivers, then what each of them does by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from devices import IntoFolder, Network, OverIPP, ToProgram
from twisted.internet.defer import Deferred

from mailshare.core.errors import Doubtful, NotTaken, PolicyRefusal
from mailshare.core.values import Certainty, DeviceRef, PrinterState, PrintState
from mailshare.testing.pretend_printer import PretendPrinter
from mailshare.testing.printer_contract import OTHER, TASK, PrinterDriverContract, Sheet, submitted
from mailshare.wire.ipp_codes import Operation, Status


class TestIPP(PrinterDriverContract):
    @pytest.fixture
    def device(self) -> OverIPP:
        return OverIPP()


class TestIPPOfOneStep(PrinterDriverContract):
    @pytest.fixture
    def device(self) -> OverIPP:
        return OverIPP(PretendPrinter(in_steps=False))


class TestFolder(PrinterDriverContract):
    @pytest.fixture
    def device(self, tmp_path: Path) -> IntoFolder:
        return IntoFolder(tmp_path)


class TestProgram(PrinterDriverContract):
    @pytest.fixture
    def device(self, tmp_path: Path) -> ToProgram:
        return ToProgram(tmp_path)


class TestAppSocket(PrinterDriverContract):
    @pytest.fixture
    def device(self) -> Iterator[Network]:
        yield from _listening(Network("socket"))


class TestPJL(PrinterDriverContract):
    @pytest.fixture
    def device(self) -> Iterator[Network]:
        yield from _listening(Network("socket", pages=7))


class TestLPD(PrinterDriverContract):
    @pytest.fixture
    def device(self) -> Iterator[Network]:
        yield from _listening(Network("lpd"))


def _listening(device: Network) -> Iterator[Network]:
    device.listen()
    yield device
    stopped = device.port.stopListening()
    if isinstance(stopped, Deferred):
        pytest_twisted.blockon(stopped)


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    yield from _listening(request.param)


# ---------------------------------------------------------------------- IPP


@pytest_twisted.ensureDeferred
async def test_options_that_the_printer_knows_go_with_the_job() -> None:
    """Under their IPP names; the others stay here, since they would make it refuse or warn."""
    device = OverIPP()
    wishes = {"copies": 2, "sides": "two-sided-long-edge", "number-up": 4}
    await submitted(device, Sheet(), evolve(TASK, options=wishes))
    (job,) = device.printer.jobs.values()
    assert job.options == {"copies": 2, "sides": "two-sided-long-edge"}
    assert (job.user, job.name) == ("anna", "Report #0000000000a1")
    assert len(device.printer.printed) == 2


@pytest_twisted.ensureDeferred
async def test_the_job_is_named_before_the_document_leaves() -> None:
    """By Create-Job; its number comes back from the list of jobs, too."""
    device = OverIPP()
    ref, before = await submitted(device, Sheet())
    assert before == [ref]
    assert await device.driver().find(TASK) == ref
    expected = [Operation.GET_PRINTER_ATTRIBUTES] * 2
    expected += [Operation.VALIDATE_JOB, Operation.CREATE_JOB, Operation.SEND_DOCUMENT]
    assert device.printer.asked[:5] == expected


@pytest_twisted.ensureDeferred
async def test_what_it_can_do_is_asked_once_a_minute() -> None:
    """Two jobs, one question for its abilities, and one for how it stands before each."""
    device = OverIPP()
    driver = device.driver()

    async def named(_: DeviceRef) -> None: ...

    for task in (TASK, OTHER):
        await driver.submit(task, Sheet(), named)
    assert device.printer.asked.count(Operation.GET_PRINTER_ATTRIBUTES) == 3


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"busy": True}, "busy"),
        ({"accepting": False}, "Ready"),
        ({"stopped": True, "reasons": ("media-empty-error",)}, "Stopped"),
        ({"lie": Status.NOT_AUTHENTICATED}, "login"),
        ({"lie": Status.INTERNAL_ERROR}, "0x0500"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_printer_that_takes_nothing_now_is_no_failure(trouble: dict[str, Any], words: str) -> None:
    """Busy, not accepting, out of paper, locked, upset: nothing was sent, and it may be tried again."""
    device = OverIPP(PretendPrinter(**trouble))
    with pytest.raises(NotTaken, match=words) as fault:
        await submitted(device, Sheet())
    assert fault.value.reasons == trouble.get("reasons", ())
    assert device.printer.jobs == {}


@pytest_twisted.ensureDeferred
async def test_a_document_that_it_will_never_take_is_refused() -> None:
    """Before anything of it is sent."""
    device = OverIPP()
    sheet = Sheet(format="image/tiff")
    with pytest.raises(PolicyRefusal, match="kind"):
        await submitted(device, sheet)
    assert sheet.reads == []


@pytest_twisted.ensureDeferred
async def test_a_broken_connection_leaves_doubt_only_where_there_is_some() -> None:
    """With Create-Job the job is known; with Print-Job the list tells, and a list that forgets leaves doubt."""
    device = OverIPP(PretendPrinter(cut_after=1000))
    with pytest.raises(Doubtful):
        await submitted(device, Sheet())
    ref = await device.driver().find(TASK)
    assert ref is not None
    found = await device.driver().poll(ref)
    assert (found.state, found.whole, found.impressions) == (PrintState.ABORTED, False, 0)
    for forgetful in (False, True):
        device = OverIPP(PretendPrinter(in_steps=False, forgetful=forgetful, silent_at=Operation.PRINT_JOB))
        with pytest.raises(Doubtful):
            await submitted(device, Sheet())
        if forgetful:
            with pytest.raises(Doubtful):
                await device.driver().find(TASK)
        else:
            assert await device.driver().find(TASK) is not None


@pytest_twisted.ensureDeferred
async def test_an_empty_job_is_taken_back_when_its_document_is_refused() -> None:
    """The printer becomes busy between Create-Job and Send-Document."""
    device = OverIPP()
    device.printer.by_hand = True
    sheet = Sheet()

    async def named(_: DeviceRef) -> None:
        device.printer.jobs[1].state = PrintState.CANCELED

    with pytest.raises(PolicyRefusal):
        await device.driver().submit(TASK, sheet, named)
    assert device.printer.printed == []


# ---------------------------------------------------------------------- the others


@pytest_twisted.ensureDeferred
async def test_a_folder_gets_the_ticket_beside_the_document(tmp_path: Path) -> None:
    """What was asked for, under the document's name, and nothing unfinished."""
    device = IntoFolder(tmp_path)
    sheet = Sheet()
    ref, _ = await submitted(device, sheet)
    out = tmp_path / "out"
    assert {one.name for one in out.iterdir()} == {ref.text, ref.text.replace(".pdf", ".json")}
    ticket = json.loads((out / ref.text.replace(".pdf", ".json")).read_text())
    assert (ticket["user"], ticket["options"], ticket["sha256"]) == ("anna", {"copies": 1}, sheet.digest.hex())
    assert ref.text == "0012-1-Report-0000000000a1.pdf"


@pytest.mark.parametrize(
    ("words", "kind", "match"),
    [("'no toner' 1", PolicyRefusal, "no toner"), ("later 75", NotTaken, "later"), ("'' 3", PolicyRefusal, "code 3")],
)
@pytest_twisted.ensureDeferred
async def test_the_exit_code_says_what_became(tmp_path: Path, words: str, kind: type[Exception], match: str) -> None:
    """75 is *later*, others are failures with the program's last line."""
    with pytest.raises(kind, match=match):
        await submitted(ToProgram(tmp_path, words), Sheet())


@pytest.mark.parametrize("network", [Network("socket", pages=7)], indirect=True)
@pytest_twisted.ensureDeferred
async def test_a_printer_that_speaks_pjl_tells_its_pages_and_its_trouble(network: Network) -> None:
    """The end of the job with its pages; a status code as IPP's reason."""
    ref, _ = await submitted(network, Sheet())
    found = await network.driver().poll(ref)
    assert (found.impressions, found.certainty) == (7, Certainty.COMPLETED)
    standing = await network.driver().status()
    assert (standing.state, standing.reasons, standing.message) == (
        PrinterState.STOPPED,
        ("media-needed-error",),
        "LOAD A4",
    )


@pytest.mark.parametrize(
    "network", [Network("socket", cut_after=10_000), Network("lpd", cut_after=10_000)], indirect=True
)
@pytest_twisted.ensureDeferred
async def test_a_break_in_the_middle_leaves_doubt(network: Network) -> None:
    """Some of it has arrived, and these devices cannot be asked."""
    with pytest.raises(Doubtful):
        await submitted(network, Sheet(b"%PDF-" + bytes(3_000_000)))
    with pytest.raises(Doubtful):
        await network.driver().find(TASK)
    assert network.printed() == []


@pytest.mark.parametrize(
    "network",
    [Network("lpd", refuses=b"\2queue"), Network("lpd", refuses=b" cf"), Network("lpd", refuses=b" df")],
    indirect=True,
)
@pytest_twisted.ensureDeferred
async def test_a_daemon_that_says_no_before_the_document_has_taken_nothing(network: Network) -> None:
    """To the queue, to the control file, to the document that is offered."""
    with pytest.raises(NotTaken):
        await submitted(network, Sheet())


@pytest.mark.parametrize("network", [Network("lpd", waiting=[b"anna  Report #0000000000a1\n"])], indirect=True)
@pytest_twisted.ensureDeferred
async def test_a_job_that_waits_in_a_queue_is_found_by_its_name(network: Network) -> None:
    """And copies are lines of the control file."""
    assert await network.driver().find(TASK) is not None
    await submitted(network, Sheet(), evolve(TASK, options={"copies": 3}))
    assert len(network.printed()) == 3
