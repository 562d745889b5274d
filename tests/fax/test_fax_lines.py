"""Each kind of line keeps the contract; what is special about each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.errors import StorageFull
from mailshare.core.values.fax import CallEvent, FaxCause, FaxJob, FaxOutcome, FaxPage
from mailshare.fax.lines.directory import DirectoryLine
from mailshare.fax.lines.loop import ENDS, LoopLine, LoopNetwork
from mailshare.testing.fax_line_contract import FaxLineContract, FixedPages, NotingOffers, NotingReceiver, Rig
from mailshare.wire.tiff_fax import read_tiff, write_tiff

SCRIPTS = {"+1": "answers", "+2": "busy", "+3": "drop:1,answers", "+4": "refuse:0", "+5": "slow"}


async def loop_rig(scripts: dict[str, str] | None = None) -> Rig:
    clock, receiver = Clock(), NotingReceiver()
    network = LoopNetwork(clock)
    line = LoopLine("loop", network, ["+9"], scripts or SCRIPTS)
    line.set_receiver(receiver)
    line.start()
    other = LoopLine("other", network, ["+8"], {})
    other.start()

    async def go_on() -> None:
        clock.advance(0)

    async def ring(pages: list[FaxPage]) -> None:
        other.send(rig.job("+9", len(pages)), FixedPages(*pages))

    async def polled(offers: NotingOffers, job: FaxJob, far: NotingReceiver) -> FaxOutcome:
        line.set_offers(offers)
        other.set_receiver(far)
        return await rig.end_of(other.poll(job, far))

    rig = Rig(line, receiver, "+1", "+2", go_on, ring, offering="+8", polled=polled)
    other.set_receiver(NotingReceiver())
    other.set_offers(rig.offers)
    return rig


class TestLoop(FaxLineContract):
    """The network inside the process."""

    async def rig(self) -> Rig:
        return await loop_rig()

    @pytest.mark.parametrize("word", sorted(ENDS))
    async def test_every_end_can_be_had(self, word: str) -> None:
        rig = await loop_rig({"+7": word})
        outcome = await rig.called("+7", self.page)
        assert (outcome.cause, outcome.pages_confirmed) == (ENDS[word], 0)

    async def test_calls_break_off_where_it_is_said(self) -> None:
        rig = await loop_rig()
        outcome = await rig.called("+3", self.page, self.page, self.page)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.DROPPED, 1)
        outcome = await rig.called("+3", self.page, self.page, self.page, first=1)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 2)
        assert (await rig.called("+4", self.page)).cause is FaxCause.PAGE_REFUSED

    async def test_calls_take_their_time_when_they_shall(self) -> None:
        clock = Clock()
        line = LoopLine("slow", LoopNetwork(clock), (), {"+1": "answers"}, speed=1.0)
        line.start()
        call = line.send(Rig(line, NotingReceiver(), "+1", "", None, None).job("+1", 1), FixedPages(self.page))
        done = call.when_done()
        for _ in range(100):
            clock.advance(0.05)
        assert not done.called
        for _ in range(300):
            clock.advance(0.05)
        assert (await done).seconds > 9


async def directory_rig(folder: Path, under_way: frozenset[str] | None = None) -> Rig:
    clock, receiver = Clock(), NotingReceiver()

    async def aside(act: Callable[[], object]) -> object:
        return act()

    line = DirectoryLine("spool", str(folder), clock, aside, poll=1.0, under_way=lambda: under_way or ())
    line.set_receiver(receiver)
    line.start()

    async def go_on() -> None:
        """The other software: makes the calls that lie there."""
        for path in sorted((folder / "out").glob("*.json")):
            job = json.loads(path.read_text())
            pages = read_tiff(path.with_suffix(".tif").read_bytes())
            assert len(pages) == job["total"] - job["first_page"]
            told = {"cause": "busy"} if job["number"] == "+2" else {"cause": "ok", "remote_id": "far"}
            (folder / "done" / path.name).write_text(json.dumps(told))
        clock.advance(1.0)

    async def ring(pages: list[FaxPage]) -> None:
        (folder / "in" / "a.json").write_text(json.dumps({"caller": "+49", "station": "S"}))
        (folder / "in" / "a.tif").write_bytes(write_tiff(pages))

    return Rig(line, receiver, "+1", "+2", go_on, ring)


class TestDirectory(FaxLineContract):
    """Files for other software."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def rig(self) -> Rig:
        return await directory_rig(self.folder)

    async def test_a_job_is_found_again_after_a_restart(self) -> None:
        rig = await self.rig()
        job = rig.job("+1", 1)
        rig.line.send(job, FixedPages(self.page))
        rig.line._clock.advance(0)
        await rig.line.stop()
        assert os.listdir(self.folder / "out")
        again = await self.rig()
        call = again.line.find(job.id, job)
        await again.go_on()
        await again.go_on()
        assert (await call.when_done()).cause is FaxCause.OK
        assert os.listdir(self.folder / "done")  # until it is written down: a stop just now must not lose it
        await call.settled()
        assert not os.listdir(self.folder / "out")
        assert not os.listdir(self.folder / "done")
        await again.line.stop()

    async def test_a_stop_before_a_job_is_out_puts_it_out_at_the_next_start(self) -> None:
        """Else its fax would wait for ever for the end of a call that nobody makes."""
        rig = await self.rig()
        job = rig.job("+1", 1)
        call = rig.line.send(job, FixedPages(self.page))

        def stopped(event: CallEvent) -> Deferred[None] | None:
            return Deferred() if event.kind == "submitted" else None

        call.observe(stopped)
        rig.line._clock.advance(0)
        assert sorted(os.listdir(self.folder / "out")) == [f"{job.id}.prepared", f"{job.id}.tif"]
        again = await self.rig()
        found = again.line.find(job.id, job)
        assert sorted(os.listdir(self.folder / "out")) == [f"{job.id}.json", f"{job.id}.tif"]
        await again.go_on()
        await again.go_on()
        assert (await found.when_done()).cause is FaxCause.OK
        await again.line.stop()

    async def test_files_that_came_are_taken_away_and_rubbish_is_handed_on_as_it_is(self) -> None:
        """Nothing is lost in silence, and what cannot be read is told of once."""
        rig = await self.rig()
        (self.folder / "in" / "0.tif").write_bytes(b"no fax")
        await rig.ring([self.page])
        (self.folder / "in" / "b.tif").write_bytes(b"II*\0" + os.urandom(50_000))
        for _ in range(4):
            await rig.go_on()
        assert len(rig.receiver.ends) == 1
        assert [document[:4] for _, document, _ in rig.receiver.unread] == [b"no f", b"II*\0"]
        assert os.listdir(self.folder / "in") == []
        [(ringing, facts)] = rig.receiver.ends
        assert (ringing.caller, facts.station) == ("+49", "S")
        await rig.line.stop()

    async def test_other_documents_become_pages_where_somebody_makes_them(self) -> None:
        """A PDF, and whatever else the documents of this office are made of."""
        rig, seen = await self.rig(), list[bytes]()

        async def to_pages(octets: bytes) -> list[FaxPage]:
            seen.append(octets)
            return [self.page]

        rig.line._to_pages = to_pages
        (self.folder / "in" / "a.pdf").write_bytes(b"%PDF-1.4")
        (self.folder / "in" / "b.txt").write_bytes(b"no fax at all")
        for _ in range(3):
            await rig.go_on()
        assert (seen, rig.receiver.pages) == ([b"%PDF-1.4"], [self.page])
        assert os.listdir(self.folder / "in") == ["b.txt"]
        await rig.line.stop()

    async def test_a_file_that_cannot_be_taken_keeps_no_other_waiting(self) -> None:
        """One that cannot be kept now, and one that cannot be opened, are taken as soon as that is over."""
        rig = await self.rig()
        full = [True]
        kept = rig.receiver.unreadable

        async def unreadable(*told: Any) -> None:
            if full[0]:
                raise StorageFull
            await kept(*told)

        rig.receiver.unreadable = unreadable  # type: ignore[method-assign]
        (self.folder / "in" / "0.tif").write_bytes(b"no fax")
        (self.folder / "in" / "1.tif").mkdir()
        await rig.ring([self.page])
        for _ in range(4):
            await rig.go_on()
        assert len(rig.receiver.ends) == 1
        assert sorted(os.listdir(self.folder / "in")) == ["0.tif", "1.tif"]
        full[0] = False
        await rig.go_on()
        assert os.listdir(self.folder / "in") == ["1.tif"]
        await rig.line.stop()

    @pytest.mark.parametrize(
        ("told", "cause", "seconds"),
        [
            ({"cause": "cancelled"}, FaxCause.NOT_ALLOWED, 0.0),
            ({"cause": "busy", "seconds": float("nan"), "pages": True}, FaxCause.BUSY, 0.0),
            ({"cause": "dropped", "seconds": -4}, FaxCause.DROPPED, 0.0),
            ({"cause": ["busy"], "seconds": 10**400, "words": 7}, FaxCause.INTERNAL, 0.0),
            ({"cause": "no-answer", "seconds": 31}, FaxCause.NO_ANSWER, 31.0),
        ],
    )
    async def test_what_other_software_says_of_a_call_is_weighed(
        self, told: dict[str, object], cause: FaxCause, seconds: float
    ) -> None:
        """A job that somebody removed there is over: were it only put back, its number would be called for ever."""
        rig = await self.rig()
        call = rig.line.send(rig.job("+1", 1), FixedPages(self.page))
        rig.line._clock.advance(0)
        (self.folder / "done" / "job-1-0.json").write_text(json.dumps(told))
        rig.line._clock.advance(1)
        outcome = await call.when_done()
        assert (outcome.cause, outcome.pages_confirmed, outcome.seconds) == (cause, 0, seconds)
        await rig.line.stop()

    async def test_what_nobody_waits_for_is_taken_away_at_the_start(self) -> None:
        """A job that was never put out, one that is over; a job that somebody may be at, and files of others, stay."""
        (waited, begun, lost, torn, over, half) = (f"00112233445566{number:02}-7-1" for number in range(6))
        (self.folder / "done").mkdir()
        (self.folder / "out").mkdir()
        for name in (f"{waited}.prepared", f"{waited}.tif", f"{begun}.json", f"{begun}.tif", f"{lost}.prepared",
                     f"{lost}.tif", f"{torn}.tif.new", f"{over}.json", f"{over}.tif", "theirs.tif"):  # fmt: skip
            (self.folder / "out" / name).write_bytes(b"")
        for name in (over, half, "theirs"):  # of one the rest was taken away when the stop came
            (self.folder / "done" / f"{name}.json").write_bytes(b"{}")
        rig = await directory_rig(self.folder, frozenset({waited}))
        assert sorted(os.listdir(self.folder / "out")) == sorted(
            [f"{waited}.prepared", f"{waited}.tif", f"{begun}.json", f"{begun}.tif", "theirs.tif"]
        )
        assert os.listdir(self.folder / "done") == ["theirs.json"]
        await rig.line.stop()
