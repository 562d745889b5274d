"""How far somebody's hand reaches who looks after the office."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """How far somebody's hand reaches; each level includes those before it."""

    READ = 1  # look at everything but secrets
    OPERATE = 2  # move mail: send and receive, outbox, ADMIN's work list
    ADMIN = 3  # change users, accounts and settings

    @classmethod
    def named(cls, name: str) -> Level | None:
        """By its word in lower case."""
        return {one.name.lower(): one for one in cls}.get(name)
