"""The reference pages name every key with its default, every limit, every command and every operation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from attrs import Factory, fields

from mailshare.cli import main
from mailshare.config import Limits, schema
from mailshare.config.limits import FIXED
from mailshare.web.operations import OPERATIONS

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
TABLES = (
    schema.ServerTable,
    schema.StoreTable,
    schema.ListenTable,
    schema.TrustedTable,
    schema.AccountTable,
    schema.AdminTable,
    schema.PublicTable,
    schema.WindowTable,
    schema.UserTable,
    schema.VacationTable,
    schema.AppPasswordTable,
    schema.DeviceTable,
    schema.RuleTable,
    schema.LogTable,
    schema.WebTable,
    schema.DemonstrationTable,
    schema.ExtensionTable,
    schema.PrintTable,
    schema.DocumentsTable,
    schema.DestinationTable,
    schema.PrinterTable,
    schema.PrinterKeyTable,
    schema.PrinterSenderTable,
    schema.PrinterGuestTable,
    schema.PrinterContactTable,
    schema.FaxTable,
    schema.FaxLineTable,
    schema.FaxContactTable,
    schema.FaxMailboxTable,
    schema.FaxRouteTable,
    schema.FaxBoxTable,
    schema.FaxCallerTable,
    schema.FaxCoverTable,
)


def test_every_table_of_the_file_is_among_these() -> None:
    """A table that is added must be told too."""
    named = {one for name, one in vars(schema).items() if name.endswith("Table") and isinstance(one, type)}
    assert named == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_stands_in_the_reference_with_default_and_meaning(table: type) -> None:
    """A key that is added or changed must be told."""
    text = (REFERENCE / "configuration.md").read_text()
    for one in fields(table):
        row = next((line for line in text.splitlines() if line.startswith(f"| `{schema.written_key(one.name)}` |")
                    and one.metadata["meaning"] in line), "")
        assert row, one.name
        default = one.default.factory() if isinstance(one.default, Factory) else one.default
        if isinstance(default, str | int) and not one.metadata["meaning"].endswith("; required"):
            assert f"| `{json.dumps(default)}` |" in row


def test_every_limit_stands_in_the_reference() -> None:
    """The page repeats what ``check --defaults`` prints."""
    text = (REFERENCE / "configuration.md").read_text()
    for name, default, unit, meaning in (*Limits.table(), *FIXED):
        assert f"| `{name}` | `{default}` | {unit} | {meaning} |" in text


def commands(group: click.Group, words: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}"


def parsers(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from parsers(command, f"{words} {name}")
        else:
            yield f"{words} {name}", command


@pytest.mark.parametrize(("words", "command"), list(parsers(main, "mailshare")))
def test_every_option_stands_beside_its_command(words: str, command: click.Command) -> None:
    """Each section of the reference names all options of its commands, as the parser has them."""
    sections = (REFERENCE / "commands.md").read_text().split("\n##")
    about = "\n".join(section for section in sections if f"`{words}" in section)
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "as_json":
            names = [*option.opts, *option.secondary_opts]
            missing = [name for name in names if name.startswith("--") and not re.search(rf"`{name}[ `]", about)]
            assert not missing, f"{words}: {missing}"


def test_the_reference_names_no_option_that_is_not() -> None:
    """What the page offers is there."""
    text = (REFERENCE / "commands.md").read_text()
    known = {"--nodaemon", "--pidfile=", "--logfile=", "--config", "--data", "--check", "--json"}
    for _, command in parsers(main, "mailshare"):
        for option in command.params:
            known |= {*option.opts, *option.secondary_opts}
    named = set(re.findall(r"`(--[a-z-]+=?)", text))
    assert named <= known, named - known


def test_every_command_and_operation_stands_in_the_reference() -> None:
    """Nothing can be done that is not told."""
    text = (REFERENCE / "commands.md").read_text()
    for words in commands(main, "mailshare"):
        assert f"`{words}" in text, words
    for operation in OPERATIONS:
        assert f"| `{operation.method} {operation.path}` |" in text
