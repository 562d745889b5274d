"""Who came in when, who is kept waiting after wrong passwords, and how old mail is, on pages and by the API."""

from __future__ import annotations

import json
import poplib
import re
import smtplib

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.core.values import Role
from tests.web.conftest import FILE, House
from tests.web.test_manager_pages import letter


@pytest.fixture
def office_file() -> str:
    """With a listener for those who read."""
    return FILE.replace("[listen]\n", '[listen]\npop3 = ["tcp:0:interface=127.0.0.1"]\n')


def port(house: House, service: str) -> int:
    address = next(str(one["address"]) for one in house.office.places() if one["service"] == service)
    return int(address.rpartition(":")[2])


def fetch(number: int, name: str, password: str) -> int:
    """As a mail program does; how many messages were fetched."""
    box = poplib.POP3("127.0.0.1", number, timeout=60)
    box.user(name)
    box.pass_(password)
    count = box.stat()[0]
    for uid in range(1, count + 1):
        box.retr(uid)
    box.quit()
    return count


def log_in(number: int) -> None:
    with smtplib.SMTP("127.0.0.1", number, timeout=60) as session:
        session.login("ANDREW", "andrew")


def guess(number: int) -> None:
    box = poplib.POP3("127.0.0.1", number, timeout=60)
    box.user("andrew")
    with pytest.raises(poplib.error_proto):
        box.pass_("wrong")
    box.close()


@pytest_twisted.ensureDeferred
async def test_last_logins_and_retrieval_are_shown_and_outlive_the_server(house: House) -> None:
    """POP3, SMTP and the manager; nobody who never came has one; what a stop wrote the next start knows."""
    browser = await house.admin()
    assert "never" in (await browser.get("/users/andrew")).text
    await letter(house, "hello", owner="andrew")
    (box,) = [one for one in await house.office.acts.mailboxes() if one["user"] == "andrew"]
    assert box["oldest"]
    assert not box["fetched"]
    assert await deferToThread(fetch, port(house, "pop3"), "andrew", "andrew") == 1
    await deferToThread(log_in, port(house, "smtp"))
    while not (await house.office.acts.show_user(name="andrew"))["fetched"]:  # told when the connection is gone
        await deferLater(reactor, 0.02)
    page = (await browser.get("/users/andrew")).text
    assert "Last login by POP3" in page
    assert "Last login by SMTP" in page
    assert "from 127.0.0.1" in page
    assert re.search(r"Last fetched</dt><dd><time", page)
    assert (await browser.get("/mailboxes")).text.count("<time") == 2
    listed = (await browser.get("/users")).text
    assert re.search(r'data-label="Last login">.*POP3 <time.*SMTP <time', listed)
    settings = (await browser.get("/settings")).text
    assert re.search(r'data-label="Last login"><time[^>]*>[^<]*</time> 127\.0\.0\.1', settings)
    await house.office.stopService()
    house.office.startService()
    assert house.office.started is not None
    await house.office.started
    andrew = next(one for one in await house.office.acts.users() if one["name"] == "andrew")
    assert set(andrew["last_seen"]) == {"pop3", "smtp"}  # type: ignore[call-overload]
    assert andrew["fetched"]
    (keeper,) = await house.office.acts.administrators()
    assert keeper["last_seen"]["manager"]["peer"] == "127.0.0.1"  # type: ignore[index]


@pytest_twisted.ensureDeferred
async def test_who_waits_is_shown_and_unlocked_by_its_button(house: House) -> None:
    """The user's page says from where; the button frees user and address at once, and is written down."""
    browser = await house.admin()
    await deferToThread(guess, port(house, "pop3"))
    slowed = json.loads((await browser.get("/api/v1/logins/slowed")).text)
    assert [(one["name"], one["failures"], one["others"]) for one in slowed["users"]] == [("andrew", 1, ["127.0.0.1"])]
    assert [one["name"] for one in slowed["peers"]] == ["127.0.0.1"]
    page = (await browser.get("/users/andrew")).text
    assert "Unlock andrew</button>" in page
    assert "Tried from: 127.0.0.1" in page
    assert "1 wrong try" in (await browser.get("/users")).text
    viewer = await house.admin("onlooker", Role.VIEWER)
    assert "Unlock" not in (await viewer.get("/users/andrew")).text
    await viewer.post("/users/andrew/unlock", {})
    assert (await house.office.acts.slowed_logins())["users"]
    await browser.post("/users/andrew/unlock", {})
    assert "andrew waits no longer" in (await browser.get("/users/andrew")).text
    assert await house.office.acts.slowed_logins() == {"users": [], "peers": []}
    log = await house.office.acts.log(kinds=["admin.unlocked"])
    assert log["events"][0]["data"] == {"by": "admin", "what": "andrew"}  # type: ignore[index]


@pytest_twisted.ensureDeferred
async def test_an_address_is_let_in_again_and_a_keeper_unlocks_own_people_only(house: House) -> None:
    """By its own button of the page of health, for owners."""
    await deferToThread(guess, port(house, "pop3"))
    own = await house.admin("near", Role.KEEPER, ("mail@company.example",))
    other = await house.admin("far", Role.KEEPER, ("two@firm.example",))
    browser = await house.admin()
    await other.post("/users/andrew/unlock", {})
    assert (await house.office.acts.slowed_logins())["users"]
    await own.post("/users/andrew/unlock", {})
    assert not (await house.office.acts.slowed_logins())["users"]
    await deferToThread(guess, port(house, "pop3"))
    assert "Unlock 127.0.0.1</button>" in (await browser.get("/health")).text
    await browser.post("/health/unlock", {"peer": "127.0.0.1"})
    assert "127.0.0.1 waits no longer" in (await browser.get("/health")).text
    assert not (await house.office.acts.slowed_logins())["peers"]
