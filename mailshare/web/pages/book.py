"""The address book: people and groups, the one-touch keys, files of other programs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from mailshare.core.book_files import decoded
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.web.control import http_status
from mailshare.web.routing import Page
from mailshare.web.visit import CHANGED, Visit, filled_again, mark

_EMPTY: Mapping[str, Any] = {
    "name": "",
    "title": "",
    "company": "",
    "mail": "",
    "number": "",
    "subaddress": "",
    "short": "",
    "printer": "",
    "members": [],
    "managed_by": "",
}
_KEYS = 20
_MOST_FILE = 400_000


def _way(name: str) -> str:
    return f"/book/entries/{quote(name, safe='')}"


async def book(visit: Visit) -> bytes:
    """All of it, filtered."""
    wanted = visit.asked("q").casefold()
    entries = await visit.ask("book")
    shown = [one for one in entries if wanted in " ".join(map(str, one.values())).casefold()]
    return visit.page("book.html", entries=shown, q=visit.asked("q"))


async def entry(visit: Visit) -> bytes:
    """One, to be looked at and changed."""
    return await _shown(visit, await visit.ask("book_entry", name=visit.path["name"]))


async def _shown(visit: Visit, one: Mapping[str, Any], error: str = "", status: int = 200, was: str = "") -> bytes:
    others = [each for each in await visit.ask("book") if each["name"] != one["name"]]
    number = await visit.ask("check_number", number=one["number"]) if one["number"] else None
    template = "book_entry.html" if one["name"] and "name" in visit.path else "book_new.html"
    return visit.page(
        template,
        status=status,
        one=one,
        others=others,
        was=was or mark(one),
        error=error,
        number=number,
        places=await _places(visit),
    )


async def _places(visit: Visit) -> list[str]:
    try:
        return [one["name"] for one in await visit.ask("print_places")]
    except MailshareError:
        return []


def _filled_in(visit: Visit) -> dict[str, Any]:
    texts = ("title", "company", "mail", "number", "subaddress", "short", "printer")
    given: dict[str, Any] = {name: visit.text(name) for name in texts}
    return {**given, "members": visit.texts("members")}


async def change(visit: Visit) -> bytes:
    """Take over what was filled in."""
    name = visit.path["name"]
    found = await visit.ask("book_entry", name=name)
    given = _filled_in(visit)
    try:
        visit.unchanged(found)
        await visit.ask("change_contact", name=name, **given)
    except MailshareError as error:
        shown = filled_again(found, given, error)
        return await _shown(visit, shown, error.public, max(http_status(error), 400), mark(found))
    return visit.go(_way(name), "Saved")


async def new_form(visit: Visit) -> bytes:
    """An empty form."""
    return await _shown(visit, {**_EMPTY, "number": visit.asked("number")})


async def add(visit: Visit) -> bytes:
    """Put somebody into the book."""
    given = {"name": visit.text("name"), **_filled_in(visit)}
    try:
        made = await visit.ask("add_contact", **given)
    except MailshareError as error:
        return await _shown(visit, {**_EMPTY, **given}, error.public, max(http_status(error), 400))
    return visit.go("/book", f"{made['name']} is in the book")


async def delete(visit: Visit) -> bytes:
    """Take somebody out."""
    gone = await visit.ask("delete_contact", name=visit.path["name"])
    return visit.go("/book", f"{gone['deleted']} is out of the book")


async def keys(visit: Visit) -> bytes:
    """The panel of one-touch keys."""
    entries = [one for one in await visit.ask("book") if one["number"] or one["members"]]
    taken = {one["short"]: one for one in entries if one["short"]}
    return visit.page("book_keys.html", entries=entries, taken=taken, rows=_panel(taken), was=_laid_out(entries))


def _laid_out(entries: Iterable[Mapping[str, Any]]) -> str:
    """What a form holds of the panel that it was made from."""
    return mark({one["short"]: one["name"] for one in entries if one["short"]})


def _panel(taken: Collection[str]) -> list[str]:
    """The keys in their order: those of a panel, then the longer numbers that somebody has."""
    rows = [str(number) for number in range(1, _KEYS + 1)]
    return rows + sorted((short for short in taken if short not in rows), key=lambda short: (len(short), short))


def _exchanged(given: Mapping[str, str], locked: Collection[str], short: str, step: int) -> dict[str, str]:
    """The keys with one and its neighbour exchanged; keys of the configuration file are passed over."""
    rows = [one for one in _panel({*given, *locked}) if one not in locked]
    place = rows.index(short) if short in rows else -1
    if place < 0 or not 0 <= place + step < len(rows):
        return dict(given)
    other = rows[place + step]
    return {**given, short: given.get(other, ""), other: given.get(short, "")}


async def lay_out(visit: Visit) -> bytes:
    """Give the keys to whom they were given on the page."""
    given = {name.removeprefix("key-"): visit.text(name) for name in visit.form if name.startswith("key-")}
    entries = await visit.ask("book")
    if visit.text("was", now := _laid_out(entries)) != now:
        words = "Somebody else laid the keys out meanwhile. This is how they are now; look and repeat"
        raise PeerFault(words, code=CHANGED)
    locked = {one["short"] for one in entries if one["short"] and one["managed_by"]}
    for word, step in (("up", -1), ("down", 1)):
        if visit.flag(word):
            given = _exchanged(given, locked, visit.text(word), step)
    done = await visit.ask("set_keys", keys=given)
    return visit.go("/book/keys", visit.counted("%(n)s key is laid out", "%(n)s keys are laid out", done["keys"]))


async def import_form(visit: Visit) -> bytes:
    """Take over another program's book."""
    return visit.page("book_import.html", text="", left=[])


async def take_over(visit: Visit) -> bytes:
    """Put in what can be put in; what cannot is told."""
    upload = visit.upload()
    text = visit.text("text")
    if upload.name:
        text = decoded(upload.file.read(_MOST_FILE))
    done = await visit.ask("import_book", text=text)
    if done["left"]:
        return visit.page("book_import.html", text="", left=done["left"], added=done["added"])
    new = visit.counted("%(n)s entry is new in the book", "%(n)s entries are new in the book", len(done["added"]))
    return visit.go("/book", new)


async def export(visit: Visit) -> bytes:
    """The book as a file."""
    found = await visit.ask("export_book", form=visit.path["form"])
    return visit.file(found["text"].encode(), str(found["media_type"]), str(found["file_name"]))


async def number(visit: Visit) -> bytes:
    """How a number is understood, while it is typed."""
    wanted = visit.asked("number")
    found = await visit.ask("check_number", number=wanted) if wanted else {"good": True, "words": ""}
    return visit.page("live/number.html", found=found)


PAGES = (
    Page("/book", book),
    Page("/book/new", new_form, needs="add_contact"),
    Page("/book/new", add, "POST", needs="add_contact"),
    Page("/book/keys", keys),
    Page("/book/keys", lay_out, "POST"),
    Page("/book/import", import_form, needs="import_book"),
    Page("/book/import", take_over, "POST", takes=_MOST_FILE, needs="import_book"),
    Page("/book/export/<form>", export),
    Page("/book/number", number),
    Page("/book/entries/<name>", entry),
    Page("/book/entries/<name>", change, "POST"),
    Page("/book/entries/<name>/delete", delete, "POST"),
)
