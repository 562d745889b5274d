"""Small messages are read several at a time, and nothing else changes by it."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from mailshare.core.errors import Unavailable
from mailshare.core.values import Target
from mailshare.store.memory import MemoryStore
from mailshare.store.read_ahead import LONG, MOST_MESSAGES, MOST_OCTETS, ReadAhead
from mailshare.testing.store_office import HEADER, NOW, Office, office


class Trips:
    """A database that counts how often it is read, and may leave all of it to a thread."""

    def __init__(self, database: object) -> None:
        self._database = database
        self.count = 0
        self.elsewhere = False
        self.seconds = database.seconds

    async def read(self, operation: object) -> object:
        self.count += 1
        return await self._database.read(operation)

    def read_here(self, operation: object) -> object | None:
        if self.elsewhere:
            return None
        self.count += 1
        return self._database.read_here(operation)


async def fetch(place: Office, drop: object, uid: int) -> bytes:
    """What RETR sends of a message that needs no dots stuffed."""
    return drop.at_hand(uid) or await place.content(drop, uid)


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


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_sweep_takes_few_trips(store_factory, elsewhere):
    """Eighty messages fetched in order come in seven trips, whole and each its own."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 80)
        drop = await place.drop(place.andrew)
        _, trips = ahead_of(drop)
        trips.elsewhere = elsewhere
        for n, uid in enumerate(uids):
            assert await fetch(place, drop, uid) == HEADER + b"%06d" % n + b"x" * 10 + b"\r\n"
        assert trips.count == 7  # 1, 2, 4, 8, 16, 32 and the rest


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest_twisted.ensureDeferred
async def test_tops_leave_what_was_read_ahead(store_factory, elsewhere):
    """Whoever looks at each header before he fetches gets the same; for one who only looks little else is read."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 20)
        drop = await place.drop(place.andrew)
        ahead, trips = ahead_of(drop)
        trips.elsewhere = elsewhere
        for n, uid in enumerate(uids):
            assert (await drop.body(uid)).header_length == len(HEADER)
            assert await fetch(place, drop, uid) == HEADER + b"%06d" % n + b"x" * 10 + b"\r\n"
        assert trips.count <= (2 * 20 if elsewhere else 20 + 10)
        for uid in uids:
            await drop.body(uid)
            assert len(ahead._kept) <= 1


@pytest_twisted.ensureDeferred
async def test_leaps_read_nothing_ahead(store_factory):
    """Whoever fetches backwards, as a program that shows the newest first does, pays for what he asks."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 12)
        drop = await place.drop(place.andrew)
        ahead, trips = ahead_of(drop)
        for uid in reversed(uids):
            await fetch(place, drop, uid)
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
            await fetch(place, drop, uid)
            assert sum(map(len, ahead._kept.values())) <= MOST_OCTETS
            assert len(ahead._kept) < MOST_MESSAGES


@pytest_twisted.ensureDeferred
async def test_what_is_taken_away_is_gone_from_what_was_read(store_factory):
    """An entry that an administrator gave to somebody else, or that this session deleted, is not served any more."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 8)
        drop = await place.drop(place.andrew)
        ahead, _ = ahead_of(drop)
        for uid in uids[:4]:
            assert drop.at_hand(uid)
        assert drop.at_hand(uids[4])
        assert uids[5] in ahead._kept
        await place.store.mailboxes.give(place.andrew.id, uids[5], [Target(place.greg.id, "given")], at=NOW)
        assert drop.at_hand(uids[5]) is None
        with pytest.raises(Unavailable):
            await drop.body(uids[5])
        for uid in (uids[4], uids[6]):
            assert drop.at_hand(uid)
        assert uids[7] in ahead._kept
        await drop.commit([uids[7]])
        assert drop.at_hand(uids[7]) is None
        with pytest.raises(Unavailable):
            await drop.body(uids[7])


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_is_at_hand_goes_on_the_wire(store_factory, elsewhere):
    """Whatever its lines begin and end with; it is given without a wait, and what was read ahead is given once."""
    async with office(store_factory) as place:
        texts = [b"plain\r\n", b"plain\r\n", b".dot\r\n.\r\n", b"no end", b"plain\r\n"]
        uids = [
            (await place.deliver(f"{n:x}", [place.andrew], data=HEADER + text, prefix=b"X-To: a\r\n")).uids[
                place.andrew.id
            ]
            for n, text in enumerate(texts)
        ]
        drop = await place.drop(place.andrew)
        ahead, trips = ahead_of(drop)
        trips.elsewhere = elsewhere
        await fetch(place, drop, uids[0])
        await fetch(place, drop, uids[1])
        assert drop.at_hand(uids[2]) == b"X-To: a\r\n" + HEADER + b"..dot\r\n..\r\n"
        trips.elsewhere = False
        assert await place.content(drop, uids[2]) == b"X-To: a\r\n" + HEADER + b".dot\r\n.\r\n"
        assert drop.at_hand(uids[3]) == b"X-To: a\r\n" + HEADER + b"no end\r\n"
        assert uids[3] not in ahead._kept
        assert await place.content(drop, uids[3]) == b"X-To: a\r\n" + HEADER + b"no end"


@pytest_twisted.ensureDeferred
async def test_a_message_that_is_not_whole_is_not_at_hand(store_factory):
    """Rows that do not fit each other are told of, and end what is read ahead."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 4)
        await place.store._database.write(
            lambda connection: connection.execute(
                "UPDATE body SET data = substr(data, 2) "
                "WHERE message_id = (SELECT message_id FROM arrived WHERE uid = ?)",
                (uids[2],),
            )
        )
        drop = await place.drop(place.andrew)
        assert all(drop.at_hand(uid) for uid in uids[:2])
        assert drop.at_hand(uids[2]) is None
        with pytest.raises(Unavailable):
            await drop.body(uids[2])
        assert drop.at_hand(uids[3])


@pytest_twisted.ensureDeferred
async def test_reading_ahead_ends_when_it_takes_long(store_factory):
    """Where a disk is slow, nobody waits for more than he asked for."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 20)
        drop = await place.drop(place.andrew)
        ahead, trips = ahead_of(drop)
        assert all(drop.at_hand(uid) for uid in uids[:3])
        times = iter(range(100))
        trips.seconds = lambda: next(times) * LONG / 3.5
        assert drop.at_hand(uids[3])
        assert len(ahead._kept) == 3  # of seven


@pytest_twisted.ensureDeferred
async def test_all_sessions_share_the_room(store_factory):
    """When others hold what may be held, messages come one at a time; what a session held is given back at its end."""
    async with office(store_factory) as place:
        uids = await fill(place, [10] * 8)
        room = place.store.mailboxes._room
        whole = room.octets
        drop = await place.drop(place.andrew)
        for uid in uids[:4]:
            assert drop.at_hand(uid)
        assert room.octets < whole
        drop.release()
        assert room.octets == whole
        room.octets = MOST_OCTETS - 1
        drop = await place.drop(place.andrew)
        _, trips = ahead_of(drop)
        for uid in uids:
            assert drop.at_hand(uid)
        assert trips.count == len(uids)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest_twisted.ensureDeferred
async def test_messages_of_some_size_are_read_once_each(store_factory, elsewhere):
    """Where the bound in octets ends a trip, the next one does not ask for more than fits."""
    async with office(store_factory) as place:
        uids = await fill(place, [50_000] * 40)
        drop = await place.drop(place.andrew)
        _, trips = ahead_of(drop)
        trips.elsewhere = elsewhere
        for uid in uids:
            await fetch(place, drop, uid)
        assert trips.count <= 12  # 1, 2, 4 and then five at a time
