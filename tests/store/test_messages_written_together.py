"""A batch of messages is written by few statements, and comes to the same rows as message after message."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import groupby

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailboxFull, Unavailable
from mailshare.core.personal import Quota
from mailshare.core.values import DeliveryResult, Event, Hop, LedgerKey, LedgerState, Origin, SentMark, Source, Target
from mailshare.store.bodies import MemoryBody
from mailshare.store.counters import set_counters
from mailshare.store.duplicates import know_keys
from mailshare.store.handing import Handing, readers_of, write_together
from mailshare.store.ledger import refuse_row
from mailshare.store.measure import measured
from mailshare.store.migrate import make_schema

TABLES = (
    "message", "body", "entry", "arrived", "mailbox", "duplicate", "event", "ledger", "submission", "delivery", "sent",
    "usual_lines",
)  # fmt: skip
WINDOW = 1_000_000


def database() -> sqlite3.Connection:
    """One with mailboxes of the users 1 to 4."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_schema(connection)
    set_counters(connection)
    know_keys(connection)
    for user in range(1, 5):
        connection.execute("INSERT INTO user_ (name) VALUES (?)", (f"user{user}",))
        connection.execute(
            "INSERT INTO mailbox (user_id, name, uidvalidity, uidnext) VALUES (?, 'INBOX', 7, 1)", (user,)
        )
    return connection


def handing(
    number: int,
    *users: int,
    key: bytes = b"",
    ledger: str = "",
    hops: tuple[Hop, ...] = (),
    bounds: dict[int, Quota] | None = None,
) -> Handing:
    """A message, each of its copies with lines of its own."""
    data = b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * number)
    origin = Origin(
        Source.SMTP, f"{number:016x}", ledger=LedgerKey(1, ledger, 0, b"digest") if ledger else None
    )
    return Handing(
        Envelope(Address("some", "outside.example"), tuple(Recipient(Address(f"user{one}")) for one in users)),
        MemoryBody(measured(data), data),
        origin,
        readers_of(tuple(Target(one, "local", b"Delivered-To: user%d\r\n" % one * one) for one in users)),
        hops,
        (Event(number, "route", data={"number": number}),),
        number,
        key,
        WINDOW if key else 0,
        SentMark(f"<{number}@office.example>", 1, None) if hops else None,
        number + 10,
        False,
        f"{number}@office.example",
        "{}",
        bounds or {},
    )


def rows(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """All that was written."""
    return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in TABLES}


def assert_same(batch: Sequence[Handing]) -> list[DeliveryResult]:
    """Together and one by one: the same rows and answers."""
    together, apart = database(), database()
    results = write_together(together, batch)
    assert results == [one(apart) for one in batch]
    assert rows(together) == rows(apart)
    return results


def test_every_size_of_a_batch():
    """To one or more people each, in all sizes up to where the statements are cut, and beyond."""
    for size in (1, 2, 3, 7, 8, 33, 70):
        assert_same([handing(number, *range(1, 2 + number % 4), key=b"%d" % number) for number in range(1, size + 1)])


def test_messages_to_the_same_four_people():
    """Their entries are made together; a copy that one of them has, a bound or lines of another kind change nothing."""
    people = readers_of(tuple(Target(one, "local", b"Delivered-To: user%d\r\n" % one) for one in range(1, 5)))
    other = readers_of(tuple(Target(one, "cc", b"X-Mailshare-Copy-For: a\r\n") for one in (3, 4, 1, 2)))
    together, apart = database(), database()
    for first, readers in ((1, people), (11, people), (21, people), (31, other), (41, people)):
        batch = [evolve(handing(number, key=b"%d" % number), readers=readers) for number in range(first, first + 3)]
        if first == 21:
            batch[1].duplicate_key = batch[0].duplicate_key
        if first == 41:
            batch[1].bounds = {2: Quota(messages=1_000)}
        assert write_together(together, batch) == [one(apart) for one in batch]
        assert rows(together) == rows(apart)
    uids = [uid for (uid,) in together.execute("SELECT uid FROM arrived WHERE mailbox_id = 2 ORDER BY message_id")]
    assert uids == list(range(1, 15))
    assert together.execute("SELECT uidnext, msgs FROM mailbox WHERE id = 2").fetchone() == (15, 14)


def test_second_copy_in_the_same_batch_is_suppressed():
    """The first of two messages with one key is kept, whoever of their readers they share."""
    results = assert_same([handing(1, 1, 2, key=b"k"), handing(2, 2, 3, key=b"k"), handing(3, 3, key=b"k")])
    assert [result.suppressed for result in results] == [(), (2,), (3,)]
    assert [sorted(result.uids) for result in results] == [[1, 2], [3], []]


def test_lines_that_most_copies_have_are_written_once():
    """The first single line of a mailbox is its usual one: copies that begin so need none, others bring their own."""
    connection = database()
    write_together(connection, [handing(1, 1, 2), handing(2, 1)])
    others = readers_of((Target(1, "local", b"Delivered-To: b\r\n"),))
    write_together(connection, [evolve(handing(3, 1), readers=others)])
    write_together(connection, [evolve(handing(4, 1), readers=readers_of((Target(1, "local"),))), handing(5, 2)])
    assert connection.execute("SELECT * FROM usual_lines").fetchall() == [(1, b"Delivered-To: user1\r\n")]
    assert connection.execute("SELECT mailbox_id, uid, prefix FROM arrived ORDER BY mailbox_id, uid").fetchall() == [
        (1, 1, None),
        (1, 2, None),
        (1, 3, b"Delivered-To: b\r\n"),
        (1, 4, b""),
        (2, 1, b"Delivered-To: user2\r\n" * 2),
        (2, 2, b"Delivered-To: user2\r\n" * 2),
    ]


def test_key_of_long_ago_counts_no_more():
    """Behind the window the same message is taken again, also by a batch."""
    old = handing(1, 1, key=b"k")
    late = handing(2 * WINDOW, 1, key=b"k")
    late.body = old.body
    assert [result.suppressed for result in assert_same([old, late])] == [(), ()]


def test_bookmark_that_is_there_already():
    """A message that was collected before is in the answers and in no table."""
    results = assert_same([handing(1, 1, ledger="a"), handing(2, 1, ledger="a"), handing(3, 2, ledger="b")])
    assert [result.already for result in results] == [False, True, False]


def test_mail_that_leaves_and_mail_that_is_only_sent_on():
    """Rows of the queue and what users have forwarded come out of a batch as alone."""
    out = Hop("relay", "x@outside.example", "outside", 1)
    onward = Hop("relay", "y@outside.example", "forward", 1, params={"forward_for": 4})
    sent_on = [handing(number, key=b"b", hops=(onward,)) for number in (2, 3)]
    assert [result.suppressed for result in assert_same([handing(1, 1, key=b"a", hops=(out,)), *sent_on])] == [
        (), (), (4,)
    ]  # fmt: skip


def test_bound_counts_what_came_before_in_the_batch():
    """The second of two messages finds the mailbox full that the first has filled."""
    bounds = {1: Quota(messages=1)}
    assert_same([handing(1, 1, bounds=bounds), handing(2, 2, bounds=bounds)])
    with pytest.raises(MailboxFull):
        write_together(database(), [handing(1, 1, bounds=bounds), handing(2, 1, bounds=bounds)])


def test_user_who_went_away():
    """A batch with a message for nobody's mailbox fails whole, so that the writer does each alone."""
    with pytest.raises(Unavailable):
        write_together(database(), [handing(1, 1), handing(2, 9)])


def test_statements_of_a_batch():
    """Sixteen messages, and two hundred entries of one, take no more statements than this."""
    said: list[str] = []
    connection = database()
    connection.set_trace_callback(said.append)
    write_together(connection, [handing(number, 1 + number % 4, key=b"%d" % number) for number in range(16)])
    said = [each for each, _ in groupby(said)]  # one is told again for what a trigger does within it
    assert len(said) <= 15, said  # of which two are of four rows, and four for the mailboxes' first lines


@pytest.mark.parametrize("before", [(), ("b",), ("a", "b", "c", "d", "e"), ("e", "a")])
def test_bookmarks_of_many_are_written_together(before: tuple[str, ...]) -> None:
    """Those that an earlier run delivered are left out, and each bookmark stands for its own message."""
    batch = [handing(number, 1 + number % 4, ledger=name) for number, name in enumerate("abcde", 1)]
    together, apart = database(), database()
    for connection in (together, apart):
        for number, name in enumerate(before, 11):
            handing(number, 1, ledger=name)(connection)
    results = write_together(together, batch)
    assert results == [one(apart) for one in batch]
    assert [result.already for result in results] == [name in before for name in "abcde"]
    assert rows(together) == rows(apart)
    pairs = "SELECT uidl, trace FROM ledger JOIN message ON message.id = message_id ORDER BY uidl"
    stood = dict(zip(before, range(11, 16), strict=False))
    expected = [(name, f"{stood.get(name, number):016x}") for number, name in enumerate("abcde", 1)]
    assert together.execute(pairs).fetchall() == expected


def test_bookmark_that_stands_for_nothing_delivered_is_taken_over() -> None:
    """A message that was left behind or could not be had comes after all, beside others of the same batch."""
    connection = database()
    for name, state in (("a", LedgerState.POISON), ("c", LedgerState.SKIPPED), ("d", LedgerState.DELETE)):
        refuse_row(connection, LedgerKey(1, name, 0, b"digest"), state, "why", 5)
    results = write_together(connection, [handing(number, 1, ledger=name) for number, name in enumerate("abcd", 1)])
    assert [result.already for result in results] == [False, False, False, True]
    bound = "SELECT count(*) FROM ledger WHERE message_id IS NOT NULL AND error = ''"
    assert connection.execute(bound).fetchone() == (3,)
