"""Which keys of a changed file wait for a restart."""

from __future__ import annotations

from mailshare.config import Config, Limits


def needs_restart(old: Config, new: Config) -> tuple[str, ...]:
    """Keys that changed and are only looked at when the server starts."""
    keys = []
    for name, before, after in (
        ("server.data", old.data, new.data),
        ("server.hostname", old.tables.server.hostname, new.tables.server.hostname),
        ("server.zone", old.tables.server.zone, new.tables.server.zone),
        ("store.url", old.tables.store.url, new.tables.store.url),
        ("extension", old.tables.extension, new.tables.extension),
        *(
            (f"limits.{name}", getattr(old.tables.limits, name), getattr(new.tables.limits, name))
            for name in Limits.read_at_start()
        ),
        ("demonstration", old.tables.demonstration, new.tables.demonstration),
    ):
        if before != after:
            keys.append(name)
    return tuple(keys)
