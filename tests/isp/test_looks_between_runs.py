"""The timetable's looks between its runs: what stirs an account, and what keeps it from looking (requirement 10)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.quick_looks import Pace, Stir
from mailshare.core.values import SECOND, Account, User, Window
from mailshare.interfaces import ICollecting
from mailshare.isp.collect import Collector
from mailshare.isp.timetable import Timetable
from mailshare.status import NewsStatus, RunStatus
from mailshare.testing.liars import PretendPOP3, honest, instead
from mailshare.testing.pretend_office import Office, letters


@implementer(ICollecting)
class Provider:
    """Notes when and why it was asked; has mail when a test says so."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.runs: list[tuple[int, str]] = []
        self.mail = 0
        self.takes: Deferred[None] | None = None
        self.given = Pace()
        self.error = ""

    async def collect(self, account: Account, cause: str = "") -> Mapping[str, int]:
        """One run."""
        self.runs.append((round(self.office.clock.seconds()), cause))
        if self.takes is not None:
            await self.takes
        found, self.mail = self.mail, 0
        return {"andrew": found} if found else {}

    def status(self, _: int) -> RunStatus:
        """How it went."""
        return RunStatus(error=self.error)

    def pace(self, _: int) -> Pace:
        """What the provider allows."""
        return self.given


class Desk:
    """A timetable that has just collected, nothing else to do for five minutes; nobody listens until a test says so."""

    def __init__(self, office: Office, **changes: object) -> None:
        self.office = office
        self.flushes = 0
        self.listens = False
        office.change(**changes)
        self.provider = Provider(office)
        self.timetable = Timetable(
            office.store, self.provider, self.flush, office.clock, random=lambda: 0.5, listening=self
        )
        self.timetable.startService()
        office.settle()
        self.began = self.provider.runs[0][0]

    def held(self, _: int) -> bool:
        """Whether a connection tells of news."""
        return self.listens

    def status(self, _: int) -> NewsStatus:
        """Nothing to tell."""
        return NewsStatus()

    def look(self) -> None:
        """Nothing to begin."""

    async def flush(self, _: int) -> None:
        """Counts."""
        self.flushes += 1

    def until(self, seconds: float) -> None:
        """On to so many seconds after the first run."""
        ends = self.began + seconds
        while self.office.clock.seconds() < ends:
            calls = [call.getTime() for call in self.office.clock.getDelayedCalls()]
            self.office.clock.advance(max(min([ends, *calls]) - self.office.clock.seconds(), 0.001))
            self.office.settle()

    def looks(self) -> list[tuple[int, str]]:
        """Seconds after the first run, and why."""
        return [(at - self.began, cause) for at, cause in self.provider.runs[1:]]

    def stop(self) -> None:
        self.office.wait(self.timetable.stopService())
        assert not self.office.clock.getDelayedCalls()


INTERVAL = "the interval is over"


def test_after_mail_came_looks_follow_and_the_interval_stays(office: Office) -> None:
    """30 s, 1, 2 and 4 min after the collection before; they send nothing, move no run, and say why they are made."""
    desk = Desk(office)
    desk.until(10)
    desk.timetable.stirred(office.account.id, Stir.FOUND)
    desk.until(1000)
    came = Stir.FOUND.value
    looks, runs = [30, 90, 210, 540], [300, 600, 900]
    assert desk.looks() == sorted([(at, came) for at in looks] + [(at, INTERVAL) for at in runs])
    assert desk.flushes == 4
    desk.stop()


def test_a_run_that_found_mail_stirs(office: Office) -> None:
    """Mail seldom comes alone: each run that brought some begins anew."""
    desk = Desk(office)
    desk.provider.mail = 1
    desk.until(620)
    assert [at for at, _ in desk.looks()] == [300, 330, 390, 510, 600]
    desk.stop()


def test_who_looks_again_sooner_than_his_program_gets_a_run_at_once(office: Office) -> None:
    """A login code is asked for, the button pressed: the provider is asked now, and again half a minute later."""
    desk = Desk(office)
    office.wait(office.store.directory.change_user(evolve(office.user("andrew"), accounts=(office.account.id,))))
    desk.timetable.mailbox_opened("andrew", "10.0.0.7")
    desk.until(620)
    desk.timetable.mailbox_opened("Andrew", "10.0.0.7")
    desk.timetable.mailbox_opened("andrew", "10.0.0.8")
    desk.until(850)
    assert [at for at, _ in desk.looks()] == [300, 600]
    desk.timetable.mailbox_opened("andrew", "10.0.0.7")
    office.settle()
    assert desk.looks()[2:] == [(620 + 230, Stir.ASKED.value)]
    desk.stop()


def test_nobody_elses_account_is_looked_at(office: Office) -> None:
    """Only accounts whose mail the user may get; ADMIN of an account belongs to it too."""
    other = office.wait(
        office.store.directory.add_account(evolve(office.account, id=0, number=2, address=Address.parse("b@b.example")))
    )
    office.wait(office.store.directory.add_user(User(0, "berta", accounts=(other.id,))))
    desk = Desk(office)
    asked: list[int] = []
    stirring = desk.timetable._stirring
    stirring.stirred = lambda account_id, _: asked.append(account_id)  # type: ignore[method-assign]
    for name in ("berta", "admin1", "nobody"):
        stirring.login(name, "::1", office.now())
        stirring.login(name, "::1", office.now() + 3600 * SECOND)
    assert asked == [other.id, office.account.id]
    desk.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"options": {"look_sooner": False}},
        {"hold_outside": True},
        {"timetable": (Window(start=8 * 60, end=8 * 60 + 1, every=1440),)},
    ],
)
def test_an_account_that_wants_no_looks_gets_none(office: Office, changes: dict[str, object]) -> None:
    """By its switch; where the line costs by the minute; where one run a day is asked for."""
    desk = Desk(office, **changes)
    desk.timetable.stirred(office.account.id, Stir.ASKED)
    desk.until(299)
    assert desk.looks() == []
    desk.stop()


def test_where_a_connection_tells_of_news_no_looks_are_needed(office: Office) -> None:
    """As soon as it is gone, they begin."""
    desk = Desk(office)
    desk.listens = True
    desk.timetable.stirred(office.account.id, Stir.ASKED)
    desk.until(100)
    assert desk.looks() == []
    desk.listens = False
    desk.until(160)
    assert len(desk.looks()) == 1
    desk.stop()


def test_the_next_look_is_the_next_try_that_is_shown(office: Office) -> None:
    """What ``mailshare status`` says is true also between the runs (requirement 12)."""
    desk = Desk(office)
    assert desk.timetable.statuses()[0].collect.next_try == (desk.began + 300) * SECOND
    desk.timetable.stirred(office.account.id, Stir.SENT)
    office.settle()
    assert desk.timetable.statuses()[0].collect.next_try == (desk.began + 30) * SECOND
    desk.stop()


def test_looks_wait_while_the_provider_wants_its_rest(office: Office) -> None:
    """Until the time that the collector says."""
    desk = Desk(office)
    desk.provider.given = Pace(rest_until=(desk.began + 250) * SECOND)
    desk.timetable.stirred(office.account.id, Stir.ASKED)
    desk.until(299)
    assert [at for at, _ in desk.looks()] == [250]
    desk.stop()


def test_a_clock_that_is_set_neither_adds_looks_nor_takes_the_allowance(office: Office) -> None:
    """Set back by hours in the middle of the looks: they go on as they would have."""
    desk = Desk(office)
    desk.timetable.stirred(office.account.id, Stir.ASKED)
    desk.until(31)
    back = -5 * 3600 * SECOND
    office.clock.rightNow += back / SECOND
    desk.began += back // SECOND
    for call in office.clock.getDelayedCalls():
        call.delay(back / SECOND)
    desk.timetable.clock_jumped(back)
    desk.until(299)
    assert [at for at, _ in desk.looks()][1:] == [90, 210]
    desk.stop()


def test_news_are_collected_by_a_run_that_begins_after_them(office: Office) -> None:
    """A run under way may have listed the mailbox before: it is waited for, and another follows; nothing is sent."""
    desk = Desk(office)
    desk.until(299)
    desk.provider.takes = hold = Deferred()
    desk.until(301)
    assert len(desk.looks()) == 1
    told = office.begin(desk.timetable.news(office.account.id))
    office.settle()
    assert len(desk.looks()) == 1
    desk.provider.takes = None
    hold.callback(None)
    office.settle()
    assert told == [True]
    assert desk.looks() == [(300, INTERVAL), (301, "the provider told of it")]
    assert desk.flushes == 2
    desk.stop()


def test_news_that_could_not_be_collected_are_said_to_be_so(office: Office) -> None:
    """Whoever holds the connection has to know whether to come again."""
    desk = Desk(office)
    desk.provider.error = "The line broke"
    assert office.begin(desk.timetable.news(office.account.id)) == [False]
    desk.provider.error = ""
    assert office.begin(desk.timetable.news(office.account.id)) == [True]
    desk.stop()


@pytest.mark.parametrize(("word", "rest"), [("IN-USE", 3600), ("LOGIN-DELAY", 86_400)])
def test_a_provider_that_is_asked_too_often_gets_its_rest_also_over_a_restart(
    office: Office, word: str, rest: int
) -> None:
    """After a login refused for that reason there are no looks for an hour or a day; other trouble ends with itself."""
    server = PretendPOP3(letters())
    office.provider(server)
    collector = Collector(office.store, office.door, office.doors)
    assert collector.pace(office.account.id) == Pace()
    server.lie = instead(AUTH=f"-ERR [{word}] not so often\r\n".encode())
    office.run(collector.collect(office.account, "somebody asked for it"))
    refused = office.now()
    assert collector.pace(office.account.id).rest_until == refused + 86_400 * SECOND
    server.lie = honest
    office.run(collector.collect(office.account))
    until = collector.pace(office.account.id).rest_until
    assert 0 <= refused + rest * SECOND - until < 100 * SECOND
    again = Collector(office.store, office.door, office.doors)
    office.run(again.collect(office.account))
    assert again.pace(office.account.id).rest_until == until
    events = office.wait(office.store.events.page(since=0, until=2**62, kinds=["collect.failed"]))
    assert [one.data["cause"] for _, one in events] == ["somebody asked for it"]


def test_a_failed_run_is_followed_by_no_look_until_one_went_well(office: Office) -> None:
    """A server in trouble is not asked more often; its LOGIN-DELAY is the least gap."""
    server = PretendPOP3(letters(), capabilities=("UIDL", "TOP", "LOGIN-DELAY 60"))
    office.provider(None)
    collector = Collector(office.store, office.door, office.doors)
    office.run(collector.collect(office.account))
    assert collector.pace(office.account.id) == Pace(0, office.now() + 86_400 * SECOND)
    office.provider(server)
    office.run(collector.collect(office.account))
    assert collector.pace(office.account.id) == Pace(60 * SECOND, 0)
