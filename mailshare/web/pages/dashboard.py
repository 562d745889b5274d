"""The dashboard: the six indicators, how each account is, and the buttons that everybody looks for."""

from __future__ import annotations

from mailshare.web.live import journal_stream, status_stream
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_LINES = 12


async def dashboard(visit: Visit) -> bytes:
    """The state of now; what changes comes by the streams."""
    status = await visit.ask("status")
    events = await last_lines(visit, _LINES)
    last = events[0]["id"] if events else 0
    return visit.page("dashboard.html", now=status, events=events, last=last)


async def last_lines(visit: Visit, most: int) -> list[dict[str, object]]:
    """The newest lines of today's journal, newest first."""
    found = await visit.ask("log", last=10 * most)
    return list(reversed(found["events"][-most:]))


async def send_receive(visit: Visit) -> bytes:
    """Collect and send now; the line on the next page says what came of it."""
    account = visit.text("account")
    answers = await visit.ask("send_receive", account=account) if account else await visit.ask("send_receive")
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
    Page("/live", status_stream),
    Page("/live/log", journal_stream),
    Page("/act/send-receive", send_receive, "POST"),
    Page("/act/pause", pause, "POST"),
    Page("/act/resume", resume, "POST"),
)
