"""The first run in a real browser at a desk, with the keyboard alone; on a telephone it is done beside the screens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define

from tests.peers import test_manager_browser
from tests.peers.test_manager_browser import AXE, PASSWORD, Daemon, served, violations

pytestmark = pytest.mark.peers
chromium = test_manager_browser.chromium


STANDS_ON = """(words) => {
  const one = document.activeElement;
  return (one.labels?.[0] ?? one).innerText.includes(words);
}"""


STICKING_OUT = """() => {
  const edge = document.querySelector("article").getBoundingClientRect().right + 1;
  const parts = [...document.querySelectorAll("article *")].filter((one) => one.getBoundingClientRect().right > edge);
  return parts.map((one) => one.outerHTML);
}"""


@pytest.fixture
def another(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Daemon]:
    """A server for a first run of its own."""
    yield from served(tmp_path, free_port)


@define
class Keys:
    """Somebody at a desk who goes everywhere with the keyboard."""

    page: Any

    def to(self, words: str) -> None:
        """On to the field or button of that name, by the key of tabulators."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(STANDS_ON, words):
                return
        raise AssertionError(f"{words} is not reached:\n{self.page.locator('main').inner_text()}")

    def type(self, label: str, text: str) -> None:
        self.to(label)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def press(self, name: str, then: str) -> None:
        self.to(name)
        with self.page.expect_navigation(timeout=60_000):
            self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"**/setup/{then}")


def test_a_first_run_at_a_desk_is_done_with_the_keyboard_alone(another: Daemon, chromium: Any) -> None:
    """The password's strength, addresses while they are typed, a step left out and come back to, nothing typed lost."""
    context = chromium.new_context(viewport={"width": 1100, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    pictures = os.environ.get("MAILSHARE_SCREENSHOTS", "")
    keys = Keys(page)
    page.goto(another.url)
    keys.to("Deutsch")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Willkommen bei mailshare").wait_for()
    keys.to("English")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Welcome to mailshare").wait_for()
    keys.type("Code", another.code())
    keys.type("A password for the manager", "12345")
    assert page.get_by_text("5 more characters are needed").is_visible()
    page.keyboard.type(PASSWORD)
    assert page.get_by_text("strong", exact=True).is_visible()
    keys.to("Show")
    page.keyboard.press("Space")
    assert page.locator("#f-password").get_attribute("type") == "text"
    page.evaluate(AXE.read_text())
    assert violations(page) == []
    keys.press("Begin", "listen")
    assert page.get_by_text("Step 2 of 7").is_visible()
    assert page.evaluate(STICKING_OUT) == []
    if pictures:
        page.screenshot(path=f"{pictures}/manager-first-run-light.png", full_page=True)
    keys.press("Skip this step", "account")
    assert page.locator("#preview").is_hidden()
    keys.type("Its address", "mail@company.invalid")
    assert page.locator("#preview code").first.inner_text() == "Andrew Smith <mail@company.invalid>"
    keys.to("How it is shared")
    page.keyboard.press("ArrowDown")
    assert page.get_by_text("greg@company.invalid").is_visible()
    page.keyboard.press("ArrowUp")
    keys.press("Back", "listen")
    keys.press("Skip this step", "account")
    assert page.get_by_label("Its address").input_value() == "mail@company.invalid"
    assert page.get_by_text("mail+andrew@company.invalid").is_visible()
    keys.to("Its address")
    page.keyboard.press("Enter")
    page.get_by_label("Password at the provider").wait_for()
    keys.type("Fetch from", f"pop3://mail@127.0.0.1:{another.ports['isp_pop3']}?tls=none")
    keys.type("Send through", f"smtp://mail@127.0.0.1:{another.ports['isp_smtp']}?tls=none")
    keys.type("Password at the provider", "isp")
    with page.expect_navigation(timeout=60_000):
        page.keyboard.press("Enter")
    page.wait_for_url("**/setup/probe")
    keys.press("Go on", "users")
    keys.type("One line each", "andrew, Andrew Smith")
    keys.press("Add them", "users")
    keys.press("Go on", "timer")
    keys.press("Go on", "done")
    keys.to("To the dashboard")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send and receive now").wait_for()
    assert urlsplit(page.url).path == "/"
    context.close()
