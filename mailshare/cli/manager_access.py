"""Commands for the manager: where to begin, and who may log in there, also when every password is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused, with_json
from mailshare.cli.passwords import given_password, password_options

_Answer = tuple[Any, Iterable[str]]


@click.command()
@click.option("--here", is_flag=True, help="Go through it in this terminal.")
@click.pass_obj
@with_json
def setup(context: Context, /, here: bool) -> _Answer:
    """Say where the first run goes on in a browser, with its one-time code; or go through it here."""
    if not here:
        found, lines = _url(context)
        return found, [*lines, "Or go through it in this terminal: mailshare setup --here"]
    from mailshare.cli.first_run import go_through  # noqa: PLC0415 - few do

    return go_through(context)


@click.command("setup-url")
@click.pass_obj
@with_json
def setup_url(context: Context, /) -> _Answer:
    """Say where the first run goes on in a browser, with its one-time code."""
    return _url(context)


def _url(context: Context) -> tuple[Any, list[str]]:
    answer = context.ask("setup_code")
    places = [one["address"] for one in context.ask("status").get("listeners", []) if one["service"] == "web"]
    if not places:
        raise Refused('The server has no manager: write web = ["tcp:8080:interface=127.0.0.1"] under [listen]')
    kinds = {one.endpoint.partition(":")[0] for one in context.config.listeners if one.service == "web"}
    kind = "https" if kinds <= {"tls", "ssl"} else "http"
    urls = [f"{kind}://{_reachable(place, context.config.tables.server.hostname)}/setup" for place in places]
    found = {**answer, "addresses": urls}
    if not answer["needed"]:
        return found, ["There is an administrator already. Log in at:", *(url.removesuffix("/setup") for url in urls)]
    return found, ["Open this in a browser:", *(f"{url}?code={answer['code']}" for url in urls)]


def _reachable(place: str, hostname: str) -> str:
    """A listener on all addresses is reached by the server's name."""
    host, _, port = place.rpartition(":")
    return f"{hostname}:{port}" if host in ("0.0.0.0", "[::]", "::") else place  # noqa: S104 - compared, not listened on


@click.group()
def manager() -> None:
    """Say who may log in to the manager, and which programs may use its API."""


@manager.command("list")
@click.pass_obj
@with_json
def manager_list(context: Context, /) -> _Answer:
    """List the administrators."""
    answer = context.ask("administrators")
    rows = [{**row, "accounts": ", ".join(row["accounts"]) or "all"} for row in answer]
    return answer, screens.table(rows, ("name", "role", "accounts", "made"), "There is no administrator yet.")


@manager.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(["owner", "account admin", "viewer"]), default="owner", show_default=True,
              help="What the administrator may do.")  # fmt: skip
@click.option("--account", "accounts", multiple=True, help="For an account admin: address or number; repeat.")
@password_options
@click.pass_obj
@with_json
def manager_add(
    context: Context, /, name: str, role: str, accounts: tuple[str, ...], generate: bool, stdin: bool
) -> _Answer:
    """Let NAME log in to the manager."""
    password = given_password(generate=generate, stdin=stdin)
    answer = context.ask("add_administrator", name=name, role=role, accounts=list(accounts), password=password)
    return _told(answer, f"{answer['name']} may log in to the manager, as {answer['role']}.", password, shown=generate)


@manager.command("password")
@click.argument("name")
@password_options
@click.pass_obj
@with_json
def manager_password(context: Context, /, name: str, generate: bool, stdin: bool) -> _Answer:
    """Give the administrator NAME a new password; browsers that are logged in as NAME are logged out."""
    password = given_password(generate=generate, stdin=stdin)
    answer = context.ask("change_administrator", name=name, password=password)
    return _told(answer, f"{answer['name']} has a new password.", password, shown=generate)


def _told(answer: Mapping[str, Any], words: str, password: str, *, shown: bool) -> _Answer:
    if not shown:
        return answer, [words]
    return {**answer, "password": password}, [words, f"Password: {password}"]


@manager.command("remove")
@click.argument("name")
@click.pass_obj
@with_json
def manager_remove(context: Context, /, name: str) -> _Answer:
    """Let NAME log in no more; sessions and tokens go too."""
    answer = context.ask("remove_administrator", name=name)
    return answer, [f"{answer['removed']} may not log in any more."]


@manager.group("token")
def token() -> None:
    """Let programs use the HTTP API."""


@token.command("list")
@click.pass_obj
@with_json
def token_list(context: Context, /) -> _Answer:
    """List the tokens."""
    answer = context.ask("tokens")
    columns = ("id", "label", "owner", "level", "made", "expires", "used")
    return answer, screens.table(answer, columns, "There is no token.")


@token.command("add")
@click.argument("owner")
@click.argument("label")
@click.option("--level", type=click.Choice(["read", "operate", "admin"]), default="read", show_default=True,
              help="How far the program may reach.")  # fmt: skip
@click.option("--days", type=int, default=90, show_default=True, help="How long it is valid; 0 = for ever.")
@click.pass_obj
@with_json
def token_add(context: Context, /, owner: str, label: str, level: str, days: int) -> _Answer:
    """Make a token for the program LABEL in the name of the administrator OWNER, and print it this once."""
    answer = context.ask("add_token", owner=owner, label=label, level=level, days=days)
    return answer, _token(answer)


def _token(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"Token for {screens.safe(answer['label'])} ({answer['level']}, until {answer['expires'] or 'revoked'}):"
    yield str(answer["token"])


@token.command("revoke")
@click.argument("id")
@click.pass_obj
@with_json
def token_revoke(context: Context, /, id: str) -> _Answer:  # noqa: A002
    """Take the token ID back."""
    answer = context.ask("revoke_token", id=id)
    return answer, [f"The token {answer['revoked']} is worth nothing any more."]
