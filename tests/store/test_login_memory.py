"""What every login reads is kept in memory, and never longer than it is true."""

from __future__ import annotations

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.store.directory import DirectoryStore
from mailshare.store.memory import MemoryStore
from mailshare.store.memory_database import MemoryDatabase
from mailshare.store.settings import Settings
from mailshare.testing.store_office import office


class Slow:
    """A database whose readings can be held up after they have read; counts them."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.count = 0
        self.hold: Deferred[None] | None = None

    async def read(self, operation: object) -> object:
        self.count += 1
        found = await self._database.read(operation)
        if self.hold is not None:
            await self.hold
        return found

    async def write(self, operation: object, **options: object) -> object:
        return await self._database.write(operation, **options)

    def now(self) -> int:
        return 0


@pytest.fixture
def database():
    """Give a database in memory."""
    memory = MemoryDatabase(Clock())
    memory.open()
    return Slow(memory)


@pytest_twisted.ensureDeferred
async def test_a_login_that_was_read_is_not_read_again():
    """The second login of a user takes no trip to the database; a new password and a deletion are seen at once."""
    async with office(lambda: MemoryStore(clock=Clock())) as place:
        directory = place.store.directory
        directory._database = trips = Slow(directory._database)
        assert (await directory.credentials("andrew"))[0] == place.andrew
        await directory.credentials("Andrew")
        assert trips.count == 1
        await directory.change_user(place.andrew, password_hash="new")
        assert (await directory.credentials("andrew"))[1] == "new"
        await directory.change_user(evolve(place.andrew, enabled=False))
        assert await directory.credentials("andrew") is None
        assert await directory.credentials("andrew", disabled=True) is not None
        await directory.delete_user(place.andrew.id)
        assert await directory.credentials("andrew", disabled=True) is None


@pytest_twisted.ensureDeferred
async def test_unknown_names_are_not_kept():
    """Whoever tries a million names fills no memory."""
    async with office(lambda: MemoryStore(clock=Clock())) as place:
        directory = place.store.directory
        for n in range(100):
            assert await directory.credentials(f"guess{n}") is None
        assert directory._known_credentials == {}


@pytest_twisted.ensureDeferred
async def test_a_login_read_before_a_change_is_not_kept_after_it():
    """A reading that a change overtakes is answered with what it met, and forgotten."""
    async with office(lambda: MemoryStore(clock=Clock())) as place:
        directory: DirectoryStore = place.store.directory
        plain, slow = directory._database, Slow(directory._database)
        directory._database, slow.hold = slow, Deferred()
        late = Deferred.fromCoroutine(directory.credentials("andrew"))
        directory._database = plain
        await directory.change_user(place.andrew, password_hash="new")
        slow.hold.callback(None)
        await late
        assert (await directory.credentials("andrew"))[1] == "new"


@pytest_twisted.ensureDeferred
async def test_app_passwords_are_read_once_until_they_change(database):
    """Settings that a login reads are kept; a change, also one that overtakes a reading, is seen at once."""
    settings = Settings(database)
    assert await settings.get("app-password", "1") is None
    assert await settings.get("app-password", "1") is None
    assert database.count == 1
    await settings.put("app-password", "1", ["a"])
    assert await settings.get("app-password", "1") == (["a"], 1)
    await settings.put("app-password", "1", ["b"])
    database.hold = Deferred()
    late = Deferred.fromCoroutine(settings.get("app-password", "1"))
    await settings.put("app-password", "1", ["c"])
    database.hold.callback(None)
    await late
    database.hold = None
    assert await settings.get("app-password", "1") == (["c"], 3)


@pytest_twisted.ensureDeferred
async def test_other_settings_are_read_each_time(database):
    """Scopes that other statements write too are never kept."""
    settings = Settings(database)
    await settings.get("store", "instance")
    await settings.get("store", "instance")
    assert database.count == 2
