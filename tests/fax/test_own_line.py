"""A line of another distribution: an office finds its kind by its entry point, and builds it from ``[[fax_line]]``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from zope.interface import implementer

from mailshare import extend
from mailshare.assembly.fax_line_kinds import LineKinds
from mailshare.config import BrokenConfig, parse_config
from mailshare.fax.lines.loop import LoopLine, LoopNetwork
from mailshare.interfaces import IFactory, IFaxLine, IFaxLineSurroundings
from tests.house import House

LINE = """
[[fax_line]]
name = "own"
kind = "theirs"
numbers = ["+49305550100"]
channels = 3
options = { speed = 2.0 }
secrets = { key = { file = "key" } }
"""


@frozen
class Options:
    """What the configuration may say."""

    speed: float = 0.0


@implementer(IFactory)
class Theirs:
    """What the entry point names; the line itself is one of ours."""

    kind = "theirs"
    options = Options
    built: tuple[Options, IFaxLineSurroundings] | None = None

    def build(self, options: Options, surroundings: IFaxLineSurroundings) -> IFaxLine:
        Theirs.built = (options, surroundings)
        network = LoopNetwork.of(surroundings.reactor)
        return LoopLine(surroundings.name, network, surroundings.numbers, {}, surroundings.channels)


class Metadata(EntryPoint):
    """As if a distribution had named the factory."""

    def load(self) -> Any:
        return Theirs


def installed(group: str) -> Iterable[EntryPoint]:
    return [Metadata("theirs", "theirs:Theirs", group)] if group == "mailshare.fax_lines" else []


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extend, "installed", installed)
    monkeypatch.setitem(LineKinds.__init__.__kwdefaults__, "finder", installed)


async def test_an_office_has_a_line_of_somebody_else(house: House, tmp_path: Path) -> None:
    """It gets its name, numbers, options and secrets; what it makes is taken as any line."""
    (tmp_path / "key").write_text("sesame\n")
    (tmp_path / "key").chmod(0o600)
    await house.start(LINE)
    assert house.office is not None
    acts: Any = house.office.acts
    [told] = await acts.fax_lines()
    assert (told["name"], told["free"]) == ("own", 3)
    assert Theirs.built is not None
    options, surroundings = Theirs.built
    assert options.speed == 2.0
    assert surroundings.numbers == ("+49305550100",)
    assert await surroundings.secret("key") == "sesame"
    assert await surroundings.secret("another") == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("theirs", "their"), "did you mean 'theirs'?"),
        (("speed", "pace"), "options of 'theirs'"),
        (("theirs", "directory"), "no option of the kind directory"),
        (('{ file = "key" }', '{ hash = "x" }'), "the line needs the secret itself"),
    ],
)
def test_mistakes_are_told_before_the_start(change: tuple[str, str], told: str, tmp_path: Path) -> None:
    """The check of a file knows the kinds that are installed, and their options."""
    with pytest.raises(BrokenConfig) as caught:
        parse_config(LINE.replace(*change), str(tmp_path / "m.toml"))
    assert any(told in f"{problem.text} {problem.hint}" for problem in caught.value.problems), caught.value.problems


def test_a_kind_says_which_secrets_it_has(tmp_path: Path) -> None:
    """A name that nobody asks for is a mistake."""
    text = '[[fax_line]]\nname = "x"\nkind = "loop"\nsecrets = { word = "x" }\n'
    with pytest.raises(BrokenConfig) as caught:
        parse_config(text, str(tmp_path / "m.toml"))
    assert any("no secret of the kind loop" in problem.text for problem in caught.value.problems)
