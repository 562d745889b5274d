"""One IPP request and its answer: the checks that come first, the operation, and the document that may follow."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from attrs import frozen
from twisted.logger import Logger

from mailshare.core.errors import MailshareError, NoSuchJob, NotPossible, StorageFull, Unavailable
from mailshare.core.values import PrintJob
from mailshare.printing.destinations import Destination
from mailshare.printing.documents import CompressionWrong, DocumentIntake, FormatRefused, TooLarge
from mailshare.printing.service import PrintService
from mailshare.wire.ipp_asked import Refused, Request, answer, unsupported_group
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_job import Place, job_attributes, job_uri_of
from mailshare.wire.ipp_printer import Described
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag

PATH = "/ipp/print"
IPP_PORT = 631
AUTHORITY = re.compile(r"[A-Za-z0-9.-]{1,255}(?::[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?\Z")
_OTHER_PATHS = ("/printers", "/ipp")


@frozen
class Caller:
    """From where a request comes.

    :ivar peer: its address; ``operator`` whether it may steer queues and everybody's jobs.
    :ivar authority: ``host:port`` as the client calls us; ``path`` that of the HTTP request.
    :ivar ports: the port of each scheme that is served, for the other ways to reach a queue.
    :ivar user: the login that was proved, or empty.
    """

    peer: str
    authority: str
    path: str = PATH
    secure: bool = False
    operator: bool = False
    ports: Mapping[str, int] = {}
    user: str = ""

    @property
    def scheme(self) -> str:
        """``ipp`` or ``ipps``."""
        return "ipps" if self.secure else "ipp"


def split_authority(authority: str) -> tuple[str, str]:
    """Host, and port or nothing."""
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and port.isdigit() else (authority, "")


Work = Callable[[], Awaitable[Message]]
Begin = Callable[["Exchange"], Work]


class Exchange:
    """Begins with a request's attributes, takes its document if it has one, and ends with the answer.

    :ivar intake: takes the document; ``None`` when none is expected.
    :ivar endings: are called once, however it ends.
    """

    _log = Logger()

    def __init__(
        self, service: PrintService, operations: Mapping[int, Begin], message: Message, caller: Caller
    ) -> None:
        self.service = service
        self.request = Request(message, authenticated=caller.user)
        self.caller = caller
        self.intake: DocumentIntake | None = None
        self.endings: list[Callable[[], object]] = []
        self._refused: MailshareError | None = None
        self._work: Work | None = None
        try:
            self.request.check()
            begin = operations.get(message.code)
            if begin is None or not self._offered(message.code):
                raise Refused(Status.OPERATION_NOT_SUPPORTED, "This operation is not supported")
            self._work = begin(self)
        except MailshareError as refusal:
            self._refused = refusal
            self.abort()

    def _offered(self, code: int) -> bool:
        return code not in (Operation.PRINT_URI, Operation.SEND_URI) or bool(self.service.rules.fetch_from)

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Octets of the document; an awaitable when the disk is behind. Dropped when none is wanted."""
        return None if self.intake is None else self.intake.write(data)

    def abort(self) -> None:
        """The client went away, or was refused, or all is done. May be called again."""
        endings, self.endings = self.endings, []
        for end in endings:
            end()
        if self.intake is not None:
            self.intake.abort()
            self.intake = None

    async def finish(self) -> Message:
        """All has come: do it, and say what came of it. Never raises."""
        message = self.request.message
        try:
            if self._refused is not None:
                raise self._refused
            assert self._work is not None
            return await self._work()
        except MailshareError as refusal:
            return self._refusal(refusal)
        except Exception:  # noqa: BLE001 - the one shell of the protocol: what escapes is a program error, logged here once
            self._log.failure("operation 0x{code:04x} failed", code=message.code)
            return answer(message, Status.INTERNAL_ERROR, "Something went wrong here")
        finally:
            self.abort()

    def _refusal(self, refusal: MailshareError) -> Message:
        message = self.request.message
        if isinstance(refusal, Refused):
            return answer(message, refusal.ipp_status, refusal.public, unsupported_group(refusal.unsupported))
        status = Status.INTERNAL_ERROR
        if isinstance(refusal, NoSuchJob):
            status = Status.NOT_FOUND
        elif isinstance(refusal, NotPossible):
            status = Status.NOT_POSSIBLE
        elif isinstance(refusal, FormatRefused):
            status = Status.FORMAT_ERROR
        elif isinstance(refusal, TooLarge):
            status = Status.TOO_LARGE
        elif isinstance(refusal, CompressionWrong):
            status = Status.COMPRESSION_ERROR
        elif isinstance(refusal, (StorageFull, Unavailable)):
            status = Status.TEMPORARY_ERROR
        else:
            self._log.warn("operation 0x{code:04x}: {why}", code=message.code, why=refusal.public)
        return answer(message, status, refusal.public)

    def done(self, groups: Sequence[Group] = (), status: Status = Status.OK, message: str = "") -> Message:
        """The answer to what was done; with what was ignored, if anything was."""
        ignored = self.request.ignored
        if ignored and status is Status.OK:
            status = Status.OK_IGNORED_OR_SUBSTITUTED
        return answer(self.request.message, status, message, [*unsupported_group(ignored), *groups])

    # ------------------------------------------------------------------ what it is about

    def queue(self) -> Destination:
        """The queue that ``printer-uri`` names.

        :raises Refused: it is missing, or there is none of that name.
        """
        text = self.request.uri("printer-uri")
        if not text:
            raise Refused(Status.BAD_REQUEST, "printer-uri is missing")
        return self._queue_of(text)

    def _queue_of(self, text: str) -> Destination:
        try:
            path = unquote(urlsplit(text).path)
        except ValueError as error:
            raise Refused(Status.BAD_REQUEST, "That is no URI") from error
        name = _name_in(path)
        found = None if name is None else self.service.queue(name)
        if found is None:
            raise Refused(Status.NOT_FOUND, "There is no printer of that name here")
        return found

    def job(self) -> tuple[Destination, PrintJob]:
        """The job that ``job-uri``, or ``printer-uri`` with ``job-id``, names.

        :raises Refused: that is missing, or there is none.
        """
        job_uri = self.request.uri("job-uri")
        if job_uri:
            parts = job_uri_of(job_uri)
            if parts is None:
                raise Refused(Status.NOT_FOUND, "That URI is none of a job here")
            queue, number = self._queue_of(parts[0]), parts[1]
        else:
            queue = self.queue()
            asked = self.request.number("job-id")
            if asked is None:
                raise Refused(Status.BAD_REQUEST, "job-id is missing")
            number = asked
        job = self.service.board.get(number)
        if job is None or job.ticket.queue != queue.name:
            raise Refused(Status.NOT_FOUND, f"There is no job {number} on this printer")
        return queue, job

    def own(self, job: PrintJob) -> None:
        """Only whoever sent a job, and operators, may do this.

        :raises Refused: it is somebody else's.
        """
        if not self.caller.operator and job.ticket.user != self.request.user:
            raise Refused(Status.NOT_AUTHORIZED, "This job is somebody else's")

    def operate(self) -> None:
        """Only operators may do this.

        :raises Refused: the request comes from elsewhere.
        """
        if not self.caller.operator:
            raise Refused(Status.NOT_AUTHORIZED, "Only an operator may do this, see [print] operators")

    # ------------------------------------------------------------------ names for things

    @property
    def authority(self) -> str:
        """``host`` or ``host:port`` as the client names us in the request, else in its HTTP header."""
        text = self.request.uri("printer-uri") or self.request.uri("job-uri")
        named = text.partition("://")[2].partition("/")[0]
        return named if AUTHORITY.match(named) else self.caller.authority

    def uri_of(self, queue: Destination) -> str:
        """The URI of a queue with the host that the client used."""
        return f"{self.caller.scheme}://{self.authority}{PATH}/{queue.name}"

    def web_of(self, queue: Destination) -> str:
        """The address of its pages; IPP's own port must be written, since a browser knows another one."""
        scheme = "https" if self.caller.secure else "http"
        _, port = split_authority(self.authority)
        authority = self.authority if port else f"{self.authority}:{IPP_PORT}"
        return f"{scheme}://{authority}{PATH}/{queue.name}"

    def described(self, queue: Destination) -> Described:
        """What a queue says of itself to this client."""
        host, _ = split_authority(self.authority)
        uris = [(self.uri_of(queue), "tls" if self.caller.secure else "none")]
        for scheme, port in self.caller.ports.items():
            if scheme != self.caller.scheme:
                security = "tls" if scheme == "ipps" else "none"
                uris.append((f"{scheme}://{host}:{port}{PATH}/{queue.name}", security))
        return self.service.described(queue, uris, self.web_of(queue))

    def place(self, job: PrintJob, queue: Destination) -> Place:
        """From where a job is looked at."""
        intervening = self.service.board.intervening(job)
        return Place(self.uri_of(queue), self.web_of(queue), self.service.now(), intervening)

    def job_group(self, job: PrintJob, queue: Destination, names: Sequence[str]) -> Group:
        """The job attributes of these names."""
        wanted = set(names)
        found: list[Attribute] = job_attributes(job, self.place(job, queue))
        return Group(Tag.JOB, tuple(one for one in found if one.name in wanted))


def _name_in(path: str) -> str | None:
    """The queue's name in a path: ``/ipp/print/office``, ``/printers/office``; empty for the first one."""
    for start in (PATH, *_OTHER_PATHS):
        if path.rstrip("/") == start or path == "/":
            return ""
        if path.startswith(f"{start}/"):
            name = path[len(start) + 1 :].strip("/")
            return None if "/" in name else name
    return "" if not path else None
