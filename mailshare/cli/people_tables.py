"""``mailshare user import``: people out of a table, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused, with_json
from mailshare.cli.passwords import made_up
from mailshare.core.people_files import read_people, text_of

_DOES = {"add": "is made", "change": "is changed", "same": "stays as it is", "wrong": "is wrong"}


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--check", is_flag=True, help="Only show what would become of each line.")
@click.option("--account", "accounts", multiple=True, help="Account of new users, where the table names none; repeat.")
@click.pass_obj
@with_json
def user_import(
    context: Context, /, file: BinaryIO, check: bool, accounts: tuple[str, ...]
) -> tuple[Any, Iterable[str]]:
    """Make and change the users of the table FILE (CSV, - is standard input): all of them, or none when one is wrong.

    Without headings a line is a login, a full name and a password. Passwords of new users that the table does not name
    are made up and printed.
    """
    lines = read_people(text_of(file.read()))
    if not lines:
        raise Refused("The table is empty")
    faults = [f"line {one.line}: {one.fault}" for one in lines if one.fault]
    if faults:
        raise Refused(f"{'; '.join(faults)}. Nothing was changed")
    ours = list(accounts) or [one["address"] for one in context.ask("accounts")]
    known = {one["name"] for one in context.ask("users")}
    people: list[dict[str, Any]] = []
    for one in lines:
        new = {} if str(one.facts["name"]).casefold() in known else {"accounts": ours}
        people.append({**new, **one.facts})
    answer = context.ask("set_users", people=people, check=True)
    wrong = any(row["does"] == "wrong" for row in answer["people"])
    if not check and not wrong:
        for facts, row in zip(people, answer["people"], strict=True):
            if row["does"] == "add":
                facts.setdefault("password", made_up())
        answer = context.ask("set_users", people=people)
    rows = [
        {
            "line": one.line,
            "login": row["name"],
            "does": _DOES[row["does"]],
            "password": facts.get("password", "") if row["does"] == "add" and answer["done"] else "",
            "why": row["trouble"] or ", ".join(change["field"] for change in row["changes"]),
        }
        for one, facts, row in zip(lines, people, answer["people"], strict=True)
    ]
    told = list(screens.table(rows, ("line", "login", "does", "password", "why"), ""))
    if wrong:
        raise Refused("\n".join([*told, "Nothing was changed"]))
    return {**answer, "people": rows}, told
