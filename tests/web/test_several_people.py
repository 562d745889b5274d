"""Several people at once: a table with a look before, those who are ticked, slips with passwords, fields in a row."""

from __future__ import annotations

import html
import re
from io import BytesIO
from typing import Any

import pypdfium2
import pytest
import pytest_twisted

from mailshare.core.errors import PeerFault
from mailshare.core.values import Role
from tests.web.conftest import Browser, House

_TABLE = b"""login,name,password,copies
ann,Ann Lee,,bob
bob,Bob Brown,his own word,
andrew,Andrew Smith,,
"""


def people(house: House) -> dict[str, Any]:
    return {user.name: user for user in house.office.store.directory.current().users}


def fields(page: str, name: str) -> list[str]:
    """Values of hidden fields."""
    found = re.findall(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    return [html.unescape(one) for one in found]


def words_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(BytesIO(pdf))
    return "\n".join(page.get_textpage().get_text_range() for page in document)


async def taken(browser: Browser, page: str) -> str:
    """What comes of "do all of it" on a page that showed what would happen."""
    form = {"text": fields(page, "text"), "accounts": fields(page, "accounts"), "act": "take"}
    return (await browser.post("/users/paste", form)).text


@pytest_twisted.ensureDeferred
async def test_a_table_is_looked_at_first_and_then_taken_over_whole(house: House) -> None:
    """Line by line: made, changed, left as it is; copies may name who is made in the same table."""
    browser = await house.admin()
    before = people(house)
    look = await browser.upload("/users/paste", {"accounts": "mail@company.example"}, "people.csv", _TABLE)
    assert look.code == 200
    what = re.findall(r"</svg> (is made|stays as it is|is changed)", look.text)
    assert what == ["is made", "is made", "stays as it is"]
    assert people(house) == before
    done = await taken(browser, look.text)
    now = people(house)
    assert now["ann"].cc == (now["bob"].id,)
    assert now["ann"].names == ("Ann Lee",)
    assert now["ann"].accounts == (house.office.store.directory.current().accounts[0].id,)
    assert now["andrew"] == before["andrew"]
    assert "<code>his own word</code>" in done
    passwords = dict(zip(fields(done, "id"), fields(done, "secret"), strict=True))
    sheet = await browser.post("/people/slips", {"id": list(passwords), "secret": list(passwords.values())})
    assert sheet.header("Content-Type") == "application/pdf"
    for name, password in passwords.items():
        user, hashed, _ = await house.office.store.directory.credentials(name)
        assert user.name == name
        assert hashed
        assert password
    back = await browser.upload("/users/paste", {}, "users.csv", (await browser.get("/users/export.csv")).text.encode())
    assert set(re.findall(r"</svg> (is \w+|stays as it is)", back.text)) == {"stays as it is"}


@pytest_twisted.ensureDeferred
async def test_a_table_with_a_wrong_line_changes_nothing(house: House) -> None:
    """Each wrong line says why, with its number; there is no button to do it, and doing it all the same is refused."""
    browser = await house.admin()
    before = people(house)
    text = "login,name,copies,enabled\nann,Ann,nobody,yes\nandrew,Andy,,yes\neve,Eve,,perhaps\nann,A,,no\nzoe,Z,,no\n"
    look = await browser.post("/users/paste", {"text": text, "act": "take"})
    assert look.code == 422
    assert "4 lines are wrong" in look.text
    shown = html.unescape(look.text)
    for words in ("There is no user nobody", "is declared at", "neither yes nor no"):
        assert words in shown, words
    assert 'value="take"' not in look.text
    assert [int(one) for one in re.findall(r'data-label="Line">(\d+)<', look.text)] == [2, 3, 4, 5, 6]
    assert people(house) == before
    twice, strange, text_for_number = [{"name": "ok"}] * 2, [{"nome": "x"}], [{"name": "ok", "quota": "1"}]
    for wrong in (twice, strange, text_for_number, []):
        with pytest.raises(PeerFault):
            await house.office.acts.set_users(people=wrong)
    assert people(house) == before


@pytest_twisted.ensureDeferred
async def test_those_who_are_ticked_are_switched_deleted_and_brought_back(house: House) -> None:
    """Each with its Undo; new passwords are asked for twice and come with slips."""
    browser = await house.admin()
    for name in ("ann", "bob"):
        await house.office.acts.add_user(name=name, names=[name.title()], password="geheim123", accounts=[])
    ticked = {"id": ["ann", "bob"]}
    await browser.post("/people/several", {**ticked, "act": "off"}, Referer=f"http://127.0.0.1:{house.port}/users")
    page = (await browser.get("/users")).text
    assert "2 users are switched off" in page
    assert not people(house)["ann"].enabled
    undo = {"act": fields(page, "act")[0], "ids": fields(page, "ids")[0]}
    await browser.post("/people/several", undo)
    assert people(house)["ann"].enabled
    asked = await browser.post("/people/several", {**ticked, "act": "passwords"})
    assert "Make new passwords for 2 users" in asked.text
    old = await house.office.store.directory.credentials("ann")
    made = (await browser.post("/people/passwords", {"id": fields(asked.text, "id")})).text
    assert (await house.office.store.directory.credentials("ann"))[1] != old[1]
    assert len(fields(made, "secret")) == 2
    await browser.post("/people/several", {**ticked, "act": "delete"})
    page = (await browser.get("/users")).text
    assert "2 users were deleted" in page
    assert "ann" not in people(house)
    await browser.post("/people/several", {"act": fields(page, "act")[0], "ids": fields(page, "ids")[0]})
    assert {"ann", "bob"} <= set(people(house))
    assert (await browser.post("/people/several", {"act": "off"})).code == 303
    viewer = await house.admin("viewer", Role.VIEWER)
    assert (await viewer.post("/people/several", {**ticked, "act": "off"})).code in (303, 403)
    assert people(house)["ann"].enabled


@pytest_twisted.ensureDeferred
async def test_slips_hold_the_password_that_was_just_made(house: House) -> None:
    """One page each; without one there is a line to write on."""
    browser = await house.admin()
    ann = {"name": "ann", "names": ["Ann Lee"], "accounts": ["mail@company.example"]}
    await house.office.acts.add_user(**ann, password="geheim123")
    body = b"id=ann&secret=bada-bedi&id=andrew&secret=kulo-mapi"
    text = words_of(await browser.raw("POST", "/people/slips", body))
    assert "Mail for Ann Lee" in text
    assert "bada-bedi" in text
    assert "kulo-mapi" in text
    plain = words_of(await browser.raw("POST", "/people/several", b"act=slips&id=ann&id=andrew"))
    assert plain.count("Mail for ") == 2
    assert "bada" not in plain


@pytest_twisted.ensureDeferred
async def test_a_user_is_changed_within_the_list(house: House) -> None:
    """Names, copies, bound and switch; what is wrong is told there, and what another changed meanwhile is not lost."""
    browser = await house.admin()
    await house.office.acts.add_user(name="ann", names=["Ann Lee"], password="geheim123", accounts=[])
    page = (await browser.get("/users?edit=ann&q=ann")).text
    was = fields(page, "was")[0]
    form = {"was": was, "q": "ann", "names": "Ann Lee, Annie", "cc": "nobody", "quota": "5000", "enabled": "on"}
    wrong = await browser.post("/users/ann/row", form)
    assert wrong.code == 404
    assert "There is no user nobody" in wrong.text
    assert 'value="Ann Lee, Annie"' in wrong.text
    saved = await browser.post("/users/ann/row", {**form, "cc": "andrew"})
    assert saved.header("Location") == "/users?q=ann"
    assert people(house)["ann"].names == ("Ann Lee", "Annie")
    assert people(house)["ann"].quota.octets == 5000
    assert (await browser.post("/users/ann/row", form)).code == 412
    declared = (await browser.get("/users?edit=andrew")).text
    assert 'id="inline"' not in declared
    listed = (await browser.get("/users")).text
    assert "Andrew Smith &lt;mail@company.example&gt;" in listed


@pytest_twisted.ensureDeferred
async def test_an_account_admin_sets_the_own_people_alone(house: House) -> None:
    """Nobody of another account, nobody new without an own account."""
    await house.admin()
    await house.office.acts.add_user(name="ann", password="geheim123", accounts=["two@firm.example"])
    keeper = await house.admin("keeper", Role.KEEPER, ("mail@company.example",))
    before = people(house)
    for text, accounts in (("ann, Ann Lee", []), ("zoe, Zoe", []), ("zoe, Zoe", ["two@firm.example"])):
        answer = await keeper.post("/users/paste", {"text": text, "accounts": accounts, "act": "take"})
        assert answer.code in (303, 403), text
    assert people(house) == before
    await keeper.post("/users/paste", {"text": "zoe, Zoe", "accounts": "mail@company.example", "act": "take"})
    assert "zoe" in people(house)
