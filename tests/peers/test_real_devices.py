"""An office prints on other people's printers: CUPS' IPP Everywhere printer and a queue of its scheduler."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from real_peers.cups import Cups
from real_peers.eve_printer import EvePrinter
from real_peers.office import script
from real_peers.papers import pdf
from real_peers.running import LOOPBACK, Running, wait_until
from real_peers.warm import spawn

pytestmark = pytest.mark.peers


@define
class Devices:
    """The office and what it prints on."""

    folder: Path
    eve: EvePrinter
    cups: Cups
    running: Running

    def do(self, *words: str) -> str:
        """A command of ours; what it says."""
        argv = [script("mailshare"), "-c", str(self.folder / "m.toml"), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def paper(self) -> list[str]:
        """SHA-256 of what the scheduler's queue has sent on: it prints on a port of ours that writes files."""
        files = (self.folder / "paper").glob("*") if (self.folder / "paper").is_dir() else []
        return [hashlib.sha256(one.read_bytes()).hexdigest() for one in files if one.name[0] != "."]

    def printed(self, to: str, *words: str) -> tuple[Any, str]:
        """Print a document; the job once it is over, and the document's digest."""
        paper = self.folder / "Report.pdf"
        paper.write_bytes(pdf(pages=2))
        number = json.loads(self.do("print", str(paper), "--to", to, *words, "--json"))["id"]
        found: dict[str, Any] = {}

        def over() -> bool:
            found.update(json.loads(self.do("job", "show", str(number), "--json")))
            return bool(found["over"])

        wait_until(over, f"the end of job {number}", 60, self.folder / "server.log")
        return found, hashlib.sha256(paper.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def devices(
    program: Callable[[str], str],
    open_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Devices]:
    """Both printers and the office, once for all tests here."""
    if os.geteuid():
        pytest.skip("the CUPS scheduler is started by root only")
    folder = tmp_path_factory.mktemp("devices")
    eve = EvePrinter(program("ippeveprinter"), program("dbus-daemon"), folder / "eve", free_port())
    cups, socket = Cups(program("cupsd"), open_folder / "far-cups", free_port()), free_port()
    program("lpadmin")
    (folder / "m.toml").write_text(
        f"""\
[listen]
smtp = ["tcp:{free_port()}:interface=127.0.0.1"]
[[destination]]
name = "eve"
address = "ipp://localhost:{eve.port}/ipp/print"
[[destination]]
name = "queue"
address = "cups://{LOOPBACK}:{cups.port}/printers/far"
[[destination]]
name = "paper"
address = "dir:paper"
socket = ["tcp:{socket}:interface=127.0.0.1"]
"""
    )
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(folder / "m.toml")]
    running = Running(argv, folder / "server.log", {}, spawn)
    try:
        eve.start()
        cups.start()
        cups.do("lpadmin", "-p", "far", "-E", "-v", f"socket://{LOOPBACK}:{socket}", "-m", "raw")
        running.start([], 60)
        wait_until((folder / "var" / "control").exists, "the office", 60, folder / "server.log")
        yield Devices(folder, eve, cups, running)
    finally:
        for one in (running, cups, eve):
            one.stop()


def test_a_printer_of_today(devices: Devices) -> None:
    """Octet for octet; the printer itself says that it is printed; what it can do is told in sentences."""
    job, digest = devices.printed("eve", "--copies", "1", "--sides", "two")
    assert (job["word"], job["members"][0]["certainty"]) == ("done", "completed")
    assert digest in devices.eve.kept()
    said = devices.do("printers", "test", "eve")
    assert "eve: It is ready." in said
    assert "application/pdf" in said
    assert "both sides" in said


def test_a_queue_of_a_scheduler(devices: Devices) -> None:
    """CUPS says that it got rid of it, which is no paper."""
    job, digest = devices.printed("queue")
    assert (job["word"], job["members"][0]["certainty"]) == ("done", "accepted")
    wait_until(lambda: digest in devices.paper(), "the paper", 60, devices.folder / "server.log")


def test_a_queue_that_takes_nothing_for_a_while(devices: Devices) -> None:
    """The job waits, is known to wait, and comes out when the queue takes jobs again."""
    devices.cups.do("cupsreject", "far")
    paper = devices.folder / "Later.pdf"
    paper.write_bytes(pdf(pages=3))
    number = json.loads(devices.do("print", str(paper), "--to", "queue", "--json"))["id"]

    def waits() -> bool:
        (found,) = (one for one in json.loads(devices.do("jobs", "--json")) if one["id"] == number)
        return "takes no jobs" in found["message"] or "Rejecting" in found["message"]

    wait_until(waits, "the job to wait", 60, devices.folder / "server.log")
    devices.cups.do("cupsaccept", "far")
    wait_until(
        lambda: json.loads(devices.do("job", "show", str(number), "--json"))["over"], "the end of the job", 60
    )
    digest = hashlib.sha256(paper.read_bytes()).hexdigest()
    wait_until(lambda: digest in devices.paper(), "the paper", 60, devices.folder / "server.log")
    assert devices.paper().count(digest) == 1
