"""Fax machines fetch from the boxes of an office (polling): who gets what, and what counts as taken."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from twisted.internet import reactor

from mailshare.core.errors import Unavailable
from mailshare.core.values import QueueState
from mailshare.core.values.fax import CallFacts, FaxCause, FaxJob, FaxOutcome, Ringing
from mailshare.fax.lines.loop import LoopLine, LoopNetwork
from mailshare.testing.fax_line_contract import NotingReceiver
from tests.fax.test_fax_boxes import TIFF, faxes_of, held, order, page, pages_in, rings
from tests.fax.test_fax_desk import told
from tests.fax.test_fax_office import GATEWAY, hands_in, line_of
from tests.house import House

POLLED = (
    TIFF
    + """
[[fax_box]]
name = "board"
to = ["ben"]
code = "4711"
poll = "12"
[[fax_box]]
name = "prices"
kind = "bulletin"
poll = "any"
[[fax_box]]
name = "branch"
kind = "bulletin"
poll = "13"
poll_from = ["+4989*"]
[[fax_route]]
subaddress = "1"
to = ["box:board"]
[[fax_route]]
subaddress = "2"
to = ["box:prices"]
[[fax_route]]
subaddress = "3"
to = ["box:branch"]
"""
)
SERIAL = iter(range(1_000_000))


class FullReceiver(NotingReceiver):
    """Keeps so many pages, and hangs up then."""

    most = 99

    async def page_received(self, call: Ringing, number: int, page_: object) -> None:
        if len(self.pages) == self.most:
            raise Unavailable("The machine is out of paper")
        await super().page_received(call, number, page_)  # type: ignore[arg-type]


async def polls(
    selector: str = "", password: str = "", caller: str = "+4930777", most: int = 99
) -> tuple[FaxOutcome, FullReceiver]:
    """A machine elsewhere calls the office and wants to fetch."""
    network = LoopNetwork.of(reactor)
    line, far = LoopLine("elsewhere", network, [caller]), FullReceiver()
    far.most = most
    line.start()
    try:
        job = FaxJob(f"far-{next(SERIAL)}", "+49305550100", "+49305550100", 0, 0, selector, "far", password=password)
        return await line.poll(job, far).when_done(), far
    finally:
        await line.stop()


async def polled(house: House) -> list[tuple[object, object, object]]:
    """What the journal tells of machines that polled."""
    assert house.office is not None
    found = await house.office.store.events.page(since=0, until=2**62, kinds=("fax.polled",))
    return [(one.data["box"], one.data["cause"], one.data["words"]) for _, one in found]


async def test_a_confidential_box_is_polled_once_by_its_number_and_password(house: House) -> None:
    """All its faxes, bit for bit, in their order; then they are gone, as after GET; the past tells who had them."""
    office = await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="1")
    await rings(house, [page(2), page(3)], 2, sub="1")
    await rings(house, [page(4)], 3, sub="2")
    await held(house, 3)
    outcome, far = await polls("12", "4711")
    assert (outcome.cause, far.pages) == (FaxCause.OK, [page(1), page(2), page(3)])
    await held(house, 1)
    outcome, _ = await polls("12", "4711")
    assert outcome.cause is FaxCause.POLL_REFUSED
    past = (await office.acts.fax_box(name="board"))["past"]
    assert [(one["what"], one["who"]) for one in past] == [("fetched", "+4930777 far")] * 2
    assert [cause for _, cause, _ in await polled(house)] == ["ok", "poll-refused"]
    received = [one for one in await office.acts.fax_received() if one["station"] == "far" and not one["pages"]]
    assert not received


async def test_what_was_not_confirmed_is_not_taken(house: House) -> None:
    """A machine that breaks off in the second fax has taken the first; the second is offered again, whole."""
    await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="1")
    await rings(house, [page(2), page(3)], 2, sub="1")
    await held(house, 2)
    outcome, far = await polls("12", "4711", most=2)
    assert (outcome.cause, far.pages) == (FaxCause.INTERNAL, [page(1), page(2)])
    await held(house, 1)
    outcome, far = await polls("12", "4711")
    assert (outcome.cause, far.pages) == (FaxCause.OK, [page(2), page(3)])
    await held(house, 0)


async def test_what_is_being_fetched_is_nobody_elses(house: House) -> None:
    """A second machine finds the box empty meanwhile; its owner's GET waits until the call is over."""
    office = await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="1")
    await held(house, 1)
    offers = line_of(house).offers
    assert offers is not None
    offer = await offers.offered(Ringing("x", "pretend", "+4930777", "", "", "far", "12", "4711"))
    assert offer is not None
    outcome, _ = await polls("12", "4711")
    assert outcome.cause is FaxCause.POLL_REFUSED
    await house.smtp(order("board", "GET 4711", "ben"))
    await offer.finished(CallFacts(FaxCause.DROPPED))
    [row] = [one for one in await office.store.queue.items(agent="fax-desk") if one.state is not QueueState.HELD]
    await office.store.queue.steer([row.id], "retry", int(reactor.seconds() * 1_000_000))
    office.store.notifier.wake("fax-desk")
    assert [pages_in(one) for one in await faxes_of(house, "ben")] == [[page(1)]]


async def test_a_bulletin_stays_and_is_for_machines_that_name_no_box(house: House) -> None:
    """As often as somebody asks; what a mail puts there is made into pages, without the line that has the code."""
    await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="2")
    await held(house, 1)
    for _ in range(2):
        outcome, far = await polls()
        assert (outcome.cause, far.pages) == (FaxCause.OK, [page(1)])
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "anna@mail.office.example", "x", "New prices"
    message.set_content("PUT\n\nBread is dearer now.\n")
    await house.smtp(hands_in(f"box-prices@{GATEWAY}", message))
    assert house.office is not None
    store, until = house.office.store, reactor.seconds() + 60
    while [row.submitter_id is None for row in await store.queue.items(agent="fax-desk")] != [False]:
        assert reactor.seconds() < until
        _, far = await polls()
    await held(house, 1)
    outcome, far = await polls()
    assert (outcome.cause, len(far.pages)) == (FaxCause.OK, 1)
    assert far.pages != [page(1)]


async def test_only_some_numbers_may_poll_some_boxes(house: House) -> None:
    """Others are told what a machine is told that asks for no box of ours."""
    await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="3")
    await rings(house, [page(2)], 2, sub="2")
    await held(house, 2)
    assert (await polls("13"))[0].cause is FaxCause.POLL_REFUSED
    assert (await polls("99"))[0].cause is FaxCause.POLL_REFUSED
    assert (await polls("13", caller="+4989555"))[0].cause is FaxCause.OK
    assert await polled(house) == [
        ("branch", "poll-refused", "this number may not fetch from it"),
        ("", "poll-refused", "there is no box '99' to be polled"),
        ("branch", "ok", "1 of 1 pages were confirmed"),
    ]


async def test_a_password_is_not_found_out_by_polling(house: House) -> None:
    """Five wrong ones close the box to a number for an hour, also after a start; twenty to all machines."""
    await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="1")
    await held(house, 1)
    for number in range(5):
        assert (await polls("12", str(number)))[0].cause is FaxCause.POLL_REFUSED
    assert (await polls("12", "4711"))[0].cause is FaxCause.POLL_REFUSED
    assert (await polled(house))[-1] == (
        "board",
        "poll-refused",
        "there were too many wrong passwords in the last hour",
    )
    assert house.office is not None
    await house.office.stopService()
    await house.start()
    assert (await polls("12", "4711"))[0].cause is FaxCause.POLL_REFUSED
    for other in range(15):
        assert (await polls("12", "x", f"+49306{other // 5:02}"))[0].cause is FaxCause.POLL_REFUSED
    assert (await polls("12", "4711", "+4930699"))[0].cause is FaxCause.POLL_REFUSED
    await held(house, 1)


@pytest.mark.parametrize("selector", ["", "12"])
async def test_an_empty_box_gives_nothing(house: House, selector: str) -> None:
    """The call ends; no mail comes of it, and who called is in nobody's way."""
    office = await house.start(POLLED)
    assert (await polls(selector, "4711"))[0].cause is FaxCause.POLL_REFUSED
    assert line_of(house).free_channels() == 4
    assert office._parts.fax.running().onramp.coming == {}


async def test_owners_hear_as_before(house: House) -> None:
    """A box that can be polled tells its owners that a fax waits."""
    await house.start(POLLED)
    await rings(house, [page(1)], 1, sub="1")
    notice = await told(house, "A fax waits in board", "ben")
    assert "ben@" in str(notice["To"])
