"""What is wrong with a configuration file: each problem with its place, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from mailshare.core.errors import ConfigFault


@frozen
class Problem:
    """One mistake, or one warning.

    :ivar file: as the caller named it.
    :ivar line: 1-based; 0 when the mistake is of the whole file.
    :ivar column: 1-based place of the caret; 0 = no caret.
    :ivar key: e.g. ``account[1].collect``, or empty.
    :ivar text: what is wrong, in one line.
    :ivar source: the line of the file.
    :ivar hint: what to write instead, or empty.
    :ivar warning: True when the server starts all the same.
    """

    file: str
    line: int
    key: str
    text: str
    column: int = 0
    source: str = ""
    hint: str = ""
    warning: bool = False

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        named = f"{self.key}: " if self.key else ""
        head = f"{where}: {'warning: ' if self.warning else ''}{named}{self.text}"
        lines = [head]
        if self.source:
            lines.append(f"    {self.source}")
            if self.column:
                lines.append("    " + " " * (self.column - 1) + "^")
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> Mapping[str, object]:
        """The same for editors and scripts."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "key": self.key,
            "text": self.text,
            "hint": self.hint,
            "severity": "warning" if self.warning else "error",
        }


@frozen
class _Found:
    """A problem before its line is known."""

    path: tuple[str | int, ...]
    text: str
    hint: str = ""
    warning: bool = False
    at_key: bool = False


@frozen
class Findings:
    """Collects problems by path while a file is read and checked."""

    found: list[_Found] = field(factory=list)

    def error(self, path: Sequence[str | int], text: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note a mistake.

        :param path: e.g. ``("account", 1, "collect")``.
        :param at_key: the caret points at the key, not at the value.
        """
        self.found.append(_Found(tuple(path), text, hint, at_key=at_key))

    def warn(self, path: Sequence[str | int], text: str, hint: str = "") -> None:
        """Note something that works but is unwise."""
        self.found.append(_Found(tuple(path), text, hint, warning=True))


class BrokenConfig(ConfigFault):
    """The file has mistakes; ``problems`` holds them all, and ``str()`` prints them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def written(path: Sequence[str | int]) -> str:
    """A path as it is shown: ``account[1].timetable[0].days``; tables are counted from 0 as in the file's order."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out
