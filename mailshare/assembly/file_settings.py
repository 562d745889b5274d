"""What the configuration file says, line by line, for who may not change it there: secrets are left out."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from mailshare.config import Config

_LONGEST = 200  # characters of a value
_SECRET = re.compile(r"password|secret|key|token", re.IGNORECASE)
_HEADER = re.compile(r"^\s*\[{1,2}\s*([A-Za-z0-9_.-]+)\s*\]{1,2}")


@frozen
class FileValue:
    """One key of a plain table.

    :ivar name: ``server.hostname``. ``place``: ``mailshare.toml:3``.
    """

    name: str
    value: str
    place: str


def file_values(config: Config) -> list[FileValue]:
    """The keys of the plain tables, in their order; objects such as users are shown where they are listed."""
    try:
        with open(config.path, encoding="utf-8") as stream:
            text = stream.read()
        tables: Mapping[str, Any] = tomllib.loads(text)
    except (OSError, ValueError):
        return []
    lines, file = _lines(text), os.path.basename(config.path)
    found = []
    for table, name, value in _keys(tables):
        line = lines.get((table, name)) or lines.get((table, ""), 0)
        found.append(FileValue(f"{table}.{name}" if table else name, _shown(name, value), f"{file}:{line}"))
    return found


def _keys(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _keys(value, f"{above}.{name}" if above else name)
        elif not (isinstance(value, list) and value and isinstance(value[0], dict)):
            yield above, name, value


def _lines(text: str) -> Mapping[tuple[str, str], int]:
    """``(table, key)`` to its line, ``(table, "")`` to that of the heading; the first of several."""
    found: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        heading = _HEADER.match(line)
        if heading:
            table = heading[1]
            found.setdefault((table, ""), number)
        elif "=" in line and not line.lstrip().startswith("#"):
            found.setdefault((table, line.partition("=")[0].strip().strip("\"'")), number)
    return found


def _shown(name: str, value: Any) -> str:
    if _SECRET.search(name):
        return "…"
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return words.lower() if isinstance(value, bool) else words[:_LONGEST]
