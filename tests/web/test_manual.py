"""The documentation inside the manager: every page, every link; nothing of it is from elsewhere or becomes markup."""

from __future__ import annotations

import re

import pytest
import pytest_twisted

from mailshare.core.errors import PeerFault
from mailshare.web import manual
from mailshare.web.pages import PAGES
from tests.web.conftest import House


def every_page() -> list[str]:
    return [page for found in manual.pages().values() for page, _ in found]


def test_every_page_has_its_title_and_links_that_lead_somewhere() -> None:
    """Links stay inside, or lead to the outside by their whole address; anchors are there."""
    known = {f"/docs/{page}" for page in every_page()} | {"/docs"}
    assert len(known) > 30
    for page in every_page():
        html = manual.rendered(page)
        assert html.count("<h1") == 1, page
        assert "{toctree}" not in html, page
        for href in re.findall(r'href="([^"]*)"', html):
            way, _, anchor = href.partition("#")
            if way.startswith(("http://", "https://", "mailto:")):
                continue
            assert way in known, (page, href)
            if anchor:
                there = manual.rendered(way.removeprefix("/docs/"))
                assert f'id="{anchor}"' in there, (page, href)
        assert not re.search(r"<(script|img|iframe|style)|\son\w+=", html), page


def test_every_screen_has_a_page_of_help_that_is_there() -> None:
    """By the first part of its address."""
    for page in PAGES:
        assert manual.beside(page.path) in every_page(), page.path


@pytest.mark.parametrize("page", ["howto/../../catalogues", "howto/index", "locale/fr", "", "howto/<b>"])
def test_nothing_else_is_read_as_documentation(page: str) -> None:
    """Whatever stands in the address."""
    with pytest.raises(PeerFault):
        manual.rendered(page)


@pytest_twisted.ensureDeferred
async def test_help_is_one_link_away_from_every_screen(house: House) -> None:
    """And reads offline, in its own language, for whoever is logged in."""
    browser = await house.admin()
    page = await browser.get("/accounts/1/timer")
    assert 'href="/docs/reference/timers"' in page.text
    timers = await browser.get("/docs/reference/timers")
    assert timers.code == 200
    assert '<article class="manual" lang="en">' in timers.text
    assert "/docs/howto/find_a_mail" in (await browser.get("/docs")).text
    assert (await browser.get("/docs/howto/nothing")).code == 404
    assert (await house.browser().get("/docs")).code == 303


@pytest_twisted.ensureDeferred
async def test_help_of_the_first_run_is_there_in_french_and_german(house: House) -> None:
    """The page that *Help* leads to from its steps, with the same links; other pages are in English and say so."""
    assert manual.beside("/setup/account") == "howto/first_run"
    browser = await house.admin()
    links = set(re.findall(r'href="([^"#]*)', manual.rendered("howto/first_run")))
    for language, words in (("fr", "La première mise en service"), ("de", "Die erste Einrichtung")):
        page = (await browser.get("/docs/howto/first_run", Accept_Language=language)).text
        assert f'<article class="manual" lang="{language}"><h1 id="' in page
        assert words in page
        assert set(re.findall(r'href="([^"#]*)', manual.rendered("howto/first_run", language))) <= links
        other = (await browser.get("/docs/howto/people", Accept_Language=language)).text
        assert '<article class="manual" lang="en">' in other
