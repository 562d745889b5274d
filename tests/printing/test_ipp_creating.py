"""Operations that make jobs: what is checked, what is kept, what is answered."""

from __future__ import annotations

import gzip
import zlib

import pytest
from counter import PDF, Counter, common, names, number, settled, value

from mailshare.core.values import PrintState
from mailshare.printing.destinations import Destination
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import (
    Attribute,
    Group,
    Message,
    Tag,
    Value,
    boolean,
    collection,
    enum,
    integer,
    keyword,
    mime_type,
    name_of,
    ranges,
    resolution,
    uri,
)

REQUEST = Operation.GET_PRINTER_ATTRIBUTES


def test_a_job_is_kept_with_all_it_asked_for(counter: Counter) -> None:
    """Every Job Template attribute comes back as it was given, from the store."""
    wish = (
        integer("copies", 3),
        keyword("sides", "two-sided-short-edge"),
        keyword("media", "na_letter_8.5x11in"),
        enum("print-quality", 5),
        enum("finishings", 3),
        ranges("page-ranges", (1, 3), (5, 5)),
        resolution("printer-resolution", (600, 600)),
        integer("number-up", 4),
        integer("job-priority", 80),
        name_of("job-account-id", "K 17"),
        collection(
            "overrides",
            (ranges("pages", (1, 1)), keyword("media", "iso_a4_210x297mm")),
            (ranges("document-numbers", (1, 1)),),
        ),
    )
    said = counter.print(*wish, attributes=[name_of("job-name", "Report")])
    assert said.code == Status.OK
    assert names(said.group(Tag.JOB))[:3] == ["job-id", "job-uri", "job-uuid"]
    assert value(said.group(Tag.JOB), "job-uri") == "ipp://print.example:631/ipp/print/office/1"
    found = counter.ask(Operation.GET_JOB_ATTRIBUTES, integer("job-id", number(said))).group(Tag.JOB)
    for attribute in wish:
        assert found.get(attribute.name) == attribute
    assert value(found, "job-name") == "Report"
    assert value(found, "job-originating-user-name") == "anna"
    assert value(found, "job-printer-uri") == "ipp://print.example:631/ipp/print/office"
    (document,) = counter.job(1).documents
    assert (document.format, document.length) == ("application/pdf", len(PDF))


def test_what_is_not_supported_is_told_and_left_out(counter: Counter) -> None:
    """Unknown names as unsupported, known ones with the values that were offered."""
    said = counter.print(integer("copies", 5000), keyword("brew", "coffee"), keyword("sides", "one-sided"))
    assert said.code == Status.OK_IGNORED_OR_SUBSTITUTED
    assert said.group(Tag.UNSUPPORTED_GROUP).attributes == (
        integer("copies", 5000),
        Attribute("brew", (Value(Tag.UNSUPPORTED),)),
    )
    assert counter.job(number(said)).ticket.options == {"sides": "one-sided"}


@pytest.mark.parametrize(
    "wish",
    [
        (boolean("ipp-attribute-fidelity", True),),
        (keyword("job-mandatory-attributes", "copies"),),
        (keyword("job-mandatory-attributes", "brew"),),
    ],
)
def test_all_or_nothing(counter: Counter, wish: tuple[Attribute, ...]) -> None:
    """Fidelity and mandatory attributes refuse the job."""
    said = counter.print(integer("copies", 5000), keyword("brew", "coffee"), attributes=wish)
    assert said.code == Status.ATTRIBUTES_NOT_SUPPORTED
    assert said.group(Tag.UNSUPPORTED_GROUP).get("copies") == integer("copies", 5000)
    assert settled(counter.service.store.print_jobs.jobs()) == []


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (keyword("sides", "one-sided", "two-sided-long-edge"), None),
        (integer("sides", 3), None),
        (keyword("media", "iso_a4"), None),
        (ranges("page-ranges", (3, 1)), None),
        (resolution("printer-resolution", (72, 72)), None),
        (collection("media-col", (keyword("media-color", "blue"),)), None),
        (
            collection(
                "media-col", (collection("media-size", (integer("x-dimension", 1), integer("y-dimension", 1))),)
            ),
            None,
        ),
        (keyword("job-hold-until", "tomorrow"), None),
        (integer("job-priority", 101), None),
        (name_of("job-account-id", "x" * 256), Status.VALUE_TOO_LONG),
        (collection("overrides", (keyword("sides", "one-sided"),)), None),
        (collection("overrides", (ranges("pages", (1, 1)), integer("copies", 5000))), None),
    ],
)
def test_values_that_do_not_fit(counter: Counter, wrong: Attribute, status: Status | None) -> None:
    """Each is ignored and told, or refused; the job is printed without it."""
    said = counter.print(wrong)
    assert said.code == (status or Status.OK_IGNORED_OR_SUBSTITUTED)
    if status is None:
        assert said.group(Tag.UNSUPPORTED_GROUP).get(wrong.name) == wrong
        assert counter.job(number(said)).ticket.options == {}


@pytest.mark.parametrize("kind", ["gzip", "deflate", "bare"])
def test_compressed_documents_are_kept_inflated(counter: Counter, kind: str) -> None:
    """gzip, deflate with its header and without, and two gzip members."""
    raw = zlib.compressobj(wbits=-15)
    data = {
        "gzip": gzip.compress(PDF[:9]) + gzip.compress(PDF[9:]),
        "deflate": zlib.compress(PDF),
        "bare": raw.compress(PDF) + raw.flush(),
    }[kind]
    said = counter.print(attributes=[keyword("compression", "gzip" if kind == "gzip" else "deflate")], data=data)
    body, offset = settled(counter.service.store.print_jobs.document(number(said), 1))
    assert settled(body.read(offset, 1000)) == PDF


@pytest.mark.parametrize(
    ("attributes", "data", "status"),
    [
        ([keyword("compression", "lzw")], PDF, Status.COMPRESSION_NOT_SUPPORTED),
        ([keyword("compression", "gzip")], PDF, Status.COMPRESSION_ERROR),
        ([keyword("compression", "gzip")], gzip.compress(PDF, mtime=0)[:-9], Status.COMPRESSION_ERROR),
        (
            [keyword("compression", "gzip")],
            gzip.compress(b"%PDF-" + bytes(40_000_000), mtime=0),
            Status.COMPRESSION_ERROR,
        ),
        ([mime_type("document-format", "application/x-brew")], PDF, Status.FORMAT_NOT_SUPPORTED),
        ([], b"", Status.BAD_REQUEST),
        ([], b"%PDF-" + b"x" * 2_000_000, Status.TOO_LARGE),
        ([keyword("document-password", "x")], PDF, Status.ATTRIBUTES_NOT_SUPPORTED),
    ],
)
def test_documents_that_are_not_taken(
    counter: Counter, attributes: list[Attribute], data: bytes, status: Status
) -> None:
    """Each with its status; nothing is left of them, no job and no message."""
    counter.follow(counter.service.destinations.values(), most_octets=1_000_000 if len(data) > 1_000_000 else 1 << 30)
    assert counter.print(attributes=attributes, data=data).code == status
    assert settled(counter.service.store.print_jobs.jobs()) == []
    assert settled(counter.service.store.recent(10)) == []


def test_a_queue_takes_only_its_formats(counter: Counter) -> None:
    """By the octets, whatever is declared."""
    from mailshare.core.print_abilities import Abilities

    only = Abilities(formats=("application/pdf", "application/octet-stream"))
    counter.follow([Destination("office", "dir:x", abilities=only)])
    assert counter.print(data=b"%!PS-Adobe\n").code == Status.FORMAT_ERROR
    assert counter.print(data=b"\0\1\2\3").code == Status.OK


def test_jobs_wait_within_bounds(counter: Counter) -> None:
    """As many as the rules say, and none while the queue takes none."""
    counter.follow([Destination("office", "dir:x")], most_open=1)
    assert counter.print().code == Status.OK
    assert counter.print().code == Status.TOO_MANY_JOBS
    assert counter.ask(Operation.DISABLE_PRINTER).code == Status.OK
    assert counter.print().code == Status.NOT_ACCEPTING_JOBS
    assert counter.ask(Operation.VALIDATE_JOB).code == Status.NOT_ACCEPTING_JOBS


def test_documents_one_after_another(counter: Counter) -> None:
    """Create-Job, two Send-Document, the second the last; each answer is durable."""
    created = number(counter.ask(Operation.CREATE_JOB, name_of("job-name", "Two")))
    job_id = integer("job-id", created)
    assert counter.job(created).state is PrintState.HELD
    assert counter.ask(Operation.SEND_DOCUMENT, job_id, data=PDF).code == Status.BAD_REQUEST  # no last-document
    first = counter.ask(
        Operation.SEND_DOCUMENT, job_id, boolean("last-document", False), name_of("document-name", "a.pdf"), data=PDF
    )
    assert (first.code, value(first.group(Tag.JOB), "job-state")) == (Status.OK, PrintState.HELD)
    last = counter.ask(Operation.SEND_DOCUMENT, job_id, boolean("last-document", True), data=b"%!PS\n")
    assert (last.code, value(last.group(Tag.JOB), "job-state")) == (Status.OK, PrintState.PENDING)
    assert [(one.number, one.name, one.format) for one in counter.job(created).documents] == [
        (1, "a.pdf", "application/pdf"),
        (2, "", "application/postscript"),
    ]
    more = counter.ask(Operation.SEND_DOCUMENT, job_id, boolean("last-document", True), data=PDF)
    assert more.code == Status.NOT_POSSIBLE
    assert counter.service.incoming == set()


def test_the_last_document_may_be_none(counter: Counter) -> None:
    """Send-Document without data closes the job; so does Close-Job."""
    for code, more in ((Operation.SEND_DOCUMENT, [boolean("last-document", True)]), (Operation.CLOSE_JOB, [])):
        job_id = integer("job-id", number(counter.ask(Operation.CREATE_JOB)))
        counter.ask(Operation.SEND_DOCUMENT, job_id, boolean("last-document", False), data=PDF)
        assert counter.ask(code, job_id, *more).code == Status.OK
        assert counter.job(job_id.first.number).state is PrintState.PENDING


def test_a_job_left_open_is_aborted(counter: Counter) -> None:
    """After multiple-operation-time-out, unless a document is on its way in."""
    waiting = number(counter.ask(Operation.CREATE_JOB))
    busy = number(counter.ask(Operation.CREATE_JOB))
    counter.service.incoming.add(busy)
    for _ in range(7):
        counter.clock.advance(60)
    assert counter.job(waiting).state is PrintState.ABORTED
    assert counter.job(waiting).reasons == ("aborted-by-system", "submission-interrupted")
    assert counter.job(busy).state is PrintState.HELD


def test_print_uri_is_offered_only_where_it_is_allowed(counter: Counter) -> None:
    """No hosts: the operation does not exist. Others than the hosts: no access. Other schemes: not supported."""
    address = uri("document-uri", "http://127.0.0.1:8000/x.pdf")
    assert counter.ask(Operation.PRINT_URI, address).code == Status.OPERATION_NOT_SUPPORTED
    counter.follow(counter.service.destinations.values(), fetch_from=("192.0.2.1",))
    said = counter.ask(Operation.PRINT_URI, address)
    assert said.code == Status.DOCUMENT_ACCESS_ERROR
    bogus = counter.ask(Operation.PRINT_URI, uri("document-uri", "bogus://x"))
    assert bogus.code == Status.URI_SCHEME_NOT_SUPPORTED
    for trick in ("http://192.0.2.1@127.0.0.1/x", "http://127.0.0.1#192.0.2.1", "http://[::1"):
        assert counter.ask(Operation.PRINT_URI, uri("document-uri", trick)).code == Status.DOCUMENT_ACCESS_ERROR


def test_who_asks_for_what_in_which_words(counter: Counter) -> None:
    """RFC 8011 section 4.1: version, request-id, first attributes, charset, target."""
    charset, language, target, user = common()

    def status(*attributes: Attribute, version: tuple[int, int] = (2, 0), request: int = 1) -> int:
        return counter.send(Message(version, REQUEST, request, (Group(Tag.OPERATION, attributes),))).code

    assert status(charset, language, target, user) == Status.OK
    assert status(charset, language, target, user, version=(1, 1)) == Status.OK
    assert status(charset, language, target, version=(0, 0)) == Status.VERSION_NOT_SUPPORTED
    assert status(charset, language, target, version=(3, 0)) == Status.VERSION_NOT_SUPPORTED
    assert status(charset, language, target, request=0) == Status.BAD_REQUEST
    assert status() == Status.BAD_REQUEST
    assert status(language, charset, target) == Status.BAD_REQUEST
    assert status(charset, language) == Status.BAD_REQUEST
    assert status(charset, language, target, target) == Status.BAD_REQUEST
    other = Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-16"),))
    assert status(other, language, target) == Status.CHARSET_NOT_SUPPORTED
    assert status(charset, language, uri("printer-uri", "ipp://x/ipp/print/none")) == Status.NOT_FOUND
    assert status(charset, language, keyword("printer-uri", "x")) == Status.BAD_REQUEST
    assert counter.send(Message((2, 0), REQUEST, 1)).code == Status.BAD_REQUEST
    assert counter.send(Message((2, 0), 0x3FFF, 1, (Group(Tag.OPERATION, common()),))).code == (
        Status.OPERATION_NOT_SUPPORTED
    )


@pytest.mark.parametrize(
    "target",
    [
        "ipp://h/ipp/print/OFFICE",
        "ipp://h/ipp/print",
        "ipp://h/printers/office",
        "ipp://h/",
        "ipp://h",
        "ipp://h/ipp/print/office/",
    ],
)
def test_ways_to_name_a_queue(counter: Counter, target: str) -> None:
    """Any case, the short forms for the first one, and the path of a CUPS server."""
    said = counter.ask(Operation.GET_PRINTER_ATTRIBUTES, printer=target)
    assert value(said.group(Tag.PRINTER), "printer-name") == "office"


def test_answers_speak_the_version_of_the_request(counter: Counter) -> None:
    """A version nobody knows is answered in the nearest one (RFC 8011 section 4.1.8)."""
    group = Group(Tag.OPERATION, common())
    answers = {
        version: counter.send(Message(version, REQUEST, 7, (group,))) for version in ((1, 0), (2, 2), (2, 9), (9, 9))
    }
    assert [one.version for one in answers.values()] == [(1, 0), (2, 2), (2, 0), (1, 1)]
    assert {one.request_id for one in answers.values()} == {7}


def test_names_are_cleaned(counter: Counter) -> None:
    """Controls and halves of characters do not get into store, journal or folder."""
    said = counter.print(attributes=[name_of("job-name", "a\r\nBcc: x\udcff/../b")], user="an\nna")
    job = counter.job(number(said))
    assert job.ticket.name == "aBcc: x?/../b"
    assert job.ticket.user == "anna"
    body, offset = settled(counter.service.store.print_jobs.document(job.id, 1))
    assert b"\r\nBcc" not in settled(body.read(0, offset))
