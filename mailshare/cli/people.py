"""Commands for users and accounts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused, with_json
from mailshare.cli.passwords import given_password, password_options

_Answer = tuple[Any, Iterable[str]]


@click.group()
def user() -> None:
    """Add, change, delete and list users."""


@user.command("list")
@click.pass_obj
@with_json
def user_list(context: Context, /) -> _Answer:
    """List all users."""
    answer = context.ask("users")
    rows = [{**one, "accounts": ", ".join(one["accounts"]), "cc": ", ".join(one["cc"])} for one in answer]
    columns = ("name", "kind", "enabled", "names", "accounts", "cc", "managed_by")
    return answer, screens.table([{**row, "names": ", ".join(row["names"])} for row in rows], columns, "No users yet.")


def _user_options(command: Any) -> Any:
    for option in (
        click.option("--keep/--no-keep", "forward_keep", default=None, help="Keep what is forwarded, or not."),
        click.option("--no-forward", is_flag=True, help="Forward nothing any more."),
        click.option("--forward", multiple=True, help="Address outside that gets everything too; repeat."),
        click.option("--quota-messages", type=int, help="Messages that the mailbox may hold; 0 = no bound."),
        click.option("--quota", type=int, help="Octets that the mailbox may hold; 0 = no bound."),
        click.option("--local-only/--not-local-only", default=None, help="No mail from or to the outside."),
        click.option("--enable/--disable", "enabled", default=None, help="May log in, or not."),
        click.option("--cc", multiple=True, help="Login that gets a copy of everything; repeat for several."),
        click.option("--account", "accounts", multiple=True, help="Address or number of an account; repeat."),
        click.option("--alias", "names", multiple=True, help="Full name or alias; repeat for several."),
    ):
        command = option(command)
    return command


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    """What was said on the command line, as JSON values."""
    none: dict[str, Any] = {"forward": []} if facts.pop("no_forward", False) else {}
    said = {key: value for key, value in facts.items() if value not in (None, ())} | none
    return {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}


@user.command("add")
@click.argument("name")
@_user_options
@password_options
@click.pass_obj
@with_json
def user_add(context: Context, /, name: str, generate: bool, stdin: bool, **facts: Any) -> _Answer:
    """Make the user NAME with a mailbox. Without --account the user shares all accounts."""
    password = given_password(generate=generate, stdin=stdin)
    given = _given(facts)
    if "accounts" not in given:
        given["accounts"] = [one["address"] for one in context.ask("accounts")]
    answer = context.ask("add_user", name=name, password=password, **given)
    lines = [f"Made user {answer['name']} for {', '.join(answer['accounts']) or 'no account'}."]
    if generate:
        answer = {**answer, "password": password}
        lines.append(f"Password: {password}")
    return answer, lines


@user.command("change")
@click.argument("name")
@_user_options
@click.pass_obj
@with_json
def user_change(context: Context, /, name: str, **facts: Any) -> _Answer:
    """Change what is given of the user NAME; lists are replaced whole."""
    given = _given(facts)
    if not given:
        raise Refused("Nothing to change was given; see mailshare user change --help")
    answer = context.ask("change_user", name=name, **given)
    return answer, [f"Changed user {answer['name']}."]


@user.command("passwd")
@click.argument("name")
@password_options
@click.pass_obj
@with_json
def user_passwd(context: Context, /, name: str, generate: bool, stdin: bool) -> _Answer:
    """Give the user NAME a new password."""
    password = given_password(generate=generate, stdin=stdin)
    answer = context.ask("change_user", name=name, password=password)
    lines = [f"{answer['name']} has a new password."]
    if generate:
        answer = {**answer, "password": password}
        lines.append(f"Password: {password}")
    return answer, lines


@user.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@with_json
def user_delete(context: Context, /, name: str, yes: bool) -> _Answer:
    """Delete the user NAME; the mail stays 30 days."""
    if not yes:
        click.confirm(f"Delete the user {name}?", abort=True)
    answer = context.ask("delete_user", name=name)
    return answer, [f"Deleted user {answer['deleted']}."]


@click.group()
def account() -> None:
    """Add, change, delete and list accounts at the provider."""


@account.command("list")
@click.pass_obj
@with_json
def account_list(context: Context, /) -> _Answer:
    """List all accounts."""
    answer = context.ask("accounts")
    columns = ("number", "address", "mode", "enabled", "collect", "relay", "managed_by")
    return answer, screens.table(answer, columns, "No accounts yet.")


def _account_options(command: Any) -> Any:
    for option in (
        click.option("--password-env", help="Environment variable that holds the provider's password."),
        click.option("--password-file", type=click.Path(), help="File (mode 600) that holds the provider's password."),
        click.option("--ambiguous", type=click.Choice(["admin", "all"]), help="Who gets what fits several users."),
        click.option("--leave-days", "leave_on_server_days", type=int, help="Days mail stays there; -1 = for ever."),
        click.option("--threshold", type=int, help="Waiting mails that start a send/receive; 0 = off."),
        click.option("--every", type=int, help="Minutes between two runs, day and night."),
        click.option("--enable/--disable", "enabled", default=None, help="Collect and send, or neither."),
        click.option("--alias", "aliases", multiple=True, help="Further address of the same mailbox; repeat."),
        click.option("--domain", "domains", multiple=True, help="Domain of a catch-all; repeat. Makes it one."),
        click.option("--folder", "folders", multiple=True, help="Folder to collect from (IMAP); NAME=junk for junk; "
                     "or automatic; repeat."),
        click.option("--relay", help="Server to send through, e.g. submissions://login@smtp.isp.example."),
        click.option("--collect", help="Server to fetch from, e.g. imaps://login@imap.isp.example or pop3s:..."),
    ):
        command = option(command)
    return command


def _folders(words: Sequence[str]) -> object:
    """The option ``folders`` as the configuration file has it."""
    if list(words) == ["automatic"]:
        return "automatic"
    names = (word.rpartition("=") for word in words)
    return [{"name": name, "role": role} if sign else role for name, sign, role in names]


def _account_facts(facts: dict[str, Any], options: Callable[[], Mapping[str, Any]] = dict) -> dict[str, Any]:
    """What was given, as the control API takes it.

    :param options: those that the account has already.
    """
    given = _given(facts)
    if "folders" in given:
        given["options"] = {**options(), "folders": _folders(given.pop("folders"))}
    if "domains" in given:
        given["mode"] = "domain"
    every = given.pop("every", None)
    if every is not None:
        given["timetable"] = [{"every": every}]
    file, variable = given.pop("password_file", None), given.pop("password_env", None)
    if file and variable:
        raise click.UsageError("give --password-file or --password-env, not both")
    if file:
        given["secret"] = {"file": os.path.abspath(file)}
    elif variable:
        given["secret"] = {"env": variable}
    return given


@account.command("add")
@click.argument("address")
@_account_options
@click.pass_obj
@with_json
def account_add(context: Context, /, address: str, **facts: Any) -> _Answer:
    """Make the account ADDRESS with its users ADMINn and PUBLICn."""
    answer = context.ask("add_account", address=address, **_account_facts(facts))
    number = answer["number"]
    return answer, [f"Made account {number}, {answer['address']}, with admin{number} and public{number}."]


@account.command("change")
@click.argument("address")
@_account_options
@click.pass_obj
@with_json
def account_change(context: Context, /, address: str, **facts: Any) -> _Answer:
    """Change what is given of the account ADDRESS (or number)."""
    given = _account_facts(facts, lambda: context.ask("account_show", address=address)["options"])
    if not given:
        raise Refused("Nothing to change was given; see mailshare account change --help")
    answer = context.ask("change_account", address=address, **given)
    return answer, [f"Changed account {answer['address']}."]


@account.command("delete")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@with_json
def account_delete(context: Context, /, address: str, yes: bool) -> _Answer:
    """Delete the account ADDRESS (or number) with its ADMINn and PUBLICn."""
    if not yes:
        click.confirm(f"Delete the account {address}?", abort=True)
    answer = context.ask("delete_account", address=address)
    return answer, [f"Deleted account {answer['deleted']}."]
