"""What a client of IPP takes out of a printer's answers, also of one that sends nonsense."""

from __future__ import annotations

import json

import pytest

from mailshare.core.values import Certainty, PrinterState, PrinterTask, PrintState
from mailshare.wire import ipp_client as ipp
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation
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
    resolution,
    text,
)

TASK = PrinterTask("0190b3d0-0000-7000-8000-0000000000a1", "Report", "anna", {"copies": 2, "number-up": 4})
URI = "ipp://printer.example/ipp/print"


def answer(tag: int, *attributes: Attribute) -> Message:
    """An answer through the codec."""
    return decode(encode(Message((2, 0), 0, 1, (Group(Tag.OPERATION), Group(tag, attributes)))))[0]


def test_what_a_printer_can_do() -> None:
    """The format that it likes comes first; what it does not say is not known."""
    facts = ipp.read_capabilities(
        answer(
            Tag.PRINTER,
            mime_type("document-format-supported", "image/urf", "application/pdf"),
            mime_type("document-format-preferred", "application/pdf"),
            keyword("job-creation-attributes-supported", "copies", "sides"),
            enum("operations-supported", Operation.PRINT_JOB, Operation.CREATE_JOB, Operation.SEND_DOCUMENT),
            resolution("pwg-raster-document-resolution-supported", (600, 600)),
            resolution("printer-resolution-supported", (300, 300), (600, 600), (600, 1200)),
            boolean("color-supported", False),
            keyword("pwg-raster-document-sheet-back", "rotated"),
        )
    )
    able = facts.capabilities
    assert able.formats == ("application/pdf", "image/urf")
    assert able.options == {"copies", "sides"}
    assert (able.resolutions, able.color, able.sheet_back) == ((600, 300), False, "rotated")
    assert (able.media, able.model) == ((), "")
    assert facts.in_two_steps
    nothing = ipp.read_capabilities(answer(Tag.PRINTER))
    assert (nothing.capabilities.formats, nothing.capabilities.options, nothing.in_two_steps) == ((), None, False)


def test_how_a_printer_and_a_job_stand() -> None:
    """Reasons without ``none``; a job that waits for its document is not whole."""
    said = answer(
        Tag.PRINTER,
        enum("printer-state", 5),
        keyword("printer-state-reasons", "media-empty-error", "none"),
        boolean("printer-is-accepting-jobs", False),
        integer("queued-job-count", 3),
    )
    status = ipp.read_status(said)
    assert (status.state, status.reasons, status.accepting, status.queued) == (
        PrinterState.STOPPED,
        ("media-empty-error",),
        False,
        3,
    )
    incoming = answer(Tag.JOB, enum("job-state", 4), keyword("job-state-reasons", "job-incoming"))
    waiting = ipp.read_job(incoming, Certainty.COMPLETED)
    assert waiting is not None
    assert (waiting.state, waiting.whole, waiting.certainty) == (PrintState.HELD, False, Certainty.NONE)
    printed = answer(Tag.JOB, enum("job-state", 9), integer("job-impressions-completed", 7))
    done = ipp.read_job(printed, Certainty.ACCEPTED)
    assert done is not None
    assert (done.impressions, done.sheets, done.whole, done.certainty) == (7, -1, True, Certainty.ACCEPTED)
    assert ipp.read_job(answer(Tag.JOB), Certainty.COMPLETED) is None
    assert ipp.read_job(answer(Tag.JOB, enum("job-state", 77)), Certainty.COMPLETED) is None


@pytest.mark.parametrize("tag", [Tag.KEYWORD, Tag.TEXT, Tag.INTEGER, Tag.OCTETS, Tag.NO_VALUE, Tag.BOOLEAN])
def test_nonsense_does_no_harm(tag: int) -> None:
    """Octets that are no text, values of another kind, controls: what is kept can be written and shown."""
    raw = {Tag.INTEGER: b"\xff\xff\xff\xff", Tag.BOOLEAN: b"\1", Tag.NO_VALUE: b""}.get(Tag(tag), b"a\xff\x1b[2J\0b")
    names = (*ipp._CAPABLE, *ipp._STANDING, *ipp._JOB, "job-name")
    groups = b"".join(
        bytes([tag]) + len(name).to_bytes(2) + name.encode() + len(raw).to_bytes(2) + raw for name in names
    )
    message = decode(b"\2\0\0\0\0\0\0\1\1\4" + groups + b"\2" + groups + b"\3")[0]
    facts, status = ipp.read_capabilities(message), ipp.read_status(message)
    shown = [*facts.capabilities.formats, *(facts.capabilities.options or ()), facts.capabilities.model]
    shown += [*status.reasons, status.message, ipp.said_no(0x0400, message)]
    assert json.dumps(shown, ensure_ascii=False).encode().isascii()
    assert ipp.find_job(message, TASK) == 0
    ipp.read_job(message, Certainty.COMPLETED)


def test_a_task_is_found_by_the_end_of_its_jobs_name() -> None:
    """The newest of several; the name is cut before the mark is."""
    long = PrinterTask(TASK.uuid, "\N{LATIN SMALL LETTER O WITH DIAERESIS}" * 300)
    assert len(ipp.job_name(long).encode()) <= 255
    assert ipp.job_name(long).endswith(" #0000000000a1")
    groups = tuple(
        Group(Tag.JOB, (integer("job-id", number), name_of("job-name", name)))
        for number, name in ((4, ipp.job_name(TASK)), (9, ipp.job_name(TASK)), (11, "Report #0000000000b2"))
    )
    assert ipp.find_job(Message((2, 0), 0, 1, groups), TASK) == 9


def test_only_what_the_printer_knows_is_asked_for() -> None:
    """All of it when it does not say."""
    assert [one.name for one in ipp.template(TASK.options, frozenset({"copies"})).attributes] == ["copies"]
    assert [one.name for one in ipp.template(TASK.options, None).attributes] == ["copies", "number-up"]
    assert ipp.template({"copies": "many", "unheard-of": 1}, None).attributes == ()
    told = Message((2, 0), 0x0507, 1, (Group(Tag.OPERATION, (text("status-message", "warming up"),)),))
    assert ipp.said_no(0x0507, told) == "The printer is busy: warming up"
    assert Value(Tag.URI, URI) in ipp.ask_status(1, URI).group(Tag.OPERATION).attributes[2].values
