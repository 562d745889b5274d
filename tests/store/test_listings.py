"""A listing is read once for each change of its mailbox, and never shown after one."""

from __future__ import annotations

from itertools import count

import pytest_twisted
from twisted.internet.task import Clock

from mailshare.core.values import Target
from mailshare.store.listings import Listings
from mailshare.store.memory import MemoryStore
from mailshare.testing.store_office import HEADER, NOW, Office, office


class Reads:
    """A database that counts how often it is read."""

    def __init__(self, database: object) -> None:
        self._database = database
        self.count = 0

    async def read(self, operation: object) -> object:
        self.count += 1
        return await self._database.read(operation)


def in_memory() -> MemoryStore:
    """A store."""
    return MemoryStore(clock=Clock())


def reads_of(place: Office) -> Reads:
    """What reads the listings there, counted from now on."""
    listings = place.store.mailboxes.listings
    listings._database = reads = Reads(listings._database)
    return reads


async def look(place: Office, user: object) -> tuple[list[int], object]:
    """The uids that a session sees, and where it keeps what it shows of them."""
    drop = await place.drop(user)
    uids, sizes = await drop.snapshot()
    assert (len(uids), sum(sizes)) == (drop.count, drop.octets)
    drop.release()
    return list(uids), drop.shown


_numbers = count(1)


async def deliver(place: Office, *users: object) -> dict[int, int]:
    """One more message for each of them."""
    return (await place.deliver(f"{next(_numbers):x}", list(users), data=HEADER + b"x\r\n")).uids


@pytest_twisted.ensureDeferred
async def test_sessions_share_it_until_something_changes():
    """A session that finds no change reads nothing; mail, a deletion or an administrator's hand make it anew."""
    async with office(in_memory) as place:
        andrew = place.andrew
        await deliver(place, andrew)
        reads = reads_of(place)
        first, shown = await look(place, andrew)
        shown["LIST"] = b"1 9\r\n.\r\n"
        assert await look(place, andrew) == (first, shown)
        assert reads.count == 1
        second = (await deliver(place, andrew))[andrew.id]
        assert await look(place, andrew) == ([*first, second], {})
        drop = await place.drop(andrew)
        await drop.commit(first)
        drop.release()
        assert await look(place, andrew) == ([second], {})
        await place.store.mailboxes.give(andrew.id, second, [Target(place.greg.id, "given")], at=NOW)
        assert await look(place, andrew) == ([], {})
        assert reads.count == 4


@pytest_twisted.ensureDeferred
async def test_mail_of_others_changes_nothing():
    """Each mailbox has its own."""
    async with office(in_memory) as place:
        await deliver(place, place.andrew)
        reads = reads_of(place)
        mine = await look(place, place.andrew)
        await deliver(place, place.greg)
        assert await look(place, place.andrew) == mine
        assert reads.count == 1


@pytest_twisted.ensureDeferred
async def test_what_is_kept_is_bounded():
    """Of more messages than fit, those of the mailboxes go that were not asked for the longest."""
    async with office(in_memory) as place:
        for _ in range(3):
            await deliver(place, place.andrew, place.greg)
        boxes = place.store.mailboxes
        boxes.listings = Listings(boxes.database, most=5)
        reads = reads_of(place)
        for user in (place.andrew, place.andrew, place.greg, place.greg, place.andrew):
            await look(place, user)
        assert reads.count == 3
        assert len(boxes.listings._kept) == 1
        boxes.listings = Listings(boxes.database, most=2)
        await look(place, place.andrew)
        assert not boxes.listings._kept
        assert boxes.listings._room == 2
