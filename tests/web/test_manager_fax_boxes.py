"""Faxes that went to the wrong mailbox, and the boxes, in the manager: over real sockets, with a pretended line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import PolicyRefusal
from mailshare.core.fax_orders import Order
from mailshare.core.values import QueueState, Role
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from tests.fax.test_fax_boxes import page
from tests.web.conftest import FILE, House
from tests.web.test_manager_faxes import FAX, PNG, kinds, over

BOXES = (
    FILE
    + FAX
    + """
[[user]]
name = "berta"
password = "berta"
accounts = ["mail@company.example"]
[[printer]]
name = "floor"
addresses = ["floor"]
device = "dir:printed"
plain = true
[[fax_box]]
name = "board"
to = ["berta"]
code = "sesame4711"
[[fax_box]]
name = "prices"
kind = "bulletin"
[[fax_route]]
subaddress = "1"
to = ["box:board"]
[[fax_route]]
subaddress = "2"
to = ["box:prices"]
"""
)


@pytest.fixture
def office_file(tmp_path: Path) -> str:
    return BOXES.replace("dir:printed", f"dir:{tmp_path}/printed")


async def rings(house: House, pages: Sequence[FaxPage], number: int = 1, sub: str = "") -> str:
    """A call comes in; the trace of what it became."""
    office = house.office._parts.fax.running()
    receiver = office.onramp
    assert receiver is not None
    call = Ringing(f"call-{number}", "pretend", "+4989123456", "+49305550100", "", "far", sub)
    assert await receiver.screen(call) is FaxCause.OK
    for index, each in enumerate(pages):
        await receiver.page_received(call, index, each)
    await receiver.finished(call, CallFacts(FaxCause.OK, "far", sub))
    while len(came := await kinds(house, "fax.received")) < number:
        await deferLater(reactor, 0.02)
    return str(came[-1]["trace"])


async def lies_with(house: House, name: str, count: int) -> None:
    """Wait until a mailbox has so many messages."""
    user = house.office.store.directory.current().user_by_name[name]
    for _ in range(1200):
        found = await house.office.store.mailboxes.entries(user.id)
        if len(found) == count:
            return
        await deferLater(reactor, 0.05)
    raise AssertionError([one.message for one in found])


async def waiting(house: House, count: int) -> list[int]:
    """Wait until so many faxes lie in boxes; their rows."""
    for _ in range(1200):
        rows = await house.office.store.queue.items(agent="fax-desk")
        if [row.state for row in rows] == [QueueState.HELD] * count:
            return [row.id for row in rows]
        await deferLater(reactor, 0.05)
    raise AssertionError(rows)


@pytest_twisted.ensureDeferred
async def test_a_fax_is_given_to_its_owner_and_keeps_its_pages(house: House) -> None:
    """It leaves the wrong mailbox, lies in the right one, is shown as before, and the journal says who did it."""
    browser = await house.admin()
    trace = await rings(house, [page(1)])
    await lies_with(house, "andrew", 1)
    way = f"/fax/received/{trace}"
    assert "Give this fax to somebody else" in (await browser.get(way)).text
    wrong = {"": "Say whom", "nobody": "nobody called nobody", "nobody@fax.mail.office.example": "fax address book"}
    for to, words in wrong.items():
        assert (await browser.post(f"{way}/give", {"to": to}, Referer=way)).code == 303
        assert words in (await browser.get(way)).text
    assert (await browser.post(f"{way}/give", {"users": "berta"})).header("Location") == way
    await lies_with(house, "andrew", 0)
    await lies_with(house, "berta", 1)
    after = (await browser.get(way)).text
    assert "admin gave it to berta" in after
    assert (await browser.get(f"{way}/pages/1")).text.startswith(PNG)
    [told] = await kinds(house, "fax.given")
    assert (told["by"], told["from"], told["to"]) == ("admin", "andrew", ["berta"])
    back = await house.office.acts.fax_give(trace=trace, to=["andrew"], by="me")
    assert back == {"trace": trace, "from": "berta", "to": ["andrew"]}
    await lies_with(house, "andrew", 1)


@pytest_twisted.ensureDeferred
async def test_a_fax_is_given_to_several_and_to_the_outside(house: House) -> None:
    """Kept where it is, it is a copy; an address elsewhere gets a mail by the account; the API does it too."""
    await house.admin()
    trace = await rings(house, [page(1)])
    acts = house.office.acts
    await acts.fax_give(trace=trace, to=["berta"], keep=True, by="me")
    await lies_with(house, "andrew", 1)
    await lies_with(house, "berta", 1)
    await acts.fax_give(trace=trace, to=["admin1", "owner@far.example"], by="me")
    [out] = await house.office.store.queue.items(agent="relay")
    assert out.address == "owner@far.example"
    await lies_with(house, "andrew", 0)
    await lies_with(house, "admin1", 1)
    shown = await acts.fax_received_show(trace=trace)
    assert sorted(shown["holders"]) == ["admin1", "berta"]
    made = await acts.add_token(owner="admin", label="desk", level="operate")
    token = f"Bearer {made['token']}"
    given = await house.browser().ask(
        "POST",
        f"/api/v1/fax/received/{trace}/give",
        b'{"to": ["andrew"], "mailbox": "admin1"}',
        Authorization=token,
        Content_Type="application/json",
    )
    assert given.code == 200, given.text
    await lies_with(house, "andrew", 1)


@pytest_twisted.ensureDeferred
async def test_a_box_shows_what_lies_in_it_and_is_emptied_by_an_administrator(house: House, tmp_path: Path) -> None:
    """Since when, from whom, who had it; given out, printed and deleted by buttons, all in the audit; no code."""
    browser = await house.admin()
    await rings(house, [page(1)], 1, "1")
    await rings(house, [page(2), page(3)], 2, "1")
    second, first = await waiting(house, 2)
    shown = (await browser.get("/fax/boxes")).text + (await browser.get("/fax/boxes/board")).text
    assert "confidential" in shown
    assert shown.count("m.toml:") == 3  # locked, with its line, in the list and on its page
    assert f"Fax {first} from +4989123456" in shown
    assert "sesame4711" not in shown
    printed = await browser.post(f"/fax/boxes/board/faxes/{first}", {"act": "print", "printer": "floor"})
    assert printed.code == 303, printed.text
    assert (await house.office.acts.print_jobs(all=True))[0]["queue"] == "floor"
    assert (await browser.post(f"/fax/boxes/board/faxes/{first}", {"act": "release"})).code == 303
    await lies_with(house, "berta", 3)  # two notices that one waits, and it
    assert (await browser.post(f"/fax/boxes/board/faxes/{second}", {"act": "delete"})).code == 303
    await waiting(house, 0)
    after = (await browser.get("/fax/boxes/board")).text
    assert "It is empty" in after
    assert re.search(r"given out</td>.*?admin</td>.*?berta</td>", after, re.DOTALL)
    assert ">deleted</td>" in after
    acts = {one["act"] for one in await kinds(house, "admin.did")}
    assert "steer_fax_box" in acts
    again = await browser.post(f"/fax/boxes/board/faxes/{second}", {"act": "delete"})
    assert again.code == 404
    assert "There is no fax" in again.text
    viewer = await house.admin("vera", Role.VIEWER)
    assert 'name="act"' not in (await viewer.get("/fax/boxes/board")).text
    assert (await viewer.get("/fax/boxes/none")).code == 404


@pytest_twisted.ensureDeferred
async def test_a_bulletin_that_is_given_out_stays(house: House) -> None:
    """It is for whoever asks; one copy more or less changes nothing."""
    await house.admin()
    await rings(house, [page(1)], 1, "2")
    [row] = await waiting(house, 1)
    await house.office.acts.steer_fax_box(name="prices", id=row, act="release", to=["andrew"], by="me")
    await lies_with(house, "andrew", 1)
    assert [one["id"] for one in (await house.office.acts.fax_box(name="prices"))["faxes"]] == [row]


@pytest_twisted.ensureDeferred
async def test_wrong_codes_count_over_a_start(house: House) -> None:
    """Whoever tried five times is shut out for the hour, also when the server was started anew; the screen says so."""
    browser = await house.admin()
    office = house.office._parts.fax.running()
    berta = house.office.store.directory.current().user_by_name["berta"]
    box = office.rules.box("board")
    assert box is not None
    for _ in range(5):
        await office.desk.wrong.count(box.name, user=berta.id)
    assert "berta: 5 in this hour" in (await browser.get("/fax/boxes/board")).text
    office.desk.wrong._known.clear()  # what a start leaves of the memory
    assert len(await office.desk.wrong.of_user(box.name, berta.id)) == 5
    with pytest.raises(PolicyRefusal, match="Too many wrong codes"):
        await office.desk._about_box(box, berta, Order("get", "sesame4711"), count=True)


@pytest_twisted.ensureDeferred
async def test_damaged_rows_are_told_of_what_came_and_of_what_went(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a bad line, and of a TIFF file that was mended before it was sent: on the page, by API and in the report."""
    browser = await house.admin()
    trace = await rings(house, [evolve(page(1), bad_rows=4)])
    assert "4 rows came damaged" in (await browser.get(f"/fax/received/{trace}")).text
    pages = house.office._parts.fax.running().pages
    worked = pages._worked

    async def mended(operation: str, *rest: object) -> tuple[bytes, Mapping[str, object]]:
        made, facts = await worked(operation, *rest)  # type: ignore[arg-type]
        return made, {**facts, "damaged_rows": 3}

    monkeypatch.setattr(pages, "_worked", mended)
    sent = await browser.upload("/fax/send", {"to": "+49305550200"}, "a.txt", b"hello")
    number = int(sent.header("Location").rpartition("/")[2])
    await over(house, number)
    assert "3 rows of its document were damaged" in (await browser.get(f"/fax/{number}")).text
    assert (await house.office.acts.fax_show(id=number))["damaged_rows"] == 3
