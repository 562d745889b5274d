"""What the screens of the manager do beyond showing lists: the day, looking, several at once, copies."""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path

import pytest_twisted

from mailshare.core.values import Event, Role
from mailshare.web.pages.dashboard import chart
from tests.web.conftest import PASSWORD, House
from tests.web.test_manager_pages import letter

_HOUR = 3_600_000_000


@pytest_twisted.ensureDeferred
async def test_the_day_is_drawn_and_told(house: House) -> None:
    """Messages of the last 24 hours by the hour, as bars and as a table; what is older does not count."""
    browser = await house.admin()
    store, now = house.office.store, house.office.acts._clock()
    ago = [(0, "route", 3), (5, "relay.delivered", 2), (5, "relay.failed", 1), (30, "route", 9)]
    await store.events.append(
        [Event(now - hours * _HOUR, kind) for hours, kind, times in ago for _ in range(times)]
    )
    hours = (await house.office.acts.overview())["hours"]
    assert [sum(hour[name] for hour in hours) for name in ("came", "went", "failed")] == [3, 2, 1]
    assert hours[-1]["came"] == 3
    page = (await browser.get("/")).text
    assert 'role="img"' in page
    assert "3 came in, 2 went out, 1 failed" in page
    assert len(re.findall("<rect", page)) == 3
    assert page.count('<th scope="row">') >= 24


def test_an_empty_day_is_a_chart_without_bars() -> None:
    """And nothing is divided by nothing."""
    hours = [{"at": "2026-11-21T00:00:00Z", "came": 0, "went": 0, "failed": 0}] * 24
    assert chart({"hours": hours})["bars"] == []
    assert chart(None)["bars"] == []


@pytest_twisted.ensureDeferred
async def test_what_a_message_says_is_shown_to_who_asks_and_written_down(house: House) -> None:
    """By POST alone; as text; a viewer cannot, and a message that is gone is told as such."""
    browser = await house.admin()
    await letter(house, "<b>Secret</b>", owner="andrew")
    rows = (await house.office.acts.mailbox(name="andrew"))["messages"]
    way = f"/mailboxes/andrew/{rows[0]['uid']}/look"
    shown = await browser.post(way, {})
    assert shown.code == 200
    assert "&lt;b&gt;Secret" in shown.text
    log = await house.office.acts.log(kinds=["admin.looked"])
    assert log["events"][-1]["data"] == {"by": "admin", "what": "mailbox of andrew"}
    assert (await browser.get(way)).header("Location") == "/mailboxes/andrew"
    assert len((await house.office.acts.log(kinds=["admin.looked"]))["events"]) == 1
    viewer = await house.admin("vera", Role.VIEWER)
    assert "Secret" not in (await viewer.post(way, {})).text
    assert len((await house.office.acts.log(kinds=["admin.looked"]))["events"]) == 1
    gone = await browser.post("/mailboxes/andrew/99/look", {})
    assert gone.code == 303


@pytest_twisted.ensureDeferred
async def test_several_messages_of_the_work_list_are_given_at_once(house: House) -> None:
    """What was ticked goes; what cannot go is told and stays."""
    browser = await house.admin()
    for number in range(3):
        await letter(house, f"Letter {number}", number=number)
    ids = [row["id"] for row in await house.office.acts.admin_list()]
    assert 'form="several"' in (await browser.get("/work")).text
    done = await browser.post("/work/several", {"act": "give", "users": "andrew", "id": [*ids[:2], "1.999"]})
    assert done.code == 303
    page = (await browser.get("/work")).text
    assert "2 messages were given" in page
    assert "1.999" in page
    assert [row["id"] for row in await house.office.acts.admin_list()] == ids[2:]
    assert (await house.office.acts.mailbox(name="andrew"))["messages"][1]["subject"]
    assert (await browser.post("/work/several", {"act": "give", "users": "andrew"})).code == 303
    assert "Tick the messages first" in (await browser.get("/work")).text


@pytest_twisted.ensureDeferred
async def test_a_copy_of_everything_is_saved_by_an_owner_who_gives_the_password(house: House) -> None:
    """It holds the store and the file and no key; nothing of it stays here; nobody else gets it."""
    viewer = await house.admin("vera", Role.VIEWER)
    assert (await viewer.post("/settings/backup", {"own_password": PASSWORD})).code == 303
    browser = await house.admin()
    session = next(one for one in house.office.acts.doorkeepers.administrators.everybody() if one.name == "admin")
    assert session is not None
    answer = await browser.raw("POST", "/settings/backup", b"")
    with tarfile.open(fileobj=io.BytesIO(answer)) as archive:
        names = archive.getnames()
    assert "mailshare-backup/mailshare.toml" in names
    assert any(name.startswith("mailshare-backup/store/") for name in names)
    assert not [name for name in names if "key" in name]
    assert os.listdir(Path(house.office.config.data) / "uploads") == []
    log = await house.office.acts.log(kinds=["admin.backup"])
    assert [one["data"]["by"] for one in log["events"]] == ["admin"]


@pytest_twisted.ensureDeferred
async def test_the_people_come_out_as_a_table_that_is_no_formula(house: House) -> None:
    """With the headings that the page for many at once passes over."""
    browser = await house.admin()
    await house.office.acts.add_user(name="eve", names=["=cmd()"], password="eve-eve-eve", accounts=[])
    table = (await browser.get("/users/export.csv")).text
    assert table.startswith("login,name,password")
    assert "andrew,Andrew Smith," in table
    assert "eve, =cmd()," in table
