"""``ipp:``, ``ipps:`` and ``cups:``: printers that speak IPP, and queues of a CUPS scheduler.

A printer that knows Create-Job names the job before it gets the document, so a crash before that has printed nothing.
With the others only their list of jobs can tell, and where it does not, nobody can.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IAgent
from zope.interface import implementer

from mailshare.core.device_uri import DeviceURI, read_uri
from mailshare.core.errors import Doubtful, MailshareError, NotTaken, PolicyRefusal, Unavailable
from mailshare.core.values import (
    Capabilities,
    Certainty,
    DeviceJob,
    DeviceRef,
    PrinterState,
    PrinterStatus,
    PrinterTask,
    Server,
)
from mailshare.interfaces import IPrintable, IPrinterDriver, IPrinterKind
from mailshare.printing.drivers.ipp_exchange import IPPExchange, agent_for
from mailshare.printing.drivers.looking import look_by_clock
from mailshare.wire import ipp_client as ipp
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Message

KEPT = 60.0  # seconds that what a printer can do is believed
_AT_ONCE = 4

AgentFor = Callable[[Any, Server], IAgent]


@implementer(IPrinterKind)
class IPPKind:
    """Makes drivers for one of the schemes.

    :param scheme: ``ipp``, ``ipps`` or ``cups``.
    :param agent: who posts, by the server.
    """

    def __init__(self, scheme: str, reactor: Any, agent: AgentFor = agent_for) -> None:
        self.scheme = scheme
        self._reactor = reactor
        self._agent = agent

    def driver(self, name: str, uri: str) -> IPPDriver:
        """The driver of one printer."""
        address = read_uri(uri)
        server = Server("ipp", address.host, address.port, options=address.options)
        return IPPDriver(name, uri, address, self._agent(self._reactor, server), self._reactor)


@implementer(IPrinterDriver)
class IPPDriver:
    """One printer.

    :param agent: posts the requests.
    """

    at_once = _AT_ONCE

    def __init__(self, name: str, uri: str, address: DeviceURI, agent: IAgent, clock: IReactorTime) -> None:
        self.name = name
        self.uri = uri
        # What a CUPS scheduler calls completed is that its own backend got rid of the job.
        self.certainty = Certainty.ACCEPTED if address.scheme == "cups" else Certainty.COMPLETED
        host = f"[{address.host}]" if ":" in address.host else address.host
        place = f"{host}:{address.port}{address.path or '/'}"
        secure = address.scheme == "ipps"
        self._printer = f"{'ipps' if secure else 'ipp'}://{place}"
        self._exchange = IPPExchange(agent, f"{'https' if secure else 'http'}://{place}", clock)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._facts: ipp.PrinterFacts | None = None
        self._asked = 0.0
        self._keeps_names = False

    # ------------------------------------------------------------------ the printer

    async def capabilities(self) -> Capabilities:
        """What it can do, as it said in the last minute."""
        return (await self._known()).capabilities

    async def _known(self) -> ipp.PrinterFacts:
        if self._facts is None or self._clock.seconds() - self._asked > KEPT:
            answer = await self._exchange.ask(ipp.ask_capabilities(next(self._numbers), self._printer))
            if answer.code >= Status.BAD_REQUEST:
                raise Unavailable(ipp.said_no(answer.code, answer))
            self._facts, self._asked = ipp.read_capabilities(answer), self._clock.seconds()
        return self._facts

    async def status(self) -> PrinterStatus:
        """How it stands now."""
        try:
            answer = await self._exchange.ask(ipp.ask_status(next(self._numbers), self._printer))
        except Unavailable as fault:
            return PrinterStatus(None, ("offline-report",), fault.public, accepting=False)
        if answer.code >= Status.BAD_REQUEST:
            return PrinterStatus(None, ("other-report",), ipp.said_no(answer.code, answer), accepting=False)
        return ipp.read_status(answer)

    # ------------------------------------------------------------------ a job

    async def submit(
        self, task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> DeviceRef:
        """Validate-Job, then Create-Job and Send-Document, or Print-Job where the printer knows no better."""
        try:
            facts = await self._known()
        except Unavailable as fault:
            raise NotTaken(fault.public, reasons=("connecting-to-device",)) from fault
        await self._ready()
        wanted = ipp.template(task.options, facts.capabilities.options)
        if Operation.VALIDATE_JOB in facts.operations:
            await self._before(Operation.VALIDATE_JOB, ipp.about_job(task, document.format), wanted)
        if not facts.in_two_steps:
            request = self._request(Operation.PRINT_JOB, ipp.about_job(task, document.format), wanted)
            return _ref(self._good(await self._exchange.ask(request, document)), task)
        ref = _ref(await self._before(Operation.CREATE_JOB, ipp.about_job(task), wanted), task)
        await named(ref)
        about = ipp.about_document(task, _job(ref)[0], document.format)
        try:
            self._good(await self._exchange.ask(self._request(Operation.SEND_DOCUMENT, about), document))
        except (NotTaken, PolicyRefusal):
            await self._forget(ref)  # the job stands there empty
            raise
        return ref

    def _request(self, code: int, about: Any, wanted: Any = None) -> Message:
        groups = (wanted,) if wanted is not None and wanted.attributes else ()
        return ipp.request(code, next(self._numbers), self._printer, *about, groups=groups)

    async def _before(self, code: int, about: Any, wanted: Any) -> Message:
        """An operation without a document: whatever goes wrong, nothing was sent."""
        try:
            answer = await self._exchange.ask(self._request(code, about, wanted))
        except Unavailable as fault:
            raise NotTaken(fault.public, reasons=("connecting-to-device",)) from fault
        return self._good(answer)

    async def _ready(self) -> None:
        """It takes jobs and prints.

        :raises NotTaken: it does not; what is wrong stands in the reasons.
        """
        standing = await self.status()
        if not standing.accepting:
            raise NotTaken(standing.message or "The printer takes no jobs now", reasons=standing.reasons)
        if standing.state is PrinterState.STOPPED:
            raise NotTaken(standing.message or "The printer has stopped", reasons=standing.reasons)

    @staticmethod
    def _good(answer: Message) -> Message:
        if answer.code < Status.BAD_REQUEST:
            return answer
        words = ipp.said_no(answer.code, answer)
        if ipp.later(answer.code) or answer.code >= Status.INTERNAL_ERROR:
            raise NotTaken(words)
        raise PolicyRefusal(words)

    async def _forget(self, ref: DeviceRef) -> None:
        try:
            await self.cancel(ref)
        except MailshareError:
            return  # an empty job prints nothing, and the printer drops it in time

    async def find(self, task: PrinterTask) -> DeviceRef | None:
        """By the end of its name, in the lists of jobs to come and jobs that are over."""
        facts = await self._known()
        for which in ("not-completed", "completed"):
            answer = await self._exchange.ask(ipp.ask_jobs(next(self._numbers), self._printer, which))
            found = ipp.find_job(answer, task) if answer.code < Status.BAD_REQUEST else 0
            if found:
                self._keeps_names = True
                return _named(found, task)
        if facts.in_two_steps:
            return None  # its number would be known before the first octet had gone
        raise Doubtful("The printer's list of jobs does not have it; it may have printed it and forgotten it")

    async def poll(self, ref: DeviceRef) -> DeviceJob:
        """Get-Job-Attributes."""
        number, mark, user = _job(ref)
        request = ipp.ask_job(Operation.GET_JOB_ATTRIBUTES, next(self._numbers), self._printer, number, user)
        answer = await self._exchange.ask(request)
        if answer.code in (Status.NOT_FOUND, Status.GONE):
            raise Doubtful("The printer does not remember it any more")
        if ipp.bears(answer, mark):
            self._keeps_names = True
        elif self._keeps_names and answer.code < Status.BAD_REQUEST:
            # Many printers count their jobs from 1 again when they are switched on.
            raise Doubtful("The printer gave the number of the job to another one")
        found = ipp.read_job(answer, self.certainty)
        if answer.code >= Status.BAD_REQUEST or found is None:
            raise Unavailable(ipp.said_no(answer.code, answer))
        return found

    async def cancel(self, ref: DeviceRef) -> None:
        """Cancel-Job."""
        number, _, user = _job(ref)
        request = ipp.ask_job(Operation.CANCEL_JOB, next(self._numbers), self._printer, number, user)
        answer = await self._exchange.ask(request)
        if ipp.later(answer.code):
            raise Unavailable(ipp.said_no(answer.code, answer))

    def watch(self, ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """By the clock: printers that tell of events by themselves are few, and every one answers."""
        del ref
        return look_by_clock(self._clock, look)


def _ref(answer: Message, task: PrinterTask) -> DeviceRef:
    number = ipp.job_id(answer)
    if not number:
        raise Doubtful("The printer took it and gave it no number")
    return _named(number, task)


def _named(number: int, task: PrinterTask) -> DeviceRef:
    """Number, the mark that its name ends in, and owner: printers let nobody else cancel it."""
    return DeviceRef(f"{number} {ipp.mark_of(task)} {ipp.user_of(task)}")


_REF = re.compile(r"(\d+) (?:(#[0-9a-f]{12}) )?(.*)", re.DOTALL)


def _job(ref: DeviceRef) -> tuple[int, str, str]:
    """Number, mark and owner; those of before there were marks have none."""
    found = _REF.fullmatch(ref.text)
    if found is None:
        raise Doubtful("Its name at the printer was not kept")
    return int(found[1]), found[2] or "", found[3]
