"""What a login reads of its mailbox is kept in memory, and never longer than it is true."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

import mailshare.store
from mailshare.core.errors import Unavailable
from mailshare.core.values import Target
from mailshare.store.memory import MemoryStore
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import NOW, office


class Slow:
    """A database whose readings can be held up after they have read; counts them."""

    def __init__(self, database: object) -> None:
        self._database = database
        self.count = 0
        self.hold: Deferred[None] | None = None

    async def read(self, operation: object) -> object:
        self.count += 1
        found = await self._database.read(operation)
        if self.hold is not None:
            await self.hold
        return found


def memory_store() -> MemoryStore:
    """A store in memory, some time after the epoch."""
    clock = Clock()
    clock.advance(1_000)
    return MemoryStore(clock=clock)


async def stat(place: object, user: object) -> tuple[int, int]:
    """What STAT says in a new session."""
    drop = await place.drop(user)
    drop.release()
    return drop.count, drop.octets


@pytest_twisted.ensureDeferred
async def test_a_poll_without_news_takes_no_trip():
    """The second login of a user who got no mail reads nothing."""
    async with office(memory_store) as place:
        totals = place.store.mailboxes.totals
        totals._database = trips = Slow(totals._database)
        await stat(place, place.andrew)
        await stat(place, place.andrew)
        assert trips.count == 1


@pytest_twisted.ensureDeferred
async def test_whatever_changes_a_mailbox_is_seen_by_the_next_login():
    """Delivery, deletion, giving away, a user's deletion and return: STAT is right after each."""
    async with office(memory_store) as place:
        assert await stat(place, place.andrew) == (0, 0)
        first = await place.deliver("1", [place.andrew])
        await place.deliver("2", [place.andrew])
        count, octets = await stat(place, place.andrew)
        assert count == 2
        drop = await place.drop(place.andrew)
        await drop.commit([first.uids[place.andrew.id]])
        drop.release()
        assert await stat(place, place.andrew) == (1, octets // 2)
        assert await stat(place, place.greg) == (0, 0)
        second = (await place.store.mailboxes.entries(place.andrew.id))[0]
        await place.store.mailboxes.give(place.andrew.id, second.uid, [Target(place.greg.id, "given")], at=NOW)
        assert await stat(place, place.andrew) == (0, 0)
        assert await stat(place, place.greg) == (1, octets // 2)
        await place.store.directory.delete_user(place.greg.id)
        with pytest.raises(Unavailable):
            await stat(place, place.greg)
        back = await place.store.directory.restore_user("greg")
        assert await stat(place, back) == (1, octets // 2)


@pytest_twisted.ensureDeferred
async def test_a_reading_that_a_delivery_overtakes_is_not_kept():
    """The login itself may see the mailbox as it was when it asked; the next one does not."""
    async with office(memory_store) as place:
        totals = place.store.mailboxes.totals
        plain, slow = totals._database, Slow(totals._database)
        totals._database, slow.hold = slow, Deferred()
        late = Deferred.fromCoroutine(stat(place, place.andrew))
        totals._database = plain
        await place.deliver("1", [place.andrew])
        slow.hold.callback(None)
        assert (await late)[0] == 0
        assert (await stat(place, place.andrew))[0] == 1


@pytest_twisted.ensureDeferred
async def test_a_delivery_that_nobody_waits_for_any_more_is_seen(tmp_path):
    """The wait is cancelled, a login reads, and only then the transaction comes about: the next login sees it."""
    async with office(lambda: SQLiteStore(str(tmp_path / "store"), reactor=reactor)) as place:
        waiting = Deferred.fromCoroutine(place.deliver("1", [place.andrew]))
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting
        await stat(place, place.andrew)
        await place.deliver("2", [place.greg])  # its batch is not before the first one's
        assert (await stat(place, place.andrew))[0] == 1


def test_who_writes_to_mailboxes_is_known():
    """A module that begins to change rows of mailboxes has to tell the totals; this list is where it is remembered."""
    folder = Path(mailshare.store.__file__).parent
    writers = {path.name for path in folder.glob("*.py") if "UPDATE mailbox SET" in path.read_text()}
    assert writers == {"handing.py", "directory.py", "entries.py", "former_users.py", "mailboxes.py"}
