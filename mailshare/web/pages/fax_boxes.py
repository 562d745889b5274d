"""Faxes that came in and go to somebody else, and the boxes: what lies in them, and what is done with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mailshare.core.errors import MailshareError, PeerFault
from mailshare.web.control import http_status
from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def people_of(visit: Visit) -> list[str]:
    """Names of those who may be given something."""
    return [one["name"] for one in await visit.ask("users") if one["enabled"]] if visit.may("users") else []


async def give(visit: Visit) -> bytes:
    """Give a fax that came in to people, or to addresses elsewhere."""
    trace = visit.path["trace"]
    to = [*visit.texts("users"), *visit.words("to")]
    if not to:
        raise PeerFault("Say whom the fax is given to", code=400)
    done = await visit.ask(
        "fax_give", trace=trace, to=to, mailbox=visit.text("mailbox"), keep=visit.flag("keep")
    )
    return visit.go(f"/fax/received/{quote(trace, safe='')}", f"The fax was given to {', '.join(done['to'])}")


async def boxes(visit: Visit) -> bytes:
    """All of them."""
    return visit.page("fax_boxes.html", boxes=await visit.ask("fax_boxes"))


async def box(visit: Visit) -> bytes:
    """One: what lies in it, and what became of what did."""
    return await _box(visit)


async def _box(visit: Visit, error: str = "", status: int = 200) -> bytes:
    found: Any = await visit.ask("fax_box", name=visit.path["name"])
    printers = [one["name"] for one in await visit.ask("print_places")] if visit.may("print_document") else []
    return visit.page(
        "fax_box.html", status=status, box=found, people=await people_of(visit), printers=printers, error=error
    )


async def steer(visit: Visit) -> bytes:
    """Give one out, print or delete it."""
    visit.must("steer_fax_box")
    name, act = visit.path["name"], visit.text("act")
    to = [visit.text("printer")] if act == "print" else [*visit.texts("users"), *visit.words("to")]
    try:
        done = await visit.ask("steer_fax_box", name=name, id=visit.path["fax"], act=act, to=to)
    except MailshareError as error:
        return await _box(visit, error.public, max(http_status(error), 400))
    return visit.go(f"/fax/boxes/{quote(name, safe='')}", str(done["words"]))


PAGES = (
    Page("/fax/received/<trace>/give", give, "POST"),
    Page("/fax/boxes", boxes),
    Page("/fax/boxes/<name>", box),
    Page("/fax/boxes/<name>/faxes/<fax>", steer, "POST"),
)
