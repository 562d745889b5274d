"""The manager walked by a browser: every control pressed once, what acts show, and rows by keys alone."""

from __future__ import annotations

import itertools
import smtplib
import time
from typing import Any

import pytest

from tests.peers.every_control import Walk
from tests.peers.test_manager_browser import (
    AXE,
    GLANCES,
    PASSWORD,
    Daemon,
    chromium,
    daemon,
    first_run,
    page,
    sent_by_form,
    violations,
)

__all__ = ["chromium", "daemon", "first_run", "page"]
pytestmark = pytest.mark.peers


def glanced(page: Any, what: str) -> list[str]:
    """What axe-core objects to on a page that is open, and what is wider than the screen."""
    page.evaluate(AXE.read_text())
    found = []
    for theme, width, rules in GLANCES:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{what} {theme} {width}: {one}" for one in violations(page, rules)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{what} {width}: {wide} wide"] if wide > width else []
    page.set_viewport_size({"width": 1100, "height": 800})
    return found


def test_what_acts_show_is_for_everybody(page: Any) -> None:
    """A line with Undo, a look at a table, slips, sorting that is tried: as the screens are."""
    page.goto("/users")
    page.get_by_role("checkbox", name="greg", exact=True).check()
    page.get_by_role("button", name="Switch off", exact=True).click()
    page.get_by_text("1 user is switched off").wait_for()
    found = glanced(page, "undo")
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("1 user is switched on").wait_for()
    page.goto("/users/paste")
    table = "login,name,enabled\nzoe,Zoe Young,yes\ngreg,Gregory Jones,yes\nx,X,perhaps"
    page.get_by_label("Or one line each").fill(table)
    page.get_by_role("button", name="Show what would happen").click()
    page.get_by_text("1 line is wrong").wait_for()
    found += glanced(page, "preview")
    page.get_by_label("Mend it here").fill("login,name\nzoe,Zoe Young\ngreg,Greg Jones")
    page.get_by_role("button", name="Show what would happen").click()
    page.get_by_role("button", name="Do all of it").click()
    page.get_by_role("heading", name="To hand out").wait_for()
    found += glanced(page, "slips")
    page.goto("/accounts/1")
    page.get_by_role("button", name="Try it on the last 20 messages").click()
    page.get_by_text("Nothing is saved yet.").wait_for()
    found += glanced(page, "tried")
    assert not found, "\n".join(found)


def test_rows_are_opened_ticked_and_left_by_keys(page: Any) -> None:
    """In lists with boxes too: Enter opens, and presses no button; shift ticks a stretch, and a button counts it."""
    page.goto("/users")
    for key in "jx":
        page.keyboard.press(key)
    assert page.locator('tbody tr:first-child input[name="id"]').is_checked()
    for key, way in (("Enter", "**/users/*"), ("Escape", "**/users")):
        page.keyboard.press(key)
        page.wait_for_url(way)
    page.locator('input[name="id"]').first.check()
    page.locator('input[name="id"]').nth(2).click(modifiers=["Shift"])
    assert page.get_by_role("button", name="Delete 3 users").is_visible()


WALKER_FILES = {
    "": ("a.txt", "text/plain", b"Hello"),
    "/book/import": ("book.csv", "text/csv", b"name,fax\nkiosk,+49305550123\n"),
    "/users/paste": ("people.csv", "text/csv", b"login,name\nwalter,Walter Walker\n"),
}
REFUSED_RIGHTLY = (
    "It names nobody that is not known", "is on its way already", "ADMIN and PUBLIC users go with their account",
)  # fmt: skip
"""What is said of the mail, job and user that happens to be the first of a list."""


def test_every_link_and_button_does_something_and_leads_on(page: Any, daemon: Daemon) -> None:
    """An owner presses each once, on an office with mail, jobs and faxes: no error, no complaint, no dead end."""
    for name in ("andrew", *["admin1"] * 4, "greg"):
        with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
            letter = f"From: x@mail.office.example\r\nSubject: {name}\r\n\r\n.\r\n"
            client.sendmail("x@mail.office.example", [name], letter.encode())
    sent_by_form(page)
    number = itertools.count(1)

    def texts(action: str) -> dict[str, str]:
        one = next(number)
        return {
            "own_password": PASSWORD, "password": "isp" if "account" in action else PASSWORD, "name": f"walked{one}",
            "address": f"walked{one}@isp.invalid", "label": f"walked {one}", "text": f"walked{one}", "title": "Walked",
            "type number": "1", "day": time.strftime("%Y-%m-%d"), "number": f"+4930555{1000 + one}", "id": "1",
            "to": "andrew" if "received" in action or "poll" in action else "+49305550100",
        }  # fmt: skip

    walk = Walk(page, texts, WALKER_FILES, REFUSED_RIGHTLY)
    walk.go(["/"])
    assert not walk.stumbled, "\n".join(walk.stumbled)
