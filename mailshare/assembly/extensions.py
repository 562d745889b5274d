"""The parts of other distributions that a configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailshare.config import Config
from mailshare.core.errors import ConfigFault
from mailshare.extend import Finder, Surroundings, build_extension, installed


class Extensions:
    """Built once, when the server starts.

    :raises ConfigFault: one of them is not what it says.
    """

    def __init__(self, config: Config, surroundings: Surroundings, finder: Finder = installed) -> None:
        parts: dict[str, list[Any]] = {}
        for index, table in enumerate(config.tables.extension):
            options: Mapping[str, Any] = table.options
            try:
                part = build_extension(table.group, table.kind, options, surroundings, finder)
            except ConfigFault as fault:
                raise ConfigFault(f"extension[{index}]: {fault.public}") from fault
            parts.setdefault(table.group, []).append(part)
        self._parts = parts

    def built(self, group: str) -> Sequence[Any]:
        """The parts of one group, in the order of the file."""
        return tuple(self._parts.get(group, ()))
