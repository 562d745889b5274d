"""The page of one printer, and what the buttons beside each say."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted

from mailshare.core.values import PrinterState, PrinterStatus, Role
from tests.web.conftest import FILE, House

PRINTER = """
[[printer]]
name = "floor"
title = "Second floor"
addresses = ["mail+floor@company.example"]
device = "dir:FOLDER"
level = 0
allow = ["*@partner.example"]
pages_day = 40
[[printer.senders]]
match = "boss@company.example"
pages_day = 0
[printer.contacts]
key = ["hotline@company.example"]
[printer.wording]
key = { subject = "{printer} wants you", text = "It {words}." }
"""


@pytest.fixture
def office_file(tmp_path: Path) -> str:
    return FILE + PRINTER.replace("FOLDER", f"{tmp_path}/printed")


@pytest_twisted.ensureDeferred
async def test_a_printers_page_says_who_may_print_how_much_and_when(house: House) -> None:
    """Allowed senders, bounds, the timetable of its mail, jobs in parts, and its mails in the owner's words."""
    browser = await house.admin()
    page = (await browser.get("/printers/floor")).text
    for words in (
        "none: guests may print",
        "40 pages a day",
        "boss@company.example",
        "*@partner.example",
        "guests",
        "No job lacks a part",
        "floor wants you",
        "It is out of paper.",
        "hotline@company.example",
    ):
        assert words in page, words
    assert (await browser.get("/printers/none")).code == 404
    assert "Branch &lt;b&gt;office&lt;/b&gt;" in (await browser.get("/printers/branch")).text
    viewer = await house.admin("vera", Role.VIEWER)
    assert '<form method="post" action="/printers/floor' not in (await viewer.get("/printers/floor")).text


@pytest_twisted.ensureDeferred
async def test_buttons_are_sentences_and_reasons_are_words(house: House) -> None:
    """Each button names what it acts on; the keywords of IPP are told with what to do, in the reader's language."""
    browser = await house.admin()
    assert house.office.acts.printing is not None
    service = (await house.office.acts.printing()).service
    device = service.printers["floor"].device
    reasons = ("media-empty-error", "toner-low-warning", "vendor-dream")
    service.conditions.saw(device.name, PrinterStatus(PrinterState.STOPPED, reasons=reasons))
    page = (await browser.get("/printers")).text
    for words in (
        "Ask floor how it stands",
        "Print a test page on floor",
        "Print a document on floor",
        "Pause branch",
        "is out of paper: Fill in paper.",
        "has little toner left",
        "vendor-dream",
    ):
        assert words in page, words
    german = (await browser.get("/printers", Cookie=f"{browser.cookie}; ms-language=de")).text
    assert "hat kein Papier mehr: Füllen Sie Papier nach." in german
    assert "Eine Testseite auf floor drucken" in german
