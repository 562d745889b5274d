"""Names, ports and certificates: one page of the first run, and a way to start over from a backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.core.errors import MailshareError
from mailshare.web.pages.first_steps import OWNERS, on, shown
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_KINDS = ("authority", "own", "plain")


async def form(visit: Visit) -> bytes:
    """What was found out about this computer, with a proposal that can be taken as it is."""
    return await _shown(visit)


async def _shown(visit: Visit, error: str = "", status: int = 200, given: Mapping[str, Any] | None = None) -> bytes:
    found: Any = {**await visit.rooms.first_run.survey(), "pem": "", **(given or {})}
    return shown(visit, "listen", error, status, found=found, kinds=_KINDS)


async def take(visit: Visit) -> bytes:
    """Listen there, at once."""
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
        return await _shown(visit, error.public, 422, {name: value for name, value in facts.items() if value})
    assert visit.me is not None
    told = {"hostname": facts["hostname"], "kind": kind, "ports": sorted(f"{one} {ports[one]}" for one in ports)}
    await visit.rooms.office.note("admin.did", {"act": "listen", "with": told, "by": visit.me.name})
    return await on(visit, "listen", " ".join(["The server listens there now.", *words]))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1


async def restore_form(visit: Visit) -> bytes:
    """The folder of a backup."""
    return visit.page("setup_restore.html", error=await visit.rooms.first_run.trouble(), directory="")


async def restore(visit: Visit) -> bytes:
    """Look at it, and start over with it."""
    directory = visit.text("directory")
    try:
        await visit.prove()
        await visit.rooms.first_run.restore(directory)
    except MailshareError as error:
        return visit.page("setup_restore.html", status=422, error=error.public, directory=directory)
    return visit.page("setup_restored.html")


PAGES = (
    Page("/setup/listen", form, needs=OWNERS),
    Page("/setup/listen", take, "POST", needs=OWNERS),
    Page("/setup/restore", restore_form, needs=OWNERS),
    Page("/setup/restore", restore, "POST", needs=OWNERS),
)
