"""The reference pages name every key with its default, every limit, every command and every operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from attrs import Factory, fields

from mailshare.cli import main
from mailshare.config import Limits, schema
from mailshare.web.operations import OPERATIONS

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
TABLES = (
    schema.ServerTable,
    schema.StoreTable,
    schema.ListenTable,
    schema.TrustedTable,
    schema.AccountTable,
    schema.WindowTable,
    schema.UserTable,
    schema.RuleTable,
    schema.LogTable,
    schema.DemonstrationTable,
    schema.ExtensionTable,
)


@pytest.mark.parametrize("table", TABLES)
def test_every_key_stands_in_the_reference_with_default_and_meaning(table: type) -> None:
    """A key that is added or changed must be told."""
    text = (REFERENCE / "configuration.md").read_text()
    for one in fields(table):
        row = next((line for line in text.splitlines() if line.startswith(f"| `{schema.written_key(one.name)}` |")
                    and one.metadata["meaning"] in line), "")
        assert row, one.name
        default = one.default.factory() if isinstance(one.default, Factory) else one.default
        if isinstance(default, str | int) and default is not None:
            assert f"| `{json.dumps(default)}` |" in row


def test_every_limit_stands_in_the_reference() -> None:
    """The page repeats what ``check --defaults`` prints."""
    text = (REFERENCE / "configuration.md").read_text()
    for name, default, unit, meaning in Limits.table():
        assert f"| `{name}` | `{default}` | {unit} | {meaning} |" in text


def commands(group: click.Group, words: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}"


def test_every_command_and_operation_stands_in_the_reference() -> None:
    """Nothing can be done that is not told."""
    text = (REFERENCE / "commands.md").read_text()
    for words in commands(main, "mailshare"):
        assert f"`{words}" in text, words
    for operation in OPERATIONS:
        assert f"| `{operation.method} {operation.path}` |" in text
