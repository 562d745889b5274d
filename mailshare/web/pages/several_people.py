"""Several people at once: out of a table, with a look before; those that were ticked; and slips of paper for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.people_files import PersonLine, read_people, text_of
from mailshare.web.control import http_status
from mailshare.web.handout.slip_pdf import slips
from mailshare.web.pages.people import slip_of
from mailshare.web.rooms import Undo
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_MOST_FILE = 512 * 1024
_MOST = 200
_SWITCHES = {"on": True, "off": False}


async def paste_form(visit: Visit) -> bytes:
    """A field and a file."""
    return await _form(visit, "")


async def _form(visit: Visit, text: str, error: str = "", status: int = 200) -> bytes:
    accounts = await visit.ask("accounts")
    return visit.page("users_paste.html", status=status, text=text, accounts=accounts, error=error)


async def paste(visit: Visit) -> bytes:
    """Show what would become of each line; when that was looked at, make it so, all of it or nothing."""
    upload = visit.upload()
    text = text_of(upload.file.read(_MOST_FILE)) if upload.name else visit.secret("text")
    lines = read_people(text)
    if not lines:
        return await _form(visit, text, "Nothing was pasted", 422)
    if len(lines) > _MOST:
        return await _form(visit, text, f"These are more than {_MOST} lines; take them in parts", 422)
    accounts = visit.texts("accounts")
    known = {one["name"] for one in await visit.ask("users")}
    people = [_facts(one, known, accounts) for one in lines]
    found = await _looked_at(visit, lines, people)
    wrong = sum(row["does"] == "wrong" for row in found)
    if wrong or visit.text("act") != "take":
        status = 422 if wrong else 200
        return visit.page(
            "users_preview.html", status=status, rows=found, wrong=wrong, text=text, accounts=accounts, error=""
        )
    given = [
        {**one, "password": visit.rooms.password()} if row["does"] == "add" and not row["has_password"] else one
        for one, row in zip(people, found, strict=True)
    ]
    try:
        await visit.ask("set_users", people=given)
    except MailshareError as fault:
        return await _form(visit, text, fault.public, max(http_status(fault), 400))
    passwords = {one["name"].casefold(): one["password"] for one in given if one.get("password")}
    changed = sum(row["does"] == "change" for row in found)
    if not passwords:
        return visit.go("/users", visit.counted("%(n)s user was changed", "%(n)s users were changed", changed))
    return await _handed(visit, passwords, changed)


def _facts(one: PersonLine, known: set[str], accounts: Sequence[str]) -> dict[str, Any]:
    """What a line sets; a new person gets the ticked accounts unless the table names some."""
    facts = dict(one.facts)
    if str(facts.get("name", "")).casefold() not in known:
        facts.setdefault("accounts", list(accounts))
    return facts


async def _looked_at(
    visit: Visit, lines: Sequence[PersonLine], people: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What would become of each line; of one that cannot be read, why."""
    readable = [facts for line, facts in zip(lines, people, strict=True) if not line.fault]
    found = iter((await visit.ask("set_users", people=readable, check=True))["people"] if readable else [])
    rows = []
    for line, facts in zip(lines, people, strict=True):
        name = str(facts.get("name", ""))
        told = {"name": name, "does": "wrong", "trouble": line.fault, "changes": []} if line.fault else next(found)
        rows.append({**told, "line": line.line, "has_password": bool(facts.get("password"))})
    return rows


async def _handed(visit: Visit, passwords: Mapping[str, str], changed: int = 0) -> bytes:
    people = [await slip_of(visit, name, password) for name, password in passwords.items()]
    return visit.page("handed.html", people=people, changed=changed)


async def paper(visit: Visit) -> bytes:
    """Slips as PDF: with the passwords that were just made, or with a line to write on."""
    names, passwords = visit.texts("id")[:_MOST], visit.form.get("secret", [])
    nobody = {one["name"] for one in await visit.ask("users") if one["kind"] == "public"}
    pages = []
    for place, name in enumerate(names):
        if name in nobody:  # it stands for everybody and logs in nowhere
            continue
        found = await visit.ask("handout", name=name, format="page")
        known = passwords[place] if len(passwords) == len(names) else ""
        pages.append({**found["page"], "password": known})
    if not pages:
        raise PeerFault("Tick the users first", code=400)
    return visit.file(slips(pages, visit.told), "application/pdf", "mail-slips.pdf")


async def several(visit: Visit) -> bytes:
    """Do something with those who were ticked."""
    act, names = visit.text("act"), [*visit.texts("id"), *visit.words("ids")][:_MOST]
    if not names:
        raise PeerFault("Tick the users first", code=400)
    if act == "slips":
        return await paper(visit)
    if act == "passwords":
        visit.must("set_users")
        return visit.page("users_passwords.html", names=names)
    if act in _SWITCHES:
        return await _switched(visit, names, on=_SWITCHES[act])
    if act == "delete":
        return await _deleted(visit, names)
    if act == "restore":
        return await _brought_back(visit, names)
    raise PeerFault("Say what is to be done", code=400)


async def _switched(visit: Visit, names: Sequence[str], *, on: bool) -> bytes:
    done = await visit.ask("set_users", people=[{"name": name, "enabled": on} for name in names])
    changed = [str(one["name"]) for one in done["people"] if one["does"] == "change"]
    said = visit.counted("%(n)s user is switched off", "%(n)s users are switched off", len(changed))
    if on:
        said = visit.counted("%(n)s user is switched on", "%(n)s users are switched on", len(changed))
    back = {"act": "off" if on else "on", "ids": ",".join(changed)}
    return visit.go(visit.back, said, undo=Undo("/people/several", back) if changed else None)


async def _deleted(visit: Visit, names: Sequence[str]) -> bytes:
    """One after the other; who cannot be deleted is told, and stays."""
    gone, left = [], []
    for name in names:
        try:
            await visit.ask("delete_user", name=name)
            gone.append(name)
        except MailshareError as refusal:
            left.append(f"{name}: {refusal.public}")
    said = visit.counted("%(n)s user was deleted", "%(n)s users were deleted", len(gone))
    back = Undo("/people/several", {"act": "restore", "ids": ",".join(gone)})
    undo = back if gone and visit.may("restore_user") else None
    return visit.go(visit.back, "; ".join([said, *left[:5]]), bad=bool(left), undo=undo)


async def _brought_back(visit: Visit, names: Sequence[str]) -> bytes:
    for name in names:
        await visit.ask("restore_user", name=name, number=0)
    return visit.go(visit.back, visit.counted("%(n)s user is back", "%(n)s users are back", len(names)))


async def passwords(visit: Visit) -> bytes:
    """New passwords for those who were ticked, on slips; the old ones are worth nothing from then on."""
    names = visit.texts("id")[:_MOST]
    if not names:
        raise PeerFault("Tick the users first", code=400)
    await visit.prove()
    new = {name: visit.rooms.password() for name in names}
    await visit.ask("set_users", people=[{"name": name, "password": password} for name, password in new.items()])
    return await _handed(visit, new)


async def list_again(visit: Visit) -> bytes:
    """Whoever comes back to what an act showed sees the list."""
    return visit.go("/users")


PAGES = (
    Page("/users/paste", paste_form, needs="set_users"),
    Page("/users/paste", paste, "POST", takes=_MOST_FILE, needs="set_users"),
    Page("/people", list_again),
    Page("/people/several", several, "POST"),
    Page("/people/passwords", passwords, "POST", needs="set_users"),
    Page("/people/slips", paper, "POST"),
)
