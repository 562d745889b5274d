"""The pretended network between two processes: the contract over a socket, and what a lost connection comes to."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from mailshare.config import load_config
from mailshare.core.errors import ConfigFault, Unavailable
from mailshare.core.values.fax import FaxCause, FaxJob, FaxOutcome, FaxPage, Ringing
from mailshare.fax.lines.loop import LoopLine, LoopNetwork
from mailshare.fax.lines.loop_trunk import LoopTrunk
from mailshare.testing.fax_line_contract import FaxLineContract, FixedPages, NotingOffers, NotingReceiver, Rig


class HeldReceiver(NotingReceiver):
    """Takes the pages of ``holds`` only when it is let.

    :ivar full: it cannot keep any page.
    """

    def __init__(self) -> None:
        super().__init__()
        self.holds: dict[int, Deferred[None]] = {}
        self.reached: list[int] = []
        self.full = False

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        self.reached.append(number)
        if number in self.holds:
            await self.holds[number]
        if self.full:
            raise Unavailable("The disk is full")
        await super().page_received(call, number, page)


class Two:
    """Two networks, as two processes have them, with a line each: ``+9`` here, ``+8`` there."""

    def __init__(self, folder: Path) -> None:
        self.far = HeldReceiver()
        lines = []
        for own, other in (("+9", "+8"), ("+8", "+9")):
            network = LoopNetwork(reactor)
            trunk = LoopTrunk(
                f"line{own}",
                reactor,
                network.answering,
                listen=f"unix:{folder}/{own}",
                routes={other: f"unix:{folder}/{other}", "+7": f"unix:{folder}/nobody"},
                channels=1,
            )
            lines.append(LoopLine(f"line{own}", network, [own], {"+2": "busy"}, channels=2, trunk=trunk))
        self.line, self.other = lines
        self.receiver = NotingReceiver()
        self.line.set_receiver(self.receiver)
        self.other.set_receiver(self.far)
        for each in lines:
            each.start()

    async def go_on(self) -> None:
        await deferLater(reactor, 0.002)

    def rig(self) -> Rig:
        async def ring(pages: list[FaxPage]) -> None:
            self.other.send(rig.job("+9", len(pages)), FixedPages(*pages))

        async def polled(offers: NotingOffers, job: FaxJob, far: NotingReceiver) -> FaxOutcome:
            self.line.set_offers(offers)
            return await rig.end_of(self.other.poll(job, far))

        rig = Rig(self.line, self.receiver, "+8", "+2", self.go_on, ring, offering="+8", polled=polled)
        self.other.set_offers(rig.offers)
        return rig

    async def until(self, condition) -> None:  # type: ignore[no-untyped-def]
        end = reactor.seconds() + 60
        while not condition():
            assert reactor.seconds() < end
            await self.go_on()

    async def stop(self) -> None:
        await self.line.stop()
        await self.other.stop()


PAGE = FaxLineContract.page


class TestTrunk(FaxLineContract):
    """The contract, with a socket in the middle."""

    two: Two

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        yield
        pytest_twisted.blockon(Deferred.fromCoroutine(self.two.stop()))

    async def rig(self) -> Rig:
        self.two = Two(self.folder)
        return self.two.rig()


async def test_pages_and_facts_cross_the_socket(tmp_path: Path) -> None:
    """Bit for bit; the station and the number called are told; a number where nobody listens has no carrier."""
    two = Two(tmp_path)
    rig = two.rig()
    assert (await rig.called("+8", PAGE, PAGE)).cause is FaxCause.OK
    [(ringing, facts)] = two.far.ends
    assert two.far.pages == [PAGE, PAGE]
    assert (ringing.line, ringing.caller, ringing.called, facts.cause) == ("line+8", "+9", "+8", FaxCause.OK)
    assert (await rig.called("+7", PAGE)).cause is FaxCause.NO_CARRIER
    assert (await rig.called("+6", PAGE)).cause is FaxCause.BAD_NUMBER
    await two.stop()


async def test_a_second_call_finds_it_busy(tmp_path: Path) -> None:
    """One channel there, one call."""
    two = Two(tmp_path)
    two.far.holds[0] = Deferred()
    first = two.line.send(FaxJob("a", "+8", "+8", 1), FixedPages(PAGE))
    await two.until(lambda: two.far.reached)
    outcome = await two.line.send(FaxJob("b", "+8", "+8", 1), FixedPages(PAGE)).when_done()
    assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.BUSY, 0)
    two.far.holds[0].callback(None)
    assert (await first.when_done()).cause is FaxCause.OK
    await two.stop()


@pytest.mark.parametrize(("held", "confirmed", "unsure"), [(0, 0, False), (1, 1, True)])
async def test_a_far_end_that_goes_breaks_the_call_off(
    tmp_path: Path, held: int, confirmed: int, unsure: bool
) -> None:
    """What was confirmed counts, and nothing else; of the last page nobody knows whether it arrived."""
    two = Two(tmp_path)
    two.far.holds[held] = Deferred()
    call = two.line.send(FaxJob("a", "+8", "+8", 2), FixedPages(PAGE, PAGE))
    await two.until(lambda: held in two.far.reached)
    stopped = Deferred.fromCoroutine(two.other.stop())
    outcome = await call.when_done()
    assert (outcome.cause, outcome.pages_confirmed, outcome.end_sent) == (FaxCause.DROPPED, confirmed, unsure)
    two.far.holds[held].callback(None)
    await stopped
    assert [facts.cause for _, facts in two.far.ends] == [FaxCause.DROPPED]
    await two.line.stop()


async def test_a_page_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    """It is not confirmed, and both ends know."""
    two = Two(tmp_path)
    two.far.full = True
    outcome = await two.line.send(FaxJob("a", "+8", "+8", 1), FixedPages(PAGE)).when_done()
    assert (outcome.cause, outcome.pages_confirmed, outcome.end_sent) == (FaxCause.PAGE_REFUSED, 0, False)
    assert [facts.cause for _, facts in two.far.ends] == [FaxCause.PAGE_REFUSED]
    await two.stop()


async def test_a_caller_that_hangs_up_leaves_a_call_that_broke_off(tmp_path: Path) -> None:
    """What it had sent stays; a second call finds the channel free."""
    two = Two(tmp_path)
    two.far.holds[1] = Deferred()
    call = two.line.send(FaxJob("a", "+8", "+8", 2), FixedPages(PAGE, PAGE))
    await two.until(lambda: 1 in two.far.reached)
    assert await two.line.cancel("a")
    assert (await call.when_done()).cause is FaxCause.CANCELLED
    two.far.holds.pop(1).callback(None)
    await two.until(lambda: two.far.ends)
    assert two.far.ends[0][1].cause is FaxCause.DROPPED
    two.far.pages.clear()
    assert (await two.line.send(FaxJob("b", "+8", "+8", 1), FixedPages(PAGE)).when_done()).cause is FaxCause.OK
    await two.stop()


@pytest.mark.parametrize(
    "said",
    [
        struct.pack(">I", 0x7FFFFFFF),
        b"\0\0\0\4rude",
        b"\0\0\0\2[]",
        b'\0\0\0\15{"screen": {}}'[:17],
        b"\0\0\0\x2e" + b'{"screen": {"called": "+8", "id": "../../etc"}}',
        b"\0\0\0\x16" + b'{"id": "a", "page": 0}',
    ],
)
async def test_rude_callers_reach_nobody(tmp_path: Path, said: bytes) -> None:
    """What is no frame, too long, or of no call ends the connection or is refused; the line serves on."""
    two = Two(tmp_path)
    rude = await connectProtocol(UNIXClientEndpoint(reactor, f"{tmp_path}/+8"), _Rude())
    rude.transport.write(said)
    await two.until(lambda: rude.lost or rude.heard)
    rude.transport.abortConnection()
    assert not rude.heard or b"refused" in rude.heard
    assert not two.far.ends
    assert (await two.line.send(FaxJob("b", "+8", "+8", 1), FixedPages(PAGE)).when_done()).cause is FaxCause.OK
    await two.stop()


class _Rude(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost = True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ('listen = "tcp:4560"', "leaves this machine"),
        ('listen = "tcp:4560:interface=192.0.2.1"', "leaves this machine"),
        ('trunks = { "+8" = "tcp:192.0.2.1:4560" }', "leaves this machine"),
        ('trunks = { "+8" = "ssl:127.0.0.1:4560" }', "no endpoint of this machine"),
        ('numbers = { "+8" = "bussy" }', "nothing that happens"),
    ],
)
def test_what_cannot_be_is_said_by_the_check(tmp_path: Path, options: str, words: str) -> None:
    """Nobody is asked for a password, so no call leaves the machine; a misspelt word is no machine that answers."""
    file = tmp_path / "m.toml"
    text = '[server]\nhostname = "a.example"\n[fax]\ncountry = "DE"\n[[fax_line]]\nname = "l"\nkind = "loop"\n'
    file.write_text(f"{text}options = {{ {options} }}\n")
    with pytest.raises(ConfigFault) as fault:
        load_config(str(file))
    assert words in str(fault.value)
    file.write_text(f'{text}options = {{ listen = "tcp:4560:interface=127.0.0.1", trunks = {{ "+8" = "unix:/x" }} }}\n')
    load_config(str(file))
