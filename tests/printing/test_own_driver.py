"""The driver of the example: it keeps the contract, and an office finds it by its entry point."""

from __future__ import annotations

import runpy
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define
from devices import HERE
from twisted.internet.task import deferLater

from mailshare.assembly import extensions
from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.values import PrintState
from mailshare.interfaces import IPrinterDriver
from mailshare.testing.printer_contract import PrinterDriverContract

EXAMPLE = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "device_file_printer.py"))
FILE = """\
[server]
grace = 1
[listen]
smtp = ["tcp:0:interface=127.0.0.1"]
[[extension]]
group = "printers"
kind = "lp"
options = {{ pause = 0.001 }}
[[destination]]
name = "receipts"
address = "lp:{device}"
"""


class Metadata(EntryPoint):
    """As if a distribution had named the factory."""

    def load(self) -> Any:
        return EXAMPLE["DeviceFileFactory"]


def installed(group: str) -> Iterable[EntryPoint]:
    return [Metadata("lp", "device_file_printer:DeviceFileFactory", group)] if group == "mailshare.printers" else []


@define
class FileDevice:
    """A file in the place of the device."""

    path: Path

    def driver(self) -> IPrinterDriver:
        driver: IPrinterDriver = EXAMPLE["DeviceFiles"](0.0, HERE).driver("receipts", f"lp:{self.path}")
        return driver

    def printed(self) -> Sequence[bytes]:
        octets = self.path.read_bytes() if self.path.exists() else b""
        return [octets] if octets else []

    def go_away(self) -> None:
        self.path.unlink()


class TestDeviceFile(PrinterDriverContract):
    @pytest.fixture
    def device(self, tmp_path: Path) -> FileDevice:
        (tmp_path / "lp0").touch()
        return FileDevice(tmp_path / "lp0")


@pytest_twisted.ensureDeferred
async def test_an_office_prints_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared as an extension; what is handed over is said to be no more than that."""
    monkeypatch.setattr(extensions.Extensions.__init__, "__defaults__", (installed,))
    device = tmp_path / "lp0"
    device.touch()
    (tmp_path / "m.toml").write_text(FILE.format(device=device))
    config = load_config(str(tmp_path / "m.toml"))
    office = Office(config, HERE, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    try:
        acts: Any = office.acts
        (tmp_path / "note.txt").write_bytes(b"Two coffees\n" * 500)
        with (tmp_path / "note.txt").open("rb") as note:
            await acts.print_document(document=note, to="receipts", name="note.txt")
        for _ in range(500):
            job = await office.store.print_jobs.job(1)
            assert job is not None
            if job.state.final:
                break
            await deferLater(HERE, 0.02)
        assert (job.state, job.members["receipts"].certainty) == (PrintState.COMPLETED, "handed-over")
        assert device.read_bytes() == b"Two coffees\n" * 500
        said = await acts.test_printer(name="receipts")
        assert said["words"][1:3] == ["It takes jobs and reports nothing.", "It takes text/plain."]
    finally:
        await office.stopService()


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """As its first lines say."""
    import subprocess
    import sys

    device = tmp_path / "lp0"
    device.touch()
    example = Path(__file__).resolve().parents[2] / "examples" / "device_file_printer.py"
    done = subprocess.run([sys.executable, example, device], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("handed-over\n")
    assert device.read_bytes() == b"Hello, paper\r\n"
