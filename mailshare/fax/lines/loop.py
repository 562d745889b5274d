"""A telephone network inside the process: every kind of end that a call can have, at will, and no telephone needed.

Who is called under which number is said in the options of a line: a word for what happens there, e.g. ``busy``; what
is not said is another loop line with that number, whose office the fax then reaches, or a trunk to another process
(:mod:`mailshare.fax.lines.loop_trunk`). Nothing here is left to chance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from mailshare.core.errors import MailshareError
from mailshare.core.fax_scripts import BREAKS, END_UNKNOWN, ENDS, NO_ECM, NOISY
from mailshare.core.values.fax import (
    CallFacts,
    Coding,
    FaxCapabilities,
    FaxCause,
    FaxJob,
    FaxOutcome,
    FaxPage,
    Ringing,
)
from mailshare.fax.lines.calling import Call, Calls
from mailshare.fax.lines.loop_polls import Fetch, Machine
from mailshare.fax.lines.loop_trunk import HungUp, LoopTrunk
from mailshare.interfaces import IFaxOffers, IFaxPages, IFaxReceiver, IPolledLine, IPollingLine

_RING = 4.0  # seconds
_TRAIN = 6.0
Scripted = Callable[[str], Awaitable[FaxCause]]
"""What a call comes to at a number where a word says what happens."""
Talk = Callable[[Machine, Ringing], Awaitable[tuple[FaxCause, bool]]]
"""What a call comes to that is answered: the cause, and whether the far end may have the last page all the same."""


class LoopNetwork:
    """Who can be reached under which number."""

    _known: ClassVar[WeakKeyDictionary[Any, LoopNetwork]] = WeakKeyDictionary()

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.lines: list[LoopLine] = []

    @classmethod
    def of(cls, clock: IReactorTime) -> LoopNetwork:
        """The network of a reactor: all offices of a process can call each other."""
        return cls._known.setdefault(clock, cls(clock))

    def at(self, number: str) -> LoopLine | None:
        """The line that a number rings."""
        return next((one for one in self.lines if any(fnmatchcase(number, own) for own in one.numbers)), None)

    def answering(self, number: str) -> Machine | None:
        """Who takes calls to a number."""
        line = self.at(number)
        return line.machine if line is not None else None


@frozen
class Script:
    """What happens at one number, call by call; the last word holds for all that follow."""

    words: tuple[str, ...]
    calls: list[str] = field(factory=list)

    @classmethod
    def parse(cls, text: str) -> Script:
        """``busy*2,answers`` and the like."""
        words: list[str] = []
        for step in text.split(","):
            word, _, times = step.partition("*")
            words += [word] * int(times or 1)
        return cls(tuple(words))

    def next(self) -> str:
        """The word for the next call."""
        word = self.words[min(len(self.calls), len(self.words) - 1)]
        self.calls.append(word)
        return word


@implementer(IPollingLine, IPolledLine)
class LoopLine:
    """A line of that network.

    :param numbers: its own, which others call; ``*`` stands for any digits.
    :param scripts: number (or pattern) to what happens there.
    :param speed: how much faster than a telephone its calls go; 0 = no waiting at all.
    :param trunk: its ways to other processes.
    :ivar taken: what machines of scripts have taken: number to pages, call by call.
    """

    capabilities = FaxCapabilities(receive=True, password=True, polls=True, polled=True)
    trouble = ""

    def __init__(
        self,
        name: str,
        network: LoopNetwork,
        numbers: Sequence[str] = (),
        scripts: Mapping[str, str] | None = None,
        channels: int = 4,
        speed: float = 0.0,
        trunk: LoopTrunk | None = None,
    ) -> None:
        self.name = name
        self.numbers = tuple(numbers)
        self.taken: dict[str, list[list[FaxPage]]] = {}
        self._network = network
        self._scripts = {pattern: Script.parse(text) for pattern, text in (scripts or {}).items()}
        self._channels = channels
        self._speed = speed
        self._trunk = trunk
        self._calls = Calls()
        self._serial = 0
        self.receiver: IFaxReceiver | None = None
        self.offers: IFaxOffers | None = None
        self._up = False

    def start(self) -> None:
        """Be reachable."""
        self._up = True
        self._network.lines.append(self)
        if self._trunk is not None:
            self._trunk.start()

    async def stop(self) -> None:
        """Hang up."""
        self._up = False
        if self in self._network.lines:
            self._network.lines.remove(self)
        await self._calls.end_all()
        if self._trunk is not None:
            await self._trunk.stop()

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Who takes calls."""
        self.receiver = receiver

    def set_offers(self, offers: IFaxOffers) -> None:
        """Who has pages for machines that poll."""
        self.offers = offers

    @property
    def machine(self) -> Machine | None:
        """Who answers here."""
        return Machine(self.receiver, self.offers) if self.receiver is not None else None

    def free_channels(self) -> int:
        """As many as are not in use."""
        return self._channels - len(self._calls.by_id) if self._up else 0

    def send(self, job: FaxJob, pages: IFaxPages) -> Call:
        """Call."""
        return self._calls.begin(
            Call(
                job,
                lambda call: self._made(
                    call,
                    lambda word: self._by_script(call, pages, word),
                    lambda far, ringing: self._to_line(call, pages, far.receiver, ringing),
                ),
            )
        )

    def poll(self, job: FaxJob, receiver: IFaxReceiver) -> Call:
        """Call, and fetch."""
        return self._calls.begin(
            Call(
                job,
                lambda call: self._made(
                    call,
                    self._nothing_there,
                    lambda far, ringing: Fetch(call, far, receiver, self.name, self._after).made(ringing),
                ),
            )
        )

    @staticmethod
    async def _nothing_there(word: str) -> FaxCause:
        """A machine that a word makes takes faxes, and offers none."""
        return ENDS.get(word, FaxCause.POLL_REFUSED)

    def find(self, native: str, job: FaxJob) -> Call | None:
        """There is no machine beside this process."""
        del native, job
        return None

    def find_poll(self, native: str, job: FaxJob, receiver: IFaxReceiver) -> Call | None:
        """As :meth:`find`."""
        del receiver
        return self.find(native, job)

    async def cancel(self, call_id: str) -> bool:
        """Hang up on one."""
        return self._calls.cancel(call_id)

    def _after(self, seconds: float) -> Deferred[None]:
        """So many seconds of a telephone call; at least another turn of the reactor."""
        return deferLater(self._network.clock, seconds / self._speed if self._speed else 0.0)

    # ------------------------------------------------------------------ a call

    async def _made(self, call: Call, scripted: Scripted, talk: Talk) -> FaxOutcome:
        network, began = self._network, self._network.clock.seconds()
        await self._after(0.0)
        await call.tell("dialing")
        number = call.job.number or call.job.dial
        script = next((one for pattern, one in self._scripts.items() if fnmatchcase(number, pattern)), None)
        await self._after(_RING)
        word = "" if script is None else script.next()
        unsure = word == END_UNKNOWN
        agreed: list[Mapping[str, Any]] = []
        call.observe(lambda event: agreed.append(event.facts) if event.kind == "negotiated" else None)
        if word:
            cause = await scripted(word)
        else:
            cause, unsure = await self._to_number(call, talk, number)
        facts = agreed[-1] if agreed else {}
        return FaxOutcome(
            cause,
            call.confirmed,
            end_sent=unsure,
            seconds=network.clock.seconds() - began if self._speed else 0.0,
            **facts,
        )

    async def _to_number(self, call: Call, talk: Talk, number: str) -> tuple[FaxCause, bool]:
        """The cause, and whether the far end may have the last page without our knowing."""
        self._serial += 1
        line = self._network.at(number)
        name = line.name if line is not None else ""
        ringing = Ringing(f"{call.job.id}-{self._serial}", name, _own(self), number)
        if line is not None and line.machine is not None:
            return await talk(line.machine, ringing)
        place = self._trunk.leads_to(number) if self._trunk is not None else ""
        if self._trunk is None or not place:
            return FaxCause.BAD_NUMBER, False
        far = await self._trunk.call(place)
        if far is None:
            return FaxCause.NO_CARRIER, False
        try:
            return await talk(Machine(far, far), ringing)
        finally:
            far.hang_up()

    async def _by_script(self, call: Call, pages: IFaxPages, word: str) -> FaxCause:
        if word in ENDS:
            return ENDS[word]
        await call.tell("answered")
        await self._after(_TRAIN)
        taken: list[FaxPage] = []
        self.taken.setdefault(call.job.number or call.job.dial, []).append(taken)
        name, _, count = word.partition(":")
        most = int(count) if count else None
        rate, ecm = call.job.max_rate, call.job.ecm and name != "slow"
        if name == NOISY:
            if rate > int(count):
                return FaxCause.CANNOT_TRAIN
            most = None
        await call.tell("negotiated", rate=rate, ecm=ecm, remote_id=call.job.number or call.job.dial)
        if name == NO_ECM and ecm:
            return FaxCause.DROPPED
        if name == END_UNKNOWN:
            most = pages.count - call.job.first_page - 1

        async def take(_: int, page: FaxPage) -> None:
            taken.append(page)

        coding = Coding.MH if name == "slow" else Coding.MMR
        if not await self._pages(call, pages, take, coding, most):
            return BREAKS.get(name, FaxCause.DROPPED)
        return FaxCause.OK

    async def _to_line(
        self, call: Call, pages: IFaxPages, far: IFaxReceiver, ringing: Ringing
    ) -> tuple[FaxCause, bool]:
        try:
            cause = await far.screen(ringing)
        except MailshareError:
            cause = FaxCause.NO_ANSWER
        if cause is not FaxCause.OK:
            return cause, False
        await call.tell("answered")
        await self._after(_TRAIN)
        try:
            job = call.job
            said = evolve(ringing, station=job.ident, subaddress=job.subaddress, password=job.password)
            cause = await far.screen(said)
        except MailshareError:
            return FaxCause.DROPPED, False
        if cause is not FaxCause.OK:
            await self._over(call, far, ringing, cause)
            return cause, False
        await call.tell("negotiated", rate=call.job.max_rate, ecm=call.job.ecm, remote_id=ringing.called)
        sent = -1

        async def take(number: int, page: FaxPage) -> None:
            nonlocal sent
            sent = number
            await far.page_received(ringing, number, page)

        cause, unsure = FaxCause.DROPPED, False
        try:
            await self._pages(call, pages, take, Coding.MMR, None)
            cause = FaxCause.OK
        except HungUp:
            unsure = call.job.first_page + sent == pages.count - 1
        except MailshareError:
            cause = FaxCause.PAGE_REFUSED
        finally:
            await self._over(call, far, ringing, cause)
        return cause, unsure

    @staticmethod
    async def _over(call: Call, far: IFaxReceiver, ringing: Ringing, cause: FaxCause) -> None:
        with contextlib.suppress(HungUp):  # it knows by itself
            job = call.job
            await far.finished(ringing, CallFacts(cause, job.ident, job.subaddress, job.max_rate, ecm=job.ecm))

    async def _pages(
        self,
        call: Call,
        pages: IFaxPages,
        take: Callable[[int, FaxPage], Awaitable[None]],
        coding: Coding,
        most: int | None,
    ) -> bool:
        """Send what is left; False when it broke off after ``most`` pages."""
        for number in range(call.job.first_page, pages.count):
            await call.tell("begun", number)
            page = await pages.encode(number, coding)
            await self._after(len(page.data) * 8 / call.job.max_rate)
            if most is not None and number - call.job.first_page >= most:
                return False
            await take(number - call.job.first_page, page)
            await call.tell("page", number)
        return True


def _own(line: LoopLine) -> str:
    return next((number for number in line.numbers if "*" not in number), "")
