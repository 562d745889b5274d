"""Calls of the pretended network that go to another process: a connection over a local socket is a call.

Whoever calls asks, whoever is called answers, one after the other. A frame is its length in four octets, then a line of
JSON, then the octets of a page where there is one: ``screen`` with what is known of the call (answered with a cause),
``page`` (answered when it is on the disk there), ``finished``. Whoever fetches asks instead of ``page``: ``waiting``
(is anything there?), ``poll`` with what is known (answered with the count of pages), ``give`` with the number of a page
(answered with it), ``taken`` when it has that page. A connection that is lost is a call that broke off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from fnmatch import fnmatchcase
from typing import Any

from attrs import asdict
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from typing_extensions import override
from zope.interface import implementer

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.values.fax import CallFacts, Coding, FaxCause, FaxPage, Ringing
from mailshare.fax.lines.door import Door
from mailshare.fax.lines.loop_polls import Machine
from mailshare.interfaces import IFaxOffer, IFaxOffers, IFaxPages, IFaxReceiver
from mailshare.wire.tiff_fax import write_tiff

_MOST = 32 * 1024 * 1024  # octets of a frame: a page
_ANSWER = 120.0  # seconds that an answer may take
_IDLE = 900.0  # seconds from one question to the next; a page may take minutes on a slow line
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_SIZES = ("width", "rows", "x_res", "y_res", "bad_rows")
_Answer = tuple[dict[str, Any], bytes]
_TEXTS = ("caller", "called", "display", "station", "subaddress", "password")
At = Callable[[str], Machine | None]
"""Who is reached under a number of this process, ``None`` for nobody."""


class HungUp(Unavailable):
    """The connection was lost in the middle of a call."""


class _Frames(Int32StringReceiver):
    MAX_LENGTH = _MOST
    transport: Any

    def send(self, told: Mapping[str, object], octets: bytes = b"") -> None:
        """One frame."""
        self.sendString(json.dumps(told).encode() + b"\n" + octets)

    @override
    def lengthLimitExceeded(self, length: int) -> None:
        """A page that is none; Twisted calls this."""
        del length
        self.transport.abortConnection()


def _frame(octets: bytes) -> tuple[dict[str, Any], bytes]:
    words, _, rest = octets.partition(b"\n")
    return dict(json.loads(words)), rest


def _page_told(page: FaxPage) -> dict[str, object]:
    return {"coding": page.coding.value, **{name: getattr(page, name) for name in _SIZES}}


def _page_of(told: Mapping[str, Any], octets: bytes) -> FaxPage:
    return FaxPage(coding=Coding(told["coding"]), data=octets, **{name: int(told[name]) for name in _SIZES})


@implementer(IFaxReceiver, IFaxOffers)
class FarEnd(_Frames):
    """The machine that a call in another process reaches, as the one who calls sees it.

    :param clock: ``callLater``.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._asked: Deferred[_Answer] | None = None
        self._lost = False

    async def screen(self, call: Ringing) -> FaxCause:
        """Ask whether it takes the call."""
        return FaxCause((await self.ask({"screen": asdict(call)}))[0]["cause"])

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        """Send a page, and wait until it lies on the disk there."""
        await self.ask({"id": call.id, "page": number, **_page_told(page)}, page.data)

    async def finished(self, call: Ringing, facts: CallFacts) -> None:
        """Say how it ended."""
        await self.ask({"id": call.id, "finished": {**asdict(facts), "cause": facts.cause.value}})

    async def waiting(self, call: Ringing) -> bool:
        """Ask whether anything is there to be fetched."""
        return bool((await self.ask({"id": call.id, "waiting": True}))[0]["waiting"])

    async def offered(self, call: Ringing) -> IFaxOffer | None:
        """Ask for it."""
        pages = int((await self.ask({"id": call.id, "poll": asdict(call)}))[0]["pages"])
        return _FarOffer(self, call, pages) if pages > 0 else None

    async def unreadable(self, call: Ringing, facts: CallFacts, document: bytes, why: str) -> None:
        """A telephone call gives pages, and no documents."""
        del call, facts, document
        raise Unavailable(why)

    def hang_up(self) -> None:
        """The call is over."""
        self.transport.loseConnection()

    async def ask(self, told: Mapping[str, object], octets: bytes = b"") -> _Answer:
        """Ask, and wait for the answer: its words, and the octets of a page."""
        if self._lost:
            raise HungUp("The far end hung up")
        self._asked = Deferred(lambda _: self.transport.abortConnection())
        self._asked.addTimeout(_ANSWER, self._clock)
        self.send(told, octets)
        try:
            answer, page = await self._asked
        except defer.TimeoutError as fault:
            raise HungUp("The far end gave no answer in time") from fault
        finally:
            self._asked = None
        if "refused" in answer:
            raise Unavailable(str(answer["refused"])[:200])
        return answer, page

    @override
    def stringReceived(self, string: bytes) -> None:
        """An answer; Twisted calls this."""
        asked, self._asked = self._asked, None
        try:
            answer = _frame(string)
        except ValueError:
            self.transport.abortConnection()
            answer = {"refused": "The far end said what is no answer"}, b""
        if asked is not None and not asked.called:
            asked.callback(answer)

    @override
    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Twisted calls this."""
        del reason
        self._lost = True
        if self._asked is not None and not self._asked.called:
            self._asked.errback(HungUp("The far end hung up"))


@implementer(IFaxOffer, IFaxPages)
class _FarOffer:
    """What a machine in another process has for us."""

    def __init__(self, far: FarEnd, call: Ringing, count: int) -> None:
        self.pages = self
        self.count = count
        self._far = far
        self._call = call

    async def encode(self, page: int, coding: Coding) -> FaxPage:
        """Have a page sent; in which coding is the far end's to say."""
        del coding
        told, octets = await self._far.ask({"id": self._call.id, "give": page})
        try:
            return _page_of(told, octets)
        except (ValueError, TypeError, KeyError) as fault:
            raise HungUp("The far end sent what is no page") from fault

    async def document(self, first: int) -> bytes:
        """The pages from there on as a file."""
        return write_tiff([await self.encode(number, Coding.MMR) for number in range(first, self.count)])

    async def page_taken(self, number: int) -> None:
        """Say that a page is here."""
        await self._far.ask({"id": self._call.id, "taken": number})

    async def finished(self, facts: CallFacts) -> None:
        """Say that it is over."""
        await self._far.finished(self._call, facts)


class _Caller(_Frames):
    """Somebody in another process who calls a line of this one."""

    _log = Logger()

    def __init__(self, trunk: LoopTrunk) -> None:
        self._trunk = trunk
        self._ringing: Ringing | None = None
        self._far: Machine | None = None
        self._offer: IFaxOffer | None = None
        self._turn = DeferredLock()
        self._idle: Any = None
        self.over: Deferred[None] = Deferred()

    @override
    def connectionMade(self) -> None:
        """Twisted calls this."""
        self._trunk.callers.add(self)
        self._wait()

    def _wait(self) -> None:
        self._idle = self._trunk.reactor.callLater(_IDLE, self.hang_up)

    def hang_up(self) -> None:
        """The line is taken away, or nothing was heard for long."""
        self.transport.abortConnection()

    @override
    def stringReceived(self, string: bytes) -> None:
        """A question; whoever asks the next before this one is answered is rude. Twisted calls this."""
        if self._turn.locked:
            self.hang_up()
            return
        self._idle.cancel()
        self._soon(self._answered(string))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        """One after the other: the end of a call comes after what is being worked on."""
        self._turn.run(Deferred.fromCoroutine, work).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        self._log.failure("a call over the trunk failed", failure=failure)
        self.hang_up()

    async def _answered(self, string: bytes) -> None:
        try:
            answer, octets = await self._answer(*_frame(string))
        except (ValueError, TypeError, KeyError) as fault:
            self._log.warn("a call over the trunk says what nobody understands: {why}", why=str(fault)[:200])
            self.hang_up()
            return
        except MailshareError as fault:
            answer, octets = {"refused": fault.public}, b""
        if self.transport.connected:
            self._wait()
            self.send(answer, octets)

    async def _answer(self, told: Mapping[str, Any], octets: bytes) -> tuple[dict[str, object], bytes]:
        if "screen" in told:
            return {"cause": (await self._screened(told["screen"])).value}, b""
        if self._far is None or self._ringing is None or told.get("id") != self._ringing.id:
            raise ValueError("there is no such call")
        if "finished" in told:
            facts = told["finished"]
            await self._end(_facts(facts))
            return {}, b""
        if "waiting" in told:
            offers = self._far.offers
            return {"waiting": offers is not None and await offers.waiting(self._ringing)}, b""
        if "poll" in told:
            return {"pages": await self._polled(self._far, told["poll"])}, b""
        if self._offer is not None:
            return await self._given(self._offer, told)
        await self._far.receiver.page_received(self._ringing, int(told["page"]), _page_of(told, octets))
        return {}, b""

    async def _polled(self, far: Machine, told: Mapping[str, Any]) -> int:
        """How many pages whoever calls may fetch; none for a wrong box or password."""
        ringing = self._rings(told)
        if far.offers is None or self._offer is not None or ringing.id != getattr(self._ringing, "id", ""):
            raise ValueError("nothing can be fetched in this call")
        self._offer = await far.offers.offered(ringing)
        if self._offer is None:
            self._far = None
            return 0
        return self._offer.pages.count

    @staticmethod
    async def _given(offer: IFaxOffer, told: Mapping[str, Any]) -> tuple[dict[str, object], bytes]:
        number = int(told["give"] if "give" in told else told["taken"])
        if not 0 <= number < offer.pages.count:
            raise ValueError("there is no such page")
        if "taken" in told:
            await offer.page_taken(number)
            return {}, b""
        page = await offer.pages.encode(number, Coding.MMR)
        return _page_told(page), page.data

    def _rings(self, told: Mapping[str, Any]) -> Ringing:
        texts = {name: str(told.get(name, ""))[:60] for name in _TEXTS}
        return Ringing(str(told["id"]), self._trunk.name, **texts)

    async def _screened(self, told: Mapping[str, Any]) -> FaxCause:
        number = str(told["called"])
        line = self._trunk.at(number)
        if line is None:
            return FaxCause.BAD_NUMBER
        if not _SAFE.match(str(told["id"])) or (self._ringing and self._ringing.id != told["id"]):
            raise ValueError("a call has one name, of letters and digits")
        if self._ringing is None and not self._trunk.has_room():
            return FaxCause.BUSY
        ringing = self._rings(told)
        cause = await line.receiver.screen(ringing)
        if cause is FaxCause.OK:
            self._far, self._ringing = line, ringing
        return cause

    async def _end(self, facts: CallFacts) -> None:
        far, ringing, self._far = self._far, self._ringing, None
        offer, self._offer = self._offer, None
        if offer is not None:
            await offer.finished(facts)
        elif far is not None and ringing is not None:
            await far.receiver.finished(ringing, facts)

    async def _left(self) -> None:
        """Nobody is there any more; a call that was not over broke off."""
        known = self._ringing
        try:
            if known is not None:
                await self._end(CallFacts(FaxCause.DROPPED, known.station, known.subaddress))
        finally:
            self.over.callback(None)

    @property
    def is_call(self) -> bool:
        """A machine here has taken it, and it is not over."""
        return self._far is not None

    @override
    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Whoever called hung up, or is no more; Twisted calls this."""
        del reason
        self._trunk.callers.discard(self)
        if self._idle.active():
            self._idle.cancel()
        self._soon(self._left())


def _facts(told: Mapping[str, Any]) -> CallFacts:
    return CallFacts(
        FaxCause(told["cause"]),
        str(told["station"])[:20],
        str(told["subaddress"])[:20],
        int(told["rate"]),
        bool(told["ecm"]),
        float(told["seconds"]),
        str(told["password"])[:40],
    )


class LoopTrunk:
    """The ways of one line to other processes.

    :param name: of the line.
    :param at: who is reached under a number here.
    :param listen: endpoint at which others call; empty = none do.
    :param routes: patterns of numbers to the endpoints of the processes where they ring.
    :param channels: calls that are taken at the same time; the next ones find it busy.
    """

    def __init__(
        self, name: str, reactor: Any, at: At, *, listen: str, routes: Mapping[str, str], channels: int
    ) -> None:
        self.name = name
        self.reactor = reactor
        self.at = at
        self.callers: set[_Caller] = set()
        self._routes = routes
        self._channels = channels
        self._door = Door(name, reactor, listen, Factory.forProtocol(lambda: _Caller(self))) if listen else None

    def leads_to(self, number: str) -> str:
        """The endpoint of the process where a number rings; empty for none."""
        return next((place for one, place in self._routes.items() if fnmatchcase(number, one)), "")

    async def call(self, place: str) -> FarEnd | None:
        """A connection to that process; ``None`` when nobody is there."""
        try:
            far: FarEnd = await connectProtocol(clientFromString(self.reactor, place), FarEnd(self.reactor))
        except (ConnectError, OSError):
            return None
        return far

    def has_room(self) -> bool:
        """Whether one more call can be taken."""
        return sum(one.is_call for one in self.callers) < self._channels

    def start(self) -> None:
        """Let others call."""
        if self._door is not None:
            self._door.open()

    async def stop(self) -> None:
        """Nobody calls any more; calls that come in break off."""
        if self._door is not None:
            await self._door.close()
        calls = list(self.callers)
        for each in calls:
            each.hang_up()
        for each in calls:
            await each.over
