"""``mailshare printers``: what is known of the printers of an office."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from mailshare.cli import screens
from mailshare.cli.admin import who
from mailshare.cli.calling import Context, with_json

_PLACES = ("name", "kind", "state", "jobs", "address", "reasons", "why")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def printers(context: click.Context, as_json: bool) -> None:
    """List where documents can be printed; test a printer; count what was printed."""
    if context.invoked_subcommand is not None:
        return
    answer = context.obj.ask("print_places")
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    rows = [{**row, "reasons": ", ".join(row["reasons"])} for row in answer]
    for line in screens.table(rows, _PLACES, "No destination and no printer is declared."):
        click.echo(line)


@printers.command()
@click.argument("name")
@click.option("--page", is_flag=True, help="Also print a page on it.")
@click.pass_obj
@with_json
def test(context: Context, /, name: str, page: bool) -> tuple[Any, Iterable[str]]:
    """Ask the printer NAME how it stands and what it can do."""
    answer = context.ask("test_printer", name=name, page=page or None, by=who())
    return answer, [screens.safe(line) for line in answer["words"]]


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
