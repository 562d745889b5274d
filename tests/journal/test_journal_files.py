"""The files of the days: one for each local day, whatever the clock does; trouble with them stops nothing."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.errors import Unavailable
from mailshare.core.values import SECOND, Account, Event, User
from mailshare.journal.files import DayFile, JournalFiles
from mailshare.journal.following import Following
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import BERLIN, finish, here

T = TypeVar("T")


class Desk:
    """A store with a held clock and the files that follow it."""

    def __init__(self, folder: Path, now: str) -> None:
        self.folder = folder / "journal"
        self.clock = Clock()
        self.clock.advance(datetime.fromisoformat(now).timestamp())
        self.store = MemoryStore(clock=self.clock)
        finish(self.store.open())
        self.files = JournalFiles(str(self.folder))
        self.following = self.follow()

    def follow(self, aside: Callable[..., Any] = here) -> Following:
        return Following(
            self.store.events, self.files, self.store.directory.current, self.clock, BERLIN, aside
        )

    def happen(self, kind: str, **facts: Any) -> None:
        event = Event(int(self.clock.seconds() * SECOND), kind, **facts)
        finish(self.store.events.append([event]))
        finish(self.following.catch_up())

    def go_to(self, now: str) -> None:
        """Set the clock, also backwards."""
        self.clock.rightNow = datetime.fromisoformat(now).timestamp()

    def kinds(self) -> dict[str, list[str]]:
        """What stands in which file."""
        return {
            path.name: [json.loads(line)["kind"] for line in path.read_text().splitlines()]
            for path in sorted(self.folder.iterdir())
        }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """In the last minute of a year, in Berlin."""
    return Desk(tmp_path, "2026-12-31T23:59:30+01:00")


def test_each_line_stands_in_the_file_of_its_local_day_3_11(desk: Desk) -> None:
    """The year changes at local midnight, not at that of Greenwich; stamps are UTC with the offset beside them."""
    desk.happen("one", trace="a" * 16)
    desk.clock.advance(60)
    desk.happen("two")
    assert desk.kinds() == {"2026-12-31.jsonl": ["one"], "2027-01-01.jsonl": ["two"]}
    line = json.loads((desk.folder / "2027-01-01.jsonl").read_text())
    assert (line["at"], line["offset"]) == ("2026-12-31T23:00:30.000Z", "+0100")
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.folder / "2027-01-01.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("start", "hours", "offsets"),
    [("2026-03-29T00:30:00+01:00", 23, ["+0100"] * 2 + ["+0200"] * 21),
     ("2026-10-25T00:30:00+02:00", 25, ["+0200"] * 3 + ["+0100"] * 22)],
)  # fmt: skip
def test_the_days_of_the_clock_change_are_one_file_3_11(
    tmp_path: Path, start: str, hours: int, offsets: list[str]
) -> None:
    """A line each hour: 23 in spring, 25 in autumn, the doubled hour told apart by its offset."""
    desk = Desk(tmp_path, start)
    for _ in range(hours + 1):
        desk.happen("hour")
        desk.clock.advance(3600)
    first, second = sorted(desk.folder.iterdir())
    assert (first.name, len(second.read_text().splitlines())) == (f"{start[:10]}.jsonl", 1)
    assert [json.loads(line)["offset"] for line in first.read_text().splitlines()] == offsets


def test_a_clock_that_is_set_loses_and_doubles_no_line_3_11(desk: Desk) -> None:
    """Back by a day, forth by a week, with a new start in each: every event stands once, in the file of its day."""
    desk.happen("a")
    for number, now in enumerate(["2026-12-30T12:00:00+01:00", "2027-01-08T12:00:00+01:00"]):
        desk.go_to(now)
        desk.following = desk.follow()
        desk.happen(f"b{number}")
    desk.following = desk.follow()
    desk.happen("c")
    assert desk.kinds() == {
        "2026-12-30.jsonl": ["b0"], "2026-12-31.jsonl": ["a"], "2027-01-08.jsonl": ["b1", "c"]
    }  # fmt: skip


def test_the_audit_has_files_of_its_own_3_11(desk: Desk) -> None:
    """What administrators did is beside what happened to mail."""
    desk.happen("route")
    desk.happen("admin.retry")
    assert desk.kinds() == {"2026-12-31.jsonl": ["route"], "audit-2026-12-31.jsonl": ["admin.retry"]}


def test_names_stay_readable_when_their_owners_are_gone(desk: Desk) -> None:
    """A line holds login and address, not numbers."""
    finish(desk.store.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
    greg = finish(desk.store.directory.add_user(User(0, "greg", accounts=(1,))))
    desk.happen("pop3.session", user_id=greg.id, account_id=1)
    finish(desk.store.directory.delete_user(greg.id))
    (line,) = [json.loads(text) for text in (desk.folder / "2026-12-31.jsonl").read_text().splitlines()]
    assert (line["user"], line["account"]) == ("greg", "mail@company.example")


def test_a_cut_line_is_taken_away_before_the_next(desk: Desk) -> None:
    """A crash in the middle of a line leaves no half line; the event of that line is written again whole."""
    desk.happen("one")
    desk.happen("two")
    path = desk.folder / "2026-12-31.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    desk.following = desk.follow()
    desk.happen("three")
    assert desk.kinds() == {"2026-12-31.jsonl": ["one", "two", "three"]}


def test_a_full_disk_stops_nothing_and_loses_nothing(desk: Desk) -> None:
    """Events are taken while the files cannot be written; the status says why; afterwards every line is there."""
    desk.happen("one")
    works = desk.files.append

    def full(_lines: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    desk.files.append = full  # type: ignore[method-assign, assignment]
    desk.happen("two")
    desk.happen("three")
    assert "No space left" in desk.following.trouble
    desk.files.append = works  # type: ignore[method-assign]
    desk.happen("four")
    assert desk.following.trouble == ""
    assert desk.kinds() == {"2026-12-31.jsonl": ["one", "two", "three", "four"]}


def test_a_directory_that_is_none_stops_nothing(desk: Desk) -> None:
    """A file lies where the directory should be: the trouble is told, and nothing raises."""
    desk.folder.write_text("")
    desk.happen("one")
    assert "journal" in desk.following.trouble


def test_a_store_that_is_away_is_asked_again(desk: Desk) -> None:
    """Its sentence is the trouble, until it answers."""
    newest = desk.store.events.newest

    async def away() -> int:
        raise Unavailable("The store is away")

    desk.store.events.newest = away  # type: ignore[method-assign]
    finish(desk.following.catch_up())
    assert desk.following.trouble == "The store is away"
    desk.store.events.newest = newest  # type: ignore[method-assign]
    desk.happen("one")
    assert desk.following.trouble == ""


def test_a_store_put_back_from_a_copy_is_followed_again(desk: Desk, tmp_path: Path) -> None:
    """Its ids begin lower than those in the files; what is new is written all the same."""
    for _ in range(5):
        desk.happen("before")
    other = Desk(tmp_path, "2027-01-01T12:00:00+01:00")
    finish(other.store.events.append([Event(0, "old"), Event(0, "old")]))
    finish(other.following.catch_up())
    other.happen("after")
    assert other.kinds()["2027-01-01.jsonl"] == ["after"]


def test_the_service_writes_every_two_seconds_and_once_more_at_the_end(desk: Desk) -> None:
    """A stop leaves no line behind, and no call."""
    desk.following.startService()
    finish(desk.store.events.append([Event(int(desk.clock.seconds() * SECOND), "one")]))
    desk.clock.advance(2)
    assert desk.kinds() == {"2026-12-31.jsonl": ["one"]}
    finish(desk.store.events.append([Event(int(desk.clock.seconds() * SECOND), "two")]))
    finish(desk.following.stopService())
    assert desk.kinds() == {"2026-12-31.jsonl": ["one", "two"]}
    assert desk.clock.getDelayedCalls() == []


def test_two_looks_never_write_the_same_line(desk: Desk) -> None:
    """A second look waits for the first that the disk holds up."""
    gate: Deferred[None] = Deferred()

    async def slow(work: Callable[[], T], /) -> T:
        await gate
        return work()

    desk.following = desk.follow(slow)
    finish(desk.store.events.append([Event(int(desk.clock.seconds() * SECOND), "one")]))
    looks = [Deferred.fromCoroutine(desk.following.catch_up()) for _ in range(3)]
    gate.callback(None)
    assert all(look.called for look in looks)
    assert desk.kinds() == {"2026-12-31.jsonl": ["one"]}


def test_only_our_own_files_are_touched(tmp_path: Path) -> None:
    """A name that is no day is left alone."""
    names = ["2026-11-20.jsonl", "audit-2026-11-20.jsonl", "2026-13-40.jsonl", "notes.txt", "2026-11-20.jsonl.gz"]
    for name in names:
        (tmp_path / name).touch()
    files = JournalFiles(str(tmp_path))
    assert files.found() == [DayFile(date(2026, 11, 20)), DayFile(date(2026, 11, 20), audit=True)]
    assert files.purge(date(2027, 1, 1), date(2027, 1, 1)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[2:])
    assert JournalFiles(str(tmp_path / "none")).purge(date(2027, 1, 1), None) == 0
