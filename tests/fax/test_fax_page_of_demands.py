"""docs/reference/fax.md is held to the truth."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from attrs import fields

from mailshare.core.fax_lines import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "fax.md").read_text()
ROWS = {row[1]: row[2] for row in re.finditer(r"(?m)^\| ([SXGACU]\d+) \| .* \| (.*) \|$", PAGE)}


def test_every_demand_has_a_line_with_a_test_or_what_is_missing() -> None:
    """No demand of the standards is left out, and no line is empty."""
    last = {"S": 13, "X": 13, "G": 19, "A": 7, "C": 6, "U": 25}
    wanted = {f"{letter}{number}" for letter, count in last.items() for number in range(1, count + 1)}
    assert set(ROWS) == wanted
    assert all("::" in told or re.match(r"not yet: \w+", told) for told in ROWS.values())


def test_every_test_that_is_named_exists_and_names_its_demand() -> None:
    """A test that is renamed or taken away takes its promise with it; whoever reads one sees what it is there for."""
    for id_, told in ROWS.items():
        found = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", told)
        if found is None:
            continue
        tree = ast.parse((ROOT / found[1]).read_text())
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        sayings = {node.name: ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)}
        assert re.search(rf"\b{id_}\b", sayings[found[2]]), (id_, told)


def test_every_kind_of_line_is_told_with_its_options() -> None:
    """An option that is added must be told."""
    for kind, options in KINDS.items():
        assert f'`kind = "{kind}"`' in PAGE
        for one in fields(options):
            assert re.search(rf"(?m)^\| `{one.name}` \| .* \| {re.escape(one.metadata['meaning'])} \|$", PAGE), one.name
