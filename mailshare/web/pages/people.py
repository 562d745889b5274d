"""The users: list, one of them, new ones one by one or pasted, what they are handed out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from mailshare.core.errors import MailshareError
from mailshare.core.people_files import written_people
from mailshare.web.control import http_status
from mailshare.web.handout import FORMATS
from mailshare.web.handout.page import slip_text
from mailshare.web.pages.handed_links import TEXT, listed
from mailshare.web.qr_codes import qr
from mailshare.web.rooms import Undo
from mailshare.web.routing import Page
from mailshare.web.visit import Visit, filled_again, mark

_EMPTY: Mapping[str, Any] = {
    "name": "",
    "names": [],
    "accounts": [],
    "cc": [],
    "forward": [],
    "forward_keep": True,
    "enabled": True,
    "local_only": False,
    "quota": 0,
    "quota_messages": 0,
    "managed_by": "",
    "kind": "person",
}
_IN_A_ROW = ("names", "cc", "quota", "enabled")
"""What is changed in the list itself."""


def _way(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


async def users(visit: Visit) -> bytes:
    """All, filtered; one of them perhaps with fields in its row."""
    return await _listed(visit, visit.asked("q"), visit.asked("edit"))


async def _listed(
    visit: Visit, q: str, edit: str = "", *, status: int = 200, error: str = "", given: Mapping[str, Any] | None = None
) -> bytes:
    """:param given: what was filled in for who is edited, when it could not be taken."""
    wanted = q.casefold()
    found = [one for one in await visit.ask("users") if wanted in " ".join((one["name"], *one["names"])).casefold()]
    edited = next((one for one in found if one["name"] == edit), None) if visit.may("change_user") else None
    return visit.page(
        "users.html",
        status=status,
        users=found,
        counts={one["user"]: one for one in await visit.ask("mailboxes")},
        former=await visit.ask("former_users") if visit.may("former_users") else [],
        q=q,
        edit=edited["name"] if edited and not edited["managed_by"] else "",
        was=mark(_row_of(edited)) if edited else "",
        given=given or {},
        error=error,
        ticked=visit.asked("ticked") == "true",
    )


def _row_of(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: found[name] for name in _IN_A_ROW}


async def change_row(visit: Visit) -> bytes:
    """Take over what was filled in within the list, and stay there."""
    name, q = visit.path["name"], visit.text("q")
    found = await visit.ask("show_user", name=name)
    given: dict[str, Any] = {"names": visit.words("names"), "cc": visit.words("cc"), "enabled": visit.flag("enabled")}
    given["quota"] = visit.text("quota") or "0"
    try:
        visit.unchanged(_row_of(found))
        await visit.ask("change_user", name=name, **given)
    except MailshareError as error:
        status = max(http_status(error), 400)
        return await _listed(visit, q, name, status=status, error=error.public, given=given)
    return visit.go(f"/users?{urlencode({'q': q})}" if q else "/users", f"{name}: saved")


async def user(visit: Visit) -> bytes:
    """One, to be looked at and changed."""
    return await _shown(visit, await visit.ask("show_user", name=visit.path["name"]))


def _settings(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: found[name] for name in _EMPTY}


async def _shown(
    visit: Visit, found: Mapping[str, Any], error: str = "", status: int = 200, made: Mapping[str, Any] | None = None
) -> bytes:
    return visit.page(
        "user.html",
        status=status,
        one=found,
        was=mark(_settings(found)),
        error=error,
        made=made,
        accounts=await visit.ask("accounts"),
        apps=await visit.ask("app_passwords", name=found["name"]),
    )


def _filled_in(visit: Visit) -> dict[str, Any]:
    given: dict[str, Any] = {name: visit.words(name) for name in ("names", "cc", "forward")}
    given["accounts"] = visit.texts("accounts")
    given.update({name: visit.text(name) or "0" for name in ("quota", "quota_messages") if name in visit.form})
    given.update({name: visit.flag(name) for name in ("enabled", "local_only", "forward_keep")})
    return given


async def change(visit: Visit) -> bytes:
    """Take over what was filled in."""
    name = visit.path["name"]
    found = await visit.ask("show_user", name=name)
    given = _filled_in(visit)
    if found["kind"] != "person":
        del given["accounts"]
    try:
        visit.unchanged(_settings(found))
        await visit.ask("change_user", name=name, **given)
    except MailshareError as error:
        return await _shown(visit, filled_again(found, given, error), error.public, max(http_status(error), 400))
    return visit.go(_way(name), "Saved")


async def new_form(visit: Visit) -> bytes:
    """An empty form."""
    return visit.page("user_new.html", one=_EMPTY, accounts=await visit.ask("accounts"), error="")


async def add(visit: Visit) -> bytes:
    """Make one; a password is made up when none is given, and shown once with what to hand out."""
    name = visit.text("name")
    given = {"name": name, "names": visit.words("names"), "accounts": visit.texts("accounts")}
    password = visit.secret("password") or visit.rooms.password()
    try:
        await visit.ask("add_user", password=password, **given)
    except MailshareError as error:
        one, status = {**_EMPTY, **given}, max(http_status(error), 400)
        accounts = await visit.ask("accounts")
        return visit.page("user_new.html", status=status, one=one, accounts=accounts, error=error.public)
    return await _handed(visit, name, password)


async def _handed(visit: Visit, name: str, password: str) -> bytes:
    """The slip with a password that is shown this once."""
    return visit.page("handed.html", people=[await slip_of(visit, name, password)])


async def slip_of(visit: Visit, name: str, password: str) -> Mapping[str, Any]:
    """What somebody is handed, with a password that is shown this once."""
    try:
        found = await visit.ask("handout", name=name, format="page")
    except MailshareError as error:
        return {"name": name, "password": password, "page": None, "trouble": error.public, "cautions": []}
    return {"name": name, "password": password, "page": found["page"], "trouble": "", "cautions": found["cautions"]}


async def password(visit: Visit) -> bytes:
    """A new password for somebody: made up when none is given, shown once."""
    await visit.prove()
    name = visit.path["name"]
    new = visit.secret("password") or visit.rooms.password()
    await visit.ask("change_user", name=name, password=new)
    return await _handed(visit, name, new)


async def app_password(visit: Visit) -> bytes:
    """One more password, for one program or telephone; shown once."""
    await visit.prove()
    name = visit.path["name"]
    made = await visit.ask("add_app_password", name=name, label=visit.text("label"))
    return await _shown(visit, await visit.ask("show_user", name=name), made=made)


async def revoke(visit: Visit) -> bytes:
    """Take an app password back."""
    name = visit.path["name"]
    gone = await visit.ask("revoke_app_password", name=name, label=visit.text("label"))
    return visit.go(_way(name), f"{gone['revoked']} was taken back")


async def unlock(visit: Visit) -> bytes:
    """Let somebody in at once whose password was guessed at."""
    name = visit.path["name"]
    await visit.ask("unlock_user", name=name)
    return visit.go(_way(name), f"{name} waits no longer")


async def vacation(visit: Visit) -> bytes:
    """The answer while somebody is away, or its end."""
    name = visit.path["name"]
    if visit.flag("off") or not visit.text("text"):
        await visit.ask("vacation", name=name, off=True)
        return visit.go(_way(name), "No answer is sent any more")
    facts = {key: visit.text(key) for key in ("text", "subject", "start", "end")}
    await visit.ask("vacation", name=name, **facts)
    return visit.go(_way(name), "The answer is set")


async def delete_form(visit: Visit) -> bytes:
    """Say what goes with somebody."""
    return visit.page("user_delete.html", one=await visit.ask("show_user", name=visit.path["name"]))


async def delete(visit: Visit) -> bytes:
    """Take somebody away; the mail stays for some weeks."""
    name = visit.path["name"]
    await visit.ask("delete_user", name=name)
    undo = Undo(f"{_way(name)}/restore", {"number": "0"}) if visit.may("restore_user") else None
    return visit.go("/users", f"{name} was deleted; under Former users everything can be brought back", undo=undo)


async def restore(visit: Visit) -> bytes:
    """Bring somebody back."""
    back = await visit.ask("restore_user", name=visit.path["name"], number=visit.text("number") or "0")
    return visit.go(_way(str(back["name"])), f"{back['name']} is back, with mail and passwords")


async def handout(visit: Visit) -> bytes:
    """What somebody needs to connect: to copy, to print, to scan."""
    name = visit.path["name"]
    found = await visit.ask("handout", name=name, format="page")
    code = qr(_settings_line(found["page"]))
    links = listed(visit, name)
    return visit.page("handout.html", name=name, page=found["page"], code=code, forms=FORMATS, links=links)


def _settings_line(page: Mapping[str, Any]) -> str:
    """The values as lines of text: what a camera shows of the code. There is no password in it."""
    return "\n".join(f"{row['label']}: {row['value']}" for row in page["values"] if "fingerprint" not in row["label"])


async def handout_file(visit: Visit) -> bytes:
    """One form to be saved."""
    name, wanted = visit.path["name"], visit.path["form"]
    if wanted == "text":
        found = await visit.ask("handout", name=name, format="page")
        return visit.file(slip_text(found["page"], visit.told).encode(), TEXT, "mail.txt")
    found = await visit.ask("handout", name=name, format=wanted)
    if wanted == "mobileconfig":  # with a signature, where the server has a key to sign with
        octets, kind, file_name = visit.rooms.handouts.form(name, wanted)
        return visit.file(octets, kind, file_name)
    return visit.file(found["text"].encode(), str(found["media_type"]), str(found["file_name"]))


async def export(visit: Visit) -> bytes:
    """All as a table by comma, as the page that takes many at once reads it again; no password is in it."""
    text = written_people(await visit.ask("users"))
    return visit.file(text.encode(), "text/csv; charset=utf-8", "users.csv")


PAGES = (
    Page("/users", users),
    Page("/users/export.csv", export),
    Page("/users/new", new_form, needs="add_user"),
    Page("/users/new", add, "POST", needs="add_user"),
    Page("/users/<name>", user),
    Page("/users/<name>", change, "POST"),
    Page("/users/<name>/row", change_row, "POST", needs="change_user"),
    Page("/users/<name>/password", password, "POST"),
    Page("/users/<name>/app-password", app_password, "POST"),
    Page("/users/<name>/revoke", revoke, "POST"),
    Page("/users/<name>/unlock", unlock, "POST"),
    Page("/users/<name>/vacation", vacation, "POST"),
    Page("/users/<name>/delete", delete_form, needs="delete_user"),
    Page("/users/<name>/delete", delete, "POST", needs="delete_user"),
    Page("/users/<name>/restore", restore, "POST"),
    Page("/users/<name>/handout", handout),
    Page("/users/<name>/handout/<form>", handout_file),
)
