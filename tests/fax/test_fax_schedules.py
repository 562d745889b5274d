"""Hundreds of schedules of kills and losses over a pool of lines of three kinds: no page is ever lost in silence."""

from __future__ import annotations

import json
import random
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.client import ResponseNeverReceived
from zope.interface import implementer

from mailshare.config.fax_providers import fitted, load_provider
from mailshare.core.errors import Unavailable
from mailshare.core.values import Outcome, QueueState
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.fax.lines.directory import DirectoryLine
from mailshare.fax.lines.http import HttpLine
from mailshare.fax.lines.loop import LoopLine, LoopNetwork
from mailshare.fax.lines.loop_trunk import HungUp
from mailshare.fax.lines.provider_requests import Asking
from mailshare.fax.pages import Made
from mailshare.fax.pool import PooledLine
from mailshare.interfaces import IFaxReceiver
from mailshare.testing.pretend_provider import PretendProvider
from mailshare.wire.tiff_fax import read_tiff
from tests.fax.calling_room import Room
from tests.fax.test_provider_line import OPTIONS, Sinch, aside, secret

NUMBER = "+12025550123"
KEPT: OrderedDict[bytes, Made] = OrderedDict()  # the pages are made once for all schedules
MOST_TURNS = 3000


@implementer(IFaxReceiver)
@define
class FarMachine:
    """Takes calls, and loses them as chance will have it.

    :ivar came: pages, in the order in which they were kept there; ``unheard`` whose confirmation was lost.
    """

    chance: random.Random
    came: list[bytes] = field(factory=list)
    unheard: int = 0

    async def screen(self, call: Ringing) -> FaxCause:
        """Busy or silent now and then."""
        del call
        causes = [FaxCause.OK] * 12 + [FaxCause.BUSY, FaxCause.NO_ANSWER, FaxCause.NO_CARRIER, FaxCause.CONGESTION]
        return self.chance.choice(causes)

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        """The line may break before the page is kept, or after that and before it is confirmed."""
        fate = self.chance.random()
        if fate < 0.1:
            raise HungUp("before")
        if fate < 0.15:
            raise Unavailable("the far end has no paper")
        self.came.append(page.data)
        if fate < 0.25:
            self.unheard += 1
            raise HungUp("after")

    async def finished(self, call: Ringing, facts: CallFacts) -> None:
        """Nothing more."""


@define
class World:
    """What goes on while the office dies: the far machine, the spool's other software, and the provider."""

    chance: random.Random
    spool: Path
    far: FarMachine
    sinch: Sinch = field(factory=Sinch)
    graves: list[Any] = field(factory=list)

    def lines(self, clock: Clock) -> list[PooledLine]:
        """The lines of a new start, in some order."""
        network = LoopNetwork(clock)
        there = LoopLine("there", network, [NUMBER])
        there.set_receiver(self.far)
        there.start()
        description, words = fitted(load_provider("sinch", ""), OPTIONS)
        asking = Asking(description, {**words, "from": "+9", "ident": "us"}, secret, self.provider(), clock)
        made = [
            LoopLine("loop", network, ["+9"]),
            DirectoryLine("spool", str(self.spool), clock, aside, poll=1.0),
            HttpLine("api", description, asking, clock),
        ]
        self.chance.shuffle(made)
        return [PooledLine(one) for one in made[: self.chance.randint(1, 3)]]

    def provider(self) -> PretendProvider:
        """It may lose its answer, or be of no use, and says in the end how many pages arrived."""

        def answer(asked: Any) -> Any:
            self.sinch.broken, self.sinch.takes = None, True
            if asked.method == "POST":
                fate = self.chance.random()
                if fate < 0.2:
                    self.sinch.takes = fate < 0.1
                    self.sinch.broken = lambda: ResponseNeverReceived([])
            for fax in self.sinch.faxes.values():
                fax["looks"] = -1  # it ends in a turn of the world, and nowhere else
            return self.sinch.answer(asked)

        return PretendProvider(answer)

    def turn(self) -> None:
        """Others do what they do: the spool's software sends, and a fax of the provider's ends."""
        for path in sorted((self.spool / "out").glob("*.json")):
            done = self.spool / "done" / path.name
            if self.chance.random() < 0.3 and not done.exists():
                pages = [one.page.data for one in read_tiff(path.with_suffix(".tif").read_bytes()) if one.page]
                count = self.chance.randint(0, len(pages))
                self.far.came += pages[:count]
                cause = "ok" if count == len(pages) else self.chance.choice(["dropped", "page-refused", "no-carrier"])
                done.write_text(json.dumps({"cause": cause, "pages": count}))
        for fax in self.sinch.faxes.values():
            if "over" not in fax and self.chance.random() < 0.3:
                fax["over"] = count = self.chance.randint(0, fax["pages"])
                end = {"status": "COMPLETED"} if count == fax["pages"] else {"status": "FAILURE", "errorCode": 13}
                fax.update(end, pagesSentSuccessfully=count)

    async def bury(self) -> None:
        """Let nothing of the dead offices be left behind; their disks take nothing any more."""
        for fax, disk, clock, trying in self.graves:
            disk[0] = False
            trying.addErrback(lambda _: None)
            closing = Deferred.fromCoroutine(fax.close())
            closing.addErrback(lambda _: None)
            trying.cancel()
            for _ in range(30):
                clock.advance(10)
            assert trying.called
            assert closing.called


async def one_schedule(room: Room, world: World, kills: int) -> tuple[Outcome, list[bytes]]:
    """A fax from its first try to its end, through so many kills at chance moments; and the pages that it has."""
    chance, now = world.chance, room.clock.seconds()
    item = await room.row(NUMBER)
    await room.fax.use([])
    for _ in range(200):
        clock = Clock()
        clock.advance(now)
        room.clock = clock
        await room.open()
        room.fax.pages._kept = KEPT
        await room.fax.use(world.lines(clock))
        trying: Deferred[Outcome] = Deferred.fromCoroutine(room.tried(item))
        dies = chance.randint(0, 25) if kills else MOST_TURNS
        turns = 0
        while not trying.called and turns < dies:
            world.turn()
            clock.advance(chance.choice((0, 0, 0, 1, 11)))
            turns += 1
        assert turns < MOST_TURNS, "it waits for ever"
        now = clock.seconds()
        if not trying.called:
            kills -= 1
            world.graves.append((room.fax, room.disk, clock, trying))  # nothing of it runs on: it is as good as killed
            continue
        outcome = await trying
        if outcome.state is not QueueState.QUEUED:
            await world.bury()
            [made] = KEPT.values()
            return outcome, [one.page.data for one in read_tiff(made.tiff) if one.page is not None]
        now = max(now, outcome.next_at / 1_000_000)
    raise AssertionError("it is tried for ever")


SEEDS = 60


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.nightly) for part in range(1, 11))])
async def test_no_page_is_lost_over_any_schedule_of_kills_and_losses(room: Room, tmp_path: Path, part: int) -> None:
    """What is told as delivered has arrived, every page of it; what arrived whole is told so, or as doubtful."""
    ends: Counter[str] = Counter()
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        chance = random.Random(seed)  # the same each time
        spool = tmp_path / f"spool{seed}"
        world = World(chance, spool, FarMachine(chance))
        kills = chance.randint(0, 4)
        outcome, pages = await one_schedule(room, world, kills)
        provider = sum(fax["over"] or 0 for fax in world.sinch.faxes.values() if fax.get("over"))
        came = Counter(world.far.came)
        assert len(pages) == 3
        assert sum(came.values()) - len(came) <= world.far.unheard + kills + provider, seed
        if outcome.state is QueueState.DELIVERED:
            if not provider:  # a PDF: which pages it had is counted below
                assert set(pages) == set(came), seed
            assert sum(came.values()) + provider >= len(pages), seed
        else:
            assert outcome.state is QueueState.FAILED
            sure = len(set(pages) & set(came)) < len(pages) or "may have all" in outcome.reply
            assert sure or "not known" in outcome.reply or provider, (seed, outcome.reply)
        ends[outcome.state.name] += 1
    assert ends["DELIVERED"] > SEEDS / 2, ends
