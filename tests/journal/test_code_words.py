"""Every code has words, and the reference shows them all."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mailshare.journal.words import KINDS, REASONS, kind_words, reason_words

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "journal.md").read_text()
_STEP = re.compile(r"""(?:\bstep|\bStep|_say|_miss|\bHit|\bUnknown)\(\s*"([a-z][\w-]*)\"""")


def program() -> list[str]:
    """The texts of the program without its test kit."""
    files = [path for path in (ROOT / "mailshare").rglob("*.py") if "testing" not in path.parts]
    return [path.read_text() for path in files]


def kinds_written(text: str) -> set[str]:
    """The second argument of each ``Event(...)`` that is a constant."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and len(node.args) > 1]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Event"]
    return {str(call.args[1].value) for call in made if isinstance(call.args[1], ast.Constant)}


@pytest.mark.parametrize(("heading", "words"), [("Kinds", KINDS), ("Reasons", REASONS)])
def test_the_reference_shows_every_code_with_its_words(heading: str, words: Mapping[str, str]) -> None:
    """Neither more nor less than the program has."""
    section = REFERENCE.split(f"## {heading}\n")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)) == dict(words)


def test_every_code_that_the_program_writes_has_words() -> None:
    """Steps of routing and lines of the journal, as they stand in the program's text."""
    texts = program()
    steps = {code for text in texts for code in _STEP.findall(text)}
    events = {kind for text in texts for kind in kinds_written(text)}
    assert len(steps) > 15
    assert len(events) > 5
    assert {code for code in steps if code not in REASONS} == set()
    assert {kind for kind in events if kind not in KINDS} == set()


def test_codes_of_strangers_are_told_as_they_are() -> None:
    """An extension may have codes of its own; rows of agents without words speak as those of the relay do."""
    assert reason_words("astrology") == "astrology"
    assert kind_words("door.opened") == "door.opened"
    assert kind_words("print.deferred") == KINDS["relay.deferred"]
