"""What a client says to an IPP printer, and what it takes out of the answers. Source: RFC 8011 section 4.

A task is known to the printer by the end of its job's name, so that it is found again after a crash; printers that tell
a uuid of their own are not asked for it, since it is lost with the answer that would have told it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from mailshare.core.values import (
    Capabilities,
    Certainty,
    DeviceJob,
    PrinterState,
    PrinterStatus,
    PrinterTask,
    PrintState,
)
from mailshare.wire.ipp_asked import printable
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_template import attribute_of
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Message,
    Resolution,
    Tag,
    Value,
    boolean,
    integer,
    keyword,
    mime_type,
    name_of,
    uri,
)

VERSION = (2, 0)
MOST_FOUND = 500  # jobs that are looked through for one of ours
_MOST_WORD, _MOST_WORDS = 1023, 1000  # characters of a value, values of an attribute
_CAPABLE = (
    "document-format-supported",
    "document-format-preferred",
    "job-creation-attributes-supported",
    "media-supported",
    "sides-supported",
    "color-supported",
    "printer-resolution-supported",
    "pwg-raster-document-resolution-supported",
    "pwg-raster-document-type-supported",
    "pwg-raster-document-sheet-back",
    "printer-make-and-model",
    "operations-supported",
    "which-jobs-supported",
)
_STANDING = (
    "printer-state",
    "printer-state-reasons",
    "printer-state-message",
    "printer-is-accepting-jobs",
    "queued-job-count",
)
_JOB = (
    "job-id",
    "job-name",
    "job-state",
    "job-state-reasons",
    "job-state-message",
    "job-impressions-completed",
    "job-media-sheets-completed",
    "number-of-documents",
)
_UNFINISHED = frozenset({"job-incoming", "job-data-insufficient", "submission-interrupted"})
_LATER = frozenset(
    {
        Status.BUSY,
        Status.NOT_ACCEPTING_JOBS,
        Status.SERVICE_UNAVAILABLE,
        Status.TEMPORARY_ERROR,
        Status.TOO_MANY_JOBS,
        Status.TIMEOUT,
        # Somebody has to allow it first: until then the job waits where it can be seen.
        Status.NOT_AUTHENTICATED,
        Status.NOT_AUTHORIZED,
        Status.FORBIDDEN,
    }
)
_WORDS: Mapping[int, str] = {
    Status.BUSY: "The printer is busy",
    Status.NOT_ACCEPTING_JOBS: "The printer takes no jobs now",
    Status.NOT_AUTHENTICATED: "The printer wants a login, which mailshare has none for",
    Status.NOT_AUTHORIZED: "The printer does not let this computer print",
    Status.FORBIDDEN: "The printer does not let this computer print",
    Status.FORMAT_NOT_SUPPORTED: "The printer does not take documents of this kind",
    Status.ATTRIBUTES_NOT_SUPPORTED: "The printer cannot print it as was asked",
    Status.NOT_FOUND: "There is no such printer or job at the device",
    Status.TOO_LARGE: "The document is larger than the printer takes",
}


def request(code: int, number: int, printer: str, *attributes: Attribute, groups: Sequence[Group] = ()) -> Message:
    """A request with what every one begins with (RFC 8011 section 4.1.4).

    :param number: request-id, greater than 0.
    :param printer: URI of the printer.
    """
    common = (
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
        uri("printer-uri", printer),
    )
    return Message(VERSION, code, number, (Group(Tag.OPERATION, (*common, *attributes)), *groups))


def said_no(code: int, message: Message) -> str:
    """A status that is not good, in words."""
    known = _WORDS.get(code, f"The printer refuses it with status 0x{code:04x}")
    told = message.group(Tag.OPERATION).get("status-message")
    text = printable(told.first.text)[:200] if told is not None else ""
    return f"{known}: {text}" if text else known


def later(code: int) -> bool:
    """That status may be another one if it is tried again."""
    return code in _LATER


# ---------------------------------------------------------------------- the printer


@frozen
class PrinterFacts:
    """What a driver needs to know of a printer besides :class:`~mailshare.core.values.Capabilities`.

    :ivar operations: that it knows.
    """

    capabilities: Capabilities
    operations: frozenset[int]

    @property
    def in_two_steps(self) -> bool:
        """It names a job before it gets the document."""
        return {Operation.CREATE_JOB, Operation.SEND_DOCUMENT} <= self.operations


def ask_capabilities(number: int, printer: str) -> Message:
    """Get-Printer-Attributes for what the printer can do."""
    return request(
        Operation.GET_PRINTER_ATTRIBUTES, number, printer, keyword("requested-attributes", *_CAPABLE, *_STANDING)
    )


def ask_status(number: int, printer: str) -> Message:
    """Get-Printer-Attributes for how it stands."""
    return request(Operation.GET_PRINTER_ATTRIBUTES, number, printer, keyword("requested-attributes", *_STANDING))


def read_capabilities(answer: Message) -> PrinterFacts:
    """What a printer can do, from its attributes; what it does not tell is not known."""
    group = answer.group(Tag.PRINTER)
    formats = _texts(group, "document-format-supported")
    preferred = _texts(group, "document-format-preferred")
    known = _texts(group, "job-creation-attributes-supported")
    color = group.get("color-supported")
    dots = [*_dots(group, "pwg-raster-document-resolution-supported"), *_dots(group, "printer-resolution-supported")]
    return PrinterFacts(
        Capabilities(
            formats=tuple(dict.fromkeys((*(one for one in preferred if one in formats), *formats))),
            options=frozenset(known) if known else None,
            media=_texts(group, "media-supported"),
            sides=_texts(group, "sides-supported"),
            color=bool(color.first.data) if color is not None and not color.out_of_band else None,
            resolutions=tuple(dict.fromkeys(dots)),
            raster_types=_texts(group, "pwg-raster-document-type-supported"),
            sheet_back=next(iter(_texts(group, "pwg-raster-document-sheet-back")), "normal"),
            model=printable(next(iter(_texts(group, "printer-make-and-model")), ""))[:127],
        ),
        frozenset(_numbers(group, "operations-supported")),
    )


def read_status(answer: Message) -> PrinterStatus:
    """How a printer stands, from its attributes."""
    group = answer.group(Tag.PRINTER)
    state = next(iter(_numbers(group, "printer-state")), 0)
    accepting = group.get("printer-is-accepting-jobs")
    return PrinterStatus(
        state=PrinterState(state) if state in set(PrinterState) else None,
        reasons=_reasons(group, "printer-state-reasons"),
        message=printable(next(iter(_texts(group, "printer-state-message")), ""))[:300],
        accepting=accepting is None or accepting.first.data is not False,
        queued=next(iter(_numbers(group, "queued-job-count")), -1),
    )


def _texts(group: Group, name: str) -> tuple[str, ...]:
    """The words of an attribute, fit to be stored and shown: printers send octets that are no text, too."""
    found = group.get(name)
    words = (printable(one)[:_MOST_WORD] for one in found.texts()[:_MOST_WORDS]) if found is not None else ()
    return tuple(one for one in words if one)


def _numbers(group: Group, name: str) -> list[int]:
    found = group.get(name)
    return [one.data for one in found.values if type(one.data) is int] if found is not None else []


def _reasons(group: Group, name: str) -> tuple[str, ...]:
    return tuple(printable(one)[:255] for one in _texts(group, name) if one != "none")[:30]


def _dots(group: Group, name: str) -> Iterable[int]:
    found = group.get(name)
    for one in found.values if found is not None else ():
        if isinstance(one.data, Resolution) and one.data.units == 3 and one.data.across == one.data.feed:
            yield one.data.across


# ---------------------------------------------------------------------- jobs


def mark_of(task: PrinterTask) -> str:
    """The end of the job's name by which the task is found again."""
    return f"#{task.uuid.replace('-', '')[-12:]}"


def bears(answer: Message, mark: str) -> bool:
    """Whether the job of an answer to Get-Job-Attributes has a name that ends so."""
    return any(name.endswith(mark) for name in _texts(answer.group(Tag.JOB), "job-name"))


def job_name(task: PrinterTask) -> str:
    """The name that the printer shows, at most 255 octets."""
    name = printable(task.name) or "document"
    return f"{name.encode()[:200].decode('utf-8', 'ignore')} {mark_of(task)}"


def template(options: Mapping[str, object], known: frozenset[str] | None) -> Group:
    """Job Template attributes of those options that the printer knows."""
    made = [attribute_of(name, value) for name, value in options.items() if known is None or name in known]
    return Group(Tag.JOB, tuple(one for one in made if one is not None))


def about_job(task: PrinterTask, kind: str = "") -> tuple[Attribute, ...]:
    """Operation attributes of Print-Job, Validate-Job and Create-Job.

    :param kind: media type of the document; empty for Create-Job, which has none.
    """
    said = [
        name_of("requesting-user-name", user_of(task)),
        name_of("job-name", job_name(task)),
        boolean("ipp-attribute-fidelity", task.fidelity),
    ]
    return (*said, mime_type("document-format", kind)) if kind else tuple(said)


def about_document(task: PrinterTask, number: int, kind: str) -> tuple[Attribute, ...]:
    """Operation attributes of Send-Document for the one document of a job.

    :param number: job-id.
    """
    return (
        integer("job-id", number),
        name_of("requesting-user-name", user_of(task)),
        name_of("document-name", printable(task.name)[:255] or "document"),
        mime_type("document-format", kind),
        boolean("last-document", True),
    )


def user_of(task: PrinterTask) -> str:
    """The owner of its job at the printer."""
    return printable(task.user)[:200] or "mailshare"


def ask_job(code: int, number: int, printer: str, job: int, user: str) -> Message:
    """Get-Job-Attributes or Cancel-Job of a job."""
    wanted = (keyword("requested-attributes", *_JOB),) if code == Operation.GET_JOB_ATTRIBUTES else ()
    return request(code, number, printer, integer("job-id", job), name_of("requesting-user-name", user), *wanted)


def ask_jobs(number: int, printer: str, which: str) -> Message:
    """Get-Jobs with their names.

    :param which: ``not-completed`` or ``completed``.
    """
    return request(
        Operation.GET_JOBS,
        number,
        printer,
        name_of("requesting-user-name", "mailshare"),
        integer("limit", MOST_FOUND),
        keyword("which-jobs", which),
        keyword("requested-attributes", "job-id", "job-name"),
    )


def find_job(answer: Message, task: PrinterTask) -> int:
    """The newest job of that task among those of an answer to Get-Jobs; 0 = none."""
    found = 0
    for group in answer.groups:
        if group.tag == Tag.JOB and any(name.endswith(mark_of(task)) for name in _texts(group, "job-name")):
            found = max(found, *_numbers(group, "job-id"), 0)
    return found


def job_id(answer: Message) -> int:
    """The job-id of an answer to Create-Job or Print-Job; 0 = it has none."""
    return next(iter(_numbers(answer.group(Tag.JOB), "job-id")), 0)


def read_job(answer: Message, certainty: Certainty) -> DeviceJob | None:
    """How a job stands; ``None`` when the answer does not say.

    :param certainty: of a job that the printer calls completed.
    """
    group = answer.group(Tag.JOB)
    number = next(iter(_numbers(group, "job-state")), 0)
    if number not in set(PrintState):
        return None
    state, reasons = PrintState(number), _reasons(group, "job-state-reasons")
    begun = state in (PrintState.PENDING, PrintState.HELD)
    return DeviceJob(
        state,
        reasons,
        printable(next(iter(_texts(group, "job-state-message")), ""))[:300],
        next(iter(_numbers(group, "job-impressions-completed")), -1),
        next(iter(_numbers(group, "job-media-sheets-completed")), -1),
        certainty if state is PrintState.COMPLETED else Certainty.NONE,
        whole=not (_UNFINISHED & set(reasons) or (begun and 0 in _numbers(group, "number-of-documents"))),
    )
