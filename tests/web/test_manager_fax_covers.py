"""Cover sheets: chosen for one fax or for all, seen before anything is sent."""

from __future__ import annotations

from email import message_from_bytes
from io import BytesIO

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.core.errors import NotPossible
from mailshare.core.fax_covers import FaxCover, chosen_cover
from tests.web.conftest import FILE, House
from tests.web.test_manager_faxes import FAX, PNG, over

COVERS = (
    FILE
    + FAX
    + """
[[fax_cover]]
name = "Law"
title = "Confidential"
note = "For the addressee alone."
text = false
"""
)


@pytest.fixture
def office_file() -> str:
    return COVERS


@pytest.mark.parametrize(
    ("wish", "usual", "name"),
    [("", "none", ""), ("", "law", "Law"), ("none", "law", ""), ("LAW", "none", "Law"), ("gone", "none", "standard")],
)
def test_a_fax_gets_the_sheet_it_asks_for_else_the_usual_one(wish: str, usual: str, name: str) -> None:
    """One that was chosen and is declared no more is the standard one, for a cover page was wanted."""
    found = chosen_cover(wish, usual, [FaxCover("Law")])
    assert (found.name if found is not None else "") == name


async def pages_of(house: House, number: int) -> str:
    """Pages that the far machine confirmed."""
    shown = await house.office.acts.fax_show(id=number)
    return str(shown["calls"][-1]["X-Fax-Pages"]).partition("/")[0].partition(" ")[0]


@pytest_twisted.ensureDeferred
async def test_a_cover_sheet_is_chosen_for_one_fax(house: House) -> None:
    """It adds a page of its own, also when the fax is sent once more; words may be a page."""
    browser = await house.admin()
    assert "Law" in (await browser.get("/fax/send")).text
    counts = {}
    for cover in ("", "standard", "Law"):
        form = {"to": "+49305550200", "text": "some words", "cover": cover}
        sent = await browser.upload("/fax/send", form, "a.txt", b"hello")
        assert sent.code == 303, sent.text
        number = int(sent.header("Location").rpartition("/")[2])
        await over(house, number)
        counts[cover] = await pages_of(house, number)
    assert counts == {"": "2", "standard": "2", "Law": "3"}
    again = (await house.office.acts.fax_resend(id=number))["faxes"][0]
    await over(house, again)
    assert await pages_of(house, again) == counts["Law"]
    wrong = await browser.upload("/fax/send", {"to": "7", "cover": "nowhere"}, "a.txt", b"x")
    assert "There is no cover sheet nowhere; there are standard, none, Law" in wrong.text


@pytest_twisted.ensureDeferred
async def test_cover_sheets_are_seen_before_they_go_out(house: House) -> None:
    """Each with its title and note and the words that are filled in, as the page that a machine would print."""
    browser = await house.admin()
    page = (await browser.get("/fax/covers?to=Ms+Miller&subject=Offer")).text
    assert "/fax/covers/Law/picture?to=Ms+Miller&amp;subject=Offer" in page
    plain = await browser.get("/fax/covers/standard/picture")
    worded = await browser.get("/fax/covers/standard/picture?text=one+two")
    assert plain.text.startswith(PNG)
    assert worded.text.startswith(PNG)
    assert plain.text != worded.text
    law = [await browser.get(f"/fax/covers/Law/picture{query}") for query in ("", "?text=one+two")]
    assert law[0].text == law[1].text != plain.text  # its words go as a page of their own
    with pytest.raises(NotPossible):
        await house.office.acts.fax_cover(name="none")


@pytest_twisted.ensureDeferred
async def test_reports_carry_the_transmission_report_where_that_is_wanted(house: House) -> None:
    """A PDF beside the words and the picture of the first page, once for the fax."""
    office = house.office._parts.fax.running()
    office.follow(evolve(office.rules, report_pdf=True))
    done = await house.office.acts.fax_document(
        document=BytesIO(b"hello"), to=["+49305550200"], name="a.txt", user="andrew"
    )
    number = done["faxes"][0]
    await over(house, number)
    andrew = house.office.store.directory.current().user_by_name["andrew"]
    for _ in range(600):
        found = await house.office.store.mailboxes.entries(andrew.id)
        if found:
            break
        await deferLater(reactor, 0.1)
    kept = await house.office.store.message(found[0].message.id)
    assert kept is not None
    mail = message_from_bytes(await kept[0].read(0, kept[0].size))
    papers = [part for part in mail.walk() if part.get_content_type() == "application/pdf"]
    assert [part.get_filename() for part in papers] == [f"fax-{number}.pdf"]
    assert papers[0].get_payload(decode=True).startswith(b"%PDF")
    assert [part.get_content_type() for part in mail.walk()].count("image/png") == 1
