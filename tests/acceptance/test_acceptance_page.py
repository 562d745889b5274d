"""docs/reference/acceptance.md is held to the truth."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "acceptance.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
RULES = ("3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.14")


def functions(path: Path) -> set[str]:
    """All functions of a file, also those of classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_is_named_exists(file: str) -> None:
    """A test that is renamed or taken away takes its promise with it."""
    there = functions(ROOT / file)
    assert {name for where, name in NAMED if where == file} <= there


def test_every_promise_has_a_line() -> None:
    """All of the original product, all of the complaints, all rules but OAuth, all parts of the work."""
    first = [row[0] for row in ROWS]
    wanted = {*(f"S{n}" for n in range(1, 25)), *(f"R{n}" for n in range(1, 23)), *RULES, *map(str, range(1, 12))}
    assert wanted - set(first) == set()


def test_a_line_without_a_test_says_what_is_missing() -> None:
    """No promise is left open without a word."""
    assert len(NAMED) > 150
    for row in ROWS:
        if row[0] and row[0] != "what":
            assert "::" in row[-1] or re.search(r"not yet: \w+", row[-1]), row
