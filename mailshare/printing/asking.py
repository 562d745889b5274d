"""Operations that only look. Sources: RFC 8011 sections 4.2.5, 4.2.6, 4.3.4; PWG 5100.5; RFC 3380."""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.core.values import PrintDocument, PrintJob
from mailshare.printing.destinations import Destination
from mailshare.printing.exchange import Begin, Exchange, Work
from mailshare.wire.ipp_asked import Refused, chosen, wanted
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_job import (
    GET_DOCUMENTS_DEFAULT,
    GET_JOBS_DEFAULT,
    document_attributes,
    document_groups,
    job_attributes,
    job_groups,
)
from mailshare.wire.ipp_printer import ONLY_ASKED, PRINTER_SETTABLE, groups_of, printer_attributes
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, out_of_band

_MOST_LISTED = 10_000
_ALL = ("all",)


def _printer_group(exchange: Exchange, queue: Destination) -> Group:
    attributes = printer_attributes(exchange.described(queue))
    names = wanted(exchange.request, groups_of(attributes), default=_ALL)
    return Group(Tag.PRINTER, chosen(attributes, names, only_asked=ONLY_ASKED))


def get_printer_attributes(exchange: Exchange) -> Work:
    """Get-Printer-Attributes."""
    queue = exchange.queue()
    declared = exchange.request.text("document-format", Tag.MIME_TYPE).lower()
    if declared and declared not in queue.abilities.formats:
        asked = exchange.request.operation.get("document-format")
        raise Refused(Status.FORMAT_NOT_SUPPORTED, "That document format is not printed here", [asked] if asked else [])

    async def work() -> Message:
        return exchange.done([_printer_group(exchange, queue)])

    return work


def get_printer_supported_values(exchange: Exchange) -> Work:
    """Get-Printer-Supported-Values: what the settable attributes may be set to (RFC 3380 section 4.3)."""
    exchange.queue()
    asked = exchange.request.words("requested-attributes")
    names = PRINTER_SETTABLE if asked is None or "all" in asked else tuple(n for n in asked if n in PRINTER_SETTABLE)

    async def work() -> Message:
        # Any text that is not too long will do: there is no list of them to give.
        found = tuple(out_of_band(name, Tag.ADMIN_DEFINE) for name in names)
        return exchange.done([Group(Tag.PRINTER, found)])

    return work


def cups_get_printers(exchange: Exchange) -> Work:
    """CUPS-Get-Printers: all queues, for ``lpstat -h``."""
    limit = exchange.request.number("limit") or _MOST_LISTED

    async def work() -> Message:
        queues = list(exchange.service.destinations.values())[:limit]
        if not queues:
            raise Refused(Status.NOT_FOUND, "There is no printer here")
        return exchange.done([_printer_group(exchange, queue) for queue in queues])

    return work


def cups_get_default(exchange: Exchange) -> Work:
    """CUPS-Get-Default: the first queue."""

    async def work() -> Message:
        queue = exchange.service.queue("")
        if queue is None:
            raise Refused(Status.NOT_FOUND, "There is no printer here")
        return exchange.done([_printer_group(exchange, queue)])

    return work


def _job_group(exchange: Exchange, queue: Destination, job: PrintJob, default: tuple[str, ...]) -> Group:
    attributes = job_attributes(job, exchange.place(job, queue))
    names = wanted(exchange.request, job_groups(attributes), default=default)
    return Group(Tag.JOB, chosen(attributes, names))


def get_job_attributes(exchange: Exchange) -> Work:
    """Get-Job-Attributes."""
    queue, job = exchange.job()

    async def work() -> Message:
        return exchange.done([_job_group(exchange, queue, job, _ALL)])

    return work


def _limited(exchange: Exchange, name: str) -> int:
    number = exchange.request.number(name)
    if number is None:
        return _MOST_LISTED
    if number < 1:
        raise Refused(Status.ATTRIBUTES_NOT_SUPPORTED, f"{name} must be greater than 0", _asked(exchange, name))
    return number


def _asked(exchange: Exchange, name: str) -> list[Attribute]:
    found = exchange.request.operation.get(name)
    return [found] if found is not None else []


def get_jobs(exchange: Exchange) -> Work:
    """Get-Jobs."""
    queue, request, board = exchange.queue(), exchange.request, exchange.service.board
    which = request.text("which-jobs", default="not-completed")
    if not board.knows(which):
        raise Refused(Status.ATTRIBUTES_NOT_SUPPORTED, "Jobs are not listed by that", _asked(exchange, "which-jobs"))
    limit = _limited(exchange, "limit")
    first = request.number("first-job-id") or 0
    first_index = request.number("first-index") or 1
    mine = request.truth("my-jobs") or False
    ids = request.operation.get("job-ids")
    wanted_ids = None if ids is None else {value.number for value in ids.values}
    if ids is not None and request.operation.get("which-jobs") is not None:
        raise Refused(Status.CONFLICTING_ATTRIBUTES, "Jobs are listed by job-ids or by which-jobs, not by both", [ids])

    async def work() -> Message:
        jobs = [
            job
            for job in board.listed(queue.name, which if wanted_ids is None else "all")
            if job.id >= first
            and (not mine or job.ticket.user == request.user)
            and (wanted_ids is None or job.id in wanted_ids)
        ][first_index - 1 :][:limit]
        return exchange.done([_job_group(exchange, queue, job, GET_JOBS_DEFAULT) for job in jobs])

    return work


def document_of(exchange: Exchange) -> tuple[Destination, PrintJob, PrintDocument]:
    """The document that ``document-number`` names.

    :raises Refused: it is missing, or there is none.
    """
    queue, job = exchange.job()
    number = exchange.request.number("document-number")
    if number is None:
        raise Refused(Status.BAD_REQUEST, "document-number is missing")
    found = next((one for one in job.documents if one.number == number), None)
    if found is None:
        raise Refused(Status.NOT_FOUND, f"Job {job.id} has no document {number}")
    return queue, job, found


def _document_group(
    exchange: Exchange, queue: Destination, job: PrintJob, document: PrintDocument, default: tuple[str, ...]
) -> Group:
    attributes = document_attributes(job, document, exchange.place(job, queue))
    names = wanted(exchange.request, document_groups(attributes), default=default)
    return Group(Tag.DOCUMENT, chosen(attributes, names))


def get_document_attributes(exchange: Exchange) -> Work:
    """Get-Document-Attributes (PWG 5100.5 section 4.3)."""
    queue, job, document = document_of(exchange)

    async def work() -> Message:
        return exchange.done([_document_group(exchange, queue, job, document, _ALL)])

    return work


def get_documents(exchange: Exchange) -> Work:
    """Get-Documents (PWG 5100.5 section 4.4)."""
    queue, job = exchange.job()
    limit = _limited(exchange, "limit")

    async def work() -> Message:
        found = [_document_group(exchange, queue, job, one, GET_DOCUMENTS_DEFAULT) for one in job.documents[:limit]]
        return exchange.done(found)

    return work


ASKING: Mapping[int, Begin] = {
    Operation.GET_PRINTER_ATTRIBUTES: get_printer_attributes,
    Operation.GET_PRINTER_SUPPORTED_VALUES: get_printer_supported_values,
    Operation.CUPS_GET_PRINTERS: cups_get_printers,
    Operation.CUPS_GET_DEFAULT: cups_get_default,
    Operation.GET_JOB_ATTRIBUTES: get_job_attributes,
    Operation.GET_JOBS: get_jobs,
    Operation.GET_DOCUMENT_ATTRIBUTES: get_document_attributes,
    Operation.GET_DOCUMENTS: get_documents,
}
