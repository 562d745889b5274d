"""What waits to go out: seen, tried at once, kept back, let go, taken out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.core.errors import PeerFault
from mailshare.web.live import watched
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_DONE = {
    "retry": ("%(n)s message is tried now", "%(n)s messages are tried now"),
    "hold": ("%(n)s message is kept back", "%(n)s messages are kept back"),
    "release": ("%(n)s message goes on", "%(n)s messages go on"),
    "delete": ("%(n)s message was taken out", "%(n)s messages were taken out"),
}


async def outbox(visit: Visit) -> bytes:
    """The rows, newest first."""
    return visit.page("outbox.html", before=visit.asked("before"), **await _now(visit))


async def live(visit: Visit) -> Any:
    """The rows, again whenever they change."""
    return await watched(visit, "live/outbox.html", lambda: _now(visit))


async def _now(visit: Visit) -> Mapping[str, Any]:
    wanted, everything = visit.asked("q").casefold(), visit.asked("all") == "true"
    before = visit.asked("before") or None
    rows = await visit.ask("outbox", all=everything, before=before, limit=200)
    shown = [row for row in rows if wanted in f"{row['from']} {row['to']} {row['user']} {row['state']}".casefold()]
    older = rows[-1]["id"] if len(rows) == 200 else 0
    return {"rows": shown, "q": visit.asked("q"), "everything": everything, "older": older}


async def row(visit: Visit) -> bytes:
    """Every try of one row."""
    attempts = await visit.ask("attempts", item=visit.path["item"])
    return visit.page("outbox_row.html", item=visit.path["item"], attempts=attempts)


async def look(visit: Visit) -> bytes:
    """What the message says, for whoever said that he wants to see it."""
    found = await visit.ask("look", item=visit.path["item"])
    return visit.page("look.html", found=found, way=f"/outbox/{visit.path['item']}")


async def steer(visit: Visit) -> bytes:
    """Do something with the rows that were ticked, or with all."""
    act = visit.text("act")
    if act not in _DONE:
        raise PeerFault("Say what is to be done", code=400)
    if visit.flag("everything"):
        answer = await visit.ask("steer", act=act, all=True)
    else:
        ids = [int(one) for one in visit.texts("id") if one.isascii() and one.isdigit() and len(one) < 16]
        if not ids:
            raise PeerFault("Tick the messages first", code=400)
        answer = await visit.ask("steer", act=act, ids=ids)
    left = answer["asked"] - answer["changed"]
    said = [visit.counted(*_DONE[act], answer["changed"])]
    if left:
        said.append(visit.counted("%(n)s was under way or done already", "%(n)s were under way or done already", left))
    return visit.go(visit.back, "; ".join(said))


PAGES = (
    Page("/outbox", outbox),
    Page("/live/outbox", live),
    Page("/outbox", steer, "POST"),
    Page("/outbox/<item>", row),
    Page("/outbox/<item>/look", look, "POST"),
)
