"""The agent that calls: what a stop of the server leaves, one call at a time to a number, giving up."""

from __future__ import annotations

import os

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from mailshare.core.fax_ledger import PageLedger
from mailshare.core.values import Hop, QueueState
from mailshare.core.values.fax import FaxCause, FaxOutcome
from mailshare.fax.lines.calling import Call
from mailshare.fax.pages import Made
from mailshare.fax.pool import PooledLine
from mailshare.interfaces import IBody, IFaxPages
from tests.fax.calling_room import DOCUMENT, Room, ScriptedLine, ends


async def test_a_call_goes_on_where_the_one_before_ended(room: Room) -> None:
    """G15: the second call begins at the page that is missing, also on another line after a restart."""
    room.line.acts = [ends(FaxCause.DROPPED, 2), ends(FaxCause.OK, 1)]
    item = await room.row()
    outcome = await room.tried(item)
    assert (outcome.state, outcome.status) == (QueueState.QUEUED, "4.4.2")
    assert outcome.next_at == room.now() + 60_000_000
    assert "2 of 3 pages" in outcome.reply
    await room.open()
    outcome = await room.tried(item)
    assert outcome.state is QueueState.DELIVERED
    assert [job.first_page for job in room.line.jobs] == [0, 2]
    assert not os.listdir(room.folder / "out")


async def test_another_try_is_the_same_fax(room: Room) -> None:
    """U10: name, line on top, subaddress, deadline and all else; only the call is another, and where it begins."""
    room.rules = evolve(room.rules, head=True, station="+4930123", owner="Office")
    room.fax.follow(room.rules)
    tops = []
    finished = room.fax.pages.for_recipient

    async def seen(made: Made, cover: dict[str, str], head: tuple[str, ...]) -> object:
        tops.append((cover, head))
        return await finished(made, cover, head)

    room.fax.pages.for_recipient = seen  # type: ignore[method-assign,assignment]
    room.line.acts = [ends(FaxCause.DROPPED, 1), ends(FaxCause.OK, 2)]
    item = await room.row(sub="7", not_after=room.now() + 10**12)
    await room.tried(item)
    room.clock.advance(3600)
    assert (await room.tried(item)).state is QueueState.DELIVERED
    first, second = room.line.jobs
    assert evolve(second, id=first.id, first_page=0) == first
    assert (first.ident, first.subaddress, second.first_page) == ("+4930123", "7", 1)
    assert tops[0] == tops[1]


async def test_after_the_deadline_the_true_cause_is_told(room: Room) -> None:
    """C4: why it did not go says more than that its time is over (RFC 3463 section 3.5)."""
    room.line.acts = [ends(FaxCause.BUSY)]
    item = await room.row(not_after=room.now() + 10**9)
    await room.tried(item)
    room.clock.advance(1001)
    outcome = await room.tried(item)
    assert (outcome.state, outcome.status, outcome.detail["cause"]) == (QueueState.FAILED, "4.4.1", "busy")
    outcome = await room.tried(await room.row(not_after=room.now() - 1))
    assert (outcome.status, outcome.detail["cause"]) == ("4.4.7", "timeout")


async def test_a_deadline_in_the_far_future_is_none(room: Room) -> None:
    """Else a fax to a line that is down would be tried for ever: 31 days and the office's own time are the most."""
    item = await room.row(not_after=2**60)
    assert room.fax.agent.deadline(item) == item.queued + 31 * 86_400_000_000 + room.rules.lifetime


async def test_a_line_that_says_done_is_believed_page_by_page_only(room: Room) -> None:
    """U2: success is the confirmation of the last page, whatever a line's own word is."""
    room.line.acts = [ends(FaxCause.OK, 2)]
    outcome = await room.tried(await room.row())
    assert outcome.state is QueueState.QUEUED
    assert outcome.detail["cause"] == "dropped"


async def test_what_arrived_is_not_sent_again_after_a_stop(room: Room) -> None:
    """G13 G17: the ledger is on the disk before the store knows; a row that comes again after a kill makes no call."""
    room.line.acts = [ends(FaxCause.OK, 3)]
    item = await room.row()
    await room.unsettled(item)
    await room.open()
    outcome = await room.tried(item)
    assert outcome.state is QueueState.DELIVERED
    assert len(room.line.jobs) == 1


async def test_a_doubt_that_was_not_written_down_is_a_doubt_after_the_stop(room: Room) -> None:
    """The row comes again after a kill between the end of the call and the queue: nobody is called a second time."""
    room.line.acts = [ends(FaxCause.DROPPED, 2, end_sent=True)]
    item = await room.row()
    assert (await room.unsettled(item)).state is QueueState.FAILED
    await room.open()
    outcome = await room.tried(item)
    assert outcome.state is QueueState.FAILED
    assert "may have all of it" in outcome.reply
    assert len(room.line.jobs) == 1
    assert not os.listdir(room.folder / "out")


async def test_a_stop_while_the_last_page_was_out_sends_nothing_twice(room: Room) -> None:
    """The sender is told that it may have arrived."""
    item = await room.row()
    ledger = PageLedger().prepared(1, 3, "x").dialled("line").page_confirmed(1).page_begun(2)
    await room.fax.ledgers.write(item.id, ledger)
    outcome = await room.tried(item)
    assert (outcome.state, outcome.status) == (QueueState.FAILED, "4.4.7")
    assert "may have all of it" in outcome.reply
    assert room.line.jobs == []


async def test_a_stop_in_the_middle_goes_on_at_the_missing_page(room: Room) -> None:
    """A kill between two pages: what was confirmed is not sent again."""
    item = await room.row()
    room.line.acts = [ends(FaxCause.DROPPED, 1)]
    await room.tried(item)
    ledger = await room.fax.ledgers.read(item.id)
    await room.fax.ledgers.write(item.id, evolve(ledger.dialled("line").page_begun(1), calling=True))
    await room.open()
    room.line.acts = [ends(FaxCause.OK, 2)]
    assert (await room.tried(item)).state is QueueState.DELIVERED
    assert room.line.jobs[-1].first_page == 1


async def test_a_machine_that_has_the_job_is_asked_and_not_given_it_again(room: Room) -> None:
    """Lines that hand jobs over: after a restart the call is found by its name there."""
    item = await room.row()
    ledger = PageLedger().prepared(1, 3, "x").dialled("line").submitted("native-7")
    await room.fax.ledgers.write(item.id, ledger)
    room.line.known["native-7"] = ends(FaxCause.OK, 3)
    outcome = await room.tried(item)
    assert outcome.state is QueueState.DELIVERED
    assert room.line.jobs == []


@pytest.mark.parametrize("stop", ["server", "line"])
async def test_a_stop_leaves_the_job_with_the_machine_that_has_it(room: Room, stop: str) -> None:
    """Neither a stop of the server nor lines begun anew take it back or give it away twice."""
    observed: Deferred[None] = Deferred()

    async def has_it(call: Call, _: IFaxPages) -> FaxOutcome:
        await observed
        await call.tell("submitted", native="native-8")
        await Deferred()
        raise AssertionError

    room.line.acts = [has_it]
    item = await room.row()
    trying = Deferred.fromCoroutine(room.tried(item))
    observed.callback(None)
    if stop == "server":
        trying.cancel()
    else:
        await room.line.stop()
    outcome = await trying
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
    await room.line.stop()
    await room.open()
    room.clock.advance(100 * 3600)  # its time is over meanwhile; what became of it counts all the same
    room.line.known["native-8"] = ends(FaxCause.OK, 3)
    assert (await room.tried(item)).state is QueueState.DELIVERED
    assert len(room.line.jobs) == 1


async def test_giving_up_reaches_a_machine_that_nobody_asks_just_now(room: Room) -> None:
    """Between a start and the first look at it, a fax is no less the office's to give up."""

    async def waits(call: Call, _: IFaxPages) -> FaxOutcome:
        await Deferred()
        raise AssertionError

    item = await room.row()
    await room.fax.ledgers.write(item.id, PageLedger().prepared(1, 3, "x").dialled("line").submitted("native-9"))
    room.line.known["native-9"] = waits
    ended: list[str] = []
    cancel = room.line.cancel

    async def noted(call_id: str) -> bool:
        ended.append(call_id)
        return await cancel(call_id)

    room.line.cancel = noted  # type: ignore[method-assign]
    assert not await room.fax.agent.cancel(item.id)
    assert len(ended) == 1
    assert room.line.calls.by_id == {}
    assert not await room.fax.agent.cancel(item.id + 1)
    assert len(ended) == 1


@pytest.mark.parametrize("native", ["", "native-9"])
async def test_giving_up_counts_while_the_pages_are_made(room: Room, native: str) -> None:
    """No call begins after it, and what a line's own machine has from before a stop ends there."""

    async def waits(call: Call, _: IFaxPages) -> FaxOutcome:
        await Deferred()
        raise AssertionError

    item, made, gate = await room.row(), room.fax.pages.of_body, Deferred[None]()
    if native:
        ledger = PageLedger().prepared(1, 3, "x").dialled("line").submitted(native)
        await room.fax.ledgers.write(item.id, ledger)
        room.line.known[native] = waits

    async def slowly(body: IBody, cover: object = "") -> Made:
        await gate
        return await made(body, cover)

    room.fax.pages.of_body = slowly  # type: ignore[method-assign]
    trying = Deferred.fromCoroutine(room.tried(item))
    assert await room.fax.agent.cancel(item.id)
    gate.callback(None)
    assert (await trying).state is QueueState.CANCELLED
    assert (room.line.jobs, room.line.calls.by_id) == ([], {})


async def test_one_call_at_a_time_to_a_number(room: Room) -> None:
    """U20: however many faxes wait for it, and however many lines are free."""
    room.line.channels = 5
    gate: Deferred[None] = Deferred()

    async def waits(call: Call, pages: IFaxPages) -> FaxOutcome:
        await gate
        return await ends(FaxCause.OK, 3)(call, pages)

    room.line.acts = [waits, ends(FaxCause.OK, 3), ends(FaxCause.OK, 3)]
    items = [await room.row(), await room.row(), await room.row("+12025550199")]
    tries = [Deferred.fromCoroutine(room.tried(item)) for item in items]
    assert [job.number for job in room.line.jobs] == ["+12025550123", "+12025550199"]
    gate.callback(None)
    assert [(await one).state for one in tries] == [QueueState.DELIVERED] * 3


async def test_a_line_that_is_down_is_passed_over(room: Room) -> None:
    """Failover between lines in one try; with none left the fax waits."""
    other = ScriptedLine("other")
    other.acts = [ends(FaxCause.OK, 3)]
    room.line.acts = [ends(FaxCause.LINE_DOWN)]
    await room.fax.use([PooledLine(room.line), PooledLine(other)])
    assert (await room.tried(await room.row())).state is QueueState.DELIVERED
    assert len(other.jobs) == 1
    room.clock.advance(61)
    room.line.acts, other.acts = [ends(FaxCause.LINE_DOWN)], [ends(FaxCause.LINE_DOWN)]
    outcome = await room.tried(await room.row())
    assert (outcome.state, outcome.status) == (QueueState.QUEUED, "4.4.1")


async def test_giving_up_ends_a_call_in_its_middle(room: Room) -> None:
    """And one that waits for a line."""

    async def for_ever(call: Call, pages: IFaxPages) -> FaxOutcome:
        await Deferred()
        raise AssertionError

    room.line.acts = [for_ever]
    first, second = await room.row(), await room.row("+12025550199")
    tries = [Deferred.fromCoroutine(room.tried(item)) for item in (first, second)]
    assert room.fax.agent.attempts[second.id].state == "waiting for a line"
    assert await room.fax.agent.cancel(second.id)
    assert await room.fax.agent.cancel(first.id)
    assert [(await one).state for one in tries] == [QueueState.CANCELLED] * 2
    assert not await room.fax.agent.cancel(first.id)


async def test_a_stop_of_the_server_ends_calls_and_keeps_what_arrived(room: Room) -> None:
    """The row goes back as it was, and the next call begins at the missing page."""

    async def one_page(call: Call, pages: IFaxPages) -> FaxOutcome:
        await call.tell("begun", 0)
        await call.tell("page", 0)
        await Deferred()
        raise AssertionError

    room.line.acts = [one_page]
    item = await room.row()
    work = Deferred.fromCoroutine(room.tried(item))
    work.cancel()
    outcome = await work
    assert (outcome.state, outcome.counts) == (QueueState.QUEUED, False)
    assert (await room.fax.ledgers.read(item.id)).confirmed == 1


async def test_after_its_lifetime_no_call_begins(room: Room) -> None:
    """Whoever waits for a fax of yesterday is called by nobody today."""
    item = await room.row()
    room.clock.advance(13 * 3600)
    outcome = await room.tried(item)
    assert (outcome.state, outcome.status) == (QueueState.FAILED, "4.4.7")
    assert room.line.jobs == []


@pytest.mark.parametrize("cause", [one for one in FaxCause if one is not FaxCause.OK])
async def test_every_cause_ends_somewhere(room: Room, cause: FaxCause) -> None:
    """No end of a call leaves a fax waiting for ever."""
    item = await room.row()
    for _ in range(30):
        room.line.acts = [ends(cause)]
        outcome = await room.tried(item)
        if outcome.state is not QueueState.QUEUED or cause is FaxCause.CANCELLED:
            break
        room.clock.advance(max(61, (outcome.next_at - room.now()) / 1_000_000))
    else:
        pytest.fail("it is tried for ever")
    assert outcome.reply or cause is FaxCause.CANCELLED


async def test_two_hundred_recipients_are_one_document(room: Room) -> None:
    """It is converted once, however many wait for it, and every number is called once."""
    room.line.channels = 10
    room.line.acts = [ends(FaxCause.OK, 3) for _ in range(200)]
    hops = [
        Hop("fax", f"FAX=+1202555{number:04}@x", "fax", params={"number": f"+1202555{number:04}", "dial": "1"})
        for number in range(200)
    ]
    await room.office.deliver("a" * 16, [], data=DOCUMENT, hops=hops, at=room.now())
    items = await room.office.store.queue.claim("fax", 200, room.now() + 1, 10**12)
    made: list[str] = []
    perform = room.fax.pages._perform

    async def counted(operation: str, *rest: object) -> object:
        made.append(operation)
        return await perform(operation, *rest)

    room.fax.pages._perform = counted  # type: ignore[assignment]
    tries = [Deferred.fromCoroutine(room.tried(item)) for item in items]
    assert [(await one).state for one in tries] == [QueueState.DELIVERED] * 200
    assert made == ["fax-pages"]
    assert len({job.number for job in room.line.jobs}) == len(room.line.jobs) == 200
