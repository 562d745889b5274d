"""Which line carries a fax: what it needs, where the next try goes, and what becomes of it when no line serves."""

from __future__ import annotations

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from mailshare.core.values import Outcome, QueueItem, QueueState
from mailshare.core.values.fax import FaxCapabilities, FaxCause
from mailshare.fax.pool import PooledLine
from tests.fax.calling_room import Room, ScriptedLine, ends


async def with_lines(room: Room, *others: ScriptedLine) -> None:
    """The room's own line first, then these."""
    room.others = list(others)
    await room.open()


def able(name: str, **facts: object) -> ScriptedLine:
    """A line that can do what is said, at which every page arrives."""
    line = ScriptedLine(name)
    line.capabilities = evolve(FaxCapabilities(), **facts)  # type: ignore[arg-type]
    line.acts = [ends(FaxCause.OK, 3) for _ in range(9)]
    return line


@pytest.mark.parametrize(
    "cause", [FaxCause.LINE_DOWN, FaxCause.NO_DIALTONE, FaxCause.CONGESTION, FaxCause.BAD_DOCUMENT]
)
async def test_what_one_line_cannot_do_another_does_at_once(room: Room, cause: FaxCause) -> None:
    """U8: no far machine was reached, or the document is not for this line: the next one has it in the same try."""
    await with_lines(room, able("other"))
    room.line.acts = [ends(cause)]
    assert (await room.tried(await room.row())).state is QueueState.DELIVERED


@pytest.mark.parametrize("cause", [FaxCause.BUSY, FaxCause.NO_ANSWER, FaxCause.BAD_NUMBER, FaxCause.NOT_A_FAX])
async def test_what_the_far_end_is_no_other_line_is_asked(room: Room, cause: FaxCause) -> None:
    """A number that is busy is so on every line."""
    other = able("other")
    await with_lines(room, other)
    room.line.acts = [ends(cause)]
    assert (await room.tried(await room.row())).detail["cause"] == cause.value
    assert not other.jobs


async def test_without_another_line_the_cause_of_the_one_counts(room: Room) -> None:
    """A try that found nobody else to make the call tells of the line that it had."""
    room.line.acts = [ends(FaxCause.BAD_DOCUMENT)]
    outcome = await room.tried(await room.row())
    assert (outcome.state, outcome.detail["cause"]) == (QueueState.FAILED, "bad-document")


async def test_a_call_that_broke_off_goes_on_over_another_line(room: Room) -> None:
    """The next begins at the first page that is missing, wherever it goes; on the same line where no other is free."""
    other = able("other")
    await with_lines(room, other)
    room.line.acts, other.acts = [ends(FaxCause.DROPPED, 1), ends(FaxCause.OK, 1)], [ends(FaxCause.CANNOT_TRAIN, 1)]
    item = await room.row()
    for _ in range(2):
        outcome = await room.tried(item)
        assert outcome.state is QueueState.QUEUED
    other.channels = 0
    assert (await room.tried(item)).state is QueueState.DELIVERED
    assert [job.first_page for job in room.line.jobs] == [0, 2]
    assert [job.first_page for job in other.jobs] == [1]


async def test_after_a_busy_number_the_first_line_is_the_first_again(room: Room) -> None:
    """The order of the configuration holds where the line was not to blame."""
    other = able("other")
    await with_lines(room, other)
    room.line.acts = [ends(FaxCause.BUSY), ends(FaxCause.OK, 3)]
    item = await room.row()
    await room.tried(item)
    assert (await room.tried(item)).state is QueueState.DELIVERED
    assert not other.jobs


async def test_a_subaddress_goes_over_lines_that_give_it(room: Room) -> None:
    """G5: without such a line the fax is given up with a reason, and nobody else is rung."""
    other = able("other")
    await with_lines(room, other)
    room.line.capabilities = FaxCapabilities(subaddress=False)
    assert (await room.tried(await room.row(sub="12"))).state is QueueState.DELIVERED
    assert other.jobs[0].subaddress == "12"
    other.capabilities = room.line.capabilities
    outcome = await room.tried(await room.row(sub="12"))
    assert (outcome.state, outcome.status) == (QueueState.FAILED, "5.7.1")
    assert "no line here can give a subaddress" in outcome.reply
    assert (len(room.line.jobs), len(other.jobs)) == (0, 1)


async def test_a_password_goes_over_lines_that_give_it(room: Room) -> None:
    """A box elsewhere that asks for one would refuse the fax, and its sender would not know why."""
    other = able("other", password=True)
    await with_lines(room, other)
    assert (await room.tried(await room.row(password="4711"))).state is QueueState.DELIVERED
    assert (other.jobs[0].password, len(room.line.jobs)) == ("4711", 0)
    assert "4711" not in repr(other.jobs[0])


async def test_long_and_wide_faxes_go_over_lines_that_take_them(room: Room) -> None:
    """What is left after a call that broke off may fit where the whole did not."""
    other = able("other")
    await with_lines(room, other)
    room.line.capabilities = FaxCapabilities(max_pages=2)
    other.acts = [ends(FaxCause.DROPPED, 1)]
    item = await room.row()
    assert (await room.tried(item)).state is QueueState.QUEUED
    room.line.acts = [ends(FaxCause.OK, 2)]
    assert (await room.tried(item)).state is QueueState.DELIVERED
    assert [job.first_page for job in room.line.jobs] == [1]
    room.line.capabilities = other.capabilities = FaxCapabilities(widths=(1000,))
    outcome = await room.tried(await room.row())
    assert (outcome.state, outcome.status) == (QueueState.FAILED, "5.6.5")
    assert "at most 1000 pixels" in outcome.reply


async def waited(room: Room, item: QueueItem, seconds: float) -> Outcome | None:
    """What became of a try within that time."""
    trying: Deferred[Outcome] = Deferred.fromCoroutine(room.tried(item))
    for _ in range(int(seconds / 5)):
        room.clock.advance(5)
        if trying.called:
            return await trying
    trying.cancel()
    await trying
    return None


async def test_lines_that_are_all_down_are_told_of_and_end_with_the_lifetime(room: Room) -> None:
    """The sender hears of it while it waits, and when its time is over; it goes out as soon as a line is there."""
    room.line.trouble = "The fax server refused the login"
    item, outcomes = await room.row(), list[Outcome]()
    while not outcomes or outcomes[-1].state is QueueState.QUEUED:
        outcome = await waited(room, item, 900)
        assert outcome is not None
        assert (outcome.status, outcome.detail["cause"]) == ("4.4.1", "line-down")
        assert "line: The fax server refused the login" in outcome.reply
        outcomes.append(outcome)
        room.clock.advance(max((outcome.next_at - room.now()) / 1_000_000, 0))
    assert outcomes[-1].state is QueueState.FAILED
    assert room.now() - item.queued >= 11 * 3_600_000_000
    assert len(outcomes) > 10
    assert not room.line.jobs
    [told] = room.fax.facts()
    assert (told["trouble"], told["free"]) == ("The fax server refused the login", 1)


async def test_a_number_that_no_line_is_meant_for_is_told_so(room: Room) -> None:
    """It waits for somebody who declares one, as long as it may."""
    await room.fax.use([PooledLine(room.line, ("+49*",))])
    outcome = await room.tried(await room.row())
    assert (outcome.state, outcome.status) == (QueueState.QUEUED, "4.4.1")
    assert "no line here is meant for this number" in outcome.reply


async def test_a_fax_whose_time_is_over_while_lines_are_in_use_calls_nobody(room: Room) -> None:
    """It waits for a line that serves as long as it may, and no longer."""
    room.line.channels = 0
    item = await room.row(not_after=room.now() + 3_600_000_000)
    outcome = await waited(room, item, 4000)
    assert outcome is not None
    assert (outcome.state, outcome.status) == (QueueState.FAILED, "4.4.1")
    assert "no line was free in time" in outcome.reply
    assert not room.line.jobs
    room.line.channels, room.line.acts = 1, [ends(FaxCause.OK, 3)]
    assert (await room.tried(await room.row())).state is QueueState.DELIVERED


async def test_what_calls_cost_is_added_up_and_told(room: Room) -> None:
    """As the line tells it, over all calls."""
    room.line.acts = [ends(FaxCause.DROPPED, 1, cost=0.07), ends(FaxCause.OK, 2, cost=0.11)]
    item = await room.row()
    await room.tried(item)
    outcome = await room.tried(item)
    assert outcome.detail["fields"]["X-Fax-Cost"] == "0.18"  # type: ignore[index]
