"""Each collection run has an id: ``why`` names it, ``log --run`` follows it (requirement 12)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from click.testing import CliRunner
from twisted.internet.threads import deferToThread

from mailshare.cli import main
from mailshare.core.errors import PeerFault
from mailshare.core.trace import made_at, trace_id
from tests.house import House, house

__all__ = ["house"]
GREG = '[[user]]\nname = "greg"\npassword = "greg"\naccounts = ["mail@company.example"]\n'


@pytest.mark.parametrize("at", [1_795_259_000_123_456, 1, 33 * 366 * 86_400 * 1_000_000])
def test_a_trace_tells_when_it_was_made(at: int) -> None:
    """To the millisecond, for the last 34 years, and for a clock that lags a little behind."""
    trace = trace_id(at, b"abc")
    for later in (0, 5_000_000, 30 * 365 * 86_400 * 1_000_000, -3_600_000_000):
        assert made_at(trace, at + later) == at // 1000 * 1000


@pytest_twisted.ensureDeferred
async def test_a_run_is_followed_from_any_of_its_messages(house: House) -> None:
    """Two runs: each message names its own, and the log of a run holds its lines and its end and nothing else."""
    office = await house.start(GREG)
    acts = office.acts
    runs: list[str] = []
    for batch in ((1, 2), (3, 4, 5)):
        for number in batch:
            house.arrives("greg <mail@company.example>", number=number)
        await acts.send_receive()
        (found,) = await acts.why(id=f"{batch[0]}@far.example")
        route: Any = next(one for one in found["events"] if one["kind"] == "route")  # type: ignore[union-attr]
        runs.append(route["data"]["run"])
        (line,) = [one for one in found["words"] if f"in the run {runs[-1]} that ended" in one]  # type: ignore[union-attr]
        assert ", made because somebody asked for it, with " in line
        log: Any = await acts.log(run=runs[-1])
        assert sorted(one["kind"] for one in log["events"]) == ["collect.run", *["route"] * len(batch)]
        assert [one["trace"] for one in log["events"] if one["kind"] == "collect.run"] == [runs[-1]]
    assert runs[0] != runs[1]
    assert [one["kind"] for one in (await acts.log(run=runs[0], kinds=["collect.run"]))["events"]] == ["collect.run"]  # type: ignore[union-attr]
    assert (await acts.log(run="f" * 16))["events"] == []
    with pytest.raises(PeerFault):
        await acts.log(run="yesterday")
    command = ["-c", str(house.folder / "m.toml"), "log", "--run", runs[1].upper()]
    said = await deferToThread(CliRunner().invoke, main, command)
    assert said.exit_code == 0, said.output
    assert said.output.count("\n") == 4


@pytest_twisted.ensureDeferred
async def test_a_run_that_failed_has_its_lines_too(house: House) -> None:
    """Another session holds the provider's mailbox: the line that says so is the run's."""
    office = await house.start(GREG)
    house.isp.box.locked = True
    await office.acts.send_receive()
    failed: Any = (await office.acts.log(kinds=["collect.failed"]))["events"]
    assert len(failed) == 1
    assert (await office.acts.log(run=failed[0]["trace"]))["events"] == failed
    house.isp.box.locked = False
