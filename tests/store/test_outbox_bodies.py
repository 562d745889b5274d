"""Bodies of claimed rows are read together and held within bounds; what is settled together is written together."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from mailshare.core.errors import Unavailable
from mailshare.core.values import Event, Hop, Outcome, QueueItem, QueueState
from mailshare.interfaces import IBody
from mailshare.store.bodies import MemoryBody
from mailshare.store.handing import write_together
from mailshare.store.measure import measured
from mailshare.store.outbox_bodies import OutboxBodies
from mailshare.store.queue import Settling, settle_together
from tests.journal.conftest import finish
from tests.store.test_messages_written_together import database, handing


def item(number: int, size: int = 100) -> QueueItem:
    """A row that sends message ``number``."""
    return QueueItem(
        number, number, number, "c0ffee", "relay", "x@outside.example", None, QueueState.ACTIVE, 0, 0, 0, 0, size
    )


class Messages:
    """Gives bodies and counts how it was asked."""

    def __init__(self) -> None:
        self.together: list[list[int]] = []
        self.alone: list[int] = []
        self.trouble = False

    async def read(self, numbers: Collection[int]) -> Mapping[int, IBody]:
        self.together.append(list(numbers))
        if self.trouble:
            raise Unavailable
        return {number: self.of(number) for number in numbers if number < 900}

    async def read_one(self, number: int) -> IBody:
        self.alone.append(number)
        return self.of(number)

    def of(self, number: int) -> IBody:
        data = b"Subject: %d\r\n\r\n" % number + b"x" * 60_000
        return MemoryBody(measured(data), data)


def test_one_trip_for_all_that_were_claimed():
    """Each comes once from what was read ahead, and is read alone when it is asked for again."""
    messages = Messages()
    bodies = OutboxBodies(messages.read, messages.read_one)
    finish(bodies.expect([item(1), item(2), item(2), item(3, size=1 << 20)]))
    assert messages.together == [[1, 2]]
    assert finish(bodies.body(2)) == messages.of(2)
    assert messages.alone == []
    finish(bodies.body(2))
    finish(bodies.body(3))
    assert messages.alone == [2, 3]


def test_what_cannot_be_read_ahead_is_read_when_it_is_asked_for():
    """A store in trouble, and a message that is gone, are the business of whoever sends that message."""
    messages = Messages()
    bodies = OutboxBodies(messages.read, messages.read_one)
    finish(bodies.expect([item(1), item(900)]))
    messages.trouble = True
    finish(bodies.expect([item(5), item(6)]))
    for number in (900, 5):
        finish(bodies.body(number))
    assert messages.alone == [900, 5]


def test_rows_that_nobody_tries_hold_no_memory_for_ever():
    """Of a thousand messages claimed and left, the oldest are let go."""
    messages = Messages()
    bodies = OutboxBodies(messages.read, messages.read_one)
    for first in range(0, 800, 100):
        finish(bodies.expect([item(number, size=60_000) for number in range(first, first + 100)]))
    for number in range(800):
        finish(bodies.body(number))
    held = 800 - len(messages.alone)
    assert 0 < held <= (4 << 20) // 60_000


def settlings(connection: sqlite3.Connection) -> list[Settling]:
    """The ends of eight rows that wait in it."""
    out = Hop("relay", "x@outside.example", "outside", 1)
    write_together(connection, [handing(number, hops=(out,)) for number in range(1, 9)])
    return [
        Settling(
            (Outcome(number, QueueState.DELIVERED if number % 2 else QueueState.QUEUED, 50, 250, "2.0.0", "taken"),),
            (Event(50, "relay.delivered", data={"row": number}),),
        )
        for number in range(1, 9)
    ]


def test_settling_together_comes_to_the_same_rows_by_fewer_statements():
    """Eight messages settled in one batch or one by one; the counts that wait and the lines of the journal are one."""
    together, apart = database(), database()
    batch, said = settlings(together), list[str]()
    together.set_trace_callback(said.append)
    settle_together(together, batch)
    together.set_trace_callback(None)
    for one in settlings(apart):
        one(apart)
    for table in ("delivery", "submission", "attempt", "event"):
        found = [sorted(one.execute(f"SELECT * FROM {table}"), key=repr) for one in (together, apart)]
        assert found[0] == found[1]
        assert found[0]
    assert len(said) <= 6, said


def test_two_words_on_one_row_are_written_in_their_order():
    """A row that is deferred and then delivered within one batch has two attempts, and ends delivered."""
    connection = database()
    (first, *_) = settlings(connection)
    later = Outcome(1, QueueState.QUEUED, 40, 451, "4.4.2", "not yet", next_at=60)
    settle_together(connection, [Settling((later,), ()), first])
    assert connection.execute("SELECT state, attempts FROM delivery WHERE id = 1").fetchone() == (2, 2)
    tried = connection.execute("SELECT num, code FROM attempt WHERE delivery_id = 1 ORDER BY num").fetchall()
    assert tried == [(1, 451), (2, 250)]


def test_a_row_that_came_to_an_end_stays_so():
    """What is said of it afterwards, in a batch with others, adds no attempt."""
    connection = database()
    first, second, *_ = settlings(connection)
    settle_together(connection, [first])
    again = Outcome(1, QueueState.FAILED, 60, 550, "5.0.0", "no")
    settle_together(connection, [Settling((again,), ()), second])
    assert connection.execute("SELECT state, attempts FROM delivery WHERE id = 1").fetchone() == (2, 1)
    assert connection.execute("SELECT count(*) FROM attempt WHERE delivery_id = 1").fetchone() == (1,)
