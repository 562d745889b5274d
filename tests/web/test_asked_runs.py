"""Send and receive now, step by step: on the dashboard, over the API and in the stream of events."""

from __future__ import annotations

import html
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.values import Role
from mailshare.testing.isp import PretendISP
from tests.web.conftest import FILE, House
from tests.web.test_manager_api import BASE, program, stream, until

ACCOUNT = """\
collect = "pop3://mail@127.0.0.1:{pop3}?tls=none"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = "{password}"
"""


@define
class Street:
    """Offices with the usual file, whose first account has that provider."""

    folder: Path
    isp: PretendISP
    houses: list[House] = field(factory=list)

    async def house(self, password: str = "isp") -> House:
        path = self.folder / "m.toml"
        mark = 'address = "mail@company.example"\n'
        pop3, smtp = self.isp.ports()
        path.write_text(FILE.replace(mark, mark + ACCOUNT.format(pop3=pop3, smtp=smtp, password=password), 1))
        config = load_config(str(path))
        made = Office(config, reactor, reload_config=read_again(config, None))
        self.houses.append(House(made))
        made.startService()
        assert made.started is not None
        await made.started
        return self.houses[-1]


@pytest_twisted.async_yield_fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    made = Street(tmp_path, isp)
    yield made
    for house in made.houses:
        if house.office.up:
            await house.office.stopService()
    await isp.stopService()


def told(page: str) -> list[str]:
    """The steps that a page shows, with their state."""
    found = re.findall(r'<li class="(good|bad|busy)">.*?</svg> (.*?)</li>', page)
    return [f"{state}: {html.unescape(words)}" for state, words in found]


@pytest_twisted.ensureDeferred
async def test_the_steps_of_a_run_stand_on_the_dashboard_also_after_a_restart(
    street: Street
) -> None:
    """From connecting to whom the mail was sorted to; who asked; kept as the last run; told to programs as well."""
    house = await street.house()
    browser = await house.admin()
    assert "Nobody has asked for one yet" in (await browser.get("/")).text
    street.isp.arrive('"Andrew Smith" <mail@company.example>', "a", "named")
    street.isp.arrive("mail@company.example", "b", "unnamed")
    _, shown = await program(house, "read")
    events = await stream(house, f"{BASE}/events", f"Authorization: {shown}")
    page = await stream(house, "/live", f"Cookie: {browser.cookie}")
    await until(page, b'hx-target="#asked"')
    answer = await browser.post("/act/send-receive", {}, Referer=f"http://127.0.0.1:{house.port}/")
    assert answer.code == 303
    await until(events, b'"running": false')
    await until(page, b"sorted to andrew 1, ADMIN1 1")
    found = (await browser.get("/")).text
    assert told(found) == [
        f"good: connected to 127.0.0.1, port {street.isp.ports()[0]}; isp.example POP3 server ready",
        "good: the connection is not encrypted",
        "good: logged in as mail",
        "good: 2 messages lie there, 2 of them are new here",
        "good: 2 of 2 collected",
        "good: sorted to andrew 1, ADMIN1 1",
        "good: 2 deleted at the provider, 0 stay there",
    ], told(found)
    assert "(admin)" in found
    for reader in (events, page):
        reader.transport.abortConnection()
    await house.office.stopService()
    again = await street.house()
    later = again.browser()
    await later.log_in()
    assert told((await later.get("/")).text) == told(found)


@pytest_twisted.ensureDeferred
async def test_a_step_that_fails_quotes_the_server_and_says_what_is_next(street: Street) -> None:
    """The words of the provider for a wrong password, and the way to where it is changed."""
    house = await street.house("wrong")
    browser = await house.admin()
    await browser.post("/act/send-receive", {"account": "mail@company.example"})
    found = (await browser.get("/")).text
    assert told(found)[-1].startswith("bad: The server refuses the login:")
    assert "see to the settings of this account" in found
    french = (await browser.get("/", Accept_Language="fr")).text
    assert "la connexion n’est pas chiffrée" in french


@pytest_twisted.ensureDeferred
async def test_a_run_that_takes_long_does_not_keep_the_browser_waiting(street: Street) -> None:
    """After a second the page with the steps so far comes; without a script it is loaded again by its link."""
    house = await street.house()
    held: Deferred[None] = Deferred()
    collector = house.office._running().room.collector
    sessions = collector._sessions

    async def slow(*given: object) -> None:
        await held
        await sessions(*given)

    collector._sessions = slow
    browser = await house.admin()
    answer = await browser.post("/act/send-receive", {"account": "mail@company.example"})
    assert answer.header("Location") == "/#asked"
    found = (await browser.get("/")).text
    assert "Look again how far it is" in found
    held.callback(None)
    for _ in range(600):
        if "Look again" not in (found := (await browser.get("/")).text):
            break
        await deferLater(reactor, 0.1)
    assert told(found)[-1] == "good: 0 deleted at the provider, 0 stay there"


@pytest_twisted.ensureDeferred
async def test_who_looks_after_one_account_sees_the_runs_of_no_other(street: Street) -> None:
    """In the page, in the API and in the stream; the button runs all of the own accounts."""
    house = await street.house()
    owner = await house.admin()
    keeper = await house.admin("keeper", Role.KEEPER, ("two@firm.example",))
    page = await stream(house, "/live", f"Cookie: {keeper.cookie}")
    await until(page, b"lamp-outbox")
    await owner.post("/act/send-receive", {"account": "mail@company.example"})
    assert (await keeper.post("/act/send-receive", {})).code == 303
    await until(page, b"two@firm.example")
    found = (await keeper.get("/")).text
    assert "two@firm.example" in found
    assert "company.example" not in found
    assert b"company.example" not in page.octets
    page.transport.abortConnection()
