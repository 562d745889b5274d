"""Commands about who came in when, and who is kept waiting after wrong passwords."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json

_Answer = tuple[Any, Iterable[str]]


@click.command("logins")
@click.pass_obj
@with_json
def user_logins(context: Context, /) -> _Answer:
    """List when and from where each user came in last, and who is kept waiting after wrong passwords."""
    users, slowed = context.ask("users"), context.ask("slowed_logins")
    rows = [
        {"name": one["name"], "door": door, "last": seen["at"], "from": seen["peer"]}
        for one in users
        for door, seen in one["last_seen"].items()
    ]
    lines = [*screens.table(rows, ("name", "door", "last", "from"), "Nobody came in yet."), *_waiting(slowed)]
    return {"logins": rows, "slowed": slowed}, lines


def _waiting(slowed: Mapping[str, Any]) -> Iterator[str]:
    for kind, words in (("users", "Wrong passwords for"), ("peers", "Wrong passwords from")):
        for one in slowed[kind]:
            others = ", ".join(screens.safe(each) for each in one["others"])
            yield f"{words} {screens.safe(one['name'])}: {one['failures']} ({others}), forgotten at {one['until']}"


@click.command("unlock")
@click.argument("name", required=False, default="")
@click.option("--peer", help="An address instead, from which wrong passwords came.")
@click.pass_obj
@with_json
def user_unlock(context: Context, /, name: str, peer: str | None) -> _Answer:
    """Forget wrong passwords for the user NAME, so that the next try is looked at at once."""
    if bool(name) == bool(peer):
        raise click.UsageError("give NAME or --peer")
    if peer:
        answer = context.ask("unlock_login", peer=peer)
        return answer, [f"{screens.safe(peer)} waits no longer."]
    answer = context.ask("unlock_user", name=name)
    return answer, [f"{answer['user']} waits no longer." if answer["unlocked"] else f"{answer['user']} did not wait."]
