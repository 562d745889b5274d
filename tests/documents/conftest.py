"""The documents of an office, without the office."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_twisted
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.documents.bounds import Bounds
from mailshare.documents.service import Documents


class Desk(Documents):
    """With notes of what crashed."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self.folder = folder / "documents"
        super().__init__(reactor, str(self.folder), _aside, Bounds(seconds=20), self.notes.append)

    def bound(self, **bounds: object) -> None:
        """Allow less."""
        self.follow(evolve(self.bounds, **bounds))


async def _aside(act: Callable[[], object]) -> object:
    return await deferToThread(act)


@pytest_twisted.async_yield_fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Documents that take what is usual."""
    made = Desk(tmp_path)
    yield made
    await made.stop()
    assert not made.folder.exists()
