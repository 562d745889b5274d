"""The documentation of this version, to be read without a network."""

from __future__ import annotations

from markupsafe import Markup

from mailshare.web.manual import pages, rendered, spoken, title
from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def contents(visit: Visit) -> bytes:
    """Every page by its title."""
    return visit.page("manual.html", folders=pages())


async def text(visit: Visit) -> bytes:
    """One of them."""
    page = f"{visit.path['folder']}/{visit.path['name']}"
    there = spoken(page, visit.language)
    body = Markup(rendered(page, there))  # noqa: S704 - made by the reader of Markdown, which escapes what is no Markdown
    return visit.page("manual_page.html", heading=title(page, there), body=body, spoken=there)


PAGES = (Page("/docs", contents), Page("/docs/<folder>/<name>", text))
