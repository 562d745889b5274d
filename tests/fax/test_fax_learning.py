"""What calls to a number teach: later faxes to it begin as it needs; kept over a restart, told, and forgotten."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from mailshare.core.errors import StorageFull
from mailshare.core.values import QueueState
from mailshare.core.values.fax import FaxCapabilities, FaxCause
from tests.fax.calling_room import Room, ScriptedLine, ends
from tests.fax.test_fax_office import FAX, GATEWAY, hands_in, letter, line_of, settled
from tests.house import House

NOISY, OLD, BUSY = "+49305554001", "+49305554002", "+49305554003"
NUMBERS = f""""{NOISY}" = "noisy:4800"
"{OLD}" = "no-ecm"
"{BUSY}" = "busy,answers"
"""


async def test_later_calls_begin_as_a_number_needs_and_the_ledger_tells_how_pages_went(house: House) -> None:
    """A bad line is spared the same failures with the next fax; a call tells pages, rate and error correction."""
    table = "[fax_line.options.numbers]"
    await house.start(FAX.partition(table)[0] + f"{table}\n{NUMBERS}")
    assert house.office is not None
    acts: Any = house.office.acts
    for _ in range(2):
        await house.smtp(hands_in([f"FAX={one}@{GATEWAY}" for one in (NOISY, OLD, BUSY)], letter("x", "one\f two")))
        await settled(house)
    calls: dict[str, list[list[tuple[object, ...]]]] = {}
    for row in reversed(await acts.fax_queue(all=True)):
        told = (await acts.fax_show(id=row["id"]))["ledger"]
        wanted = ("cause", "pages", "rate", "ecm")
        calls.setdefault(row["number"], []).append([tuple(one[name] for name in wanted) for one in told])
    bad, good = ("cannot-train", "", 0, False), ("ok", "1-2", 4800, True)
    assert calls[NOISY] == [[bad, bad, good], [good]]
    broken, plain = ("dropped", "", 14400, True), ("ok", "1-2", 14400, False)
    assert calls[OLD] == [[broken, broken, plain], [plain]]
    assert calls[BUSY][0][0] == ("busy", "", 0, False)  # nothing was negotiated with anybody
    told = await acts.fax_number(number=NOISY.replace("+49", "0"))
    assert (told["number"], told["max_rate"], told["rate"], told["calls"]) == (NOISY, 4800, 4800, 4)
    assert (told["remote"], told["line"]) == (NOISY, line_of(house).name)
    assert (await acts.fax_number(number=BUSY))["busy"] == 1
    await acts.forget_fax_number(number=NOISY)
    assert (await acts.fax_number(number=NOISY))["max_rate"] == 14400


async def test_what_was_learned_outlives_a_restart_and_costs_no_fax(room: Room) -> None:
    """It is a file of its own; that it cannot be written changes nothing of what became of the call."""
    room.line.acts = [ends(FaxCause.CANNOT_TRAIN), ends(FaxCause.OK, 3), ends(FaxCause.OK, 3), ends(FaxCause.OK, 3)]
    item = await room.row()
    await room.tried(item)
    assert (await room.tried(item)).state is QueueState.DELIVERED
    await room.open()
    assert (await room.tried(await room.row())).state is QueueState.DELIVERED
    assert [job.max_rate for job in room.line.jobs] == [14_400, 9_600, 9_600]

    async def full(*_: object) -> None:
        raise StorageFull

    room.fax.learned.write = full  # type: ignore[method-assign]
    assert (await room.tried(await room.row())).state is QueueState.DELIVERED


async def test_a_line_that_goes_its_own_way_teaches_nothing_of_rates(room: Room) -> None:
    """A provider chooses rate and correction for itself; a number that needs slow calls goes over other lines first."""
    provider = ScriptedLine("provider")
    provider.capabilities = FaxCapabilities(steered=False)
    room.others = [provider]
    await room.open()
    room.line.acts = [ends(FaxCause.CANNOT_TRAIN)]
    provider.acts = [ends(FaxCause.OK, 3), ends(FaxCause.OK, 3)]
    item = await room.row()
    await room.tried(item)
    assert (await room.tried(item)).state is QueueState.DELIVERED
    known = await room.fax.learned.read("+12025550123")
    assert (known.max_rate, known.ecm, known.line) == (0, True, "provider")
    await room.fax.learned.write("+12025550123", evolve(known, max_rate=4800, since=room.now()))
    room.line, provider.name = provider, "first"
    room.others = [ScriptedLine("modem")]
    room.others[0].acts = [ends(FaxCause.OK, 3)]
    await room.open()
    assert (await room.tried(await room.row())).state is QueueState.DELIVERED
    assert [job.max_rate for job in room.others[0].jobs] == [4800]


async def test_a_number_that_is_mostly_busy_now_is_left_alone_for_longer(room: Room) -> None:
    """Twice the time that a busy number waits else, as long as the fax may."""
    waits = []
    room.line.acts = [ends(FaxCause.BUSY) for _ in range(6)]
    for _ in range(6):
        outcome = await room.tried(await room.row())
        waits.append((outcome.next_at - room.now()) / 60_000_000)
    assert waits == [2, 2, 2, 4, 4, 4]
