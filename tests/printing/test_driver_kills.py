"""The server is killed at each point of a job's way into a device: printed once, or said to be unknown, never twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cutting import Seams, Server
from devices import HERE, IntoFolder, Network, OverIPP, ToProgram
from twisted.internet.defer import Deferred

from mailshare.core.values import PrintState, QueueState
from mailshare.testing.pretend_printer import PretendPrinter
from mailshare.wire.ipp_codes import Operation

# Which devices can always tell what they have, so that a job is never unknown.
KNOWING = {"ipp", "folder"}


@pytest.fixture
def network() -> Iterator[list[Network]]:
    open_ones: list[Network] = []
    yield open_ones
    for one in open_ones:
        stopped = one.port.stopListening()
        if isinstance(stopped, Deferred):
            pytest_twisted.blockon(stopped)


def device_of(kind: str, folder: Path, network: list[Network]) -> Any:
    if kind == "ipp":
        return OverIPP()
    if kind == "ipp of one step":
        return OverIPP(PretendPrinter(in_steps=False))
    if kind == "ipp that forgets":
        return OverIPP(PretendPrinter(forgetful=True))
    if kind == "folder":
        return IntoFolder(folder)
    if kind == "program":
        return ToProgram(folder)
    device = Network(kind if kind == "lpd" else "socket", pages=2 if kind == "pjl" else -1)
    device.listen()
    network.append(device)
    return device


@pytest.mark.parametrize(
    "kind", ["ipp", "ipp of one step", "ipp that forgets", "folder", "program", "socket", "pjl", "lpd"]
)
@pytest_twisted.ensureDeferred
async def test_killed_at_each_point(kind: str, tmp_path: Path, network: list[Network]) -> None:
    """One run for each point; after it the server starts again, and is killed no more."""
    unknown, at, names = 0, 0, set()
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        device = device_of(kind, folder, network)
        server = Server(device, HERE)
        number = await server.open()
        server.start(Seams(at))
        outcome = await server.try_once(number)
        names.add(server.seams.names[-1])
        if not server.seams.killed:
            assert outcome is not None
            assert outcome.state is QueueState.DELIVERED
            break
        outcome = await server.to_the_end(number)
        job = await server.job(number)
        where = f"killed at {at}: {server.seams.names}"
        if outcome.state is QueueState.HELD:
            unknown += 1
            assert job.state is PrintState.STOPPED, where
            assert job.members["office"].certainty == "unknown", where
            assert len(device.printed()) <= 1, where
        else:
            assert (outcome.state, job.state) == (QueueState.DELIVERED, PrintState.COMPLETED), where
            assert len(device.printed()) == 1, where
    assert names >= {"before a change is stored", "after a change is stored", "before submit", "after submit"}
    assert at > 8
    if kind in KNOWING:
        assert unknown == 0


@pytest.mark.parametrize(
    ("printer", "copies"),
    [
        (PretendPrinter(cut_after=100_000), 1),  # spools: what is not whole is not printed
        (PretendPrinter(cut_after=100_000, streams=True), None),  # the first page lies in the tray
        (PretendPrinter(silent_at=Operation.SEND_DOCUMENT), 1),
        (PretendPrinter(silent_at=Operation.CREATE_JOB), 1),
        (PretendPrinter(silent_at=Operation.GET_JOB_ATTRIBUTES), 1),
        (PretendPrinter(in_steps=False, silent_at=Operation.PRINT_JOB), 1),
        (PretendPrinter(in_steps=False, silent_at=Operation.PRINT_JOB, forgetful=True), None),
        (PretendPrinter(silent_at=Operation.SEND_DOCUMENT, forgetful=True), None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_connection_that_breaks_is_as_a_kill(printer: PretendPrinter, copies: int | None) -> None:
    """The printer lives on: printed once, or unknown (``None``) where its own word does not settle it."""
    device = OverIPP(printer)
    server = Server(device, HERE)
    number = await server.open()
    outcome = await server.to_the_end(number)
    job = await server.job(number)
    if copies is None:
        assert (outcome.state, job.state) == (QueueState.HELD, PrintState.STOPPED)
        assert "Nobody knows" in job.message
        assert len(printer.printed) <= 1
    else:
        assert outcome.state is QueueState.DELIVERED
        assert len(printer.printed) == copies
