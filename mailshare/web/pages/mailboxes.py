"""How full the mailboxes are, and what lies in one: header lines; a text only when somebody asks for it."""

from __future__ import annotations

from urllib.parse import quote

from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def mailboxes(visit: Visit) -> bytes:
    """All of them."""
    wanted = visit.asked("q").casefold()
    users = {one["name"]: one for one in await visit.ask("users")}
    rows = [row for row in await visit.ask("mailboxes") if wanted in row["user"].casefold()]
    return visit.page("mailboxes.html", rows=rows, users=users, q=visit.asked("q"))


async def mailbox(visit: Visit) -> bytes:
    """One."""
    found = await visit.ask("mailbox", name=visit.path["name"], before=visit.asked("before") or None)
    wanted = visit.asked("q").casefold()
    rows = [row for row in found["messages"] if wanted in f"{row['from']} {row['subject']}".casefold()]
    name = str(found["user"])
    numbers = [one["number"] for one in await visit.ask("accounts") if name == f"admin{one['number']}"]
    admin = numbers[0] if numbers else 0
    return visit.page(
        "mailbox.html", user=name, rows=rows, more=found["next"], q=visit.asked("q"), admin=admin
    )


async def look(visit: Visit) -> bytes:
    """What a message says, for whoever said that he wants to see it."""
    name, uid = visit.path["name"], visit.path["uid"]
    found = await visit.ask("look", name=name, uid=uid)
    return visit.page("look.html", found=found, way=f"/mailboxes/{quote(name, safe='')}")


PAGES = (
    Page("/mailboxes", mailboxes),
    Page("/mailboxes/<name>", mailbox),
    Page("/mailboxes/<name>/<uid>/look", look, "POST"),
)
