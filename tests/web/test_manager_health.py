"""The page of health: certificates in days, the last copy, the clock, names, the queue; the same by command."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from click.testing import CliRunner
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from mailshare.assembly.looking_outside import Outside
from mailshare.cli import main
from mailshare.core.values import SECOND, Event, Role
from mailshare.shell import private_authority as own
from tests.web.conftest import FILE, House
from tests.web.test_manager_undo import queued

DAY = 86_400 * SECOND


@pytest.fixture
def office_file(tmp_path: Path) -> str:
    """With a certificate for STARTTLS, and a provider whose names are asked for."""
    now = int(datetime.now(UTC).timestamp()) * SECOND
    names = ("mail.office.example", "192.168.7.7")
    root = own.make_root("mail.office.example", names, now)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "mail.pem").write_text(own.issue(root, names, now))
    servers = 'collect = "pop3s://mail@pop.isp.example"\nrelay = "submissions://mail@smtp.isp.example"\n'
    file = FILE.replace("[listen]\n", '[listen]\ncertificates = "certs"\n')
    return file.replace('address = "mail@company.example"\n', f'address = "mail@company.example"\n{servers}')


async def findings(house: House) -> dict[str, dict[str, Any]]:
    return {one["what"]: dict(one) for one in await house.office.acts.health()}  # type: ignore[misc]


async def nobody(_host: str) -> list[str]:
    return []


async def somebody(host: str) -> list[str]:
    return ["192.0.2.9"] if host.startswith("pop") else []


@pytest_twisted.ensureDeferred
async def test_each_thing_of_the_rule_is_looked_at(house: House) -> None:
    """TLS days and trust, names of the provider, clock, last copy, queue age, disk, ports: with levels and moments."""
    house.office.acts.addresses = somebody
    found = await findings(house)
    certificate = found["Certificate of mail.office.example, 192.168.7.7"]
    assert certificate["level"] == "good"
    assert certificate["seen"].startswith("7")  # some 730 days
    assert "days left for STLS, STARTTLS; valid until" in certificate["seen"]
    assert certificate["at"] > "2026"
    assert "private authority" in found["Trust in mail.office.example, 192.168.7.7"]["seen"]
    assert (found["Name pop.isp.example"]["level"], found["Name smtp.isp.example"]["level"]) == ("good", "bad")
    assert found["Clock"]["level"] == "good"
    assert found["Backup"]["level"] == "warn"
    assert found["mail@company.example, outbox"]["seen"] == "nothing waits"
    assert found["Wrong passwords"]["level"] == "good"
    assert found["Listener smtp"]["seen"].startswith("open on")
    page = (await (await house.admin()).get("/health")).text
    assert "days left" in page
    assert page.index("no address was found") < page.index("open on")  # trouble comes first


@pytest_twisted.ensureDeferred
async def test_a_copy_is_remembered_with_what_made_it(house: House, tmp_path: Path) -> None:
    """By the command and by the manager; a week later it is too old."""
    house.office.acts.addresses = nobody
    await house.office.acts.backup(directory=str(tmp_path / "copy"))
    assert (await findings(house))["Backup"]["seen"] == "the last was made by mailshare backup at"
    browser = await house.admin()
    assert (await browser.raw("POST", "/settings/backup", b""))[:2] == b"\x1f\x8b"
    assert (await findings(house))["Backup"]["seen"] == "the last was saved under Settings at"
    clock = house.office.acts._clock
    house.office.acts._clock = lambda: clock() + 8 * DAY
    assert (await findings(house))["Backup"]["seen"].startswith("more than a week old")


@pytest_twisted.ensureDeferred
async def test_a_clock_that_was_set_is_told(house: House) -> None:
    """While the server ran, by the watch; before it started, by a line of the journal that lies ahead."""
    acts = house.office.acts
    acts.addresses = nobody
    acts.jump = lambda: (acts._clock() - SECOND, -7200 * SECOND)
    assert (await findings(house))["Clock"]["seen"] == "it was set back by 7200 seconds at"
    await house.office.store.events.append([Event(acts._clock() + DAY, "notice")])
    clock = (await findings(house))["Clock"]
    assert clock["level"] == "bad"
    assert "a line of a time to come" in clock["seen"]


@pytest_twisted.ensureDeferred
async def test_the_age_of_the_outbox_is_told_for_each_account(house: House) -> None:
    """What waits for hours needs a look; whoever looks after other accounts does not see it."""
    acts = house.office.acts
    acts.addresses = nobody
    await queued(house, "bob@far.example")
    (row,) = await acts.outbox()
    found = (await findings(house))["mail@company.example, outbox"]
    assert (found["level"], found["seen"], found["at"]) == ("good", "1 message waits; since", row["queued"])
    clock = acts._clock
    acts._clock = lambda: clock() + 5 * 3600 * SECOND
    assert (await findings(house))["mail@company.example, outbox"]["level"] == "warn"
    keeper = await house.admin("far", Role.KEEPER, ("two@firm.example",))
    page = (await keeper.get("/health")).text
    assert "two@firm.example, outbox" in page
    assert "mail@company.example" not in page


class Silent(Clock):
    """A reactor whose resolver says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = self

    def resolveHostName(self, _receiver: object, _host: str) -> None:
        """Nothing comes of it."""


def test_a_resolver_that_never_answers_holds_nothing_up_for_long(house: House) -> None:
    """The names are asked for at the same time, each with a deadline, and never at a log-in."""
    clock, answers = Silent(), list[object]()
    Deferred.fromCoroutine(Outside(clock).addresses("pop.isp.example")).addBoth(answers.append)
    clock.advance(2.9)
    assert answers == []
    clock.advance(0.2)
    assert answers == [[]]


@pytest_twisted.ensureDeferred
async def test_the_command_tells_the_same_with_an_exit_code(house: House, tmp_path: Path) -> None:
    """What needs a look, worst first; 2 for trouble, and all of it for programs."""
    house.office.acts.addresses = nobody

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, ["-c", str(tmp_path / "m.toml"), "doctor", *words])

    told = await deferToThread(run)
    assert told.exit_code == 2
    assert told.output.startswith("TROUBLE Name pop.isp.example: no address was found")
    assert "Listener" not in told.output
    assert "Listener" in (await deferToThread(run, "--all")).output
    listed = json.loads((await deferToThread(run, "--json")).output)
    assert {"level", "what", "seen", "at", "account", "private"} == set(listed[0])
