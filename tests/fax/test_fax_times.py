"""When faxes go: put off, in cheap hours, before a deadline, in their order; the clock is held."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from mailshare.config.timetable import parse_hours
from mailshare.core.fax_dialling import Toll
from mailshare.core.fax_times import FARTHEST, asked_in, begins, read_moment
from mailshare.core.headers import Headers
from mailshare.core.values import QueueState
from mailshare.core.values.fax import FaxCause
from tests.fax.calling_room import Room, ends

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000_000


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    """An instant by a wall clock, or with its offset."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()) * 1_000_000


def shown(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("18:30", "2026-11-22 12:00", "11-22 17:30"),
        ("08:00", "2026-11-22 12:00", "11-23 07:00"),  # over for today
        ("2026-12-01 08:00", "2026-11-22 12:00", "12-01 07:00"),
        ("+90m", "2026-11-22 12:00", "11-22 12:30"),
        ("2026-11-23T00:00:00+09:00", "2026-11-22 12:00", "11-22 15:00"),
        ("2026-10-25 02:30", "2026-10-24 12:00", "10-25 00:30"),  # comes twice: the first
        ("2026-03-29 02:30", "2026-03-28 12:00", "03-29 01:00"),  # does not exist: the jump
    ],
)
def test_times_are_read_on_the_wall_clock(text: str, now: str, expected: str) -> None:
    """Also where the clock is turned."""
    assert shown(read_moment(text, BERLIN, at(now))) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "2026-02-30 10:00", "2026-11-21 10:00", "2027-12-01 10:00", "+9"]
)
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match=r"no time|over|ahead"):
        read_moment(text, BERLIN, at("2026-11-22 12:00"))


@pytest.mark.parametrize(
    ("hours", "now", "expected"),
    [
        ("18:00-08:00", "2026-11-22 12:00", "11-22 17:00"),
        ("18:00-08:00", "2026-11-22 23:00", "11-22 22:00"),  # open: at once
        ("18:00-08:00", "2026-11-22 07:59", "11-22 06:59"),
        ("sat-sun 00:00-24:00", "2026-11-23 12:00", "11-27 23:00"),
        ("02:30-05:00", "2026-03-28 12:00", "03-29 01:00"),  # the edge falls on the jump
        ("02:30-02:45", "2026-10-25 02:50+01:00", "10-26 01:30"),  # the hour that came again opens nothing
    ],
)
def test_cheap_hours_are_waited_for(hours: str, now: str, expected: str) -> None:
    """Also where the clock is turned, and across midnight."""
    moment = at(now)
    assert shown(begins(moment, not_before=0, queued=moment, cheap=[parse_hours(hours)], zone=BERLIN)) == expected


def test_nothing_is_put_off_for_ever() -> None:
    """A date of the year 9999 in a mail is the farthest that is allowed."""
    assert begins(0, not_before=10**18, queued=0, cheap=[], zone=BERLIN) == FARTHEST


def test_mail_says_when_and_in_what_haste() -> None:
    """Fields of RFC 2156; what cannot be read says nothing."""
    head = b"Deferred-Delivery: Mon, 23 Nov 2026 08:00:00 +0100\r\nExpiry-Date: Tue, 24 Nov 2026 08:00:00 +0100\r\n"
    asked = asked_in(Headers.parse(head + b"X-Priority: 5 (Lowest)\r\n\r\n"))
    assert asked == {
        "not_before": at("2026-11-23 08:00"),
        "not_after": at("2026-11-24 08:00"),
        "priority": "later",
    }
    assert asked_in(Headers.parse(b"Deferred-Delivery: tomorrow\r\nX-Priority: 3\r\n\r\n")) == {}


async def test_a_fax_is_not_called_before_its_time(room: Room) -> None:
    """It is no try, and it goes when the time has come."""
    begin = room.now() + 3 * HOUR
    item = await room.row(not_before=begin)
    outcome = await room.tried(item)
    assert (outcome.state, outcome.next_at, outcome.counts) == (QueueState.QUEUED, begin, False)
    assert outcome.detail["scheduled"]
    assert not room.line.jobs
    room.clock.advance(3 * 3600)
    room.line.acts = [ends(FaxCause.OK, 3)]
    assert (await room.tried(item)).state is QueueState.DELIVERED


async def test_cheap_hours_hold_for_their_numbers_and_for_what_is_in_no_haste(room: Room) -> None:
    """A try after a busy line as well; an urgent fax waits for no hours."""
    opening = datetime.fromtimestamp(room.clock.seconds() + 7200, UTC).replace(minute=0, second=0)
    hours = parse_hours(f"{opening:%H:%M}-{(opening.hour + 1) % 24:02}:00")
    room.rules = evolve(room.rules, cheap=(hours,), cheap_tolls=frozenset({Toll.INTERNATIONAL}))
    room.fax.follow(room.rules)
    wanted = int(opening.timestamp()) * 1_000_000
    waits = [{"toll": "international"}, {"toll": "local", "priority": "later"}]
    for number, params in enumerate(waits):
        outcome = await room.tried(await room.row(f"+1202555010{number}", **params))
        assert outcome.next_at == wanted
    room.line.acts = [ends(FaxCause.OK, 3)] * 2
    for number, params in enumerate([{"toll": "local"}, {"toll": "international", "urgent": True}]):
        outcome = await room.tried(await room.row(f"+1202555011{number}", **params))
        assert outcome.state is QueueState.DELIVERED


async def test_no_call_begins_after_the_deadline_of_a_fax(room: Room) -> None:
    """Nor before hours that open after it; the office's lifetime counts from when it was to go."""
    late = await room.row("+12025550120", not_after=room.now() - 1)
    assert (await room.tried(late)).state is QueueState.FAILED
    never = await room.row("+12025550121", not_before=room.now() + 2 * HOUR, not_after=room.now() + HOUR)
    assert (await room.tried(never)).state is QueueState.FAILED
    begin = room.now() + 5 * 24 * HOUR
    item = await room.row("+12025550122", not_before=begin)
    room.clock.advance(5 * 24 * 3600)
    room.line.acts = [ends(FaxCause.BUSY)]
    assert (await room.tried(item)).state is QueueState.QUEUED
    assert len(room.line.jobs) == 1
