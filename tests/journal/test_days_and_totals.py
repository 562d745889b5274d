"""Indicators, local days, retention, and the chain of decisions."""

from __future__ import annotations

import json
from datetime import date

import pytest
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import PeerFault
from mailshare.core.json_text import as_json
from mailshare.core.values import SECOND, Account, Event, Hop, Origin, Source, StoredEvent, Target, User
from mailshare.journal.counting import Counting
from mailshare.journal.days import bounds, day_of, line, next_midnight, read_day, record
from mailshare.status import Indicators
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import BERLIN, finish

NOON = 1_795_259_000  # 2026-11-21, before noon in Berlin


@pytest.fixture
def clock() -> Clock:
    """Time."""
    made = Clock()
    made.advance(NOON)
    return made


def stored(event: Event) -> StoredEvent:
    """The event as the log gives it out, the seventh."""
    return StoredEvent(7, event.at, event.kind, event.trace, event.account_id, event.user_id, None, as_json(event.data))


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


def test_a_lamp_says_with_whom() -> None:
    """Those who are there, each once; who was there last for a lamp that is told late; nobody for one that is off."""
    counting = Counting()
    for step, peer in ((1, "192.0.2.7"), (1, "192.0.2.8"), (1, "192.0.2.7"), (-1, "192.0.2.8")):
        counting.sending(step, peer)
    counting.upstream(outgoing=1, incoming=0, sent_to=["smtp.provider.example"])
    before = counting.indicators
    assert counting.peers(before) == {"local_sending": ["192.0.2.7"], "outgoing": ["smtp.provider.example"]}
    counting.sending(-1, "192.0.2.7")
    counting.sending(-1, "192.0.2.7")
    counting.upstream(outgoing=0, incoming=0)
    assert counting.peers(counting.indicators) == {}
    assert counting.peers(before) == {"local_sending": ["192.0.2.7"], "outgoing": ["smtp.provider.example"]}


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


def test_what_strangers_wrote_is_escaped_and_cut(store: MemoryStore) -> None:
    """A line is one line of printable ASCII, and short, whatever stands in it; names stand for numbers."""
    greg = store.directory.current().user_by_name["greg"]
    evil = "\x1b[2J\r\n\u202e" + "x" * 500
    data = {"helo": evil, "list": [evil], "targets": [[greg.id, "tag"], ["lisa", "tag"], [99, "cc"]]}
    event = Event(NOON * SECOND, "last", "t" * 16, 1, greg.id, data=data)
    raw = line(stored(event), store.directory.current(), BERLIN)
    assert raw.isascii()
    assert raw.isprintable()
    found = json.loads(raw)
    assert (found["id"], found["kind"], found["user"], found["account"]) == (7, "last", "greg", "mail@company.example")
    assert (found["at"], found["offset"]) == ("2026-11-21T11:03:20.000Z", "+0100")
    assert len(found["data"]["helo"]) == len(found["data"]["list"][0]) == 200
    assert found["data"]["targets"] == [["greg", "tag"], ["lisa", "tag"], [99, "cc"]]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"size": 12, "secure": False, "none": None, "part": 0.25, "nested": {"a": ["b", {"c": []}]}},
        {"helo": 'quote " and \\ and \t and \x7f', "peer": "192.0.2.7"},
        {"helo": "müller", "targets": [["greg", "tag"]]},
        {"targets": [["lisa", "tag"], [1, "cc"]]},
        {"targets": [[1, "cc"]], "helo": "x" * 300},
        {"helo": "x" * 200, "list": ["y" * 199, "z" * 200, "w" * 201], "v" * 200: "u" * 200},
        {"helo": "x" * 200, "list": ["y" * 199, "z" * 200], "v" * 200: 10**199},
    ],
)
def test_a_line_says_what_the_api_says(store: MemoryStore, data: dict[str, object]) -> None:
    """Whether an event's own JSON stands in the line as it is or is written anew, no reader can tell."""
    directory = store.directory.current()
    for at in (0, NOON * SECOND + 123_456, -1):
        event = Event(at, "route", "0123456789abcdef", 1, directory.user_by_name["greg"].id, data=data)
        assert line(stored(event), directory, BERLIN) == json.dumps(record(7, event, directory, BERLIN))


@pytest.mark.parametrize("text", ['"' * 300, "\\" * 300, "x" * 201, "é" * 201, '\\"' * 150 + "\\"])
def test_no_text_is_too_odd_to_be_cut(store: MemoryStore, text: str) -> None:
    """The quick look at a line finds every long value, whatever it is made of; short ones stay as they are."""
    data = {"short": '"a" <b@c.example>\\', "helo": text, "list": [text, {text: 1}]}
    found = json.loads(line(stored(Event(0, "route", data=data)), store.directory.current(), BERLIN))["data"]
    assert found["short"] == data["short"]
    assert found["helo"] == found["list"][0] == text[:197] + "..."
    assert list(found["list"][1]) == [text[:200]]
