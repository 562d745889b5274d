"""Small messages are read several at a time, and nothing else changes by it."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from mailshare.core.errors import Unavailable
from mailshare.core.values import Target
from mailshare.store.memory import MemoryStore
from mailshare.store.read_ahead import MOST_MESSAGES, MOST_OCTETS, ReadAhead
from mailshare.testing.store_office import HEADER, NOW, Office, office


class Trips:
    """A database that counts how often it is read."""

    def __init__(self, database: object) -> None:
        self._database = database
        self.count = 0

    async def read(self, operation: object) -> object:
        self.count += 1
        return await self._database.read(operation)


async def fill(place: Office, sizes: list[int]) -> list[int]:
    """Deliver a message of each size to andrew; their uids."""
    return [
        (await place.deliver(f"{n:x}", [place.andrew], data=HEADER + b"%06d" % n + b"x" * size + b"\r\n")).uids[
            place.andrew.id
        ]
        for n, size in enumerate(sizes)
    ]


def ahead_of(drop: object) -> tuple[ReadAhead, Trips]:
    """The reader of a maildrop, its trips counted."""
    ahead = drop._ahead
    ahead._database = trips = Trips(ahead._database)
    return ahead, trips


@pytest.fixture
def store_factory():
    """Give a function that makes a store in memory."""
    return lambda: MemoryStore(clock=Clock())


@pytest_twisted.ensureDeferred
async def test_a_sweep_takes_few_trips(store_factory):
    """Eighty messages fetched in order come in eight trips, whole and each its own."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 80)
        drop = await place.drop(place.andrew)
        _, trips = ahead_of(drop)
        for n, uid in enumerate(uids):
            assert await place.content(drop, uid) == HEADER + b"%06d" % n + b"x" * 10 + b"\r\n"
        assert trips.count == 7  # 1, 2, 4, 8, 16, 32 and the rest


@pytest_twisted.ensureDeferred
async def test_leaps_read_nothing_ahead(store_factory):
    """Whoever fetches backwards, as a program that shows the newest first does, pays for what he asks."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 12)
        drop = await place.drop(place.andrew)
        ahead, trips = ahead_of(drop)
        for uid in reversed(uids):
            await drop.body(uid)
            assert not ahead._kept
        assert trips.count == len(uids)


@pytest_twisted.ensureDeferred
async def test_what_is_held_is_bounded(store_factory):
    """However many and large the messages are, a session holds a bounded number of octets ahead and no more."""
    async with office(store_factory) as place:
        uids = await fill(place, [60_000] * 12 + [1] * 100)
        drop = await place.drop(place.andrew)
        ahead, _ = ahead_of(drop)
        for uid in uids:
            await drop.body(uid)
            assert sum(each.octets for each in ahead._kept.values()) <= MOST_OCTETS
            assert len(ahead._kept) < MOST_MESSAGES


@pytest_twisted.ensureDeferred
async def test_what_is_taken_away_is_gone_from_what_was_read(store_factory):
    """An entry that an administrator gave to somebody else, or that this session deleted, is not served any more."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 8)
        drop = await place.drop(place.andrew)
        ahead, _ = ahead_of(drop)
        for uid in uids[:4]:
            await drop.body(uid)
        assert uids[5] in ahead._kept
        await place.store.mailboxes.give(place.andrew.id, uids[5], [Target(place.greg.id, "given")], at=NOW)
        with pytest.raises(Unavailable):
            await drop.body(uids[5])
        await drop.body(uids[4])
        await drop.body(uids[6])
        assert uids[7] in ahead._kept
        await drop.commit([uids[7]])
        with pytest.raises(Unavailable):
            await drop.body(uids[7])


@pytest_twisted.ensureDeferred
async def test_what_is_ready_is_at_hand_once(store_factory):
    """A message that was read ahead and needs nothing done to it is given without a wait, and once."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 4)
        dotted = (await place.deliver("a", [place.andrew], data=HEADER + b".dot\r\n")).uids[place.andrew.id]
        drop = await place.drop(place.andrew)
        assert drop.at_hand(uids[0]) is None
        for uid in uids[:3]:
            await drop.body(uid)
        assert drop.at_hand(uids[3]) is None
        await drop.body(uids[3])
        drop.release()
        drop = await place.drop(place.andrew)
        await drop.body(uids[0])
        await drop.body(uids[1])
        assert drop.at_hand(uids[2]) == HEADER + b"000002" + b"x" * 10 + b"\r\n"
        assert drop.at_hand(uids[2]) is None
        await drop.body(uids[3])
        assert drop.at_hand(dotted) is None
        assert await place.content(drop, dotted) == HEADER + b".dot\r\n"


@pytest_twisted.ensureDeferred
async def test_all_sessions_share_the_room(store_factory):
    """When others hold what may be held, messages come one at a time; what a session held is given back at its end."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 8)
        room = place.store.mailboxes._room
        whole = room.octets
        drop = await place.drop(place.andrew)
        for uid in uids[:4]:
            await drop.body(uid)
        assert room.octets < whole
        drop.release()
        assert room.octets == whole
        room.octets = MOST_OCTETS - 1
        drop = await place.drop(place.andrew)
        _, trips = ahead_of(drop)
        for uid in uids:
            await drop.body(uid)
        assert trips.count == len(uids)


@pytest_twisted.ensureDeferred
async def test_messages_of_some_size_are_read_once_each(store_factory):
    """Where the bound in octets ends a trip, the next one does not ask for more than fits."""
    async with office(store_factory) as place:
        uids = await fill(place, [50_000] * 40)
        drop = await place.drop(place.andrew)
        _, trips = ahead_of(drop)
        for uid in uids:
            await drop.body(uid)
        assert trips.count <= 12  # 1, 2, 4 and then five at a time
