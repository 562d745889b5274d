"""``mailshare route``: try sorting without delivering anything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, Refused, with_json

_Answer = tuple[Any, Iterable[str]]
_COLUMNS = ("received", "from", "to", "subject", "got", "would", "why")


@click.command()
@click.option("--dry-run", is_flag=True, required=True, help="Deliver nothing, change nothing; the only way there is.")
@click.option("--account", help="Only mail of this account (address or number); changes of options are for it alone.")
@click.option("--last", type=int, help="How many of the newest stored messages; 200 when left out.")
@click.option("--with", "file", type=click.Path(exists=True, dir_okay=False), help="A changed configuration file.")
@click.option("--ambiguous", type=click.Choice(["admin", "all"]), help="Who gets what fits several users.")
@click.option("--alias", "aliases", multiple=True, help="LOGIN=NAME: a further name of a user; repeat.")
@click.option("--option", "options", multiple=True, help="NAME=VALUE: an option of the account, as JSON; repeat.")
@click.option("--all", "everything", is_flag=True, help="Also messages that would go where they went.")
@click.pass_obj
@with_json
def route(context: Context, /, dry_run: bool, file: str | None, options: tuple[str, ...], **facts: Any) -> _Answer:
    """Show who would get the stored mail with changed settings, and who got it."""
    del dry_run
    text = path = None
    if file:
        with open(file, encoding="utf-8-sig") as stream:
            text = stream.read()
        path = os.path.abspath(file)
    answer = context.ask(
        "dry_run",
        account=facts["account"],
        last=facts["last"],
        text=text,
        path=path,
        ambiguous=facts["ambiguous"],
        aliases=list(facts["aliases"]) or None,
        options=dict(_option(one) for one in options) or None,
        all=facts["everything"] or None,
    )
    rows = [{**row, **{name: ", ".join(row[name]) for name in ("to", "got", "would", "why")}} for row in answer["rows"]]
    lines = [*screens.table(rows, _COLUMNS, "Every message would go where it went.")]
    lines.append(f"{answer['replayed']} stored messages were routed again; {answer['changed']} would go elsewhere.")
    return answer, lines


def _option(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Refused(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
