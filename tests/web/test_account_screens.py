"""Accounts in the manager: sorting tried before it is saved; pause; and the way back from what acts show."""

from __future__ import annotations

import html
import re

import pytest_twisted

from mailshare.core.errors import NotAllowed
from mailshare.core.values import Role
from tests.web.conftest import House
from tests.web.test_manager_pages import letter

_OWN = {"address": "own@firm.example", "collect": "pop3s://own@pop.firm.example", "timetable": []}


@pytest_twisted.ensureDeferred
async def test_other_sorting_is_tried_on_stored_mail_and_not_saved(house: House) -> None:
    """Who got each message, who would get it, and the step that decides; the account stays as it was."""
    browser = await house.admin()
    acts = house.office.acts
    await letter(house, "for nobody")
    page = (await browser.get("/accounts/mail@company.example")).text
    assert "The name in front of the address in To and Cc." in page
    assert "last messages" not in page
    before = await acts.account_show(address="mail@company.example")
    form = {"mode": "domain", "domains": "company.example", "aliases": "", "tag_delimiter": "+", "ambiguous": "all"}
    tried = await browser.post("/accounts/mail@company.example/try", form)
    assert tried.code == 200
    assert "for nobody" in tried.text
    assert "1 of the last messages was sorted once more." in tried.text
    assert "What the provider writes of the envelope: " in html.unescape(tried.text)
    assert await acts.account_show(address="mail@company.example") == before
    domain = {"mode": "domain", "domains": ["company.example"]}
    answer = await acts.try_sorting(address="mail@company.example", facts=domain)
    (row,) = answer["rows"]
    assert row["got"] == ["admin1"]
    assert row["decided"][0]
    assert answer["rule"]["mode"] == "domain"
    wrong = await browser.post("/accounts/mail@company.example/try", {**form, "domains": ""})
    assert wrong.code >= 400
    assert "Something went wrong" not in wrong.text


@pytest_twisted.ensureDeferred
async def test_an_account_is_paused_in_the_list_and_goes_on_by_undo(house: House) -> None:
    """With its servers, how long mail stays there, and its test beside it; one of the file has no such button."""
    browser = await house.admin()
    await house.office.acts.add_account(**_OWN)
    page = (await browser.get("/accounts")).text
    assert "pop3s://own@pop.firm.example" in html.unescape(page)
    assert re.findall(r'action="/accounts/([^"/]*)/pause"', page) == ["own%40firm.example"]
    assert re.findall(r'action="/accounts/([^"/]*)/probe"', page) == ["own%40firm.example"]
    way = "/accounts/own%40firm.example/pause"
    await browser.post(way, {"paused": "on"})
    assert not (await house.office.acts.account_show(address="own@firm.example"))["enabled"]
    assert f'action="{way.replace("%40", "@")}"' in (await browser.get("/accounts")).text.replace("%40", "@")
    await browser.post(way, {})
    assert (await house.office.acts.account_show(address="own@firm.example"))["enabled"]
    viewer = await house.admin("viewer", Role.VIEWER)
    assert NotAllowed.default_public in (await viewer.post(way, {"paused": "on"})).text


@pytest_twisted.ensureDeferred
async def test_who_comes_back_to_what_an_act_showed_sees_where_it_began(house: House) -> None:
    """An address that is only posted to leads to the page above it; one that is nothing is still nothing."""
    browser = await house.admin()
    for way, up in (
        ("/accounts/mail@company.example/probe", "/accounts/mail@company.example"),
        ("/settings/token", "/settings"),
        ("/users/andrew/app-password", "/users/andrew"),
        ("/mailboxes/andrew/3/look", "/mailboxes/andrew"),
        ("/outbox/1/look", "/outbox/1"),
        ("/people/passwords", "/people"),
    ):
        answer = await browser.get(way)
        assert (answer.code, answer.header("Location")) == (303, up)
    assert (await browser.get("/people")).header("Location") == "/users"
    assert (await browser.get("/settings/nothing")).code == 404
    stranger = await house.browser().get("/settings/token")
    assert stranger.header("Location").startswith("/login")


@pytest_twisted.ensureDeferred
async def test_mail_of_admin_is_given_out_of_the_mailbox_too(house: House) -> None:
    """Each row leads to the page that gives it; bounds stand beside what is full."""
    browser = await house.admin()
    await letter(house, "for nobody")
    page = (await browser.get("/mailboxes/admin1")).text
    case = (await house.office.acts.admin_list())[0]["id"]
    assert f'href="/work/{case}"' in page
    assert "of this sender" in (await browser.get(f"/work/{case}")).text
    assert "/work/" not in (await browser.get("/mailboxes/andrew")).text
    await house.office.acts.add_user(name="ann", password="geheim123", quota=5_000_000)
    assert "of 5.0" in (await browser.get("/mailboxes")).text
    assert "/live/changes?of=mailboxes" in page
