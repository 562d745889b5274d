"""A printer that speaks IPP, counts its copies, and can be off, busy, out of paper, forgetful or cut off in the middle.

In memory by :class:`PretendAgent`, over a socket by :meth:`PretendPrinter.site`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost, ConnectionRefusedError  # noqa: A004 - Twisted's own
from twisted.internet.interfaces import IConsumer
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseNeverReceived
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from mailshare.core.values import PrinterState, PrintState
from mailshare.wire.ipp_codec import MessageReader, decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Message,
    Tag,
    Value,
    boolean,
    enum,
    integer,
    keyword,
    mime_type,
    name_of,
    text,
    uri,
)

_CREATING = (Operation.CREATE_JOB, Operation.SEND_DOCUMENT)
_ALWAYS = (
    Operation.PRINT_JOB,
    Operation.VALIDATE_JOB,
    Operation.CANCEL_JOB,
    Operation.GET_JOB_ATTRIBUTES,
    Operation.GET_JOBS,
    Operation.GET_PRINTER_ATTRIBUTES,
)


@define
class PretendJob:
    """A job that the printer got.

    :ivar options: Job Template attributes that came with it, first values.
    :ivar told: it tells its impressions.
    """

    number: int
    name: str
    user: str
    options: Mapping[str, object] = field(factory=dict)
    document: bytes | None = None
    state: PrintState = PrintState.PENDING
    reasons: tuple[str, ...] = ("job-incoming",)
    impressions: int = 0


@define
class PretendPrinter:
    """The printer.

    :ivar formats: media types that it takes.
    :ivar knows: names of Job Template attributes that it knows.
    :ivar off: it cannot be reached; ``busy`` every job is refused with *busy*; ``accepting`` it takes jobs.
    :ivar stopped: it prints nothing; ``reasons`` why.
    :ivar in_steps: it knows Create-Job.
    :ivar forgetful: jobs that are over are gone from its lists.
    :ivar calls_all: what it calls every job, whatever its sender calls it.
    :ivar streams: it prints while a document arrives, so that a broken one has left paper.
    :ivar by_hand: jobs stay *processing* until :meth:`finish`.
    :ivar cut_after: octets of a document after which the connection breaks, once; 0 = never.
    :ivar silent_at: operation that is done once without an answer; 0 = none.
    :ivar lie: a status that it gives to every job instead of doing it; ``None`` = it is honest.
    :ivar printed: documents that came out, one for each copy.
    :ivar asked: operations that it was asked for, in order.
    """

    formats: tuple[str, ...] = ("application/pdf", "image/jpeg", "image/pwg-raster")
    knows: tuple[str, ...] = ("copies", "sides", "media", "print-color-mode")
    off: bool = False
    busy: bool = False
    accepting: bool = True
    stopped: bool = False
    reasons: tuple[str, ...] = ()
    in_steps: bool = True
    forgetful: bool = False
    calls_all: str = ""
    streams: bool = False
    by_hand: bool = False
    cut_after: int = 0
    silent_at: int = 0
    lie: Status | None = None
    printed: list[bytes] = field(factory=list)
    jobs: dict[int, PretendJob] = field(factory=dict)
    asked: list[Operation] = field(factory=list)

    # ------------------------------------------------------------------ what happens at the printer

    def finish(self, number: int = 0) -> None:
        """Print what is under way, or that job alone."""
        for job in self.jobs.values():
            if job.document is not None and not job.state.final and number in (0, job.number):
                self._print(job)

    def _print(self, job: PretendJob) -> None:
        copies = job.options.get("copies", 1)
        assert job.document is not None
        self.printed += [job.document] * (copies if isinstance(copies, int) else 1)
        job.state, job.reasons, job.impressions = PrintState.COMPLETED, ("job-completed-successfully",), 3

    def broken_off(self, request: Message, data: bytes) -> None:
        """The connection broke when so much of a document had come."""
        job = self.jobs.get(_number(request)) if request.code == Operation.SEND_DOCUMENT else self._new(request)
        if job is None:
            return
        if self.streams:
            self.printed.append(data)
            job.impressions = 1
        job.state, job.reasons = PrintState.ABORTED, ("aborted-by-system", "submission-interrupted")

    # ------------------------------------------------------------------ what it answers

    def take(self, request: Message, data: bytes) -> Message:
        """Do what is asked for."""
        self.asked.append(Operation(request.code))
        code = request.code
        if code == Operation.GET_PRINTER_ATTRIBUTES:
            return _answer(request, Status.OK, self._attributes())
        if code == Operation.GET_JOBS:
            return _answer(request, Status.OK, *self._listed(request))
        if code in (Operation.GET_JOB_ATTRIBUTES, Operation.CANCEL_JOB):
            return self._about(request)
        if code == Operation.SEND_DOCUMENT:
            job = self.jobs.get(_number(request))
            if job is None or job.state.final:
                return _answer(request, Status.NOT_POSSIBLE)
            return self._got(request, job, data)
        if self.lie is not None:
            return _answer(request, self.lie)
        if self.busy or not self.accepting:
            return _answer(request, Status.BUSY if self.busy else Status.NOT_ACCEPTING_JOBS)
        kind = request.group(Tag.OPERATION).get("document-format")
        if kind is not None and kind.first.text not in self.formats:
            return _answer(request, Status.FORMAT_NOT_SUPPORTED)
        if code == Operation.VALIDATE_JOB:
            return _answer(request, Status.OK)
        if code == Operation.CREATE_JOB and not self.in_steps:
            return _answer(request, Status.OPERATION_NOT_SUPPORTED)
        job = self._new(request)
        return self._got(request, job, data) if code == Operation.PRINT_JOB else _answer(request, 0, _shown(job))

    def _new(self, request: Message) -> PretendJob:
        operation, number = request.group(Tag.OPERATION), len(self.jobs) + 1
        named = {one: operation.get(one) for one in ("job-name", "requesting-user-name")}
        name, user = (one.first.text if one is not None else "" for one in named.values())
        options = {one.name: one.first.data for one in request.group(Tag.JOB).attributes}
        job = self.jobs[number] = PretendJob(number, self.calls_all or name, user, options)
        return job

    def _got(self, request: Message, job: PretendJob, data: bytes) -> Message:
        job.document = data
        job.state, job.reasons = PrintState.PROCESSING, ("job-printing",)
        if not self.by_hand and not self.stopped:
            self._print(job)
        return _answer(request, Status.OK, _shown(job))

    def _about(self, request: Message) -> Message:
        job = self.jobs.get(_number(request))
        if job is None or (self.forgetful and job.state.final):
            return _answer(request, Status.NOT_FOUND)
        if request.code == Operation.CANCEL_JOB:
            if job.state.final:
                return _answer(request, Status.NOT_POSSIBLE)
            job.state, job.reasons = PrintState.CANCELED, ("job-canceled-by-user",)
        return _answer(request, Status.OK, _shown(job))

    def _listed(self, request: Message) -> list[Group]:
        which = request.group(Tag.OPERATION).get("which-jobs")
        over = which is not None and which.first.text == "completed"
        return [
            _shown(job) for job in self.jobs.values() if job.state.final is over and not (over and self.forgetful)
        ]

    def _attributes(self) -> Group:
        operations = (*_ALWAYS, *(_CREATING if self.in_steps else ()))
        state = PrinterState.STOPPED if self.stopped else PrinterState.IDLE
        return Group(
            Tag.PRINTER,
            (
                mime_type("document-format-supported", *self.formats),
                keyword("job-creation-attributes-supported", *self.knows),
                enum("operations-supported", *operations),
                enum("printer-state", state),
                keyword("printer-state-reasons", *(self.reasons or ("none",))),
                text("printer-state-message", "Stopped" if self.stopped else "Ready"),
                boolean("printer-is-accepting-jobs", self.accepting),
                integer("queued-job-count", sum(not job.state.final for job in self.jobs.values())),
                text("printer-make-and-model", "Pretend Printer"),
                boolean("color-supported", True),
                keyword("media-supported", "iso_a4_210x297mm"),
                keyword("sides-supported", "one-sided", "two-sided-long-edge"),
            ),
        )

    def site(self) -> Site:
        """The factory to listen with, so that other processes print on it."""
        return Site(_Face(self))


def _answer(request: Message, status: int, *groups: Group) -> Message:
    common = (
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
    )
    return Message(request.version, status, request.request_id, (Group(Tag.OPERATION, common), *groups))


def _number(request: Message) -> int:
    found = request.group(Tag.OPERATION).get("job-id")
    return found.first.number if found is not None else 0


def _shown(job: PretendJob) -> Group:
    return Group(
        Tag.JOB,
        (
            integer("job-id", job.number),
            uri("job-uri", f"ipp://printer.example/jobs/{job.number}"),
            name_of("job-name", job.name),
            enum("job-state", job.state),
            keyword("job-state-reasons", *job.reasons),
            integer("job-impressions-completed", job.impressions),
            integer("number-of-documents", 0 if job.document is None else 1),
        ),
    )


class _Face(Resource):
    """The printer as others reach it over HTTP."""

    isLeaf = True

    def __init__(self, printer: PretendPrinter) -> None:
        super().__init__()
        self._printer = printer

    def render_POST(self, request: Any) -> bytes | int:
        """One request; Twisted calls this."""
        message, data = decode(request.content.read())
        printer = self._printer
        if printer.off:
            request.transport.abortConnection()
            return NOT_DONE_YET
        answer = encode(printer.take(message, data))
        if printer.silent_at == message.code:
            printer.silent_at = 0
            request.transport.abortConnection()
            return NOT_DONE_YET
        request.setHeader(b"Content-Type", b"application/ipp")
        return answer


class _Response:
    """An answer that is all there."""

    code = 200

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def deliverBody(self, protocol: Any) -> None:
        """Hand it over; the client calls this."""
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(self._data)
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IConsumer)
class _Taking:
    """What arrives at the printer."""

    def __init__(self, printer: PretendPrinter, body: Any) -> None:
        self._printer = printer
        self._body = body
        self._reader = MessageReader()
        self.data = b""
        self.cut = False

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Nobody calls this here."""

    def unregisterProducer(self) -> None:
        """Nor this."""

    @property
    def request(self) -> Message:
        """The request, once its attributes are there."""
        assert self._reader.message is not None
        return self._reader.message

    def write(self, data: bytes) -> None:
        """Some octets; the client calls this."""
        if self.cut:
            return
        self.data += self._reader.feed(data)
        limit = self._printer.cut_after
        if limit and len(self.data) >= limit:
            self._printer.cut_after = 0
            self.cut = True
            self.data = self.data[:limit]
            self._printer.broken_off(self.request, self.data)
            self._body.stopProducing()


@implementer(IAgent)
class PretendAgent:
    """Brings requests to a printer in memory."""

    def __init__(self, printer: PretendPrinter) -> None:
        self._printer = printer

    def request(self, method: bytes, uri: bytes, headers: object = None, bodyProducer: Any = None) -> Deferred[Any]:
        """One request; the client calls this."""
        del method, uri, headers
        if self._printer.off:
            return fail(ConnectionRefusedError())
        taking = _Taking(self._printer, bodyProducer)
        answered: Deferred[Any] = bodyProducer.startProducing(taking)
        return answered.addCallback(lambda _: self._answered(taking))

    def _answered(self, taking: _Taking) -> _Response:
        printer = self._printer
        if taking.cut:
            raise ResponseNeverReceived([Failure(ConnectionLost())])
        answer = encode(printer.take(taking.request, taking.data))
        if printer.silent_at == taking.request.code:
            printer.silent_at = 0
            raise ResponseNeverReceived([Failure(ConnectionLost())])
        return _Response(answer)
