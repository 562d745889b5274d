"""How long the journal is kept: today and N days, in the store and in the files alike (S18, 3.11)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from mailshare.core.errors import Unavailable
from mailshare.core.values import SECOND, Event
from mailshare.journal.files import JournalFiles
from mailshare.journal.following import Following
from mailshare.journal.retention import Retention
from mailshare.store.memory import MemoryStore
from tests.journal.conftest import BERLIN, finish, here

DAY = 86_400


class Shelf:
    """A store and files that hold a line for each of the last ten days."""

    def __init__(self, folder: Path, now: str, days: int) -> None:
        self.clock = Clock()
        self.clock.advance(datetime.fromisoformat(now).timestamp())
        self.store = MemoryStore(clock=self.clock)
        finish(self.store.open())
        self.folder = folder
        files = JournalFiles(str(folder))
        at = self.clock.seconds()
        finish(self.store.events.append([Event(int((at - n * DAY) * SECOND), "x") for n in range(10)]))
        following = Following(
            self.store.events, files, self.store.directory.current, self.clock, BERLIN, here
        )
        finish(following.catch_up())
        self.retention = Retention(self.store.events, self.clock, BERLIN, days, files, here)

    def days(self) -> list[str]:
        """What is left; store and files agree."""
        logged = list(finish(self.store.events.days("Europe/Berlin")))
        assert sorted(path.stem for path in self.folder.iterdir()) == logged
        return logged


@pytest.mark.parametrize(("days", "left"), [(0, 1), (5, 6), (-1, 10), (36500, 10)])
def test_at_start_today_and_n_days_are_kept(tmp_path: Path, days: int, left: int) -> None:
    """N = 5 deletes the day six days back; 0 keeps today; for ever is said by -1 and by nothing else."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", days)
    shelf.retention.startService()
    finish(shelf.retention.stopService())
    assert len(shelf.days()) == left
    assert shelf.days()[-1] == "2026-11-21"
    assert shelf.clock.getDelayedCalls() == []


@pytest.mark.parametrize("day", ["2026-11-21", "2026-03-29", "2026-10-25", "2026-12-31"])
def test_at_local_midnight_a_day_goes(tmp_path: Path, day: str) -> None:
    """A server that never restarts purges in the first minute of the local day, also when days have 23 or 25 hours."""
    start = datetime.fromisoformat(f"{day}T00:00:30").replace(tzinfo=BERLIN)
    shelf = Shelf(tmp_path, start.isoformat(), 2)
    shelf.retention.startService()
    before = shelf.days()
    assert len(before) == 3
    minutes = 0
    while shelf.days() == before:
        shelf.clock.advance(60)
        minutes += 1
    expected = {"2026-03-29": 23, "2026-10-25": 25}.get(day, 24)
    assert minutes == expected * 60
    assert shelf.days() == before[1:]
    finish(shelf.retention.stopService())


def test_a_clock_that_jumps_is_noticed(tmp_path: Path) -> None:
    """Forward by three days three days go, within ten minutes; backward nothing goes and nothing breaks."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 9)
    shelf.retention.startService()
    shelf.clock.rightNow -= 20 * DAY
    for call in shelf.clock.getDelayedCalls():
        call.reset(0)
    shelf.clock.advance(600)
    assert len(shelf.days()) == 10
    shelf.clock.rightNow += 23 * DAY
    shelf.clock.advance(600)
    assert len(shelf.days()) == 7
    finish(shelf.retention.stopService())


@pytest.mark.parametrize("days", [1, 5, 14])
def test_a_clock_a_year_ahead_and_right_again_loses_nothing(tmp_path: Path, days: int) -> None:
    """Nor when the server is started and writes by the wrong time, nor with the audit."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 14)
    finish(shelf.store.events.append([Event(int(shelf.clock.seconds() * SECOND), "admin.did")]))
    finish(shelf.retention.purge())
    before = list(finish(shelf.store.events.days("Europe/Berlin")))
    shelf.clock.rightNow += 400 * DAY
    shelf.retention.days = days
    finish(shelf.store.events.append([Event(int(shelf.clock.seconds() * SECOND), "server.started")]))
    assert finish(shelf.retention.purge()) == (0, 0)
    shelf.clock.rightNow -= 400 * DAY
    shelf.retention.days = 14
    assert finish(shelf.retention.purge()) == (0, 0)
    assert list(finish(shelf.store.events.days("Europe/Berlin")))[:10] == before


def test_after_some_days_by_a_new_clock_old_days_go(tmp_path: Path) -> None:
    """An office that stood still for months, or whose clock was a year behind, forgets within a week as it should."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 14)
    shelf.clock.rightNow += 90 * DAY
    for day in range(7):
        assert len(finish(shelf.store.events.days("Europe/Berlin"))) == 10 + day
        finish(shelf.store.events.append([Event(int(shelf.clock.seconds() * SECOND), "x")]))
        finish(shelf.retention.purge())
        shelf.clock.rightNow += DAY
    assert len(finish(shelf.store.events.days("Europe/Berlin"))) == 7


def test_a_purge_that_fails_is_tried_again(tmp_path: Path) -> None:
    """A store that is away at midnight is purged ten minutes later, and a file that cannot go does not end it."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 1)
    expire = shelf.store.events.expire

    async def away(*_: object, **__: object) -> int:
        raise Unavailable

    shelf.store.events.expire = away  # type: ignore[method-assign]
    shelf.retention.startService()
    assert len(shelf.days()) == 10
    shelf.store.events.expire = expire  # type: ignore[method-assign]
    shelf.clock.advance(600)
    assert len(shelf.days()) == 2
    finish(shelf.retention.stopService())


def test_another_number_of_days_counts_at_once(tmp_path: Path) -> None:
    """After a reload with fewer days nobody has to wait for midnight."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 9)
    shelf.retention.startService()
    shelf.retention.keep(0)
    shelf.clock.advance(0)
    assert shelf.days() == ["2026-11-21"]
    finish(shelf.retention.stopService())


def test_the_audit_stays_a_year(tmp_path: Path) -> None:
    """What administrators did stays 365 days besides today, however short the journal is."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 0)
    ages = (0, 1, 364, 365, 366, 400)
    events = [Event(int((shelf.clock.seconds() - age * DAY) * SECOND), "admin.did") for age in ages]
    finish(shelf.store.events.append(events))
    following = Following(
        shelf.store.events, JournalFiles(str(tmp_path)), shelf.store.directory.current, shelf.clock, BERLIN, here
    )
    finish(following.catch_up())
    finish(shelf.retention.purge())
    left = finish(shelf.store.events.page(since=0, until=1 << 62, kinds=["admin.did"]))
    assert len(left) == len(list(tmp_path.glob("audit-*"))) == 4


def test_a_journal_of_today_only_keeps_the_work_that_waits(tmp_path: Path) -> None:
    """A report that is due since yesterday is sent yet, whatever the retention is."""
    shelf = Shelf(tmp_path, "2026-11-21T12:00:00+01:00", 0)
    due = Event(int((shelf.clock.seconds() - DAY) * SECOND), "report.due", "a" * 16, data={"action": "failed"})
    finish(shelf.store.events.append([due]))
    finish(shelf.retention.purge())
    left = finish(shelf.store.events.page(since=0, until=1 << 62))
    assert sorted(event.kind for _, event in left) == ["report.due", "x"]


@pytest.mark.parametrize("kind", ["public.sent", "device.sent", "fax.wrong-code"])
def test_what_counts_for_an_hour_stays_over_midnight(tmp_path: Path, kind: str) -> None:
    """Twenty minutes past midnight a journal of today only still knows the last hour, and no more than that."""
    shelf = Shelf(tmp_path, "2026-11-22T00:20:00+01:00", 0)
    now = int(shelf.clock.seconds() * SECOND)
    lines = [Event(now - age * 60 * SECOND, kind, data={"sender": str(age)}) for age in (30, 50, 70, 200)]
    finish(shelf.store.events.append([*lines, Event(now - 30 * 60 * SECOND, "server.started")]))
    finish(shelf.retention.purge())
    left = finish(shelf.store.events.page(since=0, until=1 << 62, kinds=(kind, "server.started")))
    assert [event.data.get("sender") for _, event in left] == ["30", "50"]
