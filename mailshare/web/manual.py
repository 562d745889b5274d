"""The documentation of this very version, as pages: the Markdown of ``docs/``, which lies in the package too.

``docs/`` is written for Sphinx. What only Sphinx understands - tables of contents, descriptions of Python objects,
pictures - is left out here; HTML in a text is shown as text. No page is fetched from anywhere.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache

from mailshare.core.errors import PeerFault
from mailshare.web.catalogues import LOCALES
from mailshare.web.languages import LANGUAGES

_HERE = os.path.join(os.path.dirname(__file__), "docs")
FOLDERS: Mapping[str, str] = {
    "tutorial": "Tutorial",
    "howto": "How to …",
    "reference": "Reference",
    "protocol": "Protocols",
}
"""Folder to heading, in the order in which they are listed."""
_LEFT_OUT = re.compile(
    r"^(`{3,})\{[\w-]+\}.*?^\1[ \t]*$\n?|^\([\w-]+\)=\n|!\[[^\]]*\]\([^)]*\)", re.MULTILINE | re.DOTALL
)
"""Directives, labels and pictures."""
_BARE = re.compile(r"\[\]\(([^)\s]+)\)")
"""A link without words, which bears the title of its page."""
_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
_BESIDE: tuple[tuple[str, str], ...] = (
    ("/accounts/", "reference/timers"),
    ("/accounts", "tutorial/first_office"),
    ("/users", "howto/people"),
    ("/work", "howto/admin_work_list"),
    ("/outbox", "reference/outbox"),
    ("/mailboxes", "howto/find_a_mail"),
    ("/log", "reference/journal"),
    ("/trace", "howto/find_a_mail"),
    ("/printers", "howto/print"),
    ("/fax", "reference/fax"),
    ("/book", "reference/fax"),
    ("/settings", "reference/manager"),
    ("/setup", "howto/first_run"),
)


def beside(path: str) -> str:
    """The page of the documentation that belongs to a page of the manager."""
    return next((page for start, page in _BESIDE if path.startswith(start)), "howto/manager")


def pages() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Heading of a folder to ``(page, title)``, by title."""
    return {
        words: tuple(
            sorted(
                ((f"{folder}/{name[:-3]}", title(f"{folder}/{name[:-3]}")) for name in _names(folder)),
                key=lambda one: one[1].casefold(),
            )
        )
        for folder, words in FOLDERS.items()
    }


@lru_cache(maxsize=8)
def _names(folder: str) -> tuple[str, ...]:
    """The files of a folder; indexes hold tables of contents alone."""
    path = os.path.join(_HERE, folder)
    return tuple(sorted(one for one in os.listdir(path) if one.endswith(".md") and one != "index.md"))


def spoken(page: str, language: str) -> str:
    """The language that a page is read in: the one wanted if the page is there in it, else English.

    :raises PeerFault: 404, there is no such page.
    """
    folder, _, name = page.partition("/")
    if folder not in FOLDERS or f"{name}.md" not in _names(folder):
        raise PeerFault("There is no such page in the documentation", code=404)
    return language if language in LANGUAGES and os.path.exists(_translated(page, language)) else "en"


def _translated(page: str, language: str) -> str:
    return os.path.join(LOCALES, language, "docs", f"{page}.md")


@lru_cache(maxsize=64)
def _text(page: str, language: str) -> str:
    """What Sphinx reads, or its translation.

    :raises PeerFault: 404, there is no such page.
    """
    there = spoken(page, language)
    path = os.path.join(_HERE, f"{page}.md") if there == "en" else _translated(page, there)
    with open(path, encoding="utf-8") as file:
        return file.read()


def title(page: str, language: str = "en") -> str:
    """The heading of a page, without marks."""
    found = _HEADING.search(_text(page, language))
    return found[1].replace("`", "") if found else page


@lru_cache(maxsize=64)
def rendered(page: str, language: str = "en") -> str:
    """A page as HTML that holds nothing but what Markdown has words for.

    :raises PeerFault: 404, there is no such page.
    """
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only who reads the documentation needs it

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    text = _LEFT_OUT.sub("", _text(page, language))
    text = _BARE.sub(lambda link: f"[{_title_of(_address(page, link[1]))}]({link[1]})", text)
    tokens = reader.parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(tokens[place + 1].content))
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _address(page, str(child.attrGet("href") or "")))
    html: str = reader.renderer.render(tokens, reader.options, {})
    return html.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")


def _title_of(address: str) -> str:
    page = address.removeprefix("/docs").strip("/").partition("#")[0]
    return title(page) if page else "Documentation"


def _anchor(text: str) -> str:
    """What follows ``#`` in the address of a heading."""
    return "-".join(re.findall(r"[^\W_]+", text.casefold()))


def _address(page: str, href: str) -> str:
    """Where a link leads from here: pages stay inside, everything else as it is written."""
    way, _, anchor = href.partition("#")
    if "://" in href or href.startswith("mailto:") or (way and not way.endswith(".md")):
        return href
    there = posixpath.normpath(posixpath.join(posixpath.dirname(page), way[:-3])) if way else page
    if there.partition("/")[0] not in FOLDERS or there.endswith("/index"):
        return "/docs"
    return f"/docs/{there}" + (f"#{anchor}" if anchor else "")
