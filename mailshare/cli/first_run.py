"""The first run in a terminal: the steps of the manager's pages, by the same operations, each kept when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused
from mailshare.cli.passwords import made_up

_Answer = tuple[Any, Iterable[str]]
_SKIP, _BACK = "-", "<"
_TLS_ONLY = ("pop3s", "submissions", "web")
_PLAIN = ("pop3", "smtp")
_KINDS = (("authority", "made here, of an authority of its own"), ("own", "PEM files in a folder"), ("plain", "none"))
_TITLES = {
    "listen": "Where mail programs connect",
    "account": "The mailbox at your provider",
    "probe": "How the provider marks its mail",
    "users": "Who shares it",
    "timer": "When mail is fetched and sent",
}


class _Skip(Exception):
    """Leave the step out."""


class _Back(Exception):
    """Go to the step before."""


def go_through(context: Context) -> _Answer:
    """All steps, from the one where it was broken off; what was done, and what comes next."""
    _administrator(context)
    survey = context.ask("setup_survey")
    names = [one for one in _TITLES if one not in survey["decided"]]
    place = names.index(survey["reached"]) if survey["reached"] in names else 0
    click.echo(f"Enter takes what stands in brackets, {_SKIP} leaves a step out, {_BACK} goes back.")
    while place < len(names):
        name = names[place]
        context.ask("setup_step", step=name)
        click.echo(f"\n{place + 1} of {len(names)}  {_TITLES[name]}")
        try:
            _STEPS[name](context)
        except _Back:
            place = max(place - 1, 0)
            continue
        except _Skip:
            click.echo("Left out.")
        except Refused as refusal:
            click.echo(f"{refusal.message}\nOnce more, or {_SKIP} to leave it out.")
            continue
        place += 1
    context.ask("setup_step", step="")
    return _done(context)


def _asked(words: str, proposal: str = "", *, hidden: bool = False) -> str:
    """An answer.

    :raises _Skip: the step is left out. :raises _Back: the step before is wanted.
    """
    given = str(click.prompt(words, default=proposal, hide_input=hidden, show_default=bool(proposal))).strip()
    if given == _SKIP:
        raise _Skip
    if given == _BACK:
        raise _Back
    return given


def _administrator(context: Context) -> None:
    """The first administrator: whoever uses the control socket owns the server, so no code is asked."""
    while context.ask("setup_code")["needed"]:
        name = str(click.prompt("Your name in the manager", default="admin"))
        password = str(click.prompt("A password for the manager", hide_input=True))
        try:
            context.ask("add_administrator", name=name, password=password, role="owner")
        except Refused as refusal:
            click.echo(refusal.message)


def _listen(context: Context) -> None:
    """Name, certificates and ports."""
    survey = context.ask("setup_survey")
    hostname = survey["hostname"]
    if survey["hostname_declared"]:
        click.echo(f"The configuration file calls this computer {hostname}.")
    else:
        hostname = _asked("Name of this computer on your network", hostname)
    for key, words in _KINDS:
        click.echo(f"  {key:<9} {words}")
    kind = _asked("Certificates", survey["kind"])
    path = _asked("Folder of the certificates", survey["path"]) if kind == "own" else ""
    trusted = []
    if kind == "plain":
        click.echo("Passwords and mail are then readable to everybody on the network.")
        given = _asked("Networks from which passwords are taken", ", ".join(survey["trusted"]))
        trusted = [one.strip() for one in given.split(",") if one.strip()]
    answer = context.ask(
        "setup_listen", kind=kind, hostname=hostname, path=path, trusted=trusted, ports=_ports(survey["ports"], kind)
    )
    for sentence in answer["words"]:
        click.echo(sentence)


def _ports(rows: Iterable[Mapping[str, Any]], kind: str) -> dict[str, int]:
    """A port for each service that is wanted."""
    wanted = {}
    for row in rows:
        if row["declared"] or row["service"] not in (_PLAIN if kind == "plain" else _TLS_ONLY):
            continue
        state = {
            "taken": f"; {row['usual']} is taken by {row['holder'] or 'another program'}",
            "denied": f"; the server's user may not open {row['usual']}",
        }.get(row["state"], "")
        given = _asked(f"Port of {row['service']} (0 = not at all{state})", str(row["port"]))
        if not given.isdigit():
            raise Refused(f"{given} is not a port")
        if int(given):
            wanted[row["service"]] = int(given)
    return wanted


def _account(context: Context) -> None:
    """Address, servers, a login that is tried, and the account."""
    address = _asked("Its address")
    local, _, domain = address.rpartition("@")
    if not local:
        raise Refused("That is no address; write e.g. mail@company.example")
    ways = context.ask("find_servers", address=address)["ways"]
    for number, way in enumerate(ways, 1):
        click.echo(screens.safe(f"  {number}  {way['collect']}, {way['relay']} ({way['source']})"))
    chosen = _asked("Which of them, or where mail is fetched: pop3s://login@server", "1" if ways else "")
    if chosen.isdigit() and 0 < int(chosen) <= len(ways):
        collect, relay = ways[int(chosen) - 1]["collect"], ways[int(chosen) - 1]["relay"]
    else:
        collect, relay = chosen, _asked("Where mail is sent through: submissions://login@server")
    mode = _asked("One address that several people share (regular), or a whole domain (domain)", "regular")
    shapes = (f"andrew@{domain}", f"greg@{domain}")
    if mode != "domain":
        shapes = (f"Andrew Smith <{address}>", f"{local}+andrew@{domain}")
    click.echo(f"People will be written to like this: {shapes[0]}  or  {shapes[1]}")
    password = _asked("Password at the provider", hidden=True)
    facts = {"address": address, "password": password, "collect": collect, "relay": relay or None}
    test = context.ask("test_login", **facts)
    for one in test["steps"]:
        click.echo(screens.safe(f"  {'ok ' if one['ok'] else 'NO '} {one['what']}: {one['words']}"))
    if not test["ok"] and not click.confirm("The provider does not let us in. Keep the account all the same?"):
        raise Refused("Nothing was kept")
    context.ask("add_account", mode=mode, domains=[domain] if mode == "domain" else [], **facts)
    click.echo(f"{address} was added.")


def _probe(context: Context) -> None:
    """A look at the headers that lie there."""
    accounts = context.ask("accounts")
    if not accounts:
        raise _Skip
    for one in accounts:
        if _asked(f"Look at the headers of {one['address']}? Nothing is fetched or changed", "yes") in ("yes", "y"):
            for sentence in context.ask("probe_account", address=one["address"])["words"]:
                click.echo(f"  {screens.safe(sentence)}")


def _users(context: Context) -> None:
    """One line each, until an empty one."""
    accounts = [one["address"] for one in context.ask("accounts")]
    there = [one["name"] for one in context.ask("users")]
    click.echo(f"There are: {', '.join(there) or 'none yet'}. One line each: login, full name. An empty line ends it.")
    while line := _asked("User"):
        name, _, full = (part.strip() for part in line.partition(","))
        password = made_up()
        try:
            context.ask("add_user", name=name, names=[full] if full else [], password=password, accounts=accounts)
            click.echo(f"  {name}  {password}")
        except Refused as refusal:
            click.echo(f"  {refusal.message}")


def _timer(context: Context) -> None:
    """The same for every account that the file does not declare."""
    from mailshare.web.pages.timetables import PRESETS  # noqa: PLC0415 - brings the pages

    for key, (words, _) in PRESETS.items():
        click.echo(f"  {key:<8} {words}")
    preset = _asked("When", next(iter(PRESETS)))
    if preset not in PRESETS:
        raise Refused(f"{preset} is none of {', '.join(PRESETS)}")
    every = _asked("Minutes between two runs", "5") if PRESETS[preset][1] else "5"
    if not every.isdigit() or not 1 <= int(every[:6]) <= 1440:
        raise Refused("Choose 1 to 1440 minutes")
    table = [{**window, "every": int(every)} for window in PRESETS[preset][1]]
    for one in context.ask("accounts"):
        if not one["managed_by"]:
            context.ask("change_account", address=one["address"], timetable=table)


_STEPS: Mapping[str, Callable[[Context], None]] = {
    "listen": _listen, "account": _account, "probe": _probe, "users": _users, "timer": _timer,
}  # fmt: skip


def _done(context: Context) -> _Answer:
    """What there is now."""
    accounts = [one["address"] for one in context.ask("accounts")]
    people = [one["name"] for one in context.ask("users") if one["kind"] == "person"]
    lines = ["", f"Accounts: {', '.join(accounts) or 'none yet'}", f"Users: {', '.join(people) or 'none yet'}"]
    if accounts:
        lines.append("Send and receive now: mailshare sendreceive")
    lines += [f"What {name} needs: mailshare user handout {name}" for name in people[:5]]
    return {"accounts": accounts, "users": people}, lines
