"""An office fetches from other fax machines (polling): who may, what it costs, where the pages go, what is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailshare.core.errors import NoSuchUser, NotPossible, PolicyRefusal, Unavailable
from mailshare.core.values import QueueState
from mailshare.core.values.fax import FaxPage
from mailshare.fax.lines.loop import LoopLine, LoopNetwork
from mailshare.testing.fax_line_contract import FixedPages, NotingOffers, NotingReceiver
from tests.fax.test_fax_boxes import TIFF, faxes_of, held, page, pages_in
from tests.fax.test_fax_office import DEADLINE, mails, settled
from tests.house import House

NUMBER = "+4989600"
PASSWORD = "20051123581321"  # nothing else in a journal has such digits
BOX = '\n[[fax_box]]\nname = "board"\nto = ["ben"]\ncode = "4711"\n'


class Shelf(NotingOffers):
    """A far machine's pages.

    :ivar hangs: at this page the call stands still until it fires.
    :ivar breaks: the call breaks off when this many pages are confirmed.
    """

    breaks = 99
    hangs: Deferred[None] | None = None

    async def page_taken(self, number: int) -> None:
        if number == self.breaks - 1:
            raise Unavailable("The line is dead")
        if self.hangs is not None:
            await self.hangs
        await super().page_taken(number)


@pytest_twisted.async_yield_fixture
async def shelf() -> AsyncIterator[Shelf]:
    """A machine elsewhere that offers two pages to whoever says the password."""
    line, code = LoopLine("elsewhere", LoopNetwork.of(reactor), [NUMBER]), PASSWORD
    offers = Shelf(page(1), page(2), password=code)
    line.set_receiver(NotingReceiver())
    line.set_offers(offers)
    line.start()
    yield offers
    await line.stop()


async def polls(house: House, **told: object) -> int:
    assert house.office is not None
    given = {"number": NUMBER, "to": ["ben"], "sep": "12", "pwd": PASSWORD, "user": "anna", **told}
    return int(str((await house.office.acts.fax_poll(**given))["fax"]))


def words_of(report: Message) -> str:
    return " ".join(str(report.get_payload()).split())


async def test_what_a_machine_offers_is_fetched_into_a_mailbox(house: House, shelf: Shelf) -> None:
    """Bit for bit, with the machine's number as its sender; journal, activity and ledger tell of it."""
    office = await house.start(TIFF)
    row = await polls(house)
    [came] = await faxes_of(house, "ben")
    await settled(house)
    assert pages_in(came) == [page(1), page(2)]
    assert "FAX=+4989600@" in came["From"]
    assert "it was fetched from that machine" in came.get_payload(0).get_payload()
    assert [(one.subaddress, one.password, one.station) for one in shelf.asked] == [("12", PASSWORD, "+49 30 5550100")]
    assert shelf.taken == [0, 1]
    shown = await office.acts.fax_show(id=row)
    assert (shown["polls"], shown["reply"]) == (True, "All 2 pages were received")
    activity = (await office.acts.fax_activity())["rows"]
    assert {(one["way"], one["pages"]) for one in activity} == {("poll", "2/2"), ("in", 2)}
    kinds = ("fax.poll", "fax.called", "fax.received")
    told = [event for _, event in await office.store.events.page(since=0, until=2**62, kinds=kinds)]
    assert [one.kind for one in told] == ["fax.poll", "fax.received", "fax.called"]
    assert [one.data.get("polled") for one in told[1:]] == [True, True]
    assert PASSWORD not in str([one.data for one in told])
    with pytest.raises(NotPossible, match="fax poll"):
        await office.acts.fax_resend(id=row)


async def test_what_is_fetched_can_go_into_a_box(house: House, shelf: Shelf) -> None:
    """It is kept there as any fax."""
    await house.start(TIFF + BOX)
    await polls(house, to=["box:board"])
    await held(house, 1)
    assert not await faxes_of(house, "ben", 0)
    del shelf


async def test_nothing_to_be_fetched_is_told_and_not_tried_again(house: House, shelf: Shelf) -> None:
    """A wrong password, an empty machine and one that knows no polling come to the same."""
    await house.start(TIFF)
    for told in ({"pwd": "98"}, {"number": "+49305550200"}):
        await polls(house, **told)
    await settled(house)
    shelf.pages = FixedPages()
    await polls(house)
    await settled(house)
    subjects = [str(one["Subject"]) for one in await mails(house, "anna", 3)]
    # The first two are called at the same time, and either may end first.
    assert sorted(subjects[:2]) == [f"Fax not delivered. Fetching from {number}" for number in ("+49305550200", NUMBER)]
    assert subjects[2] == f"Fax not delivered. Fetching from {NUMBER}"
    [first, *_] = await mails(house, "anna", 3)
    assert "Nothing was sent: this was the wish to fetch from that machine." in words_of(first)
    assert "The far machine has nothing to be fetched" in words_of(first)
    assert "RESEND" not in words_of(first)
    assert shelf.taken == []


async def test_a_call_that_breaks_off_leaves_what_it_brought_and_is_made_again(house: House, shelf: Shelf) -> None:
    """The far machine may count a page as taken that was confirmed, so none is thrown away."""
    await house.start(TIFF)
    shelf.breaks = 1
    await polls(house)
    [came] = await faxes_of(house, "ben")
    assert pages_in(came) == [page(1)]
    assert "(broken off)" in came["Subject"]
    shelf.breaks = 99
    await settled(house)
    found = await faxes_of(house, "ben", 2)
    assert [pages_in(one) for one in found] == [[page(1)], [page(1), page(2)]]


async def test_when_nothing_is_left_what_came_before_is_told(house: House, shelf: Shelf) -> None:
    """Its one reader fetched a box of the far machine in two calls: the report does not say that nothing came."""
    await house.start(TIFF)
    shelf.breaks = 1
    await polls(house)
    await faxes_of(house, "ben")
    shelf.pages = FixedPages()
    await settled(house)
    [report] = await mails(house, "anna")
    assert "the 1 pages that a call before has brought are in the mailbox" in words_of(report)


async def test_a_poll_is_given_up_in_the_middle(house: House, shelf: Shelf) -> None:
    """What was stored until then comes as a fax that broke off; the far machine is not called again."""
    office = await house.start(TIFF)
    shelf.hangs = Deferred()
    row = await polls(house)
    until = reactor.seconds() + DEADLINE
    while (await office.acts.fax_show(id=row))["confirmed"] != 1:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    await office.acts.fax_cancel(id=row)
    [came] = await faxes_of(house, "ben")
    assert pages_in(came) == [page(1)]
    await settled(house)
    assert (await office.acts.fax_show(id=row))["state"] == "cancelled"
    assert shelf.taken == []


async def test_permission_tolls_and_lines_hold_for_polls(house: House, shelf: Shelf) -> None:
    """Before anything is queued: who, whereto, for whom; and whether any line of this office can."""
    office = await house.start(TIFF + BOX)
    for told, why in (
        ({"user": "ben"}, PolicyRefusal),
        ({"number": "+499001234567"}, PolicyRefusal),
        ({"to": ["nobody"]}, NoSuchUser),
        ({"to": ["x@elsewhere.example"]}, NoSuchUser),
        ({"to": ["box:none"]}, NoSuchUser),
        ({"to": []}, NotPossible),
        ({"sep": "12a"}, NotPossible),
        ({"pwd": "1" * 21}, NotPossible),
    ):
        with pytest.raises(why):
            await polls(house, **told)
    assert not await office.store.queue.items(agent="fax", open_only=False)
    only = house.folder / "spool"
    await office.stopService()
    config = TIFF.replace('kind = "loop"', f'kind = "directory"\noptions = {{ folder = "{only}" }}')
    config = config[: config.index("[fax_line.options.numbers]")]
    await house.start(config)
    with pytest.raises(PolicyRefusal, match="polling"):
        await polls(house)
    del shelf


async def test_a_poll_goes_over_the_line_that_can(house: House, shelf: Shelf) -> None:
    """Another line comes first and is free, but cannot fetch."""
    line = '[[fax_line]]\nname = "spool"\nkind = "directory"\noptions = { folder = "spool" }\n'
    office = await house.start(TIFF.replace("[[fax_line]]", f"{line}[[fax_line]]"))
    row = await polls(house)
    await faxes_of(house, "ben")
    await settled(house)
    assert [one["line"] for one in (await office.acts.fax_show(id=row))["ledger"]] == ["pretend"]
    del shelf


async def test_a_poll_may_not_cost_more_than_a_fax(house: House, shelf: Shelf) -> None:
    """A call that is too dear from its first page is not made; one that becomes so ends at that page, for good."""
    dear = "prices = { national = 100.0 }\nmost_cost = 1.0\n"
    office = await house.start(TIFF.replace("[fax]", f"[fax]\n{dear}"))
    with pytest.raises(PolicyRefusal, match="cost"):
        await polls(house)
    await office.stopService()
    big = FaxPage(1728, 10, 204, 196, page(1).coding, page(1).data * 3)
    shelf.pages = FixedPages(page(1), *[big] * 30)
    dear = "prices = { national = 0.5 }\nmost_cost = 1.0\n"
    await house.start(TIFF.replace("[fax]", f"[fax]\n{dear}"))
    row = await polls(house)
    await settled(house)
    assert house.office is not None
    shown = await house.office.acts.fax_show(id=row)
    assert (shown["state"], shown["calls"][-1]["cause"]) == ("failed", "not-allowed")
    [came] = await faxes_of(house, "ben")
    assert 0 < len(pages_in(came)) < 31
    assert len(shelf.taken) == len(pages_in(came))


async def test_a_poll_waits_for_its_time(house: House, shelf: Shelf) -> None:
    """As a fax that is sent later."""
    office = await house.start(TIFF)
    row = await polls(house, at="+8h")
    until = reactor.seconds() + DEADLINE
    while not (await office.acts.fax_show(id=row))["reply"]:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    item = await office.store.queue.item(row)
    assert item is not None
    assert (item.state, shelf.asked) == (QueueState.QUEUED, [])


async def test_the_line_says_from_where_pages_come(house: House, shelf: Shelf) -> None:
    """What is fetched now stands among the lines as a call that comes in."""
    office = await house.start(TIFF)
    shelf.hangs = Deferred()
    await polls(house)
    until = reactor.seconds() + DEADLINE
    while not any(one["receiving"] for one in await office.acts.fax_lines()):
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    [line] = await office.acts.fax_lines()
    assert line["receiving"][0]["caller"] == NUMBER
    shelf.hangs.callback(None)
    await settled(house)
