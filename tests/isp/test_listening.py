"""Listening for new mail over held connections (rule 3.9, requirement 10), by a clock and with pretended watches."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailshare.core.address import Address
from mailshare.core.errors import LoginRefused, Unavailable
from mailshare.core.servers import parse_server
from mailshare.core.values import SECOND, Window
from mailshare.interfaces import IWatch, IWatching
from mailshare.isp.vigil import HELD, LOST, RENEW
from mailshare.testing.pretend_office import Office
from tests.isp.pretended_watches import IMAP, House, Provider, Watch

HOUR = 3600
TOLD = "the provider told of it"
NIGHTLY = (Window(start=8 * 60, end=9 * 60, every=60),)  # the test's clock starts at 08:00


def test_the_doubles_are_what_they_pretend(office: Office) -> None:
    """They have what the seams ask for."""
    provider = Provider(office)
    verifyObject(IWatching, provider)
    verifyObject(IWatch, Watch(provider))


def test_news_are_collected_without_any_run_being_due(office: Office) -> None:
    """After the first run a connection is held, collected once more, and then whenever the provider tells."""
    house = House(office, timetable=NIGHTLY).start()
    assert house.causes() == ["the interval is over", TOLD]
    house.later(600)
    assert len(house.causes()) == 2
    house.provider.mail = 1
    house.watch.tell()
    office.settle()
    assert house.causes()[2:] == [TOLD]
    assert house.provider.runs[-1][1] == office.clock.seconds()
    house.stop()


def test_mail_that_comes_during_a_collection_is_collected_by_another(office: Office) -> None:
    """The connection listens all the while; what it heard is not lost."""
    house = House(office, timetable=NIGHTLY).start()
    house.later(60)
    watch = house.watch
    house.provider.takes = hold = Deferred()
    house.provider.mail = 1
    watch.tell()
    office.settle()
    watch.news = True
    house.provider.takes = None
    hold.callback(None)
    house.later(10)
    assert house.causes()[2:] == [TOLD, TOLD]
    house.stop()


def test_a_run_that_began_before_the_news_is_followed_by_one_that_began_after(office: Office) -> None:
    """By the timetable or by hand: it may have looked at the mailbox before the mail came."""
    house = House(office, timetable=NIGHTLY).start()
    house.later(60)
    house.provider.takes = hold = Deferred()
    office.begin(house.timetable.send_receive(house.id))
    house.watch.tell()
    office.settle()
    assert len(house.causes()) == 3
    house.provider.takes = None
    hold.callback(None)
    house.later(1)
    assert house.causes()[3:] == [TOLD]
    house.stop()


def test_listening_is_renewed_before_29_minutes_are_over(office: Office) -> None:
    """RFC 2177 section 3; without news nothing is collected but by the timetable, and no connection is made."""
    house = House(office, timetable=(Window(every=1440),)).start()
    house.later(12 * HOUR)
    assert len(house.provider.asked) == 1
    assert 12 * HOUR // RENEW <= len(house.watch.waits) <= 12 * HOUR // RENEW + 1
    assert max(house.watch.waits) == RENEW <= 29 * 60
    assert len(house.causes()) == 2
    house.stop()


def test_the_window_is_when_idle_is_held_3_9(office: Office) -> None:
    """At its end the connection is logged out, at the next opening a run comes first, then a connection."""
    house = House(office, timetable=NIGHTLY).start()
    first = house.watch
    house.later(HOUR - 1)
    assert not first.closed
    house.later(2)
    assert first.closed
    assert not first.cut
    assert house.news.since == 0
    assert house.news.error == ""
    house.later(23 * HOUR - 10)
    assert house.provider.open(house.id) == []
    house.later(60)
    assert house.news.since > 0
    assert house.causes()[2:] == ["the interval is over", TOLD]
    house.stop()


def test_a_connection_that_was_lost_is_no_trouble_when_the_window_is_closed(office: Office) -> None:
    """What is not wanted is not missing."""
    house = House(office, timetable=NIGHTLY).start()
    house.later(HOUR - 2)
    house.watch.lose()
    office.settle()
    assert house.news.error
    house.later(60)
    assert (house.news.since, house.news.error, house.news.next_try) == (0, "", 0)
    house.stop()


def test_windows_that_join_are_one(office: Office) -> None:
    """Over midnight, and where one follows the other: the connection stays."""
    joined = (Window(start=0, end=16 * 60, every=720), Window(start=16 * 60, end=0, every=720))
    house = House(office, timetable=joined).start()
    house.later(48 * HOUR)
    assert len(house.provider.asked) == 1
    house.stop()


def test_a_lost_connection_comes_back_and_collects_what_it_missed(office: Office) -> None:
    """After five seconds; one that does not last waits longer each time; one that lasted begins at five again."""
    house = House(office, timetable=(Window(every=1440),)).start()
    house.later(400)
    gaps = []
    for lasted in (0, 0, 0, 0, 400, 0):
        house.later(lasted)
        house.watch.lose()
        office.settle()
        lost, asked = office.clock.seconds(), len(house.provider.asked)
        while len(house.provider.asked) == asked:
            house.later(1)
        gaps.append(round(house.provider.asked[-1] - lost))
    assert gaps == [5, 10, 20, 40, 5, 10]
    assert house.causes()[1:] == [TOLD] * 7
    house.stop()


def test_a_server_that_drops_every_connection_is_left_to_the_timetable(office: Office) -> None:
    """A day of it: some fifty tries, in words what is wrong and when it is tried again, one line in the journal."""
    house = House(office).start()
    for _ in range(24 * 60):
        for watch in house.provider.open(house.id):
            watch.lose("BYE too busy")
        house.later(60)
    assert len(house.provider.asked) < 70
    assert house.causes().count("the interval is over") == 1 + 288
    assert house.news.error == "BYE too busy"
    assert house.news.next_try > office.now()
    assert [line for line in house.lines() if line[0] == LOST] == [(LOST, "BYE too busy")]
    house.stop()


def test_a_server_without_idle_is_collected_by_the_timetable(office: Office) -> None:
    """Looked at again after a day, or when somebody says "now"; meanwhile the looks between the runs are made."""
    house = House(office)
    house.provider.pushes = False
    house.start()
    assert "no IDLE" in house.news.error
    assert house.provider.open(house.id) == []
    assert not house.listening.held(house.id)
    house.later(12 * HOUR)
    assert len(house.provider.asked) == 1
    house.later(13 * HOUR)
    assert len(house.provider.asked) == 2
    house.provider.pushes = True
    office.clock.advance(1)
    house.listening.hurry(house.id)
    office.settle()
    assert len(house.provider.asked) == 2
    office.begin(house.timetable.send_receive(house.id))
    office.settle()
    assert house.news.since > 0
    assert house.news.error == ""
    house.stop()


def test_a_refused_login_is_not_repeated_from_here(office: Office) -> None:
    """The runs try passwords, with their pause. After one that went well the connection is tried again."""
    house = House(office)
    house.provider.refusal = LoginRefused("The server refuses the login: NO changed")
    house.start()
    house.later(HOUR - 60)
    assert len(house.provider.asked) == 1
    assert house.news.error == "The server refuses the login: NO changed"
    assert house.lines() == [(LOST, house.news.error)]
    house.provider.trouble = "The server refuses the login"
    house.later(2 * HOUR)
    assert len(house.provider.asked) == 1
    house.provider.trouble, house.provider.refusal = "", None
    house.later(301)
    assert house.news.since > 0
    assert house.lines()[1:] == [(HELD, "")]
    house.stop()


def test_nobody_is_listened_to_whom_no_run_has_reached(office: Office) -> None:
    """No connection before a run went well, nor while the provider wants its rest."""
    house = House(office)
    house.provider.trouble = "Connection refused"
    house.start()
    house.later(1000)
    assert house.provider.asked == []
    house.provider.trouble = ""
    house.later(250)
    assert len(house.provider.asked) == 1
    house.watch.lose()
    house.provider.floor = office.now() + HOUR * SECOND
    house.later(HOUR - 60)
    assert len(house.provider.asked) == 1
    house.stop()


def test_a_password_that_is_refused_is_not_tried_again_for_news(office: Office) -> None:
    """It was changed at the provider while we listened: one try, and then those of the timetable."""
    house = House(office, timetable=(Window(every=1440),)).start()
    house.later(60)
    house.provider.trouble = "The server refuses the login"
    house.watch.tell()
    house.later(6 * HOUR)
    assert house.causes()[2:] == [TOLD]
    assert house.news.error == "News could not be collected: The server refuses the login"
    assert not house.provider.open(house.id)
    house.stop()


def test_a_provider_with_room_for_one_connection_is_collected_by_the_timetable(office: Office) -> None:
    """Collecting fails as long as we listen, twice: so we do not listen, for a day, and say why."""
    house = House(office)
    house.provider.crowded = True
    house.start()
    house.later(200)
    assert "listen and collect at once" in house.news.error
    asked = len(house.provider.asked)
    assert asked == 2
    house.later(12 * HOUR)
    assert len(house.provider.asked) == asked
    assert house.provider.status(house.id).error == ""
    house.stop()


def test_a_run_that_failed_does_not_keep_from_listening(office: Office) -> None:
    """The next run may be a day away; the connection comes back by its own pauses, and collects."""
    house = House(office, timetable=(Window(every=1440),)).start()
    house.later(400)
    house.provider.trouble = "The line broke"
    office.begin(house.timetable.send_receive(house.id))
    house.watch.lose()
    house.provider.refusal = Unavailable("The line broke")
    house.later(100)
    house.provider.trouble, house.provider.refusal, house.provider.mail = "", None, 1
    house.later(100)
    assert house.news.since > 0
    assert house.provider.mail == 0
    house.stop()


def test_news_that_cannot_be_collected_are_not_forgotten(office: Office) -> None:
    """Tried again after half a minute over the connection that is held; then with the next one, when runs go well."""
    house = House(office).start()
    house.later(60)
    house.provider.mail = 1
    house.provider.trouble = "Disk full"
    house.watch.tell()
    house.later(20)
    house.provider.trouble = ""
    house.later(11)
    assert house.provider.status(house.id).messages == 1
    assert len(house.provider.asked) == 1
    house.provider.trouble = "Disk full"
    house.watch.tell()
    house.later(31)
    assert house.news.error == "News could not be collected: Disk full"
    house.provider.trouble = ""
    house.later(301)
    assert house.news.since > 0
    house.stop()


def test_a_server_that_cries_wolf_is_not_asked_without_end(office: Office) -> None:
    """News all the time and never a mail: ever rarer collections; at the first mail it is believed again."""
    house = House(office, timetable=(Window(every=1440),)).start()
    watch = house.watch
    begun = office.clock.seconds()
    while office.clock.seconds() < begun + HOUR:
        watch.tell()
        house.later(1)
    assert len(house.causes()) < 25
    house.provider.mail = 1
    house.later(301)
    assert house.provider.mail == 0
    told = len(house.causes())
    watch.tell()
    house.later(6)
    assert len(house.causes()) == told + 1
    house.stop()


def test_pause_and_resume_s17(office: Office) -> None:
    """No connection while the timetable is paused; then one again."""
    house = House(office).start()
    first = house.watch
    house.timetable.pause()
    house.later(1)
    assert first.closed
    house.later(1000)
    assert house.provider.open(house.id) == []
    house.timetable.resume()
    house.later(60)
    assert house.watch is not first
    house.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"options": {"idle": False}},
        {"collect": parse_server("pop3s://mail@pop.example")},
        {"collect": None},
    ],
)
def test_an_account_that_is_not_to_be_listened_to_any_more(office: Office, changes: dict[str, Any]) -> None:
    """Switched off, idle = false, another protocol: logged out at once, by reload or command alike."""
    house = House(office).start()
    first = house.watch
    office.change(**changes)
    house.later(40)
    assert first.closed
    assert not first.cut
    assert house.provider.open(house.id) == []
    assert house.news.since == 0
    house.stop()


def test_another_server_gets_another_connection(office: Office) -> None:
    """Logged out here, opened there; what has nothing to do with the connection leaves it alone."""
    house = House(office).start()
    first = house.watch
    office.change(threshold=7, timetable=(Window(every=10),))
    house.later(10)
    assert house.watch is first
    office.change(collect=parse_server("imaps://mail@other.example"))
    house.later(10)
    assert first.closed
    assert house.watch is not first
    office.wait(office.store.directory.delete_account(house.id))
    house.later(10)
    assert not house.provider.open(house.id)
    house.stop()


def test_a_silent_server_cannot_hold_up_the_end(office: Office) -> None:
    """Ten seconds for all of them together, then their connections are cut."""
    house = House(office)
    house.provider.silent = True
    house.start()
    watch = house.watch
    begun = office.clock.seconds()
    house.stop()
    assert watch.cut
    assert office.clock.seconds() - begun <= 30


def test_the_end_in_the_middle_of_a_collection(office: Office) -> None:
    """Nothing waits for news that are being collected."""
    house = House(office).start()
    house.later(60)
    house.provider.takes = Deferred()
    house.watch.tell()
    house.later(1)
    watch, begun = house.watch, office.clock.seconds()
    house.stop()
    assert watch.cut or watch.closed
    assert office.clock.seconds() - begun <= 30
    assert office.clock.getDelayedCalls() == []


def test_twenty_accounts_are_listened_to_at_once(office: Office) -> None:
    """Each has its connection; the news of one cause a collection of that one; a broken one disturbs no other."""
    others = [
        office.wait(
            office.store.directory.add_account(
                evolve(office.account, id=0, number=n, address=Address.parse(f"m{n}@company.example"), collect=IMAP)
            )
        )
        for n in range(2, 21)
    ]
    house = House(office, timetable=(Window(every=1440),)).start()
    house.later(1)
    assert sum(house.listening.held(one.id) for one in (office.account, *others)) == 20
    runs = len(house.causes())
    (watch,) = house.provider.open(others[7].id)
    (broken,) = house.provider.open(others[3].id)
    broken.lose()
    watch.tell()
    house.later(1)
    assert [number for number, _, _ in house.provider.runs[runs:]] == [others[7].id]
    assert sum(house.listening.held(one.id) for one in (office.account, *others)) == 19
    house.later(5)
    assert sum(house.listening.held(one.id) for one in (office.account, *others)) == 20
    house.stop()


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_costs_no_connection(office: Office, hours: int) -> None:
    """Waits keep their length, and what is shown moves along."""
    house = House(office, timetable=(Window(every=1440),)).start()
    house.later(100)
    house.watch.tell()
    house.later(1)
    since = house.news.since
    office.clock.rightNow += hours * HOUR
    if hours < 0:
        for call in office.clock.getDelayedCalls():
            call.delay(hours * HOUR)
    for part in (house.timetable, house.listening):
        part.clock_jumped(hours * HOUR * SECOND)
    assert house.news.since == since + hours * HOUR * SECOND
    house.later(HOUR)
    assert len(house.provider.asked) == 1
    assert house.news.since == since + hours * HOUR * SECOND
    house.provider.mail = 1
    house.watch.tell()
    house.later(11)
    assert house.provider.mail == 0
    house.stop()


def test_status_and_journal_say_since_when(office: Office) -> None:
    """Requirement 12: waiting since, or why not; who shows it is told of changes; one line when it begins."""
    house = House(office)
    assert house.news.since == 0
    house.start()
    assert house.news.since == office.now()
    assert house.lines() == [(HELD, "")]
    assert house.changes
    told = len(house.changes)
    house.later(400)
    house.watch.lose("The connection to the server ended: reset")
    office.settle()
    assert len(house.changes) > told
    assert (house.news.since, house.news.error) == (0, "The connection to the server ended: reset")
    assert house.news.next_try == office.now() + 5 * SECOND
    house.later(6)
    assert house.news.error == ""
    assert house.lines() == [(HELD, "")]
    house.stop()
