"""The timetable by a clock: intervals, hours, threshold, now, pause; and no account waits for another."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.values import SECOND, Account, Hop, Origin, Outcome, QueueState, Source, Window
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

    async def collect(self, account: Account, cause: str = "") -> Mapping[str, int]:
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

    def __init__(self, office: Office, **changes: Any) -> None:
        self.office = office
        # Each of these runs finds mail; the looks that would follow are tried in test_looks_between_runs.py.
        options = {"look_sooner": False, **changes.pop("options", {})}
        office.change(options=options, **changes)
        self.collecting = Collecting(office)
        self.flushing = Flushing(office)
        self.again()

    def again(self) -> None:
        """A timetable that knows of nothing but the store."""
        self.timetable = Timetable(
            self.office.store, self.collecting, self.flushing, self.office.clock, random=lambda: 0.5
        )

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


def put(office: Office, count: int = 1, **params: object) -> None:
    """Messages into the outbox."""
    for _ in range(count):
        sink = office.store.new_body(10)
        sink.write(b"Subject: x\r\n\r\n")
        origin = Origin(Source.SMTP, office.random(8).hex())
        hops = [Hop("relay", "x@out.example", "outside", office.account.id, params=params)]
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


SUNDAY_NIGHT = (Window(frozenset({6}), 0, 60, 5),)


def test_priority_mail_leaves_at_once(office: Office) -> None:
    """Whatever the threshold and the hours are, and without the two seconds for a burst."""
    running = Running(office, timetable=SUNDAY_NIGHT, threshold=0).start()
    put(office)
    running.until(60)
    assert running.flushing.calls == []
    running.timetable.arrived(office.account.id, urgent=True)
    office.settle()
    assert running.flushing.calls == [office.clock.seconds()]
    running.stop()


def test_hurry_does_not_outlive_what_was_in_a_hurry(office: Office) -> None:
    """Nothing waits any more when the timetable looks: the next ordinary mail is not hurried."""
    running = Running(office, timetable=SUNDAY_NIGHT, threshold=0).start()
    running.timetable.arrived(office.account.id, urgent=True)
    office.settle()
    put(office)
    running.until(60)
    assert running.flushing.calls == []
    running.stop()


def test_priority_mail_of_before_a_restart_leaves_at_the_start(office: Office) -> None:
    """The outbox itself remembers that it is urgent."""
    put(office, urgent=True)
    running = Running(office, timetable=SUNDAY_NIGHT, threshold=0).start()
    assert len(running.flushing.calls) == 1
    running.stop()


def test_priority_mail_waits_for_a_window_where_a_line_costs(office: Office) -> None:
    """``hold_outside`` holds it too."""
    window = (Window(frozenset(range(7)), 9 * 60, 10 * 60, 5),)
    running = Running(office, timetable=window, hold_outside=True, threshold=0).start()
    put(office)
    running.timetable.arrived(office.account.id, urgent=True)
    running.until(HOUR - 1)
    assert running.flushing.calls == []
    running.until(2)
    assert len(running.flushing.calls) >= 1
    running.stop()


def test_a_flush_receives_too_unless_that_is_off(office: Office) -> None:
    """One Send/Receive by default; sending alone with ``flush_receives = false``."""
    for receives, collections in ((True, 1), (False, 0)):
        running = Running(office, timetable=SUNDAY_NIGHT, options={"flush_receives": receives}).start()
        put(office)
        running.until(3)
        assert (len(running.flushing.calls), len(running.times)) == (1, collections)
        running.stop()


def test_mail_whose_next_try_has_come_needs_no_threshold(office: Office) -> None:
    """Tried once, it leaves when its minute is over, outside the hours and below the threshold."""
    running = Running(office, timetable=SUNDAY_NIGHT, threshold=5).start()
    put(office)
    (row,) = office.wait(office.store.queue.claim("relay", 1, office.now(), 10**9))
    later = Outcome(row.id, QueueState.QUEUED, office.now(), 451, next_at=office.now() + 60 * SECOND)
    office.wait(office.store.queue.settle([later]))
    running.until(59)
    assert running.flushing.calls == []
    running.until(2)
    assert len(running.flushing.calls) == 1
    running.stop()


def test_a_try_that_fell_due_while_the_server_was_down_is_made_at_the_start(office: Office) -> None:
    """Also outside the hours."""
    put(office)
    (row,) = office.wait(office.store.queue.claim("relay", 1, office.now(), 10**9))
    later = Outcome(row.id, QueueState.QUEUED, office.now(), 451, next_at=office.now() + 60 * SECOND)
    office.wait(office.store.queue.settle([later]))
    office.clock.advance(100)
    running = Running(office, timetable=SUNDAY_NIGHT, threshold=5).start()
    assert len(running.flushing.calls) == 1
    running.stop()


def test_a_stream_of_mail_is_not_waited_for_without_end(office: Office) -> None:
    """A message each second keeps the flush back for half a minute, no longer."""
    running = Running(office, timetable=SUNDAY_NIGHT).start()
    for _ in range(40):
        put(office)
        running.until(1)
    assert len(running.flushing.calls) == 1
    running.stop()


def test_a_long_collection_keeps_no_mail_from_leaving(office: Office) -> None:
    """The provider's POP3 server hangs; what is handed in leaves two seconds later."""
    running = Running(office)
    running.collecting.hold[office.account.id] = Deferred()
    running.start()
    before = len(running.flushing.calls)
    put(office)
    running.until(3)
    assert len(running.flushing.calls) == before + 1
    assert len(running.times) == 1
    running.stop()


def test_now_keeps_to_the_providers_login_delay(office: Office) -> None:
    """Windows do not hold for "now"; what the provider asks for does, and mail leaves all the same."""
    running = Running(office, timetable=()).start()
    running.collecting.floor = office.now() + 600 * SECOND
    assert office.wait(running.timetable.send_receive()) == {}
    assert (running.times, len(running.flushing.calls)) == ([], 1)
    running.until(601)
    assert office.wait(running.timetable.send_receive()) == {"andrew": 1}
    running.stop()


def test_a_clock_set_back_costs_no_run_and_adds_none(office: Office) -> None:
    """Five hours back: the next run comes when the interval is over, not five hours and an interval later."""
    running = Running(office, timetable=(Window(every=60),)).start()
    running.until(1800)
    jump = -5 * HOUR
    office.clock.rightNow += jump
    for call in office.clock.getDelayedCalls():
        call.delay(jump)
    running.timetable.clock_jumped(jump * SECOND)
    running.until(1799)
    assert len(running.times) == 1
    running.until(2)
    assert len(running.times) == 2
    running.stop()


def test_a_clock_set_forward_adds_no_run(office: Office) -> None:
    """Five hours forward, half an hour after a run: the next one is due in half an hour still."""
    running = Running(office, timetable=(Window(every=60),)).start()
    running.until(1800)
    office.clock.rightNow += 5 * HOUR
    running.timetable.clock_jumped(5 * HOUR * SECOND)
    running.until(1799)
    assert len(running.times) == 1
    running.until(2)
    assert len(running.times) == 2
    running.stop()


def test_a_night_in_a_closed_laptop_is_made_up_for_once(office: Office) -> None:
    """Time went on and the machine slept: one run at the wake-up, then by the interval again."""
    running = Running(office, timetable=(Window(every=60),)).start()
    office.clock.advance(9 * HOUR)
    office.settle()
    assert len(running.times) == 2
    running.until(HOUR - 1)
    assert len(running.times) == 2
    running.until(2)
    assert len(running.times) == 3
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
    other = evolve(office.account, id=0, address=Address.parse("mail@other.example"), options={"look_sooner": False})
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
