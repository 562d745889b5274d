"""The log by day, and the whole way of one message."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from mailshare.web.live import journal_stream
from mailshare.web.pages.log_filters import KINDS, RESULTS, WAYS, Wanted
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_MOST = 500
_PAGE = 1000
_PAGES = 20  # that are looked at for one page to be shown
_WHOLE = 500  # that are put into one file


async def log(visit: Visit) -> bytes:
    """One day, newest first, filtered; live while it goes on, unless that is switched off."""
    chosen = visit.asked("day")
    if chosen and "day" not in visit.path:
        return visit.go(f"/log/{quote(chosen, safe='')}?{Wanted.of(visit).query}".rstrip("?"))
    day, wanted = visit.path.get("day", ""), Wanted.of(visit)
    events = await _matching(visit, day, wanted)
    today = (await visit.ask("log", limit=1, last=1))["day"]
    days = list(reversed(await visit.ask("days")))
    last = max((event["id"] for event in events), default=0)
    shown = list(reversed(events))[:_MOST]
    return visit.page(
        "log.html",
        events=shown,
        more=len(events) - len(shown),
        day=day,
        days=days,
        today=today,
        kept=(await visit.ask("file_settings"))["log_days"] if visit.may("file_settings") else None,
        kinds=KINDS,
        ways=WAYS,
        results=RESULTS,
        wanted=wanted,
        last=last,
        accounts=[one["address"] for one in await visit.ask("accounts")],
        users=[one["name"] for one in await visit.ask("users")],
        live=not day and visit.asked("live") != "off",
        here=f"/log/{day}" if day else "/log",
    )


async def live(visit: Visit) -> Any:
    """New lines that fit, as they come."""
    return await journal_stream(visit, Wanted.of(visit).fits)


async def _matching(visit: Visit, day: str, wanted: Wanted, *, whole: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    # Of today the newest lines are looked at, of a day that is over the first ones; the saved day is whole.
    last = 0 if day else _PAGES * _PAGE
    for _ in range(_PAGES if not whole else _WHOLE):
        page = await visit.ask("log", day=day or None, after=after, limit=_PAGE, last=last)
        found += [one for one in page["events"] if wanted.fits(one)]
        after = page["next"]
        if not after:
            break
    return found


async def download(visit: Visit) -> bytes:
    """A day as lines of JSON; of a filtered one the lines that fit."""
    events = await _matching(visit, visit.path["day"], Wanted.of(visit), whole=True)
    text = "".join(json.dumps(event, ensure_ascii=True) + "\n" for event in events)
    return visit.file(text.encode(), "application/jsonl", f"mailshare-{visit.path['day']}.jsonl")


async def find(visit: Visit) -> bytes:
    """Lead from what somebody has in hand to the message."""
    return await _traced(visit, visit.asked("id")) if visit.asked("id") else visit.page("trace_find.html")


async def trace(visit: Visit) -> bytes:
    """Every step of one message."""
    return await _traced(visit, visit.path["id"])


async def _traced(visit: Visit, wanted: str) -> bytes:
    chains = await visit.ask("why", id=wanted)
    return visit.page("trace.html", chains=chains, wanted=wanted)


PAGES = (
    Page("/log", log),
    Page("/live/log", live),
    Page("/log/<day>", log),
    Page("/log/<day>/download", download),
    Page("/trace", find),
    Page("/trace/<id>", trace),
)
