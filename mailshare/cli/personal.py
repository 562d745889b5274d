"""Commands for one person: show, restore, app passwords, vacation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused, with_json
from mailshare.cli.people import user

__all__ = ["user"]
_Answer = tuple[Any, Iterable[str]]


@user.command("show")
@click.argument("name")
@click.pass_obj
@with_json
def user_show(context: Context, /, name: str) -> _Answer:
    """Show the addresses that reach the user NAME, where that mail comes from, and what the mailbox does itself."""
    one = context.ask("show_user", name=name)
    lines = [f"{one['name']} ({one['kind']}{'' if one['enabled'] else ', disabled'})"]
    for place in one["addresses"]:
        lines.append(f"  by {place['account']}, collected from {place['comes_from']}:")
        lines += [f"    {address}" for address in place["addresses"]]
    lines.append(f"  inside: {', '.join(one['inside'])}")
    lines.append(f"  mailbox: {one['messages']} messages, {one['octets']} octets, {one['unread']} not fetched yet")
    logins = ", ".join(f"{door} {seen['at']} from {seen['peer']}" for door, seen in one["last_seen"].items())
    slowed = one["slowed"]
    facts = {
        "oldest message since": one["oldest"],
        "last fetched": one["fetched"],
        "last logins": logins or "never",
        "waits": f"{slowed['failures']} wrong tries; mailshare user unlock {one['name']}" if slowed else "",
        "full": f"{one['quota_percent']} %" if one["quota"] or one["quota_messages"] else "",
        "copies to": ", ".join(one["cc"]),
        "copies from": ", ".join(one["copies_from"]),
        "forwards to": ", ".join(one["forward"]) + ("" if one["forward_keep"] else " (keeps nothing)"),
        "away": _days(one["vacation"]) if one["vacation"] else "",
        "app passwords": ", ".join(one["app_passwords"]),
        "no mail with the outside": "yes" if one["local_only"] else "",
        "declared in": one["managed_by"],
    }
    if not one["forward"]:
        del facts["forwards to"]
    lines += [f"  {what}: {text}" for what, text in facts.items() if text]
    return one, lines


@user.command("restore")
@click.argument("name", required=False, default="")
@click.option("--number", type=int, help="Of several who had this login: the one with this number in the list.")
@click.pass_obj
@with_json
def user_restore(context: Context, /, name: str, number: int | None) -> _Answer:
    """Bring back the deleted user NAME with all mail; without NAME list who can come back."""
    if not name:
        answer = context.ask("former_users")
        rows = [{**row, "names": ", ".join(row["names"])} for row in answer]
        columns = ("number", "name", "names", "deleted", "kept_until")
        return answer, screens.table(rows, columns, "Nobody was deleted lately.")
    answer = context.ask("restore_user", name=name, number=number)
    return answer, [f"{answer['name']} is back, with mail, passwords and copies."]


def _days(vacation: dict[str, str]) -> str:
    start, end = vacation.get("start", ""), vacation.get("end", "")
    return " ".join(part for part in (f"from {start}" if start else "", f"to {end}" if end else "") if part) or "always"


@user.command("vacation")
@click.argument("name")
@click.option("--text", default="", help="What the answer says.")
@click.option("--file", "file", type=click.File(encoding="utf-8"), help="File that holds the text; - is stdin.")
@click.option("--subject", default="", help="Subject of the answer; else Auto: and the subject that is answered.")
@click.option("--from", "start", default="", help="First day, YYYY-MM-DD; else at once.")
@click.option("--to", "end", default="", help="Last day, YYYY-MM-DD; else until it is switched off.")
@click.option("--off", is_flag=True, help="Answer nobody any more.")
@click.pass_obj
@with_json
def user_vacation(context: Context, /, name: str, file: Any, **facts: Any) -> _Answer:
    """Answer for the user NAME who is away, once to each sender in 7 days; without options show the answer."""
    if file is not None:
        if facts["text"]:
            raise Refused("Give --text or --file, not both")
        facts["text"] = file.read().rstrip("\n")
    given = {key: value for key, value in facts.items() if value}
    answer = context.ask("vacation", name=name, **given)
    if not answer["text"]:
        return answer, [f"{answer['user']} answers nobody."]
    return answer, [f"{answer['user']} is away ({_days(answer)}) and answers:", "", *answer["text"].split("\n")]


@user.group("app-password")
def app_password() -> None:
    """Passwords for single programs and telephones, each of which can be taken back alone."""


@app_password.command("add")
@click.argument("name")
@click.argument("label")
@click.pass_obj
@with_json
def app_password_add(context: Context, /, name: str, label: str) -> _Answer:
    """Make a password of the user NAME for what LABEL says, e.g. telephone. It is shown this once."""
    answer = context.ask("add_app_password", name=name, label=label)
    return answer, [f"App password of {answer['user']} for {answer['label']}: {answer['password']}"]


@app_password.command("list")
@click.argument("name")
@click.pass_obj
@with_json
def app_password_list(context: Context, /, name: str) -> _Answer:
    """List the app passwords of the user NAME: what for, first letters, when made and last used."""
    answer = context.ask("app_passwords", name=name)
    return answer, screens.table(answer, ("label", "mark", "made", "used"), f"{name} has no app passwords.")


@app_password.command("revoke")
@click.argument("name")
@click.argument("label")
@click.pass_obj
@with_json
def app_password_revoke(context: Context, /, name: str, label: str) -> _Answer:
    """Take back the app password LABEL (or its first letters) of the user NAME."""
    answer = context.ask("revoke_app_password", name=name, label=label)
    return answer, [f"{answer['revoked']} of {answer['user']} logs in no more."]
