"""Names, ports and certificates: one page of the first run, and a way to start over from a backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.core.errors import MailshareError
from mailshare.web.pages.first_steps import OWNERS, asked, on, shown
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

ROOM = 1 << 40
"""Octets of a backup that may be sent; the disk bounds it before that."""
_KINDS = ("authority", "own", "plain")


async def form(visit: Visit) -> bytes:
    """What was found out about this computer, with a proposal that can be taken as it is."""
    return await _shown(visit)


async def _shown(visit: Visit, error: str = "", status: int = 200, given: Mapping[str, Any] | None = None) -> bytes:
    found: Any = {**await visit.rooms.first_run.survey(), "pem": "", **(given or {})}
    return shown(visit, "listen", error, status, found=found, kinds=_KINDS)


async def take(visit: Visit) -> bytes:
    """Listen there, at once."""
    asked(visit, "listen")
    kind = visit.text("kind")
    services = visit.texts("plain" if kind == "plain" else "tls")
    ports = {name: _number(visit.text(f"port-{name}")) for name in services}
    facts = {
        "hostname": visit.text("hostname"),
        "kind": kind,
        "path": visit.text("path"),
        "trusted": visit.words("trusted"),
    }
    try:
        words = await visit.rooms.first_run.listen({**facts, "pem": visit.text("pem"), "ports": ports})
    except MailshareError as error:
        # A private key is not written into a page; whoever pasted one pastes it again.
        given = {name: value for name, value in facts.items() if value}
        return await _shown(visit, error.public, 422, {**given, "ports": await _typed(visit, ports)})
    assert visit.me is not None
    told = {"hostname": facts["hostname"], "kind": kind, "ports": sorted(f"{one} {ports[one]}" for one in ports)}
    await visit.rooms.office.note("admin.did", {"act": "listen", "with": told, "by": visit.me.name})
    return await on(visit, "listen", " ".join(["The server listens there now.", *words]))


async def _typed(visit: Visit, ports: Mapping[str, int]) -> list[Mapping[str, Any]]:
    """The rows as they were filled in, with what is known of them by now."""
    found: Any = await visit.rooms.first_run.survey()
    return [
        {
            **row,
            "port": max(ports.get(row["service"], 0), 0) or row["port"],
            "in_tls": row["service"] in ports,
            "in_plain": row["service"] in ports,
        }
        for row in found["ports"]
    ]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1


async def restore_form(visit: Visit) -> bytes:
    """A backup that is sent, or the folder where one lies."""
    return _restore(visit, await visit.rooms.first_run.trouble())


def _restore(visit: Visit, error: str, status: int = 200) -> bytes:
    directory = visit.text("directory") if status != 200 else ""
    room = min(visit.rooms.free(), ROOM)
    return visit.page("setup_restore.html", status=status, error=error, directory=directory, room=room)


async def restore(visit: Visit) -> bytes:
    """Look at it, and start over with it."""
    try:
        await visit.prove()
        if (sent := visit.upload()).name:
            await visit.rooms.first_run.restore_packed(sent.file)
        else:
            await visit.rooms.first_run.restore(visit.text("directory"))
    except MailshareError as error:
        return _restore(visit, error.public, 422)
    return visit.page("setup_restored.html")


PAGES = (
    Page("/setup/listen", form, needs=OWNERS),
    Page("/setup/listen", take, "POST", needs=OWNERS),
    Page("/setup/restore", restore_form, needs=OWNERS),
    Page("/setup/restore", restore, "POST", needs=OWNERS, takes=ROOM),
)
