"""Operations that make jobs and give them documents.

Sources: RFC 8011 sections 4.2.1 to 4.2.4, 4.3.1 and 4.3.2, PWG 5100.7 section 4.1, PWG 5100.13.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from mailshare.core.errors import MailshareError
from mailshare.core.print_formats import OCTETS
from mailshare.core.values import PrintDocument, PrintJob, PrintTicket
from mailshare.interfaces import IBody
from mailshare.printing.destinations import Destination
from mailshare.printing.documents import Said
from mailshare.printing.exchange import Begin, Exchange, Work
from mailshare.printing.fetching import fetch, fetchable
from mailshare.printing.subscribing import subscribe_to_job
from mailshare.wire.ipp_asked import Refused, printable
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_job import CREATED
from mailshare.wire.ipp_printer import COMPRESSIONS
from mailshare.wire.ipp_values import Message, Tag, mime_type, text, uri

_ALSO_MANDATORY = frozenset({"job-name", "document-format", "compression", "ipp-attribute-fidelity", "document-name"})


def _asked_for(exchange: Exchange, queue: Destination) -> tuple[dict[str, object], bool]:
    """The options of a new job, checked; and whether it wants them exactly."""
    request = exchange.request
    fidelity = request.truth("ipp-attribute-fidelity") or False
    options = request.options(request.message.group(Tag.JOB), queue.abilities)
    if fidelity:
        request.refuse_ignored()
    mandatory = set(request.words("job-mandatory-attributes") or ())
    missing = {one.name for one in request.ignored} & mandatory
    if missing or mandatory - set(options) - _ALSO_MANDATORY:
        request.refuse_ignored()
    return options, fidelity


def _ready(exchange: Exchange, queue: Destination) -> None:
    """The queue takes jobs now.

    :raises Refused: it does not.
    """
    if not exchange.service.states.get(queue.name).accepting:
        raise Refused(Status.NOT_ACCEPTING_JOBS, "This printer takes no jobs at present")
    if exchange.service.full(queue):
        raise Refused(Status.TOO_MANY_JOBS, "Too many jobs wait for this printer")


def _ticket(exchange: Exchange, queue: Destination) -> PrintTicket:
    request = exchange.request
    options, fidelity = _asked_for(exchange, queue)
    language = request.text("attributes-natural-language", Tag.LANGUAGE, default="en")
    return exchange.service.ticket(
        queue,
        user=request.user,
        name=printable(request.name("job-name") or request.name("document-name"))[:255],
        options=options,
        fidelity=fidelity,
        via=exchange.caller.scheme,
        peer=exchange.caller.peer,
        language=printable(language)[:63],
    )


def _held(exchange: Exchange, queue: Destination, ticket: PrintTicket) -> bool:
    """The job waits to be released: it says so, or new jobs do."""
    wish = exchange.service.options(queue, ticket.options).get("job-hold-until", "no-hold")
    return wish != "no-hold" or exchange.service.states.get(queue.name).holding


def _document_is(exchange: Exchange, queue: Destination) -> Said:
    """What the request says of the document, checked.

    :raises Refused: its format or compression is none of ours.
    """
    request = exchange.request
    compression = request.text("compression", default="none")
    if compression not in COMPRESSIONS:
        words = request.operation.get("compression")
        raise Refused(Status.COMPRESSION_NOT_SUPPORTED, "That compression is not known here", [words] if words else [])
    declared = request.text("document-format", Tag.MIME_TYPE, default=OCTETS).lower()
    bare = declared.partition(";")[0].strip()
    if bare not in queue.abilities.formats:
        unsupported = [mime_type("document-format", printable(declared))]
        raise Refused(Status.FORMAT_NOT_SUPPORTED, "That document format is not printed here", unsupported)
    if request.operation.get("document-password") is not None:
        raise Refused(Status.ATTRIBUTES_NOT_SUPPORTED, "Documents with a password are not printed here")
    name = printable(request.name("document-name"))[:255]
    return Said(compression, bare, name, printable(request.text("document-natural-language", Tag.LANGUAGE))[:63])


async def _taken(exchange: Exchange, queue: Destination) -> tuple[PrintDocument, IBody]:
    """The document that came behind the request.

    :raises Refused: there is none, or its octets are of no format that is printed here.
    """
    intake = exchange.intake
    assert intake is not None
    if not intake.length and intake.fault is None:
        raise Refused(Status.BAD_REQUEST, "The request has no document")
    document, body = await intake.finish()
    exchange.service.check_format(queue, document)
    return document, body


async def _created(exchange: Exchange, queue: Destination, job: PrintJob) -> Message:
    """The answer to an operation that made a job or added to it."""
    groups = await subscribe_to_job(exchange, queue, job) if exchange.request.message.code in _MAKING else []
    job = exchange.service.board.get(job.id) or job
    return exchange.done([exchange.job_group(job, queue, CREATED), *groups])


_MAKING = (Operation.PRINT_JOB, Operation.PRINT_URI, Operation.CREATE_JOB)


def print_job(exchange: Exchange) -> Work:
    """Print-Job."""
    queue = exchange.queue()
    _ready(exchange, queue)
    said = _document_is(exchange, queue)
    ticket = _ticket(exchange, queue)
    exchange.intake = exchange.service.intake(ticket, said)

    async def work() -> Message:
        taken = await _taken(exchange, queue)
        held = _held(exchange, queue, ticket)
        job = await exchange.service.store.print_jobs.take(ticket, [taken], exchange.service.now(), held=held)
        return await _created(exchange, queue, job)

    return work


def validate_job(exchange: Exchange) -> Work:
    """Validate-Job: all of Print-Job but the job."""
    queue = exchange.queue()
    _ready(exchange, queue)
    _document_is(exchange, queue)
    _asked_for(exchange, queue)

    async def work() -> Message:
        return exchange.done()

    return work


def validate_document(exchange: Exchange) -> Work:
    """Validate-Document (PWG 5100.13)."""
    queue = exchange.queue()
    _document_is(exchange, queue)
    exchange.request.options(exchange.request.message.group(Tag.DOCUMENT), queue.abilities)

    async def work() -> Message:
        return exchange.done()

    return work


def create_job(exchange: Exchange) -> Work:
    """Create-Job."""
    queue = exchange.queue()
    _ready(exchange, queue)
    ticket = _ticket(exchange, queue)

    async def work() -> Message:
        held = _held(exchange, queue, ticket)
        job = await exchange.service.store.print_jobs.open(ticket, exchange.service.now(), held=held)
        return await _created(exchange, queue, job)

    return work


def _to_open_job(exchange: Exchange) -> tuple[Destination, PrintJob, bool]:
    """Queue, job and ``last-document`` of an operation that adds to a job.

    :raises Refused: the job takes nothing more, or ``last-document`` is missing.
    """
    queue, job = exchange.job()
    exchange.own(job)
    last = exchange.request.truth("last-document")
    if last is None:
        raise Refused(Status.BAD_REQUEST, "last-document is missing")
    if job.closed or job.state.final:
        raise Refused(Status.NOT_POSSIBLE, "No more documents are taken for this job")
    return queue, job, last


def _comes_in(exchange: Exchange, job: PrintJob) -> None:
    """A document of the job is on its way in: its time for the next one does not run meanwhile."""
    incoming = exchange.service.incoming
    incoming.add(job.id)
    exchange.endings.append(lambda: incoming.discard(job.id))


def send_document(exchange: Exchange) -> Work:
    """Send-Document; without a document but with ``last-document`` it only closes the job."""
    queue, job, last = _to_open_job(exchange)
    said = _document_is(exchange, queue)
    number = len(job.documents) + 1
    options = exchange.request.options(exchange.request.message.group(Tag.DOCUMENT), queue.abilities)
    exchange.intake = intake = exchange.service.intake(job.ticket, said, number=number)
    _comes_in(exchange, job)

    async def work() -> Message:
        if not intake.length and intake.fault is None and last:
            closed = await exchange.service.store.print_jobs.close(job.id, exchange.service.now())
            return await _created(exchange, queue, closed)
        document, body = await _taken(exchange, queue)
        return await _created(exchange, queue, await _added(exchange, job, document, body, last=last, options=options))

    return work


async def _added(
    exchange: Exchange,
    job: PrintJob,
    document: PrintDocument,
    body: IBody,
    *,
    last: bool,
    options: Mapping[str, object],
) -> PrintJob:
    jobs = exchange.service.store.print_jobs
    return await jobs.add(job.id, evolve(document, options=options), body, exchange.service.now(), last=last)


def close_job(exchange: Exchange) -> Work:
    """Close-Job (PWG 5100.7 section 4.1)."""
    queue, job = exchange.job()
    exchange.own(job)

    async def work() -> Message:
        closed = await exchange.service.store.print_jobs.close(job.id, exchange.service.now())
        return await _created(exchange, queue, closed)

    return work


# --------------------------------------------------------------------------- documents that are fetched


def _remote(exchange: Exchange) -> str:
    """The ``document-uri``, if documents may be fetched from there.

    :raises Refused: it is missing, or of a scheme or host that is not allowed.
    """
    address = exchange.request.uri("document-uri")
    if not address:
        raise Refused(Status.BAD_REQUEST, "document-uri is missing")
    scheme = address.partition(":")[0].lower()
    if scheme not in ("http", "https", "ftp"):
        unsupported = [uri("document-uri", printable(address))]
        raise Refused(Status.URI_SCHEME_NOT_SUPPORTED, "Documents of that scheme are not fetched", unsupported)
    if not fetchable(address, exchange.service.rules.fetch_from):
        raise _no_access(address, "Documents are not fetched from there, see [print] fetch_from")
    return address


def _no_access(address: str, why: str) -> Refused:
    refused = Refused(Status.DOCUMENT_ACCESS_ERROR, why)
    refused.unsupported = (text("document-access-error", f"{printable(address)[:400]}: {why}"),)
    return refused


async def _fetched(exchange: Exchange, queue: Destination, address: str) -> tuple[PrintDocument, IBody]:
    intake = exchange.intake
    assert intake is not None
    try:
        await fetch(exchange.service.reactor, address, intake, exchange.service.rules.most_octets)
    except MailshareError as fault:
        raise _no_access(address, fault.public) from fault
    return await _taken(exchange, queue)


def print_uri(exchange: Exchange) -> Work:
    """Print-URI."""
    queue = exchange.queue()
    _ready(exchange, queue)
    said = _document_is(exchange, queue)
    address = _remote(exchange)
    ticket = _ticket(exchange, queue)
    exchange.intake = exchange.service.intake(ticket, said)

    async def work() -> Message:
        taken = await _fetched(exchange, queue, address)
        held = _held(exchange, queue, ticket)
        job = await exchange.service.store.print_jobs.take(ticket, [taken], exchange.service.now(), held=held)
        return await _created(exchange, queue, job)

    return work


def send_uri(exchange: Exchange) -> Work:
    """Send-URI."""
    queue, job, last = _to_open_job(exchange)
    said = _document_is(exchange, queue)
    address = _remote(exchange)
    exchange.intake = exchange.service.intake(job.ticket, said, number=len(job.documents) + 1)
    _comes_in(exchange, job)

    async def work() -> Message:
        document, body = await _fetched(exchange, queue, address)
        return await _created(exchange, queue, await _added(exchange, job, document, body, last=last, options={}))

    return work


CREATING: Mapping[int, Begin] = {
    Operation.PRINT_JOB: print_job,
    Operation.PRINT_URI: print_uri,
    Operation.VALIDATE_JOB: validate_job,
    Operation.CREATE_JOB: create_job,
    Operation.SEND_DOCUMENT: send_document,
    Operation.SEND_URI: send_uri,
    Operation.CLOSE_JOB: close_job,
    Operation.VALIDATE_DOCUMENT: validate_document,
}
