"""Commands for ADMIN's work: mail that found no owner, and the rules taught from it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json
from mailshare.cli.passwords import given_password

_Answer = tuple[Any, Iterable[str]]


def who() -> str:
    """The login of this machine that gives the command, for the audit."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@click.group()
def admin() -> None:
    """Work through the mail that found no owner and lies with ADMIN.

    ID is what the list shows, e.g. 1.17, or the trace of a message.
    """


@admin.command("list")
@click.option("--account", help="Only of this account (address or number).")
@click.option("--limit", type=int, help="At most so many of each account; 100 when left out.")
@click.pass_obj
@with_json
def admin_list(context: Context, /, account: str | None, limit: int | None) -> _Answer:
    """List what lies with ADMIN, newest first: from whom, about what, to which name, and why."""
    answer = context.ask("admin_list", account=account, limit=limit)
    rows = [
        {**row, "to": ", ".join(row["to"]), "reason": row["reason"] or "-", "perhaps": _names(row)} for row in answer
    ]
    columns = ("id", "received", "from", "to", "subject", "reason", "perhaps")
    return answer, screens.table(rows, columns, "Nothing lies with ADMIN.")


@admin.command("show")
@click.argument("id")
@click.pass_obj
@with_json
def admin_show(context: Context, /, id: str) -> _Answer:  # noqa: A002
    """Show the message ID: why it lies with ADMIN, who it might be for, and what to do with it."""
    answer = context.ask("admin_show", id=id)
    return answer, _shown(answer)


def _names(row: Any) -> str:
    return ", ".join(one["user"] for one in row["candidates"])


def _shown(row: Any) -> Iterable[str]:
    for name in ("id", "trace", "received", "from", "subject"):
        yield f"{name.capitalize() + ':':10}{screens.safe(row[name])}"
    yield f"To:       {screens.safe(', '.join(row['to']))}"
    yield f"Reason:   {row['words']} ({row['reason'] or 'admin'})."
    for one in row["candidates"]:
        yield f"Perhaps:  {one['user']}: {screens.safe(one['why'])}"
    if row["suggestion"]:
        yield f"Try:      mailshare admin {row['suggestion']}"
    yield from (f"  {': '.join(screens.safe(part) for part in step if part)}" for step in row["steps"])
    yield ""
    yield from (screens.safe(line.rstrip("\r")) for line in row["text"].split("\n"))


@admin.command("give")
@click.argument("id")
@click.argument("users", nargs=-1, required=True)
@click.pass_obj
@with_json
def admin_give(context: Context, /, id: str, users: tuple[str, ...]) -> _Answer:  # noqa: A002
    """Give the message ID to USERS; it leaves ADMIN's mailbox."""
    answer = context.ask("admin_give", id=id, users=list(users), by=who())
    return answer, [_given(answer)]


@admin.command("always-give")
@click.argument("id")
@click.argument("users", nargs=-1, required=True)
@click.option("--by", "kind", type=click.Choice(["list", "from", "to"]), help="What such mail has in common.")
@click.option("--past", is_flag=True, help="Also what lies with ADMIN already and fits.")
@click.pass_obj
@with_json
def admin_always(context: Context, /, id: str, users: tuple[str, ...], kind: str | None, past: bool) -> _Answer:  # noqa: A002
    """Give the message ID to USERS, and always such mail from now on.

    Without --by: by mailing list if it is of one, else by sender.
    """
    answer = context.ask("admin_always", id=id, users=list(users), kind=kind, past=past or None, by=who())
    rule = answer["rule"]
    lines = [f"Mail by {rule['kind']} {screens.safe(rule['match'])} goes to {', '.join(rule['users'])}."]
    return answer, [*lines, _given(answer), *_past(answer)]


@admin.command("teach")
@click.argument("id")
@click.argument("user")
@click.option("--name", help="Which name, when the message has several.")
@click.option("--past", is_flag=True, help="Also what lies with ADMIN already and fits.")
@click.pass_obj
@with_json
def admin_teach(context: Context, /, id: str, user: str, name: str | None, past: bool) -> _Answer:  # noqa: A002
    """Teach that the name in the message ID is a name of USER, and give it to him."""
    answer = context.ask("admin_teach", id=id, user=user, name=name, past=past or None, by=who())
    lines = [f"{screens.safe(answer['name'])} is a name of {answer['user']} from now on."]
    return answer, [*lines, _given(answer), *_past(answer)]


@admin.command("sort")
@click.option("--account", help="Only of this account (address or number).")
@click.pass_obj
@with_json
def admin_sort(context: Context, /, account: str | None) -> _Answer:
    """Sort once more, by the names and rules of now, what found no owner."""
    answer = context.ask("admin_sort", account=account, by=who())
    return answer, list(_past(answer)) or ["Nothing found an owner."]


def _given(row: Any) -> str:
    sent_on = f" and is sent on to {', '.join(map(screens.safe, row['sent_on']))}" if row["sent_on"] else ""
    return f"{row['id']} was given to {', '.join(row['to'])}{sent_on}."


@admin.command("reset")
@click.option("--account", help="Whose ADMIN (address or number); account 1 when left out.")
@click.option("--stdin", is_flag=True, help="Read the new password from standard input, in place of one made up.")
@click.pass_obj
@with_json
def admin_reset(context: Context, /, account: str | None, stdin: bool) -> _Answer:
    """Give ADMIN a new mailbox password and print it; the old one is good for nothing from then on."""
    password = given_password(generate=not stdin, stdin=stdin)
    answer = context.ask("admin_reset", account=account, password=password, by=who())
    lines = [f"{answer['login']} of {screens.safe(answer['account'])} has a new password."]
    if not stdin:
        answer = {**answer, "password": password}
        lines.append(f"Password: {password}")
    return answer, lines


def _past(answer: Any) -> Iterable[str]:
    return (_given(row) for row in answer["past"])


@click.group()
def rule() -> None:
    """List and delete the rules that ADMIN taught."""


@rule.command("list")
@click.option("--account", help="Only of this account (address or number).")
@click.pass_obj
@with_json
def rule_list(context: Context, /, account: str | None) -> _Answer:
    """List all rules."""
    answer = context.ask("rules", account=account)
    rows = [{**row, "users": ", ".join(row["users"])} for row in answer]
    return answer, screens.table(rows, ("account", "kind", "match", "users"), "No rules were taught yet.")


@rule.command("delete")
@click.argument("account")
@click.argument("kind", type=click.Choice(["list", "from", "to"]))
@click.argument("match")
@click.pass_obj
@with_json
def rule_delete(context: Context, /, account: str, kind: str, match: str) -> _Answer:
    """Forget the rule by KIND for MATCH on ACCOUNT (address or number); mail that it gave stays where it is."""
    answer = context.ask("delete_rule", account=account, kind=kind, match=match, by=who())
    return answer, [f"Forgot the rule by {kind} for {screens.safe(answer['deleted']['match'])}."]
