"""The dashboard: the six indicators, how each account is, and the buttons that everybody looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.web.live import changes_stream, status_stream
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_LINES = 12
_AT_ONCE = 1  # seconds that a browser waits for the end of a run before it is shown how far it is


async def dashboard(visit: Visit) -> bytes:
    """The state of now; what changes comes by the streams."""
    status = await visit.ask("status")
    events = await last_lines(visit, _LINES)
    last = events[0]["id"] if events else 0
    more = await visit.ask("overview") if visit.may("overview") else None
    runs = await visit.ask("runs")
    return visit.page(
        "dashboard.html", now=status, events=events, last=last, more=more, chart=chart(more), asked_runs=runs
    )


_SERIES = ("came", "went", "failed")
_WIDE, _HIGH, _FOOT = 720, 140, 20


def chart(more: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Three bars for each hour, as the places of rectangles in a picture of 720 by 160."""
    hours = more["hours"] if more else []
    most = max([1, *(hour[name] for hour in hours for name in _SERIES)])
    step = _WIDE / max(len(hours), 1)
    bars = [
        {
            "kind": name,
            "x": round(number * step + place * step / 4 + 2, 1),
            "y": round(_HIGH - hour[name] / most * (_HIGH - 10), 1),
            "width": round(step / 4 - 1, 1),
            "height": round(hour[name] / most * (_HIGH - 10), 1),
        }
        for number, hour in enumerate(hours)
        for place, name in enumerate(_SERIES)
        if hour[name]
    ]
    marks = [{"x": round(number * step, 1), "at": hours[number]["at"]} for number in range(0, len(hours), 6)]
    totals = {name: sum(hour[name] for hour in hours) for name in _SERIES}
    return {"bars": bars, "marks": marks, "most": most, "totals": totals, "height": _HIGH + _FOOT, "foot": _HIGH}


async def live(visit: Visit) -> Any:
    """What changes while the page is open."""

    async def day() -> Mapping[str, object]:
        """The chart and the devices as of now."""
        more = await visit.ask("overview")
        return {"more": more, "chart": chart(more)}

    return await status_stream(visit, day)


async def last_lines(visit: Visit, most: int) -> list[dict[str, object]]:
    """The newest lines of today's journal, newest first."""
    found = await visit.ask("log", last=10 * most)
    return list(reversed(found["events"][-most:]))


async def send_receive(visit: Visit) -> bytes:
    """Collect and send now; the next page says what came of it, or how far it is."""
    chosen = visit.text("account")
    own = [chosen] if chosen else sorted(visit.caller.accounts or ("",))
    answers: dict[str, Any] = {}
    for account in own:
        answers.update(await visit.ask("send_receive", account=account or None, wait=_AT_ONCE))
    if any(one.get("running") for one in answers.values()):
        return visit.go("/#asked", "Sending and receiving; the steps are shown here")
    bad = any(one["error"] for one in answers.values())
    said = "; ".join(f"{address}: {one['text']}" for address, one in answers.items())
    return visit.go(visit.back, said or "There is no account to collect from", bad=bad)


async def pause(visit: Visit) -> bytes:
    """Collect and send nothing by itself."""
    await visit.ask("pause", paused=True)
    return visit.go(visit.back, "The service is paused")


async def resume(visit: Visit) -> bytes:
    """Go on."""
    await visit.ask("pause", paused=False)
    return visit.go(visit.back, "The service runs")


PAGES = (
    Page("/", dashboard),
    Page("/live", live),
    Page("/live/changes", changes_stream),
    Page("/act/send-receive", send_receive, "POST"),
    Page("/act/pause", pause, "POST"),
    Page("/act/resume", resume, "POST"),
)
