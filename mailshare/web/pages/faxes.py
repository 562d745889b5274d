"""Faxes: what goes out and what became of it, what came in, the lines, and the pages of each."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from mailshare.core.errors import MailshareError, PeerFault, Unavailable
from mailshare.web.control import http_status
from mailshare.web.live import watched
from mailshare.web.pages.fax_boxes import people_of
from mailshare.web.pages.fax_polls import PAGES as POLL_PAGES
from mailshare.web.routing import Page
from mailshare.web.uploads import LARGEST
from mailshare.web.visit import Visit

_MOST_SHOWN = 60  # small pictures on one page
_KEPT = b"private, max-age=600"


async def faxes(visit: Visit) -> bytes:
    """The queue, the lines, and what came in lately."""
    return visit.page("faxes.html", received=(await _received(visit))[:10], **await _now(visit))


async def _now(visit: Visit) -> Mapping[str, Any]:
    """What changes while the page is open."""
    everything, wanted = visit.asked("all") == "true", visit.asked("q")
    rows = await visit.ask("fax_queue", all=everything)
    try:
        lines, trouble = await visit.ask("fax_lines"), ""
    except Unavailable as without:
        lines, trouble = [], without.public
    shown = [row for row in rows if _fits(row, wanted)]
    return {"rows": shown, "lines": lines, "trouble": trouble, "everything": everything, "q": wanted}


def _fits(row: Mapping[str, Any], wanted: str) -> bool:
    """Every word stands somewhere in the row; how numbers are written does not matter."""
    text = json.dumps(row, ensure_ascii=False).casefold()
    return all(word in text or _digits(word) in text for word in wanted.casefold().split())


def _digits(word: str) -> str:
    plain = "".join(char for char in word if char.isdecimal())
    return plain if len(plain) > 2 else word


async def live(visit: Visit) -> Any:
    """The queue and the lines, again whenever they change."""
    return await watched(visit, "live/faxes.html", lambda: _now(visit))


async def received(visit: Visit) -> bytes:
    """What came in."""
    wanted = visit.asked("q")
    rows = [row for row in await _received(visit, 365) if _fits(row, wanted)]
    return visit.page("faxes_received.html", rows=rows, q=wanted)


async def _received(visit: Visit, days: int = 30) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = await visit.ask("fax_received", days=days, limit=500)
    return found


async def one_received(visit: Visit) -> bytes:
    """One of them, with its pages."""
    row = await visit.ask("fax_received_show", trace=visit.path["trace"])
    pages = range(1, min(int(row["pages"]), _MOST_SHOWN) + 1) if row["kept"] and visit.may("fax_received_page") else ()
    people = await people_of(visit)
    return visit.page("fax_received.html", row=row, pages=pages, people=people)


async def fax(visit: Visit) -> bytes:
    """One that goes out: each call, and its pages."""
    row = await visit.ask("fax_show", id=visit.path["fax"])
    total, trouble = 0, ""
    if visit.may("fax_page"):
        try:
            total = (await visit.ask("fax_page", id=visit.path["fax"], page=1))["total"]
        except MailshareError as without:
            trouble = without.public
    return visit.page("fax.html", row=row, pages=range(1, min(total, _MOST_SHOWN) + 1), total=total, trouble=trouble)


async def picture(visit: Visit) -> bytes:
    """A page of a fax that goes out."""
    return _shown(visit, await visit.ask("fax_page", id=visit.path["fax"], **_which(visit)))


async def received_picture(visit: Visit) -> bytes:
    """A page of a fax that came in."""
    return _shown(visit, await visit.ask("fax_received_page", trace=visit.path["trace"], **_which(visit)))


def _which(visit: Visit) -> Mapping[str, str]:
    return {"page": visit.path["page"], "width": "1000" if visit.asked("large") else "200"}


def _shown(visit: Visit, found: Mapping[str, Any]) -> bytes:
    made = visit.file(b64decode(found["data"]), str(found["format"]))
    visit.request.setHeader(b"Cache-Control", _KEPT)
    return made


async def steer(visit: Visit) -> bytes:
    """Give a fax up, or send it once more."""
    number, act = visit.path["fax"], visit.text("act")
    if act == "cancel":
        await visit.ask("fax_cancel", id=number)
        return visit.go(visit.back, f"Fax {number} is given up")
    if act == "resend":
        again = await visit.ask("fax_resend", id=number)
        others = ", ".join(str(one) for one in again["faxes"])
        return visit.go(visit.back, f"Fax {others} sends it once more")
    raise PeerFault("Say what is to be done", code=400)


async def send_form(visit: Visit) -> bytes:
    """Send a document."""
    return await _form(visit, to=visit.asked("to"))


async def _form(
    visit: Visit, error: str = "", status: int = 200, *, chosen: Collection[str] = (), **given: str
) -> bytes:
    return visit.page(
        "fax_send.html",
        status=status,
        error=error,
        given={"to": "", "user": "", "subject": "", "text": "", "cover": "", **given},
        chosen=chosen,
        covers=await _covers(visit),
        book=[one for one in await visit.ask("book") if one["number"] or one["members"]],
        people=[one["name"] for one in await visit.ask("users") if one["enabled"] and one["kind"] != "public"],
        largest=LARGEST,
    )


async def _covers(visit: Visit) -> list[Mapping[str, Any]]:
    """What can be chosen; nothing while there is no line."""
    try:
        found: list[Mapping[str, Any]] = await visit.ask("fax_covers")
    except Unavailable:
        return []
    return found


async def covers(visit: Visit) -> bytes:
    """How each cover sheet looks, with the words that are filled in."""
    asked = {name: visit.asked(name)[:2000] for name in ("to", "subject", "text")}
    query = urlencode({name: value for name, value in asked.items() if value})
    return visit.page("fax_covers.html", covers=await visit.ask("fax_covers"), asked=asked, query=query)


async def cover_picture(visit: Visit) -> bytes:
    """One cover sheet."""
    asked = {name: visit.asked(name)[:2000] for name in ("to", "subject", "text")}
    return _shown(visit, await visit.ask("fax_cover", name=visit.path["name"], **asked))


async def send(visit: Visit) -> bytes:
    """Send what was chosen; a mistake is told beside what was filled in."""
    upload = visit.upload()
    given = {name: visit.text(name) for name in ("to", "user", "subject", "text", "cover")}
    to = [*visit.words("to"), *visit.texts("book")]
    try:
        if not upload.name:
            raise PeerFault("Choose a document", code=400)
        if not to:
            raise PeerFault("Give a number, or choose somebody of the book", code=400)
        facts = {**given, "to": to, "name": upload.name, "receipt": visit.flag("receipt")}
        done = await visit.ask_with("fax_document", upload.file, **facts)
    except MailshareError as error:
        return await _form(visit, error.public, max(http_status(error), 400), chosen=visit.texts("book"), **given)
    numbers = done["faxes"]
    said = f"Fax {', '.join(map(str, numbers))} goes out for {done['user']}"
    return visit.go(f"/fax/{numbers[0]}" if len(numbers) == 1 else "/fax", said)


PAGES = (
    Page("/fax", faxes),
    *POLL_PAGES,
    Page("/live/fax", live),
    Page("/fax/send", send_form, needs="fax_document"),
    Page("/fax/send", send, "POST", takes=LARGEST, needs="fax_document"),
    Page("/fax/covers", covers),
    Page("/fax/covers/<name>/picture", cover_picture),
    Page("/fax/received", received),
    Page("/fax/received/<trace>", one_received),
    Page("/fax/received/<trace>/pages/<page>", received_picture),
    Page("/fax/<fax>", fax),
    Page("/fax/<fax>", steer, "POST"),
    Page("/fax/<fax>/pages/<page>", picture),
)
