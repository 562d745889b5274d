"""What the tables of the configuration file are made of: keys with their meaning, passwords, lines of a timetable."""

from __future__ import annotations

import json
from typing import Any

from attrs import field, fields, frozen


def key(meaning: str, default: Any = "", *, factory: Any = None, **bounds: int) -> Any:
    """A key of a table.

    :param meaning: the sentence that the reference prints.
    :param bounds: ``least`` and ``most`` of a number.
    """
    metadata = {"meaning": meaning, **bounds}
    if factory is not None:
        return field(factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@frozen
class Secret:
    """Where a password stands.

    :ivar kind: ``env``, ``file``, ``credential``, ``command``, ``sealed``, ``literal``, ``hash`` (users only),
        ``split`` (accounts only: one for each direction), ``left_out`` (a mistake: export does not print the text), or
        empty.
    :ivar value: the variable, path, name, text or argon2 hash; for ``command`` and ``split`` JSON.
    :ivar scram: beside a hash: the SCRAM verifier, or empty.
    """

    kind: str = ""
    value: str = field(default="", repr=False)
    scram: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.kind)

    def reference(self) -> dict[str, object]:
        """What the store keeps for an account, e.g. ``{"env": "ISP_PASSWORD"}``; empty when there is none."""
        if not self.kind:
            return {}
        if self.kind == "split":
            return dict(json.loads(self.value))
        if self.kind == "command":
            return {"command": json.loads(self.value)}
        return {"plain" if self.kind == "literal" else self.kind: self.value}

    def as_reference(self) -> str:
        """:meth:`reference` as JSON; empty when there is none."""
        return json.dumps(self.reference()) if self.kind else ""


@frozen(kw_only=True)
class WindowTable:
    """A line of ``timetable``."""

    days: str = key("e.g. mon-fri, or mon,wed,sat-sun", "mon-sun")
    from_: str = key("HH:MM, when the window opens", "00:00")
    to: str = key("HH:MM, when it closes; 24:00 is midnight; before from = over midnight", "24:00")
    every: int = key("minutes between two runs", 5, least=1, most=1440)


def written_key(name: str) -> str:
    """The key in the file of a field: ``from_`` is ``from``."""
    return name.rstrip("_")


def keys_of(table: type) -> tuple[str, ...]:
    """The keys that a table knows."""
    return tuple(written_key(one.name) for one in fields(table))
