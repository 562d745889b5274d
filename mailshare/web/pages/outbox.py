"""What waits to go out: seen, tried at once, kept back, let go, taken out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.core.errors import PeerFault
from mailshare.web.live import watched
from mailshare.web.rooms import Undo
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_DONE = {
    "retry": ("%(n)s message is tried now", "%(n)s messages are tried now"),
    "hold": ("%(n)s message is kept back", "%(n)s messages are kept back"),
    "release": ("%(n)s message goes on", "%(n)s messages go on"),
    "delete": ("%(n)s message was deleted", "%(n)s messages were deleted"),
    "undelete": ("%(n)s message is back, as it was", "%(n)s messages are back, as they were"),
}
_BACK = {"delete": "undelete", "hold": "release", "release": "hold"}
_GRACE = 30


async def outbox(visit: Visit) -> bytes:
    """The rows, newest first."""
    return visit.page(
        "outbox.html", before=visit.asked("before"), ticked=visit.asked("ticked") == "true", **await _now(visit)
    )


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
    """One row, and every try of it."""
    item = visit.path["item"]
    attempts = await visit.ask("attempts", item=item)
    number = int(item) if item.isascii() and item.isdigit() and len(item) < 16 else 0
    rows = await visit.ask("outbox", all=True, before=number + 1, limit=1)
    found = next((one for one in rows if one["id"] == number), None)
    return visit.page("outbox_row.html", item=item, row=found, attempts=attempts)


async def look(visit: Visit) -> bytes:
    """What the message says, for whoever said that he wants to see it."""
    found = await visit.ask("look", item=visit.path["item"])
    return visit.page("look.html", found=found, way=f"/outbox/{visit.path['item']}")


async def steer(visit: Visit) -> bytes:
    """Do something with the rows that were ticked, or with all."""
    act = visit.text("act")
    if act not in _DONE:
        raise PeerFault("Say what is to be done", code=400)
    answer = await _steered(visit, act)
    if not answer["asked"] and visit.flag("everything"):
        return visit.go(visit.back, "Nothing waits that could be tried")
    left = answer["asked"] - answer["changed"]
    said = [visit.counted(*_DONE[act], answer["changed"])]
    if left and act == "undelete":
        said.append(visit.counted("%(n)s was deleted too long ago", "%(n)s were deleted too long ago", left))
    elif left:
        said.append(visit.counted("%(n)s was under way or done already", "%(n)s were under way or done already", left))
    return visit.go(visit.back, "; ".join(said), bad=not answer["changed"], undo=_undo(act, answer))


async def _steered(visit: Visit, act: str) -> Mapping[str, Any]:
    if visit.flag("everything") and visit.caller.accounts is None:
        return await visit.ask("steer", act=act, all=True)  # type: ignore[no-any-return]
    if visit.flag("everything"):  # of the own accounts, for whoever looks after some
        ids = [row["id"] for row in await visit.ask("outbox")]
        if not ids:
            return {"asked": 0, "changed": 0, "rows": []}
    else:
        given = [*visit.texts("id"), *visit.words("ids")]
        ids = [int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 16]
        if not ids:
            raise PeerFault("Tick the messages first", code=400)
    return await visit.ask("steer", act=act, ids=ids)  # type: ignore[no-any-return]


def _undo(act: str, answer: Mapping[str, Any]) -> Undo | None:
    """What takes an act back, as long as it can be."""
    if act not in _BACK or not answer["changed"]:
        return None
    fields = {"act": _BACK[act], "ids": ",".join(map(str, answer["rows"]))}
    return Undo("/outbox", fields, _GRACE if act == "delete" else 0)


PAGES = (
    Page("/outbox", outbox),
    Page("/live/outbox", live),
    Page("/outbox", steer, "POST"),
    Page("/outbox/<item>", row),
    Page("/outbox/<item>/look", look, "POST"),
)
