"""Commands for the provider's side of an account: how it goes, what was left there, what another program fetched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused, with_json
from mailshare.cli.people import account

_Answer = tuple[Any, Iterable[str]]
_LOT = 2000  # unique-ids in one request
_LARGEST_FILE = 64_000_000


@account.command("show")
@click.argument("address")
@click.pass_obj
@with_json
def account_show(context: Context, /, address: str) -> _Answer:
    """Tell how collecting the account ADDRESS (or number) goes, and what lies at the provider."""
    answer = context.ask("account_show", address=address)
    return answer, _shown(answer)


def _shown(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"{screens.safe(answer['address'])} (account {answer['number']}, {answer['mode']})"
    for words, text in _facts(answer):
        yield f"  {words + ':':<18} {screens.safe(text)}"
    if answer["left"]:
        yield ""
        yield from screens.table(answer["left"], ("id", "why", "size", "since", "tries", "reason"), "")
        yield "To get one all the same: mailshare fetch ID"


def _facts(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "collects from", answer["collect"] or "nowhere"
    yield "timetable", "; ".join(_window(one) for one in answer["timetable"]) or "none: only when somebody asks"
    yield "last try", answer["last_try"] or "never"
    yield "last success", answer["last_success"] or "never"
    yield "next try", _next(answer)
    news = screens.listening(answer["news"] or {})
    if news:
        yield "news", news
    yield "last error", answer["error"] or "none"
    if answer["note"]:
        yield "note", answer["note"]
    known = answer["at_provider"] is not None
    yield "at the provider", _there(answer) if known else "not known yet: nothing was listed so far"
    yield "left behind", f"{answer['left_behind']} messages, which nobody fetches unasked" if answer["left"] else "none"
    if answer["login_delay"]:
        yield "provider's rule", f"{answer['login_delay']} seconds between two logins"
    if answer["expire_days"] is not None:
        yield "provider's rule", f"mail stays for {answer['expire_days']} days"


def _there(answer: Mapping[str, Any]) -> str:
    parts = [f"{answer['at_provider']} messages", f"{answer['waiting']} of them still to be fetched"]
    if answer["kept_there"]:
        parts.append(f"{answer['kept_there']} kept there on purpose")
    if answer["to_be_deleted"]:
        parts.append(f"{answer['to_be_deleted']} to be deleted in the next session")
    return ", ".join(parts)


def _next(answer: Mapping[str, Any]) -> str:
    if answer["running"]:
        return "now: a session is under way"
    if answer["paused"]:
        return "none: the account is paused"
    if not answer["server"]:
        return "none: the server does not run"
    return answer["next_try"] or "only when somebody asks"


def _window(window: Mapping[str, Any]) -> str:
    days = window.get("days", "mon-sun")
    hours = f"{window.get('from', '00:00')}-{window.get('to', '24:00')}"
    said = ("" if days == "mon-sun" else days, "" if hours == "00:00-24:00" else hours)
    when = " ".join(part for part in said if part)
    return f"every {window.get('every', 5)} minutes{', ' + when if when else ', day and night'}"


@click.command()
@click.argument("id")
@click.option("--account", "of", help="Only of this account (address or number).")
@click.pass_obj
@with_json
def fetch(context: Context, /, id: str, of: str | None) -> _Answer:  # noqa: A002
    """Fetch the message ID, which was left at the provider, all the same."""
    answer = context.ask("fetch_anyway", id=id, account=of)
    name = screens.safe(answer["account"])
    if answer["fetched"]:
        return answer, [f"{name}: {screens.safe(answer['text'])}"]
    if answer["text"]:
        text = screens.safe(answer["text"])
        return answer, [f"{name}: it did not come yet and is tried again in the next run. {text}"]
    return answer, [f"{name}: it will be fetched in the first run after the server starts."]


@account.command("import-uids")
@click.argument("address")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--format", "form", type=click.Choice(["auto", "fetchmail", "getmail", "mpop"]), default="auto",
              show_default=True, help="Whose file it is.")  # fmt: skip
@click.option("--login", default="", help="LOGIN or LOGIN@HOST in the file, when it is not the account's own.")
@click.option("--folder", default="", help="Of which folder they are (IMAP), when the file's name does not say.")
@click.option("--ours", is_flag=True, help="Delete these messages there too, when the account's days are over.")
@click.pass_obj
@with_json
def import_uids(
    context: Context, /, address: str, file: str, form: str, login: str, folder: str, ours: bool
) -> _Answer:
    """Take over what fetchmail, getmail or mpop remember to have fetched for ADDRESS.

    FILE is .fetchids, an oldmail- file, or a uidls file of mpop. What it lists is not fetched again.
    """
    from mailshare.core.errors import MailshareError  # noqa: PLC0415 - keeps --help quick
    from mailshare.core.servers import parse_server  # noqa: PLC0415
    from mailshare.core.uid_files import choose, over_imap, read_uid_file  # noqa: PLC0415

    facts = context.ask("account_show", address=address)
    if not facts["collect"]:
        raise Refused(f"{facts['address']} collects from nowhere; give it a server first: mailshare account change")
    try:
        if os.path.getsize(file) > _LARGEST_FILE:
            raise Refused(f"{file} is too large for a list of unique-ids")
        with open(file, "rb") as stream:
            lists = read_uid_file(stream.read(), os.path.basename(file), form)
        server = parse_server(facts["collect"])
        if server.protocol == "imap":
            lists = over_imap(lists, server.login or facts["address"], folder)
        found = choose(lists, server.host, server.login or facts["address"], login)
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from error
    except MailshareError as fault:
        raise Refused(f"{file}: {fault.public}") from fault
    new, pairs = 0, iter(found.uids.items())
    while lot := dict(islice(pairs, _LOT)):
        new += context.ask("import_uids", address=address, program=found.program, uids=lot, ours=ours)["new"]
    counts = {"given": len(found.uids), "new": new}
    answer = {"account": facts["address"], "program": found.program, "login": found.who, **counts}
    words = f"{len(found.uids)} unique-ids of {found.program} for {found.who}, {new} of them new to the ledger."
    return answer, [f"{facts['address']}: took over {screens.safe(words)}"]


@account.command("resume")
@click.argument("address")
@click.pass_obj
@with_json
def account_resume(context: Context, /, address: str) -> _Answer:
    """Send through ADDRESS (or number) again at once, when its provider had refused the login or the certificate."""
    answer = context.ask("resume", address=address)
    return answer, [f"{answer['address']} sends again; {answer['waiting']} rows that waited are tried now."]
