"""Indicators, local days, retention, and the chain of decisions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Coroutine
from datetime import date
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import PeerFault
from mailshare.core.values import SECOND, Account, Event, Hop, Origin, Source, Target, User
from mailshare.journal.counting import Counting
from mailshare.journal.days import bounds, day_of, lines, next_midnight, read_day
from mailshare.journal.why import why
from mailshare.status import Indicators
from mailshare.store.memory import MemoryStore

T = TypeVar("T")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400
NOON = 1_795_259_000  # 2026-11-21, before noon in Berlin


def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of something that does not really wait."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(outcome.append)
    assert outcome, "it waits"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]  # type: ignore[no-any-return]


async def listed(lines: AsyncIterator[str]) -> list[dict[str, Any]]:
    """The lines as objects."""
    return [json.loads(each) async for each in lines]


@pytest.fixture
def clock() -> Clock:
    """Time."""
    made = Clock()
    made.advance(NOON)
    return made


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    """An office with greg."""
    made = MemoryStore(clock=clock)
    finish(made.open())
    finish(made.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
    finish(made.directory.add_user(User(0, "greg", accounts=(1,))))
    return made


def test_lamps_go_on_and_off_and_listeners_are_told() -> None:
    """Each change is told once; who ended is told no more."""
    counting, seen = Counting(), list[Indicators]()
    end = counting.watch(seen.append)
    counting.sending(1)
    counting.receiving(1)
    counting.upstream(outgoing=2, incoming=1)
    counting.upstream(outgoing=2, incoming=1)
    assert counting.indicators == seen[-1] == Indicators(1, 1, 2, 1)
    counting.sending(-1)
    assert len(seen) == 5
    end()
    end()
    counting.receiving(-1)
    assert len(seen) == 5


def test_totals_come_from_the_store(store: MemoryStore) -> None:
    """Inbox counts what nobody has retrieved, outbox messages that wait."""
    greg = store.directory.current().user_by_name["greg"]
    sink = store.new_body()
    sink.write(b"a: b\r\n\r\n")
    origin = Origin(Source.SMTP, "a" * 16, greg.id)
    hops = [Hop("relay", f"{n}@example.net", "outside", 1) for n in range(3)]
    body = finish(sink.finish())
    finish(store.delivery.deliver(Envelope(None), body, origin, [Target(greg.id, "local")], hops, at=NOON * SECOND))
    counting = Counting()
    assert finish(counting.refresh(store)) == Indicators(inbox=1, outbox=1)


def test_local_days() -> None:
    """A day has 24 hours, 23 in spring, 25 in autumn, and begins at local midnight."""
    hours = [(b - a) // (3600 * SECOND) for a, b in (bounds(date.fromisoformat(d), BERLIN) for d in DAYS)]
    assert hours == [24, 23, 25]
    assert day_of(NOON * SECOND, BERLIN) == date(2026, 11, 21)
    assert next_midnight(NOON * SECOND, BERLIN) == bounds(date(2026, 11, 22), BERLIN)[0]
    with pytest.raises(PeerFault):
        read_day("yesterday")
    assert read_day("2026-11-21") == date(2026, 11, 21)


DAYS = ("2026-11-21", "2026-03-29", "2026-10-25")


def test_lines_of_a_day(store: MemoryStore) -> None:
    """More than a page of lines comes in order; nothing of other days; what strangers wrote is escaped and cut."""
    start, end = bounds(date(2026, 11, 21), BERLIN)
    greg = store.directory.current().user_by_name["greg"]
    evil = "\x1b[2J\r\n\u202e" + "x" * 500
    events = [Event(start + n, "test", data={"n": n}) for n in range(1500)]
    events += [Event(start - 1, "other"), Event(end, "other")]
    events.append(Event(end - 1, "last", "t" * 16, 1, greg.id, data={"helo": evil, "list": [evil]}))
    finish(store.events.append(events))
    directory = store.directory.current()
    found = finish(listed(lines(store.events, directory, date(2026, 11, 21), BERLIN)))
    assert [each["data"]["n"] for each in found[:-1]] == list(range(1500))
    last = found[-1]
    assert (last["kind"], last["user"], last["account"]) == ("last", "greg", "mail@company.example")
    assert last["at"] == "2026-11-21T22:59:59.999Z" or last["at"] == "2026-11-21T23:00:00.000Z"
    assert last["offset"] == "+0100"
    assert len(last["data"]["helo"]) == len(last["data"]["list"][0]) == 200
    raw = finish(_first(lines(store.events, directory, date(2026, 11, 21), BERLIN, ["last"])))
    assert raw.isascii()
    assert raw.isprintable()


async def _first(lines: AsyncIterator[str]) -> str:
    async for each in lines:
        return each
    return ""


def test_why(store: MemoryStore) -> None:
    """By trace, by Message-ID with and without brackets; the chain reads as sentences, forged lines stay one line."""
    greg = store.directory.current().user_by_name["greg"]
    trace = "0123456789abcdef"
    sink = store.new_body()
    sink.write(b"Message-ID: <m1@x.example>\r\n\r\n")
    route = Event(
        NOON * SECOND, "route", trace, 1,
        data={"source": "collect", "size": 30, "steps": [["name-L1", "To: greg\r\n-> forged"]],
              "targets": [[greg.id, "name-L1"], [99, "cc"], ["lisa", "tag"]],
              "hops": [["relay", "a@b.example", "outside"]]},
    )  # fmt: skip
    relay = {"address": "a@b.example", "code": 250, "reply": "Ok", "host": "smtp.isp.example"}
    events = [
        route,
        Event(NOON * SECOND, "relay.delivered", trace, data=relay),
        Event(NOON * SECOND, "report.due", trace, data={"action": "failed", "items": [1]}),
        Event(NOON * SECOND, "pop3.retrieved", trace, user_id=greg.id, data={"peer": "192.0.2.1"}),
    ]
    body = finish(sink.finish())
    origin = Origin(Source.COLLECT, trace, account_id=1)
    targets = [Target(greg.id, "name-L1")]
    finish(store.delivery.deliver(Envelope(None), body, origin, targets, (), events, at=NOON * SECOND))
    for wanted in (trace, "<m1@x.example>", "m1@x.example", " m1@x.example "):
        (chain,) = finish(why(store, wanted))
        assert chain.trace == trace
    words = chain.in_words(store.directory.current(), BERLIN)
    assert words[1].endswith("came by collect for mail@company.example, 30 octets")
    assert words[2:7] == [
        "    name-L1: To: greg -> forged",
        "    -> mailbox greg (name-L1)",
        "    -> mailbox of former user 99 (cc)",
        "    -> mailbox lisa (tag)",
        "    -> relay a@b.example (outside)",
    ]
    assert words[7].endswith("relay: a@b.example delivered by smtp.isp.example: 250 Ok")
    assert words[8].endswith("report (failed) is due")
    assert words[9].endswith("pop3.retrieved: peer 192.0.2.1")
    assert finish(why(store, "f" * 16)) == []
    assert finish(why(store, "nonsense")) == []
