"""The commands of printing on an assembled office: give documents, look, steer, test, over the control socket."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import pytest_twisted
from attrs import define
from click.testing import CliRunner
from real_peers.warm import finished
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.cli import main
from mailshare.config import load_config
from mailshare.core.print_test_page import test_page as page_of
from mailshare.core.values import PrintState
from mailshare.testing.pretend_printer import PretendPrinter

HERE: Any = reactor
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 5000 + b"\n%%EOF\n"
FILE = """\
[server]
hostname = "print.example"
grace = 1
[listen]
smtp = ["tcp:0:interface=127.0.0.1"]
[[destination]]
name = "folder"
address = "dir:out?ticket=yes"
[[destination]]
name = "laser"
address = "ipp://127.0.0.1:{port}/ipp/print"
[[destination]]
name = "far"
address = "printer@far.example"
[[destination]]
name = "both"
members = ["folder", "laser"]
"""


@define
class Place:
    folder: Path
    printer: PretendPrinter
    port: Any
    office: Office

    async def run(self, *words: str, code: int = 0, given: bytes = b"") -> str:
        """One command; what it says."""

        def command() -> Any:
            return CliRunner().invoke(main, ["-c", str(self.folder / "m.toml"), *words], input=given)

        done = await deferToThread(command)
        assert done.exit_code == code, done.output
        return str(done.output)

    async def json(self, *words: str) -> Any:
        return json.loads(await self.run(*words, "--json"))

    async def state(self, number: int, state: PrintState) -> Any:
        """Wait until a job stands so."""
        for _ in range(500):
            job = await self.office.store.print_jobs.job(number)
            assert job is not None
            if job.state is state:
                return job
            await deferLater(HERE, 0.02)
        raise AssertionError(job)


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    printer = PretendPrinter()
    port = HERE.listenTCP(0, printer.site(), interface="127.0.0.1")
    (tmp_path / "m.toml").write_text(FILE.format(port=port.getHost().port))
    (tmp_path / "Report.pdf").write_bytes(PDF)
    config = load_config(str(tmp_path / "m.toml"))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    yield Place(tmp_path, printer, port, office)
    if office.running:
        await office.stopService()
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_file_is_printed_by_a_command(place: Place) -> None:
    """Octet for octet, with what was asked for; the job is seen and told of."""
    report = str(place.folder / "Report.pdf")
    said = await place.run(
        "print", report, "--to", "folder", "--copies", "2", "--sides", "two", "--media", "A4", "--pages", "1-3,7"
    )
    assert said == f"Job 1 for folder: {len(PDF)} octets, waiting.\n"
    await place.state(1, PrintState.COMPLETED)
    (written,) = (place.folder / "out").glob("*.pdf")
    assert written.read_bytes() == PDF
    ticket = json.loads(written.with_suffix(".json").read_text())["options"]
    assert ticket == {
        "copies": 2,
        "sides": "two-sided-long-edge",
        "media": "iso_a4_210x297mm",
        "page-ranges": [[1, 3], [7, 7]],
    }
    assert await place.json("jobs") == []
    (job,) = await place.json("jobs", "--all")
    assert (job["word"], job["name"], job["members"][0]["certainty"]) == ("done", "Report.pdf", "accepted")
    assert "the printer took it; it cannot report paper" in await place.run("job", "show", "1")
    assert "There is no print job 9" in await place.run("job", "show", "9", code=1)


@pytest_twisted.ensureDeferred
async def test_options_are_kept_for_later_jobs(place: Place) -> None:
    """PL13: before those of the configuration, behind those of a job; a job that keeps none forgets them."""
    report = str(place.folder / "Report.pdf")

    async def options(*words: str) -> Any:
        job = await place.json("print", report, "--to", "folder", *words)
        return dict((await place.state(job["id"], PrintState.COMPLETED)).ticket.options)

    two, pages = {"sides": "two-sided-long-edge"}, {"page-ranges": [[1, 1]]}
    assert await options("--sides", "two", "--pages", "1", "--keep") == {**two, **pages}
    assert await options() == two
    service = place.office._parts.printing.print_room.service  # type: ignore[union-attr]
    described = service.described(service.destinations["folder"], [], "")
    assert described.defaults["sides"] == "two-sided-long-edge"
    await service.states.load()
    assert await options("--sides", "one", "--copies", "2") == {"sides": "one-sided", "copies": 2}
    assert await options("--keep") == {}
    assert await options() == {}


@pytest_twisted.ensureDeferred
async def test_a_group_prints_at_each_and_standard_input_will_do(place: Place) -> None:
    """One job at a folder and at a printer; further options go by -o."""
    await place.run("print", "-", "--to", "both", "--name", "Minutes", "-o", "sides=one-sided", given=PDF)
    await place.state(1, PrintState.COMPLETED)
    assert place.printer.printed == [PDF]
    assert len(list((place.folder / "out").glob("*-Minutes-*.pdf"))) == 1
    job = await place.json("job", "show", "1")
    assert {one["name"]: one["certainty"] for one in job["members"]} == {"folder": "accepted", "laser": "completed"}
    assert [one["impressions"] for one in job["members"]] == [-1, 3]
    assert place.printer.jobs[1].options == {"sides": "one-sided"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "nowhere"], "There is no printer nowhere here; known: folder, laser, far, both"),
        (["--to", "folder", "-o", "sidez=one-sided"], "did you mean sides?"),
        (["--to", "folder", "--copies", "0"], "'0' is nothing that copies can be on folder"),
        (["--to", "folder", "-o", "copies"], "write -o KEY=VALUE"),
        (["--to", "folder", "--pin", "1234"], "which asks for no PIN"),
        (["--to", "far", "--pin", "1"], "4 to 16 letters and digits"),
        (["--to", "folder", "--notify", "never"], "'never' is no news of a job"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_is_said_in_a_sentence(place: Place, words: list[str], sentence: str) -> None:
    """And nothing is stored."""
    assert sentence in await place.run("print", str(place.folder / "Report.pdf"), *words, code=1)
    assert await place.json("jobs", "--all") == []


@pytest_twisted.ensureDeferred
async def test_a_job_is_held_released_cancelled_and_printed_again(place: Place) -> None:
    """Cancelling reaches the printer, printing again makes a new job."""
    place.printer.by_hand = True
    report = str(place.folder / "Report.pdf")
    await place.run("print", report, "--to", "laser", "--hold")
    assert "held" in await place.run("jobs", "--to", "laser")
    assert place.printer.jobs == {}
    assert await place.run("job", "release", "1") == "Job 1 goes on.\n"
    while not place.printer.jobs or place.printer.jobs[1].document is None:
        await deferLater(HERE, 0.02)
    while not (await place.office.store.print_jobs.job(1)).members["laser"].handed[0].whole:  # type: ignore[union-attr]
        await deferLater(HERE, 0.02)
    assert "on its way" in await place.run("job", "hold", "1", code=1)
    assert "not over yet" in await place.run("job", "reprint", "1", code=1)
    assert await place.run("job", "cancel", "1") == "Job 1 is cancelled.\n"
    while place.printer.jobs[1].state is not PrintState.CANCELED:
        await deferLater(HERE, 0.02)
    assert "over already" in await place.run("job", "cancel", "1", code=1)
    assert place.printer.printed == []
    place.printer.by_hand = False
    assert await place.run("job", "reprint", "1") == "Job 1 is printed once more, as job 2.\n"
    await place.state(2, PrintState.COMPLETED)
    assert place.printer.printed == [PDF]
    for _ in range(500):  # the row of the cancelled job is let go of
        if not await place.office.store.queue.items(agent="print"):
            break
        await deferLater(HERE, 0.02)


@pytest_twisted.ensureDeferred
async def test_printers_are_listed_and_tested(place: Place) -> None:
    """What a printer says, in sentences; one that is off; a page on paper."""
    listed = {row["name"]: row for row in await place.json("printers")}
    assert {name: row["kind"] for name, row in listed.items()} == {
        "folder": "destination",
        "laser": "destination",
        "far": "destination",
        "both": "group",
    }
    said = await place.run("printers", "test", "laser", "--page")
    for words in ("laser: It is ready.", "It is a Pretend Printer.", "reports when a job is printed", "as job 1"):
        assert words in said
    await place.state(1, PrintState.COMPLETED)
    lines = ("mailshare", "Test page for laser", "print.example", listed["laser"]["address"])
    assert place.printer.printed == [page_of(lines)]
    place.printer.reasons, place.printer.stopped = ("media-empty-error",), True
    assert "It reports: media-empty-error." in await place.run("printers", "test", "laser")
    assert "media-empty-error" in await place.run("printers")
    place.printer.off = True
    assert "laser: It cannot be reached." in await place.run("printers", "test", "laser", code=1)
    assert "jobs go by mail" in await place.run("printers", "test", "far")
    assert "is a group" in await place.run("printers", "test", "both", code=1)


@pytest_twisted.ensureDeferred
async def test_jobs_are_looked_at_and_steered_without_a_server(place: Place) -> None:
    """On the store alone; giving documents needs the server."""
    await place.run("print", str(place.folder / "Report.pdf"), "--to", "folder", "--hold")
    await place.office.stopService()

    def alone(*words: str) -> tuple[int, str]:
        done = finished(Path(sys.executable).parent / "mailshare", "-c", place.folder / "m.toml", *words)
        return done.returncode, (done.stdout + done.stderr).decode()

    code, said = await deferToThread(alone, "job", "cancel", "1")
    assert (code, said) == (0, "Job 1 is cancelled.\n")
    code, said = await deferToThread(alone, "printers")
    assert code == 3
    assert "No server runs" in said


@pytest_twisted.ensureDeferred
async def test_a_pin_travels_to_the_printing_server(place: Place) -> None:
    """As a digest, with the wish to be held there; nobody is shown it."""
    await place.run("print", str(place.folder / "Report.pdf"), "--to", "far", "--hold", "--pin", "1234")
    job = await place.office.store.print_jobs.job(1)
    assert job is not None
    assert sorted(job.ticket.options) == ["job-hold-until", "job-password"]
    assert "job-password" not in await place.run("job", "show", "1", "--json")


def test_the_test_page_is_a_document_of_one_page() -> None:
    """A program that knows nothing of us opens it."""
    document = pypdfium2.PdfDocument(page_of(["mailshare", "a (round) \\ bracket, \u20ac"]))
    assert len(document) == 1
    assert "a (round) \\ bracket" in document[0].get_textpage().get_text_bounded()
    document.close()
