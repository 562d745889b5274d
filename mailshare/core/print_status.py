"""What became of a print job, as the printing server tells its sender: for machines as JSON, for people in words.

The words say in this order what happened, how sure that is, and what the reader can do. docs/protocol/print-mail.md
describes the fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum

from attrs import field, frozen

from mailshare.core.errors import PeerFault
from mailshare.core.headers import Headers
from mailshare.core.json_fields import FieldWrong, JSONFields, count, listed, matching, moment, moment_text, text
from mailshare.core.print_manifest import MAX_NAME, MAX_PARTS, UUID
from mailshare.core.values import Certainty, PrintState

VERSION = 1
_KEYWORD = re.compile(r"[a-z0-9][a-z0-9.\-]{0,254}\Z")
_MAX_OCTETS = 64 * 1024


class Happening(Enum):
    """What a status mail tells; the word of its subject."""

    RECEIVED = "received"
    HELD = "held"
    PRINTING = "printing"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    RESEND = "resend"


STATES: Mapping[Happening, PrintState] = {
    Happening.RECEIVED: PrintState.PENDING,
    Happening.HELD: PrintState.HELD,
    Happening.PRINTING: PrintState.PROCESSING,
    Happening.DONE: PrintState.COMPLETED,
    Happening.FAILED: PrintState.ABORTED,
    Happening.CANCELED: PrintState.CANCELED,
    Happening.REFUSED: PrintState.ABORTED,
    Happening.UNKNOWN: PrintState.STOPPED,
    Happening.RESEND: PrintState.PENDING,
}


@frozen
class PrintStatus:
    """One news about one job.

    :ivar id: UUID of the job; ``of`` of the job that this one prints again, or empty.
    :ivar printer: its name.
    :ivar at: when it happened, microseconds UTC.
    :ivar reasons: keywords of IPP's ``job-state-reasons`` and ``printer-state-reasons``.
    :ivar impressions, sheets: printed, ``None`` = the printer does not tell.
    :ivar pages: as counted before printing, ``None`` = not counted.
    :ivar missing: numbers of parts that have not come.
    :ivar attempts: how often it was tried.
    :ivar ignored: options that this printer cannot do, or words nobody knows.
    :ivar error: keyword of what went wrong, ``words`` the same for people.
    """

    id: str
    happening: Happening
    printer: str
    at: int
    certainty: Certainty = Certainty.NONE
    reasons: tuple[str, ...] = ()
    impressions: int | None = None
    sheets: int | None = None
    pages: int | None = None
    missing: tuple[int, ...] = ()
    attempts: int = 0
    ignored: tuple[str, ...] = ()
    error: str = ""
    words: str = ""
    of: str = field(default="")

    @property
    def state(self) -> PrintState:
        """IPP's word for it."""
        return STATES[self.happening]


def status_octets(status: PrintStatus) -> bytes:
    """The JSON that is signed and travels."""
    value = {
        "v": VERSION,
        "id": status.id,
        "of": status.of or None,
        "happening": status.happening.value,
        "state": int(status.state),
        "printer": status.printer,
        "time": moment_text(status.at),
        "certainty": status.certainty.value,
        "reasons": list(status.reasons),
        "impressions": status.impressions,
        "sheets": status.sheets,
        "pages_expected": status.pages,
        "missing": list(status.missing),
        "attempts": status.attempts,
        "options_ignored": list(status.ignored),
        "error": {"code": status.error, "text": status.words} if status.error or status.words else None,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read_status(octets: bytes) -> PrintStatus:
    """Read the machine part of a status mail.

    :raises PeerFault: it is none, of another version, or a field is wrong.
    """
    try:
        value = json.loads(octets) if len(octets) <= _MAX_OCTETS else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("v") != VERSION:
        raise PeerFault("This is no status of a print job in version 1")
    try:
        return _read(JSONFields(value))
    except FieldWrong as wrong:
        raise PeerFault(f"The status of a print job cannot be used: {wrong}") from None


def _read(fields: JSONFields) -> PrintStatus:
    error = fields.get("error", _error, ("", ""))
    return PrintStatus(
        id=fields.get("id", matching(UUID)),
        happening=fields.get("happening", lambda value: Happening(text(20)(value))),
        printer=fields.get("printer", text(MAX_NAME)),
        at=fields.get("time", moment),
        certainty=fields.get("certainty", lambda value: Certainty(text(20)(value)), Certainty.NONE),
        reasons=fields.get("reasons", listed(matching(_KEYWORD), 0, 50), ()),
        impressions=fields.get("impressions", count(), None),
        sheets=fields.get("sheets", count(), None),
        pages=fields.get("pages_expected", count(), None),
        missing=fields.get("missing", listed(count(MAX_PARTS), 0, MAX_PARTS), ()),
        attempts=fields.get("attempts", count(), 0),
        ignored=fields.get("options_ignored", listed(text(MAX_NAME), 0, 100), ()),
        error=error[0],
        words=error[1],
        of=fields.get("of", matching(UUID), ""),
    )


def _error(value: object) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for all readers
    code = value.get("code")
    return matching(_KEYWORD)(code) if code else "", text(1_000)(value.get("text", ""))


def is_status(headers: Headers) -> bool:
    """The mail says of itself that it is a status of printing."""
    fields = headers.by_name.get("content-type")
    return fields is not None and b"print-status" in fields[0].raw and "print-status" in fields[0].value


# ---------------------------------------------------------------------- in words

_HAPPENED = {
    Happening.RECEIVED: "All of it has arrived and waits for the printer.",
    Happening.HELD: "It waits until somebody releases it.",
    Happening.PRINTING: "The printer is at it.",
    Happening.DONE: "It is printed.",
    Happening.FAILED: "It was not printed, or not all of it.",
    Happening.CANCELED: "It was cancelled.",
    Happening.REFUSED: "It was not taken.",
    Happening.UNKNOWN: "Nobody knows whether it is printed: something failed between the computer and the printer.",
    Happening.RESEND: "Some of its parts have not arrived.",
}
_SURE = {
    Certainty.ACCEPTED: "The printer has all of the data and said so; it cannot report paper.",
    Certainty.HANDED_OVER: "The printer took the data; it reports neither paper nor errors.",
    Certainty.UNKNOWN: "To be printed twice is worse than to wait: nothing is tried again until somebody has looked.",
    Certainty.NONE: "",
}
_TO_DO = {
    Happening.RECEIVED: "Answer with the line #cancel to stop it.",
    Happening.HELD: "Answer with the line #release, and the PIN behind it if you gave one; or with #cancel.",
    Happening.PRINTING: "",
    Happening.DONE: "Answer with the line #reprint to print it once more.",
    Happening.FAILED: "Answer with the line #reprint to try it again.",
    Happening.CANCELED: "",
    Happening.REFUSED: "",
    Happening.UNKNOWN: "Look at the printer. Answer with the line #reprint if the paper is not there.",
    Happening.RESEND: "A mailshare at the sender sends them again by itself. Otherwise send the whole document again.",
}


def title(status: PrintStatus, name: str) -> str:
    """Subject of the mail: ``[print] done: Agenda (3 pages on Office)``."""
    where = f"on {status.printer}"
    if status.happening is Happening.DONE and status.impressions is not None:
        where = f"{_counted(status.impressions, 'page')} {where}"
    return f"[print] {status.happening.value}: {name or 'document'} ({where})"


def texts(status: PrintStatus, name: str, passed: Sequence[str] = ()) -> tuple[str, ...]:
    """The paragraphs of the mail: what happened, how sure that is, when, what the reader can do, and the job's id.

    :param passed: what happened before, a line each.
    """
    out = [f"{name or 'A document'}, for {status.printer}: {_happened(status)}"]
    if status.words:
        out.append(status.words)
    if status.missing:
        out.append(f"Missing: {', '.join(map(str, status.missing))}.")
    out.append(_sure(status))
    if status.pages is not None and status.happening in _COUNTED:
        out.append(f"{_counted(status.pages, 'page')} counted before printing.")
    if status.ignored:
        out.append(f"Not done, because this printer cannot or nobody knows the word: {', '.join(status.ignored)}.")
    out.append(f"At {moment_text(status.at)}.")
    if passed:
        out += ["Before that:", *(f"  {line}" for line in passed)]
    out += [_TO_DO[status.happening], f"Job {status.id}"]
    return tuple(each for each in out if each)


def _happened(status: PrintStatus) -> str:
    if status.happening is Happening.RECEIVED and status.missing:
        return "A part of it has arrived."
    return _HAPPENED[status.happening]


def _sure(status: PrintStatus) -> str:
    if status.certainty is not Certainty.COMPLETED:
        return _SURE[status.certainty]
    if status.sheets is not None:
        return f"The printer reported {_counted(status.sheets, 'sheet')}."
    if status.impressions is not None:
        return f"The printer reported {_counted(status.impressions, 'page')}."
    return "The printer reported that it is done."


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


_COUNTED = (Happening.RECEIVED, Happening.HELD)
