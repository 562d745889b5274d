"""The line of the kind http against a provider inside the process: the contract, doubt, cancelling, fetching."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock
from twisted.web.client import ResponseNeverReceived

from mailshare.config.fax_providers import fitted, load_provider
from mailshare.core.fax_lines import HttpOptions
from mailshare.core.values.fax import FaxCause, FaxPage
from mailshare.fax.lines.http import HttpLine
from mailshare.fax.lines.provider_inbox import ProviderInbox
from mailshare.fax.lines.provider_requests import Asking
from mailshare.testing.fax_line_contract import FaxLineContract, FixedPages, NotingReceiver, Rig
from mailshare.testing.pretend_provider import Asked, PretendProvider, Said
from mailshare.wire.tiff_fax import read_tiff, write_tiff


@define
class Sinch:
    """The provider's side: keeps faxes, and lets them end a look later.

    :ivar fates: number to what its fax says when it is over.
    :ivar broken: what handing over raises instead of an answer, after the fax was taken or not.
    """

    faxes: dict[str, dict[str, Any]] = field(factory=dict)
    inbox: dict[str, bytes] = field(factory=dict)
    fates: dict[str, dict[str, Any]] = field(factory=dict)
    broken: Callable[[], BaseException] | None = None
    takes: bool = True
    holding: Deferred[Said] | None = None

    def answer(self, asked: Asked) -> Any:
        path, _, query = asked.url.partition("/v3/projects/p1/")[2].partition("?")
        assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"key:secret").decode()
        if asked.method == "POST":
            return self._take(asked.value)
        if path == "faxes":
            inbound = "INBOUND" in query
            return Said.json({"faxes": self._inbound() if inbound else list(self.faxes.values())})
        if path.endswith("/file"):
            return Said(200, self.inbox[path.split("/")[1]])
        fax = self.faxes.get(path.rpartition("/")[2])
        if fax is None:
            return Said.json({"message": "no such fax"}, 404)
        fax["looks"] += 1
        if fax["looks"] > 1:
            fax.update(self.fates.get(fax["to"], {"status": "COMPLETED", "pagesSentSuccessfully": fax["pages"]}))
        return Said.json(fax)

    def _take(self, value: dict[str, Any]) -> Any:
        assert value["files"][0]["fileType"] == "PDF"
        pages = base64.b64decode(value["files"][0]["file"]).count(b"/Type /Page ")
        if self.takes:
            name = f"F{len(self.faxes)}"
            self.faxes[name] = {**value, "id": name, "status": "IN_PROGRESS", "pages": pages, "looks": 0}
        if self.broken is not None:
            raise self.broken()
        if self.holding is not None:
            return self.holding
        return Said.json(list(self.faxes.values())[-1])

    def _inbound(self) -> list[dict[str, object]]:
        common = {"direction": "INBOUND", "hasFile": True, "from": "+4930111", "to": "+9"}
        return [{"id": name, **common} for name in self.inbox]


OPTIONS = HttpOptions(provider="sinch", user="key", settings={"project": "p1"})


async def secret() -> str:
    return "secret"


async def aside(act: Callable[[], object]) -> object:
    return act()


@define
class ProviderRig(Rig):
    """With the provider's side."""

    sinch: Sinch = field(factory=Sinch)
    clock: Clock = field(factory=Clock)
    agent: PretendProvider | None = None


def rig_in(folder: Path, sinch: Sinch | None = None, provider: str = "sinch") -> ProviderRig:
    sinch = sinch or Sinch(fates={"+2": {"status": "FAILURE", "errorCode": 17}})
    clock, receiver = Clock(), NotingReceiver()
    description, words = fitted(load_provider(provider, ""), OPTIONS)
    agent = PretendProvider(sinch.answer)
    asking = Asking(description, {**words, "from": "+9", "ident": "us"}, secret, agent, clock)
    line = HttpLine("api", description, asking, clock, channels=2)

    async def pages(data: bytes) -> list[FaxPage]:
        return [one.page for one in read_tiff(data) if one.page is not None]

    assert description.inbox is not None
    path = str(folder / "fetched" / "api.json")
    line.beside.append(ProviderInbox("api", description.inbox, asking, pages, path, aside, clock, 60.0))
    line.set_receiver(receiver)
    line.start()

    async def go_on() -> None:
        clock.advance(1.0)

    async def ring(faxed: list[FaxPage]) -> None:
        sinch.inbox["IN1"] = write_tiff(faxed)

    return ProviderRig(line, receiver, "+1", "+2", go_on, ring, sinch=sinch, clock=clock, agent=agent)


class TestProvider(FaxLineContract):
    """The account at a provider."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def rig(self) -> ProviderRig:
        return rig_in(self.folder)

    async def test_the_reference_is_on_the_disk_before_the_fax_leaves(self) -> None:
        """Then the provider's own id follows; both are told to whoever writes the ledger."""
        rig = await self.rig()
        await rig.called("+1", self.page)
        told = [event.facts["native"] for event in rig.events if event.kind == "submitted"]
        assert told == ["ref job-1-0", "id F0"]
        assert rig.sinch.faxes["F0"]["labels"] == {"reference": "job-1-0"}
        assert rig.sinch.faxes["F0"]["maxRetries"] == 0

    async def test_an_answer_that_never_came_is_looked_for_and_nothing_is_sent_twice(self) -> None:
        rig = await self.rig()
        rig.sinch.broken = lambda: ResponseNeverReceived([])
        outcome = await rig.called("+1", self.page)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 1)
        assert len(rig.sinch.faxes) == 1

    async def test_what_cannot_be_found_stays_in_doubt_and_says_so(self) -> None:
        """Its list is not said to be complete: the fax may be there."""
        rig = await self.rig()
        rig.sinch.broken, rig.sinch.takes = lambda: ResponseNeverReceived([]), False
        outcome = await rig.called("+1", self.page)
        assert (outcome.cause, outcome.end_sent, outcome.pages_confirmed) == (FaxCause.TIMEOUT, True, 0)
        assert "not known" in outcome.native

    async def test_a_provider_that_cannot_be_reached_is_a_line_that_is_down(self) -> None:
        """Nothing left, so another line may take the fax at once."""
        rig = await self.rig()
        rig.sinch.broken, rig.sinch.takes = DNSLookupError, False
        outcome = await rig.called("+1", self.page)
        assert (outcome.cause, outcome.end_sent) == (FaxCause.LINE_DOWN, False)

    @pytest.mark.parametrize(
        ("code", "cause"),
        [
            (401, FaxCause.LINE_DOWN),
            (402, FaxCause.LINE_DOWN),
            (422, FaxCause.REJECTED),
            (429, FaxCause.CONGESTION),
            (503, FaxCause.CONGESTION),
            (413, FaxCause.BAD_DOCUMENT),
            (500, FaxCause.TIMEOUT),
        ],
    )
    async def test_what_a_refusal_means(self, code: int, cause: FaxCause) -> None:
        rig = await self.rig()
        rig.sinch.takes, rig.sinch.holding = False, Deferred()
        rig.sinch.holding.callback(Said.json({"message": "no"}, code))
        assert (await rig.called("+1", self.page)).cause is cause

    async def test_a_fax_is_found_again_after_a_restart(self) -> None:
        """By its id, and before there was one by our reference."""
        rig = await self.rig()
        job = rig.job("+1", 1)
        rig.line.send(job, FixedPages(self.page))
        rig.clock.advance(0)
        await rig.line.stop()
        for native in ("id F0", "ref job-1-0"):
            again = rig_in(self.folder, rig.sinch)
            call = again.line.find(native, rig.job("+1", 1))
            for _ in range(60):
                again.clock.advance(1.0)
            assert (await call.when_done()).cause is FaxCause.OK
            await again.line.stop()
        assert len(rig.sinch.faxes) == 1

    async def test_fewer_pages_than_were_sent_are_never_called_all(self) -> None:
        rig = await self.rig()
        rig.sinch.fates = {
            "+1": {"status": "COMPLETED", "pagesSentSuccessfully": 1},
            "+3": {"status": "FAILURE", "errorCode": 11, "pagesSentSuccessfully": 2},
        }
        assert (await rig.called("+1", self.page, self.page)).pages_confirmed == 1
        outcome = await rig.called("+3", self.page, self.page)
        assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.DROPPED, 1)

    async def test_a_fax_of_which_nothing_is_heard_is_given_up_in_doubt(self) -> None:
        rig = await self.rig()
        rig.sinch.fates = {"+1": {"status": "something new"}}
        call = rig.line.send(rig.job("+1", 1), FixedPages(self.page))
        for _ in range(400):
            rig.clock.advance(20.0)
        assert (await call.when_done()).end_sent

    async def test_a_call_from_the_provider_makes_us_look_at_once(self) -> None:
        rig = await self.rig()
        call = rig.line.send(rig.job("+1", 1), FixedPages(self.page))
        rig.clock.advance(0)
        for _ in range(2):
            assert rig.line.wake("F0")
            rig.clock.advance(0)
        assert (await call.when_done()).cause is FaxCause.OK
        assert rig.clock.seconds() == 0
        assert not rig.line.wake("F0")

    async def test_a_fax_comes_in_once_also_after_a_restart(self) -> None:
        """The provider lists it for a week."""
        rig = await self.rig()
        await rig.ring([self.page])
        for _ in range(3):
            rig.clock.advance(60.0)
        await rig.line.stop()
        again = rig_in(self.folder, rig.sinch)
        again.clock.advance(60.0)
        await again.line.stop()
        assert [len(one.receiver.ends) for one in (rig, again)] == [1, 0]
        [(ringing, _)] = rig.receiver.ends
        assert (ringing.caller, ringing.called) == ("+4930111", "+9")

    async def test_a_document_that_is_none_is_handed_on_as_it_is_and_the_others_come(self) -> None:
        """Once, and it is not asked for again; of one that the provider does not give people hear after some looks."""
        rig = await self.rig()
        rig.sinch.inbox["BAD"], rig.sinch.inbox["GONE"] = b"no fax", b""
        await rig.ring([self.page])
        for _ in range(10):
            rig.clock.advance(60.0)
        assert len(rig.receiver.ends) == 1
        assert [(call.id, document) for call, document, _ in rig.receiver.unread] == [
            ("api-BAD", b"no fax"),
            ("api-GONE", b""),
        ]
        assert "GONE" in rig.receiver.unread[1][2]
        assert rig.agent is not None
        asked = [one.url.rpartition("/faxes/")[2] for one in rig.agent.asked if one.url.endswith("/file")]
        assert [asked.count(f"{name}/file") for name in ("BAD", "GONE")] == [1, 5]

    async def test_a_provider_that_is_down_for_hours_loses_no_fax(self) -> None:
        """However often its document was asked for in vain."""
        rig = await self.rig()
        await rig.ring([self.page])
        assert rig.agent is not None
        honest = rig.agent.answers
        rig.agent.answers = lambda asked: Said(503) if asked.url.endswith("/file") else honest(asked)
        for _ in range(60):
            rig.clock.advance(60.0)
        assert (rig.receiver.ends, rig.receiver.unread) == ([], [])
        rig.agent.answers = honest
        rig.clock.advance(60.0)
        assert len(rig.receiver.ends) == 1

    async def test_new_faxes_are_found_behind_many_old_ones(self) -> None:
        """A list that keeps what was fetched long ago hides nothing."""
        rig = await self.rig()
        rig.sinch.inbox = {f"OLD{number}": b"no fax" for number in range(150)}
        for _ in range(3):
            rig.clock.advance(60.0)
        assert len({call.id for call, _, _ in rig.receiver.unread}) == 150


LIES = {
    "no JSON": b"<html>busy</html>",
    "nothing": b"",
    "a deep one": b"[" * 200_000,
    "another shape": b'[[1, 2], {"id": {"id": []}}]',
    "odd figures": b'{"id": "F0", "status": "COMPLETED", "pagesSentSuccessfully": 1e999, "price": {"amount": -7}}',
    "no number": b'{"id": "F0", "status": "COMPLETED", "pagesSentSuccessfully": "many", "price": {"amount": "NaN"}}',
    "more pages than there were": b'{"id": "F0", "status": "COMPLETED", "pagesSentSuccessfully": 77}',
    "an id that leads elsewhere": b'{"id": "../../accounts", "status": "COMPLETED"}',
}


@pytest.mark.parametrize("lie", sorted(LIES))
@pytest.mark.parametrize("to", ["handing over", "looking"])
def test_a_provider_that_lies_makes_no_fax_go_twice(tmp_path: Path, lie: str, to: str) -> None:
    """Whatever it answers: one fax was handed over, and no more pages are confirmed than there are."""
    rig = rig_in(tmp_path)
    assert rig.agent is not None
    honest = rig.sinch.answer

    def answer(asked: Asked) -> Any:
        said = honest(asked)
        posted = asked.method == "POST"
        return Said(200, LIES[lie]) if posted is (to == "handing over") and "direction" not in asked.url else said

    rig.agent.answers = answer
    call = rig.line.send(rig.job("+1", 1), FixedPages(FaxLineContract.page))
    done = call.when_done()
    for _ in range(2000):
        if done.called:
            break
        rig.clock.advance(20)
    outcome: Any = done.result
    assert outcome.cause in (FaxCause.OK, FaxCause.TIMEOUT), outcome
    assert outcome.cause is FaxCause.OK or outcome.end_sent
    assert outcome.pages_confirmed <= 1
    assert outcome.cost >= 0
    assert sum(one.method == "POST" for one in rig.agent.asked) == 1


def test_a_fault_after_a_fax_was_handed_over_leaves_a_doubt(tmp_path: Path, logged_failures: Any) -> None:
    """Nobody knows what became of it then: it is not sent once more in silence."""
    rig = rig_in(tmp_path)
    assert rig.agent is not None

    def breaks(_: Any, __: Any) -> None:
        raise ZeroDivisionError

    rig.line._read = breaks
    done = rig.line.send(rig.job("+1", 1), FixedPages(FaxLineContract.page)).when_done()
    for _ in range(10):
        rig.clock.advance(20)
    outcome: Any = done.result
    assert (outcome.cause, outcome.end_sent) == (FaxCause.INTERNAL, True)
    assert len(logged_failures.flush(ZeroDivisionError)) == 1


def test_nobody_but_the_provider_is_asked() -> None:
    """Addresses in answers and settings lead nowhere else, and never without TLS but on this machine."""
    description, _ = fitted(load_provider("telnyx", ""), HttpOptions("telnyx", settings={"connection": "1"}))
    assert description.may_ask("https://api.telnyx.com/v2/faxes")
    assert not description.may_ask("http://api.telnyx.com/v2/faxes")
    assert not description.may_ask("https://evil.example/")
    assert not description.may_ask("https://x.amazonaws.com/1.pdf")
    assert description.may_ask("https://x.amazonaws.com/1.pdf", document=True)
    assert not description.may_ask("http://169.254.169.254/", document=True)
    assert urlsplit(description.base).hostname in description.hosts
