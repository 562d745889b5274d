"""Faxes, their pages and the address book in the manager, over real sockets, with a line that is only pretended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.values import Role
from tests.web.conftest import FILE, PASSWORD, House

FAX = """
[fax]
country = "DE"
area = "30"
senders = ["andrew"]
station = "+49 30 5550100"
inbox = ["andrew"]
[[fax_line]]
name = "pretend"
kind = "loop"
numbers = ["+49305550100"]
[fax_line.options.numbers]
"+49305550200" = "answers"
"+49305550201" = "busy"
[[fax_contact]]
name = "shop"
short = "7"
number = "+49305550200"
"""
PNG = "\ufffdPNG"


@pytest.fixture
def office_file() -> str:
    return FILE + FAX


async def over(house: House, number: int) -> None:
    """Wait until a fax is over."""
    for _ in range(600):
        row = await house.office.store.queue.item(number)
        assert row is not None
        if row.state.name == "DELIVERED":
            return
        await deferLater(reactor, 0.05)
    raise AssertionError(row)


async def kinds(house: House, kind: str) -> list[dict[str, object]]:
    """What the journal has of a kind."""
    found = await house.office.acts.log(kinds=[kind])
    return [{**one["data"], "trace": one["trace"]} for one in found["events"]]


@pytest_twisted.ensureDeferred
async def test_a_fax_is_sent_from_a_form_and_comes_back_with_its_pages(house: House) -> None:
    """From the browser's document to the pages that came in; who looked at them stands in the journal."""
    browser = await house.admin()
    assert "shop" in (await browser.get("/fax/send?to=7")).text
    sent = await browser.upload("/fax/send", {"to": "+49305550100", "user": "andrew"}, "offer.txt", b"one\f two")
    assert sent.code == 303, sent.text
    way = sent.header("Location")
    number = int(way.rpartition("/")[2])
    await over(house, number)
    page = (await browser.get(way)).text
    assert f'src="/fax/{number}/pages/2"' in page
    picture = await browser.get(f"/fax/{number}/pages/2?large=1")
    assert picture.header("Content-Type") == "image/png"
    assert picture.text.startswith(PNG)
    assert (await browser.get(f"/fax/{number}/pages/9")).code == 409
    [came] = await kinds(house, "fax.received")
    assert "+49 30 5550100" in (await browser.get("/fax")).text
    inside = await browser.get(f"/fax/received/{came['trace']}")
    assert f'src="/fax/received/{came["trace"]}/pages/2"' in inside.text
    assert (await browser.get(f"/fax/received/{came['trace']}/pages/1")).text.startswith(PNG)
    assert {one["by"] for one in await kinds(house, "admin.looked")} == {"admin"}
    assert "fax_document" in [one["act"] for one in await kinds(house, "admin.did")]
    again = await browser.post(way, {"act": "resend"})
    assert again.code == 303
    assert (await browser.get("/fax?all=true&q=5550100")).text.count('<tr><th scope="row"><a href="/fax/') >= 2
    left = os.listdir(Path(house.office.config.data) / "uploads")
    assert left == []


@pytest_twisted.ensureDeferred
async def test_a_busy_fax_waits_and_is_given_up_by_a_button(house: House) -> None:
    """The queue shows it with its next try; cancelled, it is over; a mistake is told on the form it was made on."""
    browser = await house.admin()
    sent = await browser.upload("/fax/send", {"to": "+49305550201"}, "a.txt", b"hello")
    number = int(sent.header("Location").rpartition("/")[2])
    while not (await house.office.acts.fax_show(id=number))["attempts"]:
        await deferLater(reactor, 0.02)
    assert f"Cancel fax {number}" in (await browser.get("/fax")).text.replace("\n", " ")
    assert (await browser.post(f"/fax/{number}", {"act": "cancel"})).code == 303
    assert (await house.office.acts.fax_show(id=number))["over"]
    for form, name, words in (
        ({"to": "+49305550200"}, "", "Choose a document"),
        ({"to": ""}, "a.txt", "Give a number"),
        ({"to": "+49900123456"}, "a.txt", "sends no faxes there"),
        ({"to": "nobody"}, "a.txt", "address book"),
    ):
        answer = await browser.upload("/fax/send", form, name, b"x")
        assert answer.code >= 400
        assert words in answer.text, (form, answer.text)


@pytest_twisted.ensureDeferred
async def test_roles_reach_as_far_with_faxes_as_elsewhere(house: House) -> None:
    """A viewer sees the queue and no page of it; who looks after an account sees neither, and is told."""
    owner = await house.admin()
    sent = await owner.upload("/fax/send", {"to": "+49305550200"}, "a.txt", b"hello")
    number = int(sent.header("Location").rpartition("/")[2])
    viewer = await house.admin("vera", Role.VIEWER)
    page = (await viewer.get(f"/fax/{number}")).text
    assert "/pages/1" not in page
    assert 'name="act"' not in page
    assert (await viewer.get(f"/fax/{number}/pages/1")).code == 403
    assert (await viewer.upload("/fax/send", {"to": "+49305550200"}, "a.txt", b"x")).code == 403
    assert len(await house.office.acts.fax_queue(all=True)) == 1
    keeper = await house.admin("kay", Role.KEEPER, ("mail@company.example",))
    assert (await keeper.get("/fax")).code == 403
    assert 'href="/fax"' not in (await keeper.get("/")).text


@pytest_twisted.ensureDeferred
async def test_a_document_that_is_too_large_or_unasked_is_refused_before_it_is_read(house: House) -> None:
    """Nobody without a session and the right gets more room than a form has; an owner gets as much as is told."""
    stranger = house.browser()
    much = b"x" * 200_000
    assert (await stranger.upload("/fax/send", {"to": "7"}, "a.txt", much)).code == 413
    viewer = await house.admin("vera", Role.VIEWER)
    assert (await viewer.upload("/fax/send", {"to": "7"}, "a.txt", b"x" * 1_200_000)).code == 413
    owner = await house.admin()
    evil = await owner.upload("/fax/send", {"to": "7"}, "a.txt", much, Origin="http://evil.example")
    assert evil.code in (403, 413)
    taken = await owner.upload("/fax/send", {"to": "7"}, "a.bin", b"\0" * 2_400_000)
    assert taken.code != 413
    assert await house.office.acts.fax_queue(all=True) == []
    assert "cannot be faxed" in taken.text


@pytest_twisted.ensureDeferred
async def test_the_book_is_edited_laid_out_and_followed_at_once(house: House) -> None:
    """What is added can be faxed to by name and by key; what the file declares is locked and says where it stands."""
    browser = await house.admin()
    form = {"name": "miller", "title": "Ms Miller", "number": "030 5550201", "mail": "m@miller.example"}
    assert (await browser.post("/book/new", form)).code == 303
    taken = await browser.post("/book/new", {"name": "x", "number": "+49305550203", "short": "7"})
    assert taken.code == 409
    assert "The key 7 is that of shop" in taken.text
    assert (await browser.post("/book/new", {"name": "all", "members": ["shop", "miller"]})).code == 303
    assert (await browser.post("/book/keys", {"key-1": "miller", "key-2": "all"})).code == 303
    rules = house.office._parts.fax.running().rules
    assert rules.contact("1").name == "miller"
    assert rules.contact("all").members == ("shop", "miller")
    page = (await browser.get("/book/entries/shop")).text
    line = 1 + (FILE + FAX).partition("[[fax_contact]]")[0].count("\n")
    assert f"m.toml:{line}" in page
    assert "disabled" in page
    locked = await browser.post("/book/entries/shop", {"number": "+49305550299"})
    assert locked.code == 409
    assert f"m.toml:{line}" in locked.text
    assert (await browser.get("/book/number?number=030%205550201")).text.strip() == "+49305550201, local"
    assert (await browser.post("/book/entries/miller/delete", {})).code == 303
    assert rules is not house.office._parts.fax.running().rules
    assert (await house.office.acts.book_entry(name="all"))["members"] == ["shop"]


@pytest_twisted.ensureDeferred
async def test_two_who_edit_the_same_entry_do_not_undo_each_other(house: House) -> None:
    """The second is told, and sees what it is now."""
    first, second = await house.admin(), await house.admin("bob")
    await first.post("/book/new", {"name": "miller", "number": "+49305550201"})
    mark = (await second.get("/book/entries/miller")).text.partition('name="was" value="')[2].partition('"')[0]
    assert (await first.post("/book/entries/miller", {"number": "+49305550202", "was": mark})).code == 303
    late = await second.post("/book/entries/miller", {"number": "+49305550203", "was": mark})
    assert late.code == 412
    assert "Somebody else changed this" in late.text
    assert (await house.office.acts.book_entry(name="miller"))["number"] == "+49305550202"


@pytest_twisted.ensureDeferred
async def test_books_of_other_programs_are_taken_over_and_given_out(house: House) -> None:
    """A vCard as a file, what cannot be taken told with its reason, and a table that can be read again."""
    browser = await house.admin()
    cards = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann Lee\r\nORG:Lee\\, Ltd\r\nTEL;TYPE=FAX:+49 30 5550210\r\nEND:VCARD\r\n"
        "BEGIN:VCARD\r\nFN:Bob\r\nTEL;TYPE=work,fax:ask at the desk\r\nEND:VCARD\r\n"
    )
    answer = await browser.upload("/book/import", {"text": ""}, "people.vcf", cards.encode())
    assert answer.code == 200
    assert "Bob" in answer.text
    assert (await house.office.acts.book_entry(name="ann.lee"))["company"] == "Lee, Ltd"
    table = (await browser.get("/book/export/csv")).text
    assert "ann.lee,Ann Lee" in table
    assert "FN:Ann Lee" in (await browser.get("/book/export/vcard")).text
    await browser.post("/book/entries/ann.lee/delete", {})
    back = await browser.post("/book/import", {"text": table})
    assert back.code == 200  # the declared one is there already
    assert (await house.office.acts.book_entry(name="ann.lee"))["number"] == "+49 30 5550210"


@pytest_twisted.ensureDeferred
async def test_a_program_sends_a_document_with_its_token(house: House) -> None:
    """The octets are the body, what is to be done stands in the query; the same act, the same audit."""
    await house.admin()
    made = await house.office.acts.add_token(owner="admin", label="scanner", level="operate")
    token = f"Bearer {made['token']}"
    browser = house.browser()
    sent = await browser.ask(
        "POST", "/api/v1/fax/documents?to=7&name=a.bin&user=andrew", b"\0" * 1_800_000, Authorization=token
    )
    assert sent.code == 409  # read whole, and nothing that could be faxed
    sent = await browser.ask("POST", "/api/v1/fax/documents?to=7&name=a.txt", b"hello", Authorization=token)
    assert sent.code == 200, sent.text
    assert '"faxes": [' in sent.text
    assert {"act": "fax_document", "by": "admin (scanner)"}.items() <= (await kinds(house, "admin.did"))[-1].items()
    assert PASSWORD not in sent.text


@pytest_twisted.ensureDeferred
async def test_one_touch_keys_change_places_without_a_script(house: House) -> None:
    """The arrows exchange a key with its neighbour and save what else was chosen; a declared key is passed over."""
    browser = await house.admin()
    for name, number in (("ann", "+49305550210"), ("bob", "+49305550211")):
        await browser.post("/book/new", {"name": name, "number": number})
    page = (await browser.get("/book/keys")).text
    assert 'aria-label="Exchange key 6 with the next"' in page
    assert 'aria-label="Exchange key 7' not in page  # the file declares it
    await browser.post("/book/keys", {"key-6": "ann", "key-1": "bob", "down": "6"})

    async def laid() -> dict[str, str]:
        return {one["short"]: one["name"] for one in await house.office.acts.book() if one["short"]}

    assert await laid() == {"1": "bob", "7": "shop", "8": "ann"}
    await browser.post("/book/keys", {"key-8": "ann", "key-1": "bob", "up": "8"})
    assert await laid() == {"1": "bob", "6": "ann", "7": "shop"}
    await browser.post("/book/keys", {"key-6": "ann", "key-1": "bob", "up": "1"})  # nothing stands before it
    assert await laid() == {"1": "bob", "6": "ann", "7": "shop"}
    was = page.partition('name="was" value="')[2].partition('"')[0]
    await browser.post("/book/keys", {"was": was, "key-2": "bob"}, Referer=f"http://127.0.0.1:{house.port}/book/keys")
    assert await laid() == {"1": "bob", "6": "ann", "7": "shop"}
    assert "Somebody else laid the keys out" in (await browser.get("/book/keys")).text


@pytest_twisted.ensureDeferred
async def test_the_manager_fetches_from_a_machine(house: House) -> None:
    """By a form; what cannot be is told beside what was filled in, and the password is not."""
    browser = await house.admin()
    assert "/fax/poll" in (await browser.get("/fax")).text
    given = {"number": "+49305550200", "to": "nobody", "sep": "12", "pwd": "471199"}
    wrong = await browser.post("/fax/poll", given)
    assert (wrong.code >= 400, "no mailbox nobody" in wrong.text, "471199" in wrong.text) == (True, True, False)
    sent = await browser.post("/fax/poll", {**given, "to": "andrew"})
    assert sent.code == 303, sent.text
    row = await house.office.store.queue.item(int(sent.header("Location").rpartition("/")[2]))
    assert row is not None
    assert (row.params["sub"], row.params["to"], row.params["poll"]) == ("12", ["andrew"], True)
    await browser.post(f"/fax/{row.id}", {"act": "cancel"})
    for _ in range(1200):  # whatever becomes of it
        shown = (await browser.get(f"/fax/{row.id}")).text
        if 'value="cancel"' not in shown:
            break
        await deferLater(reactor, 0.05)
    assert ("/fax/poll?number=%2B49305550200" in shown, 'value="resend"' in shown) == (True, False)
    assert "471199" not in str(await house.office.acts.log(kinds=["admin.did", "fax.poll"]))
