"""The timetable by a clock: intervals, hours, threshold, now, pause; and no account waits for another."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.values import SECOND, Account, Hop, Origin, Source, Window
from mailshare.interfaces import ICollecting
from mailshare.isp.timetable import Timetable
from mailshare.status import RunStatus
from mailshare.testing.pretend_office import Office

HOUR = 3600
# 1,800,000,000 is Friday, 15 January 2027, 08:00 UTC.
MIDNIGHT = 1_800_000_000 - 8 * HOUR


@implementer(ICollecting)
class Collecting:
    """Notes when it was asked, and answers when a test lets it."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.starts: list[tuple[int, float]] = []
        self.hold: dict[int, Deferred[None]] = {}
        self.floor = 0

    async def collect(self, account: Account) -> Mapping[str, int]:
        """One run."""
        self.starts.append((account.id, self.office.clock.seconds()))
        if account.id in self.hold:
            await self.hold[account.id]
        return {"andrew": 1}

    def status(self, _: int) -> RunStatus:
        """Nothing to tell."""
        return RunStatus(last_ok=7)

    def not_before(self, _: int) -> int:
        """The provider's floor."""
        return self.floor


class Flushing:
    """Notes when it was asked to flush."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.calls: list[float] = []
        self.error: Exception | None = None

    def __call__(self, account_id: int) -> Awaitable[object]:
        self.calls.append(self.office.clock.seconds())
        return self._done()

    async def _done(self) -> object:
        if self.error:
            raise self.error
        now = self.office.now()
        rows = await self.office.store.queue.claim("relay", 100, now, 10**9)
        ids = [row.id for row in rows]
        await self.office.store.queue.renew(ids, now + 10**15)
        return ids


class Running:
    """A timetable and its parts."""

    def __init__(self, office: Office, **changes: object) -> None:
        self.office = office
        office.change(**changes)
        self.collecting = Collecting(office)
        self.flushing = Flushing(office)
        self.timetable = Timetable(office.store, self.collecting, self.flushing, office.clock, random=lambda: 0.5)

    def start(self) -> Running:
        self.timetable.startService()
        self.office.settle()
        return self

    def until(self, seconds: float) -> None:
        """Let time pass in steps of a second at most."""
        ends = self.office.clock.seconds() + seconds
        while self.office.clock.seconds() < ends:
            calls = [call.getTime() for call in self.office.clock.getDelayedCalls()]
            step = min([ends, *calls]) - self.office.clock.seconds()
            self.office.clock.advance(max(step, 0.01))
            self.office.settle()

    def stop(self) -> None:
        self.office.wait(self.timetable.stopService())
        self.office.settle()
        assert not self.office.clock.getDelayedCalls()

    @property
    def times(self) -> list[float]:
        return [at for _, at in self.collecting.starts]


def put(office: Office, count: int = 1) -> None:
    """Messages into the outbox."""
    for _ in range(count):
        sink = office.store.new_body(10)
        sink.write(b"Subject: x\r\n\r\n")
        origin = Origin(Source.SMTP, office.random(8).hex())
        hops = [Hop("relay", "x@out.example", "outside", office.account.id)]
        envelope = Envelope(Address.parse("mail@company.example"))
        body = office.wait(sink.finish())
        office.wait(office.store.delivery.deliver(envelope, body, origin, [], hops, at=office.now(), expires=10**18))
        office.store.notifier.wake("relay")
    office.settle()


def test_every_five_minutes_from_start_to_start(office: Office) -> None:
    """At once at the start, then by the interval; a flush goes with each."""
    running = Running(office).start()
    running.until(3600.5)
    assert [round(at - running.times[0]) for at in running.times] == list(range(0, 3601, 300))
    assert len(running.flushing.calls) == len(running.times)
    running.stop()


def test_weekdays_and_hours(office: Office) -> None:
    """Monday to Friday, 9 to 17: a week has 5 x 8 x 2 half hours."""
    window = Window(frozenset(range(5)), 9 * 60, 17 * 60, 30)
    running = Running(office, timetable=(window,)).start()
    assert running.times == []
    running.until(7 * 24 * HOUR)
    hours = {int((at - MIDNIGHT) % (24 * HOUR) // HOUR) for at in running.times}
    assert hours == set(range(9, 17))
    assert len(running.times) == 5 * 16
    running.stop()


def test_the_threshold_flushes_two_seconds_after_the_last_message(office: Office) -> None:
    """Below it nothing happens before the interval; reached, the burst leaves together, outside the hours too."""
    night = (Window(frozenset(range(7)), 0, 60, 5),)
    running = Running(office, timetable=night, threshold=3).start()
    put(office, 2)
    running.until(60)
    assert running.flushing.calls == []
    put(office)
    last = office.clock.seconds()
    running.until(10)
    assert [round(at - last, 1) for at in running.flushing.calls] == [2.0]
    assert len(running.times) == 1
    running.stop()


def test_hold_outside_waits_for_the_window(office: Office) -> None:
    """A line that costs by the minute."""
    running = Running(office, timetable=(Window(frozenset(range(7)), 9 * 60, 10 * 60, 5),), hold_outside=True).start()
    put(office)
    running.until(HOUR - 1)
    assert running.flushing.calls == []
    running.until(10)
    assert len(running.flushing.calls) >= 1
    running.stop()


def test_now_ignores_windows_and_does_not_overlap(office: Office) -> None:
    """A second "now" gets the result of the run under way."""
    running = Running(office, timetable=()).start()
    running.collecting.hold[office.account.id] = Deferred()
    first = office.begin(running.timetable.send_receive())
    second = office.begin(running.timetable.send_receive(office.account.id))
    office.settle()
    assert (first, len(running.times)) == ([], 1)
    running.collecting.hold.pop(office.account.id).callback(None)
    office.settle()
    assert (first, second) == ([{"andrew": 1}], [{"andrew": 1}])
    assert len(running.times) == 1
    running.stop()


def test_a_hanging_account_delays_no_other(office: Office) -> None:
    """And is not started a second time while it hangs."""
    other = evolve(office.account, id=0, address=Address.parse("mail@other.example"))
    second = office.wait(office.store.directory.add_account(other))
    running = Running(office)
    running.collecting.hold[office.account.id] = Deferred()
    running.start()
    running.until(1000)
    by_account = {
        each: [a for a, _ in running.collecting.starts].count(each) for each in (office.account.id, second.id)
    }
    assert by_account == {office.account.id: 1, second.id: 4}
    running.stop()


def test_pause_and_resume_make_up_for_one_run(office: Office) -> None:
    """Missed runs are one run."""
    running = Running(office).start()
    running.timetable.pause()
    running.until(HOUR)
    assert len(running.times) == 1
    assert running.timetable.statuses()[0].collect.paused
    running.timetable.resume()
    office.settle()
    assert len(running.times) == 2
    running.stop()


def test_the_providers_floor_holds(office: Office) -> None:
    """LOGIN-DELAY lengthens the interval."""
    running = Running(office)
    running.collecting.floor = int((office.clock.seconds() + 900) * SECOND)
    running.start()
    assert running.times == []
    running.until(901)
    assert len(running.times) == 1
    running.stop()


def test_a_flush_that_fails_stops_nothing(office: Office, logged_failures: Any) -> None:
    """It is logged, and the next interval comes."""
    running = Running(office)
    running.flushing.error = StorageTrouble()
    running.start()
    running.flushing.error = None
    running.until(301)
    assert len(running.times) == 2
    running.stop()
    assert logged_failures.flush(StorageTrouble)


class StorageTrouble(OSError):
    """Made up."""


def test_statuses_show_both_directions(office: Office) -> None:
    """With the next time."""
    running = Running(office).start()
    status = running.timetable.statuses()[0]
    assert (status.address, status.collect.last_ok) == ("mail@company.example", 7)
    running.until(31)
    assert round(running.timetable.statuses()[0].collect.next_try / SECOND - running.times[0]) == 300
    running.stop()
