"""A form that fetches from another fax machine (polling)."""

from __future__ import annotations

from mailshare.core.errors import MailshareError
from mailshare.web.control import http_status
from mailshare.web.pages.fax_boxes import people_of
from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def poll_form(visit: Visit) -> bytes:
    """Which machine, which of its boxes, for whom."""
    return await _form(visit, number=visit.asked("number"))


async def _form(visit: Visit, error: str = "", status: int = 200, **given: str) -> bytes:
    filled = {"number": "", "to": "", "sep": "", **given}
    people = await people_of(visit)
    return visit.page("fax_poll.html", status=status, error=error, given=filled, people=people)


async def poll(visit: Visit) -> bytes:
    """Fetch; a mistake is told beside what was filled in."""
    given = {name: visit.text(name) for name in ("number", "to", "sep")}
    try:
        facts = {"number": given["number"], "to": visit.words("to"), "sep": given["sep"], "pwd": visit.secret("pwd")}
        done = await visit.ask("fax_poll", **facts)
    except MailshareError as error:
        return await _form(visit, error.public, max(http_status(error), 400), **given)
    return visit.go(f"/fax/{done['fax']}", f"Fax {done['fax']} fetches it")


PAGES = (
    Page("/fax/poll", poll_form, needs="fax_poll"),
    Page("/fax/poll", poll, "POST", needs="fax_poll"),
)
