"""Logging in and out, the lock, and the language, which is chosen before anybody logs in."""

from __future__ import annotations

from urllib.parse import quote

from mailshare.core.errors import LoginRefused, TooManyTries
from mailshare.core.values import Role
from mailshare.web.languages import LANGUAGES
from mailshare.web.rooms import set_cookie
from mailshare.web.routing import Page
from mailshare.web.visit import LANGUAGE_COOKIE, Visit, local_path

_YEAR = 365 * 86_400


async def login_form(visit: Visit) -> bytes:
    """Name and password."""
    if visit.rooms.setup_code.needed():
        return visit.go("/setup")
    if visit.me is not None:
        return visit.go("/")
    return _form(visit, local_path(visit.asked("next", "/")))


def _form(visit: Visit, way: str, name: str = "", error: str = "") -> bytes:
    status = 403 if error else 200
    return visit.page("login.html", status=status, next=way, name=name, error=error)


async def log_in(visit: Visit) -> bytes:
    """Begin a session."""
    name, way = visit.text("name"), local_path(visit.text("next", "/"))
    try:
        administrator = await visit.know(name, visit.secret("password"))
    except (LoginRefused, TooManyTries) as refusal:
        return _form(visit, way, name, refusal.public)
    if visit.session is not None:  # nobody goes on with a secret that was there before the password was given
        await visit.rooms.sessions.end(visit.session.id)
    agent = visit.request.getHeader("User-Agent") or ""
    secret, visit.session = await visit.rooms.sessions.begin(administrator, visit.peer, agent)
    set_cookie(visit.request, secret)
    await visit.rooms.office.note("admin.login", {"by": administrator.name, "peer": visit.peer})
    if way == "/" and (step := await visit.rooms.first_run.reached()) and administrator.role is Role.OWNER:
        return visit.go(f"/setup/{step}")  # the first run was broken off; it goes on where it was
    return visit.go(way)


async def log_out(visit: Visit) -> bytes:
    """End the session, here and for the streams of its pages."""
    if visit.session is not None:
        await visit.rooms.sessions.end(visit.session.id)
        visit.rooms.look_again()
        await visit.rooms.office.note("admin.logout", {"by": visit.session.name, "peer": visit.peer})
    set_cookie(visit.request, "")
    return visit.go("/login")


async def lock(visit: Visit) -> bytes:
    """Show nothing until the password is given again."""
    if visit.session is not None:
        await visit.rooms.sessions.lock(visit.session)
        visit.rooms.look_again()
    return visit.go(f"/unlock?next={quote(visit.back, safe='')}" if visit.back != "/" else "/unlock")


async def unlock_form(visit: Visit) -> bytes:
    """The password of who is logged in."""
    if visit.session is None:
        return visit.go("/login")
    way = local_path(visit.asked("next", "/"))
    return visit.page("unlock.html", next=way, name=visit.session.name, error="")


async def unlock(visit: Visit) -> bytes:
    """Go on."""
    if visit.session is None:
        return visit.go("/login")
    way = local_path(visit.text("next", "/"))
    try:
        await visit.know(visit.session.name, visit.secret("password"))
    except (LoginRefused, TooManyTries) as refusal:
        name = visit.session.name
        return visit.page("unlock.html", status=403, next=way, name=name, error=refusal.public)
    await visit.rooms.sessions.prove(visit.session)
    return visit.go(way)


async def language(visit: Visit) -> bytes:
    """Speak another language to this browser, and to whoever is logged in wherever that is."""
    wanted = visit.text("language")
    if wanted in LANGUAGES:
        visit.request.addCookie(
            LANGUAGE_COOKIE, wanted.encode(), path="/", max_age=str(_YEAR), httpOnly=True, sameSite="lax"
        )
        if visit.me is not None:
            await visit.rooms.administrators.change(visit.me.name, language=wanted)
    return visit.go(visit.back)


PAGES = (
    Page("/login", login_form, public=True),
    Page("/login", log_in, "POST", public=True),
    Page("/logout", log_out, "POST", public=True),
    Page("/lock", lock, "POST"),
    Page("/unlock", unlock_form, public=True),
    Page("/unlock", unlock, "POST", public=True),
    Page("/language", language, "POST", public=True),
)
