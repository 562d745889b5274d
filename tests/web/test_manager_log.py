"""The log, the timer and the settings: filters, days, a grid by headings, what the file says with its lines."""

from __future__ import annotations

import html
import re
import shlex

import click
import pytest
import pytest_twisted

from mailshare.cli import main
from mailshare.core.values import Event, Role
from mailshare.web.commands_beside import COMMANDS, command_beside
from mailshare.web.pages.log_filters import Wanted, result_of, way_of
from tests.web.conftest import House
from tests.web.test_manager_pages import SCREENS


def kinds(text: str) -> list[str]:
    """Of the lines of the table, newest first."""
    return re.findall(r'<small class="mono">([^<]+)</small>', text)


@pytest_twisted.ensureDeferred
async def test_the_log_is_filtered_by_account_user_direction_result_and_words(house: House) -> None:
    """Each alone, on the page and in the saved day; the live stream gets the same query."""
    browser, acts = await house.admin(), house.office.acts
    one, two = house.office.store.directory.current().accounts
    andrew = house.office.store.directory.current().user_by_name["andrew"]
    now = acts._clock()
    await house.office.store.events.append([
        Event(now, "collect.run", account_id=one.id), Event(now, "relay.failed", account_id=two.id),
        Event(now, "relay.deferred", account_id=one.id), Event(now, "pop3.read", user_id=andrew.id),
    ])  # fmt: skip
    for query, found in (
        ("account=two@firm.example", ["relay.failed"]),
        ("user=andrew", ["pop3.read"]),
        ("way=in", ["collect.run"]),
        ("way=out", ["relay.deferred", "relay.failed"]),
        ("way=inside", ["pop3.read"]),
        ("result=trouble", ["relay.failed"]),
        ("result=waits&account=mail@company.example", ["relay.deferred"]),
        ("q=nowhere", []),
    ):
        page = await browser.get(f"/log?{query}")
        assert kinds(page.text) == found, query
    assert "/live/log?after=0&amp;q=nowhere" in page.text
    still = (await browser.get("/log?live=off&way=in")).text
    assert "/live/log" not in still
    assert 'href="/log?way=in"' in still
    day = (await acts.days())[0]
    assert (await browser.get(f"/log?day={day}&way=out")).header("Location") == f"/log/{day}?way=out"
    assert 'type="date"' in still
    assert (await browser.get(f"/log/{day}/download?way=in")).text.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "source", "way", "result"),
    [
        ("route", "collect", "in", "good"), ("route", "smtp", "inside", "good"), ("fax.received", "", "in", "good"),
        ("fax.failed", "", "out", "trouble"), ("fax.held", "", "out", "waits"), ("admin.did", "", "", "good"),
        ("login.refused", "", "inside", "trouble"), ("relay.paused", "", "out", "waits"),
    ],
)  # fmt: skip
def test_kinds_of_lines_have_a_way_and_a_result(kind: str, source: str, way: str, result: str) -> None:
    """By how they begin and end, so that kinds of tomorrow have one as well."""
    assert way_of({"kind": kind, "data": {"source": source}}) == way
    assert result_of(kind) == result
    assert Wanted().query == ""


@pytest_twisted.ensureDeferred
async def test_a_grid_is_turned_over_by_its_headings_and_looked_at_before_it_is_saved(house: House) -> None:
    """Without a script the page comes back changed and unsaved, with the runs that it would have."""
    browser = await house.admin()
    way = "/accounts/mail@company.example/timer"
    page = (await browser.post(way, {"toggle": "mon-", "every": "30"})).text
    assert page.count(" checked") == 24
    assert "nothing is saved yet" in page
    page = (await browser.post(way, {"toggle": "-7", "every": "30", "hour": ["mon-7"]})).text
    assert page.count(" checked") == 7
    page = (await browser.post(way, {"toggle": "mon-", "hour": [f"mon-{hour}" for hour in range(24)]})).text
    assert page.count(" checked") == 0
    page = (await browser.post(way, {"preset": "look", "every": "30", "hour": ["sun-3"], "threshold": "4"})).text
    assert len(re.findall("<time", re.search(r'<p id="runs".*?</p>', page, re.DOTALL)[0])) == 5  # type: ignore[index]
    assert 'value="4"' in page
    (account,) = [one for one in await house.office.acts.accounts() if one["address"] == "mail@company.example"]
    assert account["timetable"] == []
    refused = await browser.post(way, {"preset": "look", "zone": "Nowhere/City", "hour": ["sun-3"]})
    assert refused.code == 422
    assert (await browser.post(way, {"threshold": "many"})).code == 422


@pytest_twisted.ensureDeferred
async def test_what_the_file_says_is_shown_with_its_lines_and_without_secrets(house: House) -> None:
    """For owners; how long things are kept and what runs stand beside it."""
    browser = await house.admin()
    page = html.unescape((await browser.get("/settings")).text)
    assert re.search(r"server\.hostname</th><td[^>]*>mail\.office\.example</td><td[^>]*>m\.toml:2<", page)
    assert re.search(r"web\.names</th><td[^>]*>manager\.lan</td>", page)
    assert "30 days besides today" in page
    assert "Twisted" in page
    assert 'href="/setup/restore"' in page
    viewer = await house.admin("onlooker", Role.VIEWER)
    assert "server.hostname" not in (await viewer.get("/settings")).text


@pytest_twisted.ensureDeferred
async def test_pages_name_the_command_that_does_the_same(house: House) -> None:
    """Each of them exists; a name from the address is quoted for the shell and for the page."""
    for words in COMMANDS.values():
        command: click.Command = main
        for word in words.split()[1:]:
            if isinstance(command, click.Group) and (not command.invoke_without_command or word in command.commands):
                command = command.commands[word]
            elif word.startswith("--"):
                assert word in [option for param in command.params for option in param.opts], words
    for screen in SCREENS:
        assert command_beside(screen), screen
    assert command_beside("/accounts/mail%40company.example/timer").startswith("mailshare account change mail@company")
    assert command_beside("/users/%27%3B%20reboot") == f"mailshare user show {shlex.quote(chr(39) + '; reboot')}"
    browser = await house.admin()
    assert "<code>mailshare user show andrew</code>" in (await browser.get("/users/andrew")).text
    assert "mailshare doctor" in (await browser.get("/health")).text
