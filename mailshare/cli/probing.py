"""Commands that try what a provider does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json
from mailshare.cli.people import account

__all__ = ["account"]
_Answer = tuple[Any, Iterable[str]]
_COLUMNS = ("header", "present", "trusted", "inside", "distinct", "together", "copies")


@account.command("probe")
@click.argument("address")
@click.option("--write", is_flag=True, help="Keep what was found as settings by hand.")
@click.pass_obj
@with_json
def account_probe(context: Context, /, address: str, write: bool) -> _Answer:
    """Look how the provider marks the mail of the account ADDRESS (or number); nothing is fetched or deleted.

    The newest 50 headers are read. PRESENT is the share of the mail that has the field, TRUSTED where only the provider
    writes, INSIDE with an own address in it; COPIES is messages per Message-ID.
    """
    answer = context.ask("probe_account", address=address, write=write or None)
    mails = max(answer["mails"], 1)
    rows = [
        {**row, **{name: f"{round(100 * row[name] / mails)} %" for name in ("present", "trusted", "inside")}}
        for row in answer["kinds"]
    ]
    lines = [*screens.table(rows, _COLUMNS, "No message lies there."), *map(screens.safe, answer["words"])]
    if answer["written"]:
        lines.append("Written as settings of the account.")
    elif answer["file"]:
        lines.append(f"As settings: {screens.safe(answer['file'])}")
    return answer, lines
