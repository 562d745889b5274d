"""From a path such as ``("account", 1, "collect")`` to its line in a TOML text.

The standard reader keeps no positions. Growing prefixes of the text are parsed until the path exists; the line that
made it exist is its line. To stay quick in files of a thousand tables, only the table's own stretch of lines is tried.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice

from attrs import field, frozen

_HEADER = re.compile(r"^[ \t]*(\[\[?)[ \t]*([A-Za-z0-9_.\- \t\"']+?)[ \t]*\]\]?[ \t]*(?:#.*)?$")
_MOST_LINES = 4000

Path = Sequence[str | int]


@frozen
class Places:
    """Finds lines in one text.

    :ivar headers: line from 0, name, and whether it is ``[[name]]``, in their order.
    :ivar many: lines of each ``[[name]]``.
    """

    text: str
    lines: tuple[str, ...] = field(init=False)
    headers: tuple[tuple[int, str, bool], ...] = field(init=False)
    many: Mapping[str, Sequence[int]] = field(init=False)

    @lines.default
    def _lines(self) -> tuple[str, ...]:
        return tuple(self.text.split("\n"))

    @headers.default
    def _headers(self) -> tuple[tuple[int, str, bool], ...]:
        found = []
        for number, line in enumerate(self.lines):
            match = _HEADER.match(line)
            if match:
                found.append((number, match[2].replace(" ", ""), match[1] == "[["))
        return tuple(found)

    @many.default
    def _many(self) -> Mapping[str, Sequence[int]]:
        found: dict[str, list[int]] = {}
        for number, title, many in self.headers:
            if many:
                found.setdefault(title, []).append(number)
        return found

    def table(self, name: str, index: int) -> int:
        """Line (1-based) of the ``index``-th ``[[name]]``, 0 when it is not written so."""
        seen = self.many.get(name, ())
        return seen[index] + 1 if index < len(seen) else 0

    def locate(self, path: Path, *, at_key: bool = False) -> tuple[int, int]:
        """Line and column, 1-based, ``(0, 0)`` when the path is nowhere in the text."""
        if not path:
            return 0, 0
        start, stop, rest = self._stretch(path)
        line = self._grow(start, stop, rest)
        if line is None:
            return (start + 1, 1) if len(path) <= 2 and stop - start < len(self.lines) else self._fallback(path)
        return line + 1, self._column(line, path, at_key)

    def _fallback(self, path: Path) -> tuple[int, int]:
        """The place of what holds a key that is missing."""
        return self.locate(path[:-1]) if len(path) > 1 else (0, 0)

    def _stretch(self, path: Path) -> tuple[int, int, Path]:
        """``(first line, line after the last, path inside)`` of the table that holds the path."""
        name = str(path[0])
        indexed = len(path) > 1 and isinstance(path[1], int)
        number = -1
        if indexed:
            number = self.table(name, int(path[1])) - 1
            inside: Path = (name, 0, *path[2:])
        else:
            number = next((line for line, title, many in self.headers if title == name and not many), -1)
            inside = path
        if number < 0:
            return 0, min(len(self.lines), _MOST_LINES), path
        behind = bisect_right(self.headers, number, key=lambda header: header[0])
        for line, title, _ in islice(self.headers, behind, None):
            if not title.startswith(name + "."):
                return number, line, inside
        return number, len(self.lines), inside

    def _grow(self, start: int, stop: int, path: Path) -> int | None:
        """The first line of the statement that makes ``path`` exist."""
        good = start - 1
        for line in range(start, stop):
            try:
                tree = tomllib.loads("\n".join(self.lines[start : line + 1]))
            except tomllib.TOMLDecodeError:
                continue
            if _exists(tree, path):
                return self._inside(good + 1, line, tree, path)
            good = line
        return None

    def _inside(self, first: int, last: int, tree: Mapping[str, object], path: Path) -> int:
        """In a value over several lines: the line of the element, when it can be told by its text."""
        if first == last:
            return first
        value = _value(tree, path)
        if isinstance(value, str | int | float) and isinstance(path[-1], int):
            for line in range(first, last + 1):
                if str(value) in self.lines[line]:
                    return line
        return first

    def _column(self, line: int, path: Path, at_key: bool) -> int:
        """Column of the value (or the key) on its line."""
        text = self.lines[line]
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        match = re.search(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?\s*=\s*", text)
        if match is None:
            return len(text) - len(text.lstrip()) + 1
        return (match.start() if at_key else match.end()) + 1


def _exists(tree: object, path: Path) -> bool:
    try:
        _value(tree, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _value(tree: object, path: Path) -> object:
    for part in path:
        tree = tree[part]  # type: ignore[index]
    return tree
