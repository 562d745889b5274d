"""Two processes at one store: a server waits a little for a command, and never serves beside another server."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mailshare.core.errors import Unavailable
from mailshare.store.file_database import DirectoryLock
from mailshare.store.sqlite import SQLiteStore


def store(directory: Path, patience: float) -> SQLiteStore:
    """A store that is not open yet."""
    return SQLiteStore(str(directory), reactor=reactor, durability="relaxed", patience=patience)


@pytest_twisted.ensureDeferred
async def test_opening_waits_for_a_command_to_end(tmp_path: Path) -> None:
    """Whoever has the store for a moment does not keep the server from starting."""
    command = DirectoryLock(str(tmp_path))
    command.take()
    waiting = store(tmp_path, 60.0)
    opening = Deferred.fromCoroutine(waiting.open())
    assert not opening.called
    command.release()
    await opening
    with pytest.raises(Unavailable, match="Another server has this store open"):
        await store(tmp_path, 0.0).open()
    await waiting.close()


@pytest_twisted.ensureDeferred
async def test_opening_gives_up_in_the_end(tmp_path: Path) -> None:
    """Another server stays: that is said, with its process, after the time given."""
    server = store(tmp_path, 0.0)
    await server.open()
    begun = IReactorTime(reactor).seconds()
    with pytest.raises(Unavailable, match=r"\(process \d+\)"):
        await store(tmp_path, 0.3).open()
    assert IReactorTime(reactor).seconds() - begun >= 0.3
    await server.close()
