"""Is it set up right? Looked at when somebody asks, never in the way of anybody's log-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_LEAST_FREE = 500_000_000  # octets
Finding = tuple[str, str, str]
"""``good``, ``warn`` or ``bad``; what was looked at; what was seen and what to do."""


async def health(visit: Visit) -> bytes:
    """Everything that can be said from here."""
    status = await visit.ask("status")
    waiting = await visit.ask("outbox", limit=500)
    work = await visit.ask("admin_list") if visit.caller.accounts is None else []
    findings = [*_server(status), *_accounts(visit, status), *_outbox(visit, waiting), *_work(visit, work)]
    if visit.may("overview"):
        findings += _devices(visit, await visit.ask("overview"))
    findings += _transport(visit)
    return visit.page("health.html", findings=findings)


async def verify(visit: Visit) -> bytes:
    """Look through the store for damage."""
    problems = (await visit.ask("verify"))["problems"]
    said = "The store is sound" if not problems else "; ".join(map(str, problems[:5]))
    return visit.go("/health", said, bad=bool(problems))


def _server(status: Mapping[str, Any]) -> Iterator[Finding]:
    for key, what, hint in (
        ("store_error", "Store", "No mail is taken until it can write again; look at the disk"),
        ("journal_error", "Journal", "Mail flows on; look at the disk"),
        ("reload_error", "Configuration file", "The server goes on with the settings of before"),
    ):
        words = str(status.get(key) or "")
        yield ("bad", what, f"{words}. {hint}") if words else ("good", what, "no trouble")
    if status.get("paused"):
        yield "warn", "Service", "paused: nothing is collected or sent by itself"
    for place in status.get("listeners", ()):
        yield "good", f"Listener {place['service']}", f"open on {place['address']}"


def _accounts(visit: Visit, status: Mapping[str, Any]) -> Iterator[Finding]:
    if not status["accounts"]:
        yield "warn", "Accounts", "there is none, so no mail comes or goes; add the mailbox at your provider"
    for one in status["accounts"]:
        address = one["address"]
        for run, name in ((one["collect"], f"{address}, collecting"), (one["relay"], f"{address}, sending")):
            if run["error"]:
                yield "bad", name, run["error"]
            elif run["last_ok"]:
                yield "good", name, f"last at {visit.local(run['last_ok'])}"
            else:
                yield "warn", name, "not done yet"
        if one.get("marking", {}).get("alarm"):
            yield "warn", f"{address}, sorting", one["marking"]["alarm"]


def _outbox(visit: Visit, rows: list[Mapping[str, Any]]) -> Iterator[Finding]:
    late = [row for row in rows if row["attempts"] and row["state"] != "delivered"]
    if late:
        tried = visit.counted("%(n)s message was tried and waits", "%(n)s messages were tried and wait", len(late))
        yield "warn", "Outbox", f"{tried}; the oldest since {visit.local(late[-1]['queued'])}"
    else:
        yield "good", "Outbox", visit.counted(
            "%(n)s message waits, none was tried in vain", "%(n)s messages wait, none was tried in vain", len(rows)
        )


def _work(visit: Visit, rows: list[Mapping[str, Any]]) -> Iterator[Finding]:
    if rows:
        yield "warn", "Work list", visit.counted(
            "%(n)s message found no owner; the work list has it",
            "%(n)s messages found no owner; the work list has them",
            len(rows),
        )
    else:
        yield "good", "Work list", "empty"


def _devices(visit: Visit, more: Mapping[str, Any]) -> Iterator[Finding]:
    size = visit.rooms.rendering.language(visit.language).size
    free, total = more["disk"]["free"], more["disk"]["total"]
    if total:
        seen = f"{size(free)} of {size(total)} free"
        scarce = free < max(total // 50, _LEAST_FREE)
        yield ("bad", "Disk", f"{seen}; make room, or no mail is taken") if scarce else ("good", "Disk", seen)
    for one in more["lines"]:
        name = f"Fax line {one['name']}"
        yield ("bad", name, str(one["trouble"])) if one["trouble"] else ("good", name, "no trouble")
    for one in more["printers"]:
        name = f"Printer {one['name']}"
        if one["state"] == "stopped":
            yield "bad", name, str(one["why"] or "stopped")
        elif one["paused"] or not one["accepting"]:
            yield "warn", name, "paused, or takes no jobs"
        else:
            yield "good", name, "no trouble"


def _transport(visit: Visit) -> Iterator[Finding]:
    if visit.request.isSecure():
        yield "good", "This page", "came by TLS"
    else:
        yield "warn", "This page", "came without TLS: only good on this computer, or behind a proxy that does TLS"


PAGES = (Page("/health", health), Page("/health/verify", verify, "POST"))
