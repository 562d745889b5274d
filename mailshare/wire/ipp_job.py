"""What a printer says of a job and of its documents. Sources: RFC 8011 section 5.3, PWG 5100.5, 5100.7, 5100.14."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from mailshare.core.values import PrintDocument, PrintJob, PrintState
from mailshare.wire.ipp_asked import LANGUAGE, printable
from mailshare.wire.ipp_printer import moment, seconds
from mailshare.wire.ipp_template import TEMPLATES, attribute_of
from mailshare.wire.ipp_values import (
    Attribute,
    Tag,
    Value,
    boolean,
    date_time,
    enum,
    integer,
    keyword,
    mime_type,
    name_of,
    octets,
    out_of_band,
    text,
    uri,
)

GET_JOBS_DEFAULT = ("job-id", "job-uri")
CREATED = ("job-id", "job-uri", "job-uuid", "job-state", "job-state-reasons", "job-state-message",
           "number-of-intervening-jobs")  # fmt: skip
GET_DOCUMENTS_DEFAULT = ("document-number", "last-document")
_STATE_WORDS = {
    PrintState.PENDING: "waiting",
    PrintState.HELD: "held",
    PrintState.PROCESSING: "on its way",
    PrintState.STOPPED: "stopped",
    PrintState.CANCELED: "canceled",
    PrintState.ABORTED: "failed",
    PrintState.COMPLETED: "printed",
}


@frozen
class Place:
    """From where a job is looked at.

    :ivar uri: of the printer, with the host that the client used; ``web`` of its pages.
    :ivar now: microseconds UTC.
    :ivar intervening: jobs before it.
    """

    uri: str
    web: str
    now: int
    intervening: int = 0


def job_attributes(job: PrintJob, place: Place) -> list[Attribute]:
    """All of them; the template attributes are those that the job came with."""
    out = [*_identity(job, place), *_standing(job, place), *_progress(job), *_times(job)]
    for name, value in job.ticket.options.items():
        made = attribute_of(name, value)
        if made is not None:
            out.append(made)
    return out


def _identity(job: PrintJob, place: Place) -> list[Attribute]:
    ticket = job.ticket
    first = job.documents[0] if job.documents else None
    kind = (first.declared or first.format) if first else "application/octet-stream"
    return [
        integer("job-id", job.id),
        uri("job-uri", f"{place.uri}/{job.id}"),
        uri("job-uuid", f"urn:uuid:{ticket.uuid}"),
        uri("job-printer-uri", place.uri),
        uri("job-more-info", f"{place.web}/jobs/{job.id}"),
        name_of("job-name", ticket.name or "Untitled"),
        name_of("job-originating-user-name", ticket.user or "anonymous"),
        uri("job-originating-user-uri", f"urn:mailshare:{ticket.user_id}")
        if ticket.user_id is not None
        else out_of_band("job-originating-user-uri", Tag.NO_VALUE),
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, ticket.language or LANGUAGE),)),
        boolean("ipp-attribute-fidelity", ticket.fidelity),
        name_of("output-device-assigned", ", ".join(job.members)[:255] or ticket.queue),
        integer("number-of-documents", len(job.documents)),
        keyword("compression-supplied", "none"),
        mime_type("document-format-supplied", kind),
        name_of("document-name-supplied", first.name if first else ""),
    ]


def state_message(job: PrintJob) -> str:
    """In words where a job is, and how sure that is."""
    words = _STATE_WORDS[job.state]
    sure = dict.fromkeys(one.certainty for one in job.members.values() if one.certainty)
    if job.state is PrintState.COMPLETED and sure:
        told = {
            "completed": "the printer reported that paper is out",
            "accepted": "the printer took it; it cannot report paper",
            "handed-over": "it was handed over; nothing more is known",
            "unknown": "whether paper came out is not known",
        }
        words = "; ".join(told.get(one, one) for one in sure)
    return f"{words}: {job.message}" if job.message else words


def _standing(job: PrintJob, place: Place) -> list[Attribute]:
    return [
        enum("job-state", job.state),
        keyword("job-state-reasons", *(job.reasons or ("none",))),
        text("job-state-message", state_message(job)[:1023]),
        integer("number-of-intervening-jobs", place.intervening),
        integer("job-printer-up-time", seconds(place.now)),
    ]


def _progress(job: PrintJob) -> list[Attribute]:
    k_octets = (job.octets + 1023) // 1024
    done = k_octets if job.state is PrintState.COMPLETED else 0
    return [
        integer("job-k-octets", k_octets),
        integer("job-k-octets-processed", done),
        _known("job-impressions", job.pages or -1),
        _known("job-media-sheets", -1),
        integer("job-impressions-completed", max(job.impressions, 0)),
        integer("job-media-sheets-completed", max(job.sheets, 0)),
        integer("job-pages-completed", max(job.impressions, 0)),
    ]


def _known(name: str, number: int) -> Attribute:
    return integer(name, number) if number >= 0 else out_of_band(name, Tag.NO_VALUE)


def _times(job: PrintJob) -> list[Attribute]:
    out = []
    for word, at in (("creation", job.created), ("processing", job.processing), ("completed", job.completed)):
        out.append(integer(f"time-at-{word}", seconds(at)) if at else out_of_band(f"time-at-{word}", Tag.NO_VALUE))
        name = f"date-time-at-{word}"
        out.append(date_time(name, moment(at)) if at else out_of_band(name, Tag.NO_VALUE))
    return out


JOB_DESCRIPTION_ONLY = frozenset(TEMPLATES)


def job_groups(attributes: Sequence[Attribute]) -> dict[str, frozenset[str]]:
    """Names that stand for several job attributes in ``requested-attributes``."""
    names = frozenset(one.name for one in attributes)
    status = frozenset(one for one in names if one.startswith(("job-state", "time-at", "date-time-at", "job-k-oct")))
    return {
        "job-template": names & frozenset(TEMPLATES),
        "job-description": names - frozenset(TEMPLATES),
        "job-status": status | {"number-of-intervening-jobs", "job-impressions-completed"},
        "job-actuals": frozenset(),
    }


def document_attributes(job: PrintJob, document: PrintDocument, place: Place) -> list[Attribute]:
    """A Document object's attributes (PWG 5100.5 section 9)."""
    state = PrintState.CANCELED if document.canceled else job.state
    if state is PrintState.HELD:
        state = PrintState.PENDING  # documents are never held, jobs are
    reasons = ("canceled-by-user",) if document.canceled else ("none",)
    last = job.closed and document.number == len(job.documents)
    out = [
        integer("document-number", document.number),
        enum("document-state", state),
        keyword("document-state-reasons", *reasons),
        integer("document-job-id", job.id),
        uri("document-job-uri", f"{place.uri}/{job.id}"),
        uri("document-printer-uri", place.uri),
        name_of("document-name", document.name),
        mime_type("document-format", document.declared or document.format),
        mime_type("document-format-detected", document.format),
        octets("document-digest", document.digest),
        Attribute("document-natural-language", (Value(Tag.LANGUAGE, document.language or LANGUAGE),)),
        boolean("last-document", last),
        integer("k-octets", (document.length + 1023) // 1024),
        keyword("compression", "none"),
        integer("printer-up-time", seconds(place.now)),
        date_time("date-time-at-creation", moment(job.created)),
        integer("time-at-creation", seconds(job.created)),
        _late("time-at-processing", job.processing),
        _late("time-at-completed", job.completed),
        uri("document-uuid", _document_uuid(job, document)),
    ]
    for name, value in document.options.items():
        made = attribute_of(name, value)
        if made is not None:
            out.append(made)
    return out


def _late(name: str, at: int) -> Attribute:
    return integer(name, seconds(at)) if at else out_of_band(name, Tag.NO_VALUE)


def _document_uuid(job: PrintJob, document: PrintDocument) -> str:
    """A name for a document that follows from its content: version 8 (RFC 9562 section 5.8)."""
    digits = document.digest.hex()
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{job.id:08x}{document.number:04x}"


def document_groups(attributes: Sequence[Attribute]) -> dict[str, frozenset[str]]:
    """Names that stand for several document attributes."""
    names = frozenset(one.name for one in attributes)
    templates = names & frozenset(TEMPLATES)
    return {"document-template": templates, "document-description": names - templates}


def job_uri_of(text: str) -> tuple[str, int] | None:
    """``(printer uri, job id)`` of a job's URI, or ``None`` when it is none."""
    printer, _, number = printable(text).rpartition("/")
    return (printer, int(number)) if printer and number.isascii() and number.isdigit() and len(number) < 11 else None
