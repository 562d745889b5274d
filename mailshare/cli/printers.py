"""``mailshare printers``: what is known of the printers of an office."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.calling import Context, with_json


@click.group()
def printers() -> None:
    """Look after printers."""


@printers.command()
@click.option("--month", help="Only this month: 2026-11.")
@click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets.")
@click.pass_obj
@with_json
def usage(context: Context, /, month: str | None, as_csv: bool) -> tuple[Any, Iterable[str]]:
    """Show how much was printed: by month, printer and sender."""
    from mailshare.core.print_usage import COLUMNS, PrintUsage, usage_csv  # noqa: PLC0415 - keeps --help quick

    answer = context.ask("print_usage", month=month or "")
    rows = answer["rows"]
    if as_csv:
        return answer, usage_csv(PrintUsage(**row) for row in rows).splitlines()
    return answer, screens.table(rows, COLUMNS, "Nothing was printed.")
