"""When each user came in last: noted without a write, written now and then."""

from __future__ import annotations

import pytest
import pytest_twisted

from mailshare.core.errors import StoreReadOnly
from mailshare.portal.last_seen import LastSeen


class _Settings:
    """Of a store, or of one that takes nothing now."""

    def __init__(self) -> None:
        self.rows: dict[str, object] = {}
        self.full = False

    async def get(self, _scope: str, name: str) -> tuple[object, int] | None:
        return (self.rows[name], 1) if name in self.rows else None

    async def all(self, _scope: str) -> dict[str, object]:
        return dict(self.rows)

    async def put(self, _scope: str, name: str, value: object, _version: int | None = None) -> int:
        if self.full:
            raise StoreReadOnly
        self.rows[name] = value
        return 1


@pytest_twisted.ensureDeferred
async def test_a_login_writes_nothing_and_is_there_at_once() -> None:
    """The newest of each door counts; after the writing another reader finds it."""
    settings, now = _Settings(), [5]
    seen = LastSeen(settings, lambda: now[0])  # type: ignore[arg-type]
    seen.note("7", "pop3", "192.0.2.1")
    now[0] = 9
    seen.note("7", "pop3", "192.0.2.2")
    seen.note("7", "smtp", "")
    assert settings.rows == {}
    assert await seen.of("7") == {"pop3": (9, "192.0.2.2"), "smtp": (9, "")}
    await seen.write()
    later = LastSeen(settings, lambda: 0)  # type: ignore[arg-type]
    assert await later.everybody() == {"7": {"pop3": (9, "192.0.2.2"), "smtp": (9, "")}}
    later.note("7", "pop3", "192.0.2.3")
    await later.write()
    assert (await later.of("7"))["smtp"] == (9, "")


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_written_is_kept_and_what_came_meanwhile_counts() -> None:
    """A full disk loses no login."""
    settings = _Settings()
    seen = LastSeen(settings, lambda: 5)  # type: ignore[arg-type]
    seen.note("7", "pop3", "192.0.2.1")
    seen.note("8", "smtp", "192.0.2.1")
    settings.full = True
    with pytest.raises(StoreReadOnly):
        await seen.write()
    settings.full = False
    await seen.write()
    assert set(settings.rows) == {"7", "8"}
