"""The first run: from the one-time code to an office that serves; each step is kept, each can be skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.people_files import read_people
from mailshare.core.values import Role
from mailshare.web.handout.slip_pdf import slips
from mailshare.web.pages.first_steps import OWNERS, on, shown, stages
from mailshare.web.pages.handed_links import made_for
from mailshare.web.pages.timetables import PRESETS
from mailshare.web.rooms import set_cookie
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_MOST_PASTED = 200


async def code_form(visit: Visit) -> bytes:
    """The code from the server's log, and a password."""
    if not visit.rooms.setup_code.needed():
        if visit.me is None:
            return visit.go("/login")
        step, steps = await visit.rooms.first_run.reached(), stages(visit)
        return visit.go(f"/setup/{step if step in steps else steps[1]}")
    trouble = await visit.rooms.first_run.trouble()
    error = f"The backup was not taken: {trouble}" if trouble else ""
    return shown(visit, "code", error, code=visit.asked("code"), name="admin", secure=visit.request.isSecure())


async def begin(visit: Visit) -> bytes:
    """Make the first administrator, and log in as such."""
    rooms = visit.rooms
    if not rooms.setup_code.needed():
        return visit.go("/login")
    code, name = visit.text("code"), visit.text("name", "admin")
    try:
        await rooms.setup_code.check(code, visit.peer)
        made = await rooms.administrators.add(name, visit.secret("password"), Role.OWNER)
    except MailshareError as error:
        return shown(visit, "code", error.public, 422, code=code, name=name, secure=visit.request.isSecure())
    secret, visit.session = await rooms.sessions.begin(made, visit.peer, visit.request.getHeader("User-Agent") or "")
    set_cookie(visit.request, secret)
    await rooms.office.note("admin.first", {"by": made.name, "peer": visit.peer})
    visit.me = made
    going_on = await on(visit, "code")
    return visit.go("/setup/restore") if visit.text("go") == "restore" else going_on


async def skip(visit: Visit) -> bytes:
    """Leave a step out."""
    return await on(visit, visit.text("step"))


async def account_form(visit: Visit) -> bytes:
    """The address at the provider; its servers are looked for."""
    return await _account(visit)


async def _account(visit: Visit, error: str = "", status: int = 200, **values: Any) -> bytes:
    accounts = await visit.ask("accounts")
    given: dict[str, Any] = {"address": visit.asked("address"), "found": [], "mode": "regular", "steps": [], **values}
    ways = previews(given["address"])
    return shown(visit, "account", error, status, accounts=accounts, previews=ways, **given)


async def find(visit: Visit) -> bytes:
    """Look for the servers of an address: from the list, the provider's own word, the DNS, and by trying."""
    address = visit.text("address")
    try:
        found = await visit.ask("find_servers", address=address)
    except MailshareError as error:
        return await _account(visit, error.public, 422, address=address, mode=visit.text("mode", "regular"))
    return await _account(visit, address=address, found=found["ways"], mode=visit.text("mode", "regular"))


_SHAPES = {
    "regular": ("Andrew Smith <{address}>", "{local}+andrew@{domain}"),
    "domain": ("andrew@{domain}", "greg@{domain}"),
}
"""How people could be written to, for each way to share; a script fills them in while somebody types."""


def previews(address: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Each shape with what it is for an address; without one the text is empty."""
    local, _, domain = address.rpartition("@")
    facts = {"address": address, "local": local, "domain": domain}
    return {
        mode: [(shape, shape.format(**facts) if local else "") for shape in shapes] for mode, shapes in _SHAPES.items()
    }


def _way(visit: Visit) -> dict[str, str]:
    """The servers that were chosen: one that was found, or what was typed."""
    collect, _, relay = visit.text("way").partition(" ")
    return {"collect": visit.text("collect") or collect, "relay": visit.text("relay") or relay}


async def add_account(visit: Visit) -> bytes:
    """Try the log-in, and keep the account when the provider lets us in, or when that is not wanted."""
    address, password, mode = visit.text("address"), visit.secret("password"), visit.text("mode", "regular")
    way = _way(visit)
    facts = {"address": address, "password": password, **way}
    steps: Sequence[Mapping[str, Any]] = []
    try:
        if not way["collect"]:
            raise PeerFault("Choose how the mail is fetched, or write the server's name", code=400)
        if not visit.flag("untested"):
            test = await visit.ask("test_login", **facts)
            steps = test["steps"]
            if not test["ok"]:
                raise PeerFault("The provider does not let us in; the steps below say where it ended", code=400)
        domains = [address.rpartition("@")[2]] if mode == "domain" else []
        await visit.ask("add_account", mode=mode, domains=domains, **facts)
    except MailshareError as error:
        ways = [{"collect": way["collect"], "relay": way["relay"], "source": "as chosen"}] if way["collect"] else []
        return await _account(visit, error.public, 422, steps=steps, found=ways, address=address, mode=mode)
    return await on(visit, "account", f"{address} was added")


async def probe_form(visit: Visit) -> bytes:
    """What the provider writes into its mail decides how well it can be sorted."""
    return await _probe(visit)


async def _probe(visit: Visit, error: str = "", status: int = 200, **values: Any) -> bytes:
    accounts = await visit.ask("accounts")
    return shown(visit, "probe", error, status, accounts=accounts, **{"look": None, **values})


async def probe(visit: Visit) -> bytes:
    """Look at the headers that lie there; nothing is fetched or changed at the provider."""
    try:
        look = await visit.ask("probe_account", address=visit.text("address"))
    except MailshareError as error:
        return await _probe(visit, error.public, 422)
    return await _probe(visit, look=look)


async def users_form(visit: Visit) -> bytes:
    """Who shares it."""
    return await _users(visit)


async def _users(visit: Visit, error: str = "", status: int = 200, **values: Any) -> bytes:
    accounts = await visit.ask("accounts")
    everybody = await visit.ask("users")
    users = [one for one in everybody if one["kind"] == "person"]
    fixed = [one for one in everybody if one["kind"] != "person"]
    given: dict[str, Any] = {"text": "", "slips": [], "troubles": [], **values}
    return shown(visit, "users", error, status, accounts=accounts, users=users, fixed=fixed, **given)


async def add_users(visit: Visit) -> bytes:
    """Make those of a table who fit; the lines of the others stand in the field again, with the reasons."""
    text, accounts = visit.text("text"), [one["address"] for one in await visit.ask("accounts")]
    lines = read_people(text)[:_MOST_PASTED]
    if not lines:
        return await _users(visit, "Write one line for each user, or go on", 422)
    known = {one["name"] for one in await visit.ask("users")}
    wrong, people = {}, {}
    for line in lines:
        name = str(line.facts.get("name", ""))
        if line.fault or name.casefold() in known:
            wrong[line.line] = (name, line.fault or f"There is a user {name} already")
        else:
            people[line.line] = {"accounts": accounts, "password": visit.rooms.password(), **line.facts}
    looked = (await visit.ask("set_users", people=list(people.values()), check=True))["people"] if people else []
    for number, found in zip(tuple(people), looked, strict=True):
        if found["does"] == "wrong":
            wrong[number] = (found["name"], found["trouble"])
            del people[number]
    try:
        if people:
            await visit.ask("set_users", people=list(people.values()))
    except MailshareError as error:  # somebody gets copies who could not be made
        wrong |= {number: (str(one["name"]), error.public) for number, one in people.items()}
        people = {}
    slips = [(str(one["name"]), str(one["password"])) for one in people.values()]
    rows = text.splitlines()
    heading = [row for row in rows[: lines[0].line - 1] if row.strip()]
    left = "\n".join([*heading, *(rows[number - 1] for number in sorted(wrong))]) if wrong else ""
    words = "Some lines could not be taken; they are in the field again" if wrong else ""
    troubles = [wrong[number] for number in sorted(wrong)]
    return await _users(visit, words, 422 if wrong else 200, text=left, slips=slips, troubles=troubles)


async def timer_form(visit: Visit) -> bytes:
    """When mail is fetched and sent."""
    return await _timer(visit)


async def _timer(visit: Visit, error: str = "", status: int = 200) -> bytes:
    accounts = await visit.ask("accounts")
    preset, every = _as_it_is(accounts)
    if error:
        preset, every = visit.text("preset") or preset, visit.text("every") or every
    return shown(visit, "timer", error, status, presets=PRESETS, accounts=accounts, preset_now=preset, every=every)


def _as_it_is(accounts: Sequence[Mapping[str, Any]]) -> tuple[str, object]:
    """The preset that an account has, and its minutes; what is proposed when it has none of them."""
    for one in accounts:
        windows = [{key: window.get(key) for key in ("days", "from", "to")} for window in one["timetable"]]
        fits = next((name for name, (_, preset) in PRESETS.items() if windows == [dict(row) for row in preset]), "")
        if fits and (windows or not one["managed_by"]):
            return fits, next((window.get("every", 5) for window in one["timetable"]), 5)
    return next(iter(PRESETS)), 5


async def set_timer(visit: Visit) -> bytes:
    """The same for every account that the file does not declare."""
    preset = PRESETS.get(visit.text("preset"))
    every = visit.text("every", "5")
    if preset is None or not every.isdigit() or not 1 <= int(every[:6]) <= 1440:
        return await _timer(visit, "Choose when, and 1 to 1440 minutes", 422)
    table = [{**window, "every": int(every)} for window in preset[1]]
    for one in await visit.ask("accounts"):
        if not one["managed_by"]:
            await visit.ask("change_account", address=one["address"], timetable=table)
    return await on(visit, "timer")


async def done(visit: Visit) -> bytes:
    """What there is now, and what to do next."""
    users = await _people(visit)
    ways = {one["name"]: f"/users/{quote(one['name'], safe='')}/handout" for one in users}
    return shown(visit, "done", accounts=await visit.ask("accounts"), users=users, ways=ways)


async def _people(visit: Visit) -> list[Mapping[str, Any]]:
    return [one for one in await visit.ask("users") if one["kind"] == "person"]


async def links(visit: Visit) -> bytes:
    """A link for everybody, each to be sent to its person."""
    made = [await made_for(visit, one["name"]) for one in (await _people(visit))[:_MOST_PASTED]]
    return visit.page("handout_links.html", links=made, back="/setup/done")


async def paper(visit: Visit) -> bytes:
    """A slip of paper for everybody."""
    found = [await visit.ask("handout", name=one["name"], format="page") for one in await _people(visit)]
    if not found:
        raise PeerFault("There are no users yet", code=400)
    return visit.file(slips([one["page"] for one in found], visit.told), "application/pdf", "mailshare-slips.pdf")


async def finish(visit: Visit) -> bytes:
    """The first run is over."""
    await visit.rooms.first_run.reach("")
    return visit.go("/")


PAGES = (
    Page("/setup", code_form, public=True),
    Page("/setup", begin, "POST", public=True),
    Page("/setup/skip", skip, "POST", needs=OWNERS),
    Page("/setup/account", account_form, needs=OWNERS),
    Page("/setup/account/find", find, "POST", needs=OWNERS),
    Page("/setup/account", add_account, "POST", needs=OWNERS),
    Page("/setup/probe", probe_form, needs=OWNERS),
    Page("/setup/probe", probe, "POST", needs=OWNERS),
    Page("/setup/users", users_form, needs=OWNERS),
    Page("/setup/users", add_users, "POST", needs=OWNERS),
    Page("/setup/timer", timer_form, needs=OWNERS),
    Page("/setup/timer", set_timer, "POST", needs=OWNERS),
    Page("/setup/done", done, needs=OWNERS),
    Page("/setup/links", links, "POST", needs=OWNERS),
    Page("/setup/slips.pdf", paper, needs=OWNERS),
    Page("/setup/finish", finish, "POST", needs=OWNERS),
)
