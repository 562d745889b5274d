"""Every route with every role, made from the routes: who may not changes nothing, who may is written down."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest_twisted

from mailshare.assembly.narrowing import KEEPERS
from mailshare.core.levels import Level
from mailshare.core.values import Role
from mailshare.web.operations import BASE, OPERATIONS, Operation
from mailshare.web.pages import PAGES
from tests.web.conftest import PASSWORD, Browser, House

PARTS = {
    "name": "andrew", "address": "mail@company.example", "id": "1", "trace": "00" * 8, "act": "delete", "label": "x",
    "item": "1", "job": "1", "fax": "1", "account": "mail@company.example", "day": "2026-11-22", "form": "csv",
}  # fmt: skip
GIVEN: dict[str, Any] = {
    **PARTS, "id": 1, "names": ["x"], "ids": [1], "users": ["andrew"], "user": "andrew", "to": ["x"], "paused": True,
    "text": "x", "keys": {}, "level": "read", "owner": "admin", "password": "four other small words", "role": "owner",
    "timetable": [], "kind": "from", "match": "x", "program": "mpop", "uids": {}, "collect": "pop3://a@127.0.0.1:1",
}  # fmt: skip
LOOKS = ("verify", "find_servers", "preview_runs", "send_receive", "setup_step", "test_login", "try_sorting")
"""What is asked by POST and changes nothing that somebody sets; a place in the first run is none of it."""
OWN = ("/settings/mine", "/settings/password", "/lock", "/setup")
"""What everybody may do to his own session and looks; the first run is a page's own business."""


def way_of(path: str) -> str:
    return re.sub(r"<([a-z_]+)>", lambda part: PARTS.get(part[1], "1"), path)


async def asked(browser: Browser, one: Operation, token: str = "") -> int:
    """The status of an operation with arguments that are understood."""
    way = BASE + way_of(one.path)
    needed = {name: GIVEN[name] for name in one.required if f"<{name}>" not in one.path and name in GIVEN}
    who = {"Authorization": f"Bearer {token}"} if token else {"Origin": f"http://127.0.0.1:{browser.port}"}
    if one.method == "GET" or one.raw:
        way += f"?{urlencode(needed, doseq=True)}"
        return (await browser.ask(one.method, way, b"x" if one.raw else None, **who)).code
    return (await browser.ask(one.method, way, json.dumps(needed).encode(), **who)).code


def kept(house: House) -> dict[str, list[Any]]:
    """All that the store holds, but who is logged in and what the journal says."""
    with closing(sqlite3.connect(f"file:{house.office.config.data}/store/mailshare.db?mode=ro", uri=True)) as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: store.execute(f'SELECT * FROM "{name}"').fetchall() for name in names if "event" not in name}
    found["setting"] = [row for row in found["setting"] if row[1] != "sessions" and row[0] != "last-seen"]
    return found


@pytest_twisted.ensureDeferred
async def test_who_may_not_is_refused_at_every_route_of_the_api(house: House) -> None:
    """A viewer beyond reading, an account admin beyond those operations, a token beyond its level."""
    await house.admin()
    eye, keeper = await house.admin("eye", Role.VIEWER), await house.admin("keeper", Role.KEEPER, ("two@firm.example",))
    acts = house.office.acts
    token = str((await acts.add_token(owner="admin", label="x", level="operate"))["token"])
    before = kept(house)
    for one in OPERATIONS:
        if not one.remote:
            continue
        if one.level > Level.READ:
            assert await asked(eye, one) == 403, one.name
        if one.name not in KEEPERS or (one.method != "GET" and {"name", "address"} & {*one.params}):
            assert await asked(keeper, one) == 403, one.name
        if one.level > Level.OPERATE:
            assert await asked(house.browser(), one, token) == 403, one.name
        assert await asked(house.browser(), one) == 401, one.name
    assert kept(house) == before


@pytest_twisted.ensureDeferred
async def test_a_viewer_changes_nothing_by_any_form(house: House) -> None:
    """Each address that takes a form, sent with fields that an owner would fill in: the store is as before."""
    await house.admin()
    eye = await house.admin("eye", Role.VIEWER)
    before = kept(house)
    form = {**{name: value for name, value in GIVEN.items() if isinstance(value, str)}, "own_password": PASSWORD}
    for page in PAGES:
        if page.method == "POST" and not page.public and not page.path.startswith(OWN):
            await eye.post(way_of(page.path), form)
            assert kept(house) == before, page.path
    told = {one["data"].get("act") for one in (await house.office.acts.log(kinds=["admin.did"]))["events"]}
    assert told == set()


@pytest_twisted.ensureDeferred
async def test_who_steered_what_is_written_down(house: House) -> None:
    """Rows of the outbox and print jobs too: each line has the name of who did it."""
    browser = await house.admin()
    for one in OPERATIONS:
        looks = one.method == "GET" or one.name in LOOKS
        assert looks or one.audited or one.raw or "by" in one.params, one.name
    own = {"Origin": f"http://127.0.0.1:{house.port}"}
    job = json.loads((await browser.ask("POST", f"{BASE}/print?to=branch&name=a.txt", b"hello", **own)).text)["id"]
    assert (await browser.ask("POST", f"{BASE}/print/jobs/{job}/hold", b"{}", **own)).code == 200
    (line,) = (await house.office.acts.log(kinds=["admin.print"]))["events"]
    assert line["data"] == {"job": job, "act": "hold", "by": "admin"}
