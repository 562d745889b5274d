"""Who may log in here, which programs may, what one's own browser shows, and copies of the settings."""

from __future__ import annotations

import os
import platform

from twisted.protocols.basic import FileSender

import twisted
from mailshare.core.errors import PeerFault
from mailshare.web.rooms import set_cookie
from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def settings(visit: Visit) -> bytes:
    """All of it; what is the owner's business is shown to owners."""
    return await _shown(visit)


async def _shown(visit: Visit, token: str = "") -> bytes:
    assert visit.me is not None
    everybody = visit.may("administrators")
    return visit.page(
        "settings.html",
        sessions=visit.rooms.sessions.of("" if everybody else visit.me.name),
        administrators=await visit.ask("administrators") if everybody else [],
        tokens=await visit.ask("tokens") if everybody else [],
        accounts=await visit.ask("accounts"),
        token=token,
        file=await visit.ask("file_settings") if visit.may("file_settings") else None,
        runs_on=f"Python {platform.python_version()}, Twisted {twisted.__version__}",
        when=visit.rooms.moment,
    )


async def mine(visit: Visit) -> bytes:
    """Theme, and language where there are several."""
    assert visit.me is not None
    language, theme = visit.text("language"), visit.text("theme")
    await visit.rooms.administrators.change(visit.me.name, language=language, theme=theme)
    return visit.go("/settings", "Saved")


async def own_password(visit: Visit) -> bytes:
    """A new password of one's own; other browsers are logged out, this one stays."""
    assert visit.me is not None
    await visit.know(visit.me.name, visit.secret("own_password"))
    await visit.rooms.administrators.change(visit.me.name, password=visit.secret("password"))
    await visit.rooms.office.note("admin.password", {"by": visit.me.name, "login": visit.me.name})
    agent = visit.request.getHeader("User-Agent") or ""
    secret, visit.session = await visit.rooms.sessions.begin(visit.me, visit.peer, agent)
    set_cookie(visit.request, secret)
    return visit.go("/settings", "Your password was changed; your other browsers are logged out")


async def end_session(visit: Visit) -> bytes:
    """Log a browser out: one's own, or anybody's for an owner."""
    assert visit.me is not None
    everybody = visit.may("administrators")
    known = {one.id for one in visit.rooms.sessions.of("" if everybody else visit.me.name)}
    wanted = visit.text("id")
    if wanted not in known:
        raise PeerFault("That browser is not logged in any more", code=404)
    await visit.rooms.sessions.end(wanted)
    visit.rooms.look_again()
    await visit.rooms.office.note("admin.logout", {"by": visit.me.name, "session": wanted})
    return visit.go("/settings", "That browser is logged out")


async def add_administrator(visit: Visit) -> bytes:
    """One more."""
    await visit.prove()
    made = await visit.ask(
        "add_administrator",
        name=visit.text("name"),
        password=visit.secret("password"),
        role=visit.text("role"),
        accounts=visit.texts("accounts"),
    )
    return visit.go("/settings", f"{made['name']} may log in, as {made['role']}")


async def remove_administrator(visit: Visit) -> bytes:
    """One less."""
    await visit.prove()
    await visit.ask("remove_administrator", name=visit.text("name"))
    return visit.go("/settings", f"{visit.text('name')} may not log in any more")


async def add_token(visit: Visit) -> bytes:
    """A token for a program; shown this once."""
    assert visit.me is not None
    await visit.prove()
    made = await visit.ask(
        "add_token",
        owner=visit.me.name,
        label=visit.text("label"),
        level=visit.text("level"),
        days=visit.text("days") or "90",
    )
    return await _shown(visit, str(made["token"]))


async def revoke_token(visit: Visit) -> bytes:
    """Take a token back."""
    await visit.ask("revoke_token", id=visit.text("id"))
    return visit.go("/settings", "The token is worth nothing any more")


async def export(visit: Visit) -> bytes:
    """Users and accounts in the syntax of the configuration file, without passwords that stand there as text."""
    await visit.prove()
    return visit.file((await visit.ask("export")).encode(), "application/toml", "mailshare-export.toml")


async def backup(visit: Visit) -> bytes:
    """A copy of all mail and settings, to be saved; it holds what everybody's mail says."""
    visit.must("export")
    assert visit.me is not None
    await visit.prove()
    packed = await visit.rooms.copy()
    try:
        await visit.rooms.office.note("admin.backup", {"by": visit.me.name, "peer": visit.peer})
        visit.request.setHeader("Content-Length", str(packed.seek(0, os.SEEK_END)))
        packed.seek(0)
        visit.file(b"", "application/gzip", "mailshare-backup.tar.gz")
        await FileSender().beginFileTransfer(packed, visit.request)
    finally:
        packed.close()
    return b""


async def reload(visit: Visit) -> bytes:
    """Read the configuration file again."""
    answer = await visit.ask("reload")
    said = ["The configuration file was read again"]
    if answer["needs_restart"]:
        said.append(f"this needs a restart: {answer['needs_restart']}")
    return visit.go("/settings", "; ".join(said), bad=bool(answer["faults"]))


PAGES = (
    Page("/settings", settings),
    Page("/settings/mine", mine, "POST"),
    Page("/settings/password", own_password, "POST"),
    Page("/settings/session", end_session, "POST"),
    Page("/settings/administrator", add_administrator, "POST"),
    Page("/settings/administrator/remove", remove_administrator, "POST"),
    Page("/settings/token", add_token, "POST"),
    Page("/settings/token/revoke", revoke_token, "POST"),
    Page("/settings/export", export, "POST"),
    Page("/settings/backup", backup, "POST"),
    Page("/settings/reload", reload, "POST"),
)
