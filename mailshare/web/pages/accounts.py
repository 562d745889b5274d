"""The mailboxes at the provider: list, one of them, a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mailshare.core.errors import MailshareError
from mailshare.web.control import http_status
from mailshare.web.rooms import Undo
from mailshare.web.routing import Page
from mailshare.web.visit import Visit, filled_again, mark

_TEXTS = ("mode", "collect", "relay", "zone", "ambiguous", "tag_delimiter")
_LISTS = ("domains", "aliases")
_NUMBERS = ("threshold", "leave_on_server_days")
_SORTING = ("mode", "domains", "aliases", "tag_delimiter", "ambiguous")
_EMPTY: Mapping[str, Any] = {
    "address": "",
    "mode": "regular",
    "collect": "",
    "relay": "",
    "zone": "",
    "ambiguous": "admin",
    "tag_delimiter": "+",
    "domains": [],
    "aliases": [],
    "threshold": 1,
    "leave_on_server_days": 0,
    "enabled": True,
    "hold_outside": False,
    "managed_by": "",
}


async def accounts(visit: Visit) -> bytes:
    """All of them, with how they are."""
    return visit.page("accounts.html", now=await visit.ask("status"), accounts=await visit.ask("accounts"))


async def account(visit: Visit) -> bytes:
    """One, to be looked at and changed."""
    return await _shown(visit, await visit.ask("account_show", address=visit.path["address"]))


async def _shown(
    visit: Visit,
    found: Mapping[str, Any],
    error: str = "",
    status: int = 200,
    tried: Mapping[str, Any] | None = None,
) -> bytes:
    """:param tried: what became of the last messages with what was filled in; by default only how they are sorted."""
    address = str(found["number"])
    return visit.page(
        "account.html",
        status=status,
        one=found,
        was=visit.text("was") if tried else mark(_settings(found)),
        error=error,
        tried=tried or await visit.ask("try_sorting", address=address, last=0),
        runs=await visit.ask("next_runs", address=address),
    )


def _settings(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an edit changes; the rest moves by itself."""
    return {name: found[name] for name in _EMPTY}


def _filled_in(visit: Visit) -> dict[str, Any]:
    given: dict[str, Any] = {name: visit.text(name) for name in _TEXTS if name in visit.form}
    given.update({name: visit.words(name) for name in _LISTS if name in visit.form})
    given.update({name: visit.text(name) or "0" for name in _NUMBERS if name in visit.form})
    given.update(enabled=visit.flag("enabled"), hold_outside=visit.flag("hold_outside"))
    if visit.secret("password"):
        given["password"] = visit.secret("password")
    return given


async def change(visit: Visit) -> bytes:
    """Take over what was filled in; what is wrong is told beside what was filled in."""
    address = visit.path["address"]
    found = await visit.ask("account_show", address=address)
    given = _filled_in(visit)
    try:
        visit.unchanged(_settings(found))
        if "password" in given:
            await visit.prove()
        await visit.ask("change_account", address=address, **given)
    except MailshareError as error:
        return await _shown(visit, filled_again(found, given, error), error.public, max(http_status(error), 400))
    return visit.go(f"/accounts/{quote(address, safe='')}", "Saved")


async def try_it(visit: Visit) -> bytes:
    """Who would get the last messages if what is filled in were saved; nothing is."""
    address = visit.path["address"]
    found, given = await visit.ask("account_show", address=address), _filled_in(visit)
    given.pop("password", None)
    facts = {name: given[name] for name in _SORTING if name in given}
    try:
        tried = await visit.ask("try_sorting", address=address, facts=facts)
    except MailshareError as error:
        return await _shown(visit, {**found, **given}, error.public, max(http_status(error), 400))
    return await _shown(visit, {**found, **given}, tried=tried)


async def pause(visit: Visit) -> bytes:
    """Collect and send no more through one account, or again."""
    address, on = visit.path["address"], not visit.flag("paused")
    await visit.ask("change_account", address=address, enabled=on)
    said = f"{address} is collected and sent again" if on else f"{address} is paused: nothing is collected or sent"
    undo = Undo(f"/accounts/{quote(address, safe='')}/pause", {"paused": "on"} if on else {})
    return visit.go(visit.back, said, undo=undo)


async def new_form(visit: Visit) -> bytes:
    """An empty form."""
    return visit.page("account_new.html", one=_EMPTY, error="")


async def add(visit: Visit) -> bytes:
    """Make one; its ADMIN and PUBLIC come with it."""
    given = {"address": visit.text("address"), **_filled_in(visit), "enabled": True}
    try:
        made = await visit.ask("add_account", **given)
    except MailshareError as error:
        status = max(http_status(error), 400)
        return visit.page("account_new.html", status=status, one={**_EMPTY, **given}, error=error.public)
    return visit.go(f"/accounts/{quote(str(made['address']), safe='')}", f"{made['address']} was added")


async def probe(visit: Visit) -> bytes:
    """Log in at the provider and look; nothing is fetched or changed there."""
    address = visit.path["address"]
    look = await visit.ask("probe_account", address=address)
    return visit.page("probe.html", look=look, address=address)


async def delete_form(visit: Visit) -> bytes:
    """Say what goes with it before it goes."""
    found = await visit.ask("account_show", address=visit.path["address"])
    users = [one["name"] for one in await visit.ask("users") if found["address"] in one["accounts"]]
    return visit.page("account_delete.html", one=found, users=users)


async def delete(visit: Visit) -> bytes:
    """Take it away."""
    await visit.prove()
    await visit.ask("delete_account", address=visit.path["address"])
    return visit.go("/accounts", f"{visit.path['address']} was deleted")


async def resume(visit: Visit) -> bytes:
    """Send through it again, when the provider had refused the login."""
    answer = await visit.ask("resume", address=visit.path["address"])
    return visit.go(visit.back, f"{answer['address']} sends again; {answer['waiting']} rows are tried now")


async def fetch(visit: Visit) -> bytes:
    """Get a message that was left at the provider."""
    answer = await visit.ask("fetch_anyway", id=visit.text("id"), account=visit.path["address"])
    return visit.go(visit.back, str(answer["text"] or "It is fetched in the next run"), bad=not answer["fetched"])


PAGES = (
    Page("/accounts", accounts),
    Page("/accounts/new", new_form, needs="add_account"),
    Page("/accounts/new", add, "POST", needs="add_account"),
    Page("/accounts/<address>", account),
    Page("/accounts/<address>", change, "POST"),
    Page("/accounts/<address>/probe", probe, "POST"),
    Page("/accounts/<address>/try", try_it, "POST", needs="change_account"),
    Page("/accounts/<address>/pause", pause, "POST", needs="change_account"),
    Page("/accounts/<address>/resume", resume, "POST"),
    Page("/accounts/<address>/fetch", fetch, "POST"),
    Page("/accounts/<address>/delete", delete_form, needs="delete_account"),
    Page("/accounts/<address>/delete", delete, "POST", needs="delete_account"),
)
