"""The rules of print jobs: states of groups, changes, precedence of options, what a document is, paper."""

from __future__ import annotations

import pytest

from mailshare.core.print_formats import format_of, sniffed
from mailshare.core.print_jobs import changed, combined, opened, standing
from mailshare.core.print_media import is_custom, name_of_size, size_of
from mailshare.core.print_options import effective
from mailshare.core.trace import trace_of
from mailshare.core.values import PrintChange, PrintJob, PrintMember, PrintState, PrintTicket

P = PrintState


def job(*members: str, closed: bool = True, held: bool = False) -> PrintJob:
    new = PrintJob(1, PrintTicket("u", "q", members=members), P.PENDING, 100, closed=closed, held=held)
    return opened(new)


@pytest.mark.parametrize(
    ("members", "whole"),
    [
        ([P.PENDING, P.PENDING], P.PENDING),
        ([P.PENDING, P.PROCESSING], P.PROCESSING),
        ([P.PENDING, P.COMPLETED], P.PROCESSING),
        ([P.HELD, P.HELD], P.HELD),
        ([P.STOPPED, P.STOPPED], P.STOPPED),
        ([P.STOPPED, P.PROCESSING], P.PROCESSING),
        ([P.COMPLETED, P.COMPLETED], P.COMPLETED),
        ([P.COMPLETED, P.CANCELED], P.CANCELED),
        ([P.CANCELED, P.ABORTED, P.COMPLETED], P.ABORTED),
        ([], P.PENDING),
    ],
)
def test_a_group_stands_as_its_members_do(members: list[PrintState], whole: PrintState) -> None:
    """Under way while one is; then as the worst end."""
    assert combined(PrintMember(state) for state in members).state is whole


def test_mixed_ends_say_so() -> None:
    """A group with one failure tells that the others were printed."""
    found = combined([PrintMember(P.COMPLETED), PrintMember(P.ABORTED, ("aborted-by-system",), "no paper")])
    assert found == PrintMember(P.ABORTED, ("aborted-by-system", "job-completed-with-errors"), "no paper")


def test_an_open_job_is_held_and_says_why() -> None:
    """Nobody takes a job for the next to be printed before its documents are there."""
    assert (job(closed=False).state, job(closed=False).reasons) == (P.HELD, ("job-incoming",))
    assert (job(held=True).state, job(held=True).reasons) == (P.HELD, ("job-hold-until-specified",))
    assert job().state is P.PENDING


def test_times_are_written_once() -> None:
    """Processing begins at the first sign of it; completion has both times."""
    one = changed(job("a"), PrintChange("a", P.PROCESSING, ("job-outgoing",)), 200)
    two = changed(one, PrintChange("a", reasons=("queued-in-device",)), 300)
    three = changed(two, PrintChange("a", P.COMPLETED, sheets=2), 400)
    assert [(it.processing, it.completed, it.reasons) for it in (one, two, three)] == [
        (200, 0, ("job-outgoing",)),
        (200, 0, ("queued-in-device",)),
        (200, 400, ("job-completed-successfully",)),
    ]
    assert (three.sheets, three.impressions) == (2, -1)
    assert changed(three, PrintChange(state=P.CANCELED), 500) is three


def test_a_member_that_ended_stays_ended() -> None:
    """Cancelling a group leaves what is printed printed."""
    one = changed(job("a", "b"), PrintChange("a", P.COMPLETED), 200)
    two = changed(one, PrintChange(state=P.CANCELED), 300)
    assert [it.state for it in two.members.values()] == [P.COMPLETED, P.CANCELED]
    assert two.state is P.CANCELED


def test_again_forgets_how_it_ended() -> None:
    """Restart-Job: as new, under its number."""
    over = changed(job("a"), PrintChange(state=P.ABORTED, message="no"), 200)
    again = changed(over, PrintChange(again=True, held=True), 300)
    assert (again.state, again.message, again.processing, again.completed) == (P.HELD, "", 0, 0)
    assert standing(again) == again


def test_options_come_from_the_nearest() -> None:
    """Job before destination before site; what says the same thing otherwise is not mixed in."""
    site = {"media": "na_letter_8.5x11in", "sides": "one-sided", "copies": 1}
    destination = {"sides": "two-sided-long-edge", "print-color-mode": "monochrome"}
    assert effective({"copies": 3, "media-col": {"media-type": "labels"}}, destination, site) == {
        "copies": 3,
        "media-col": {"media-type": "labels"},
        "sides": "two-sided-long-edge",
        "print-color-mode": "monochrome",
    }


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\r\njunk %PDF-1.4", "application/pdf"),
        (b"%!PS-Adobe-3.0\n", "application/postscript"),
        (b"\x04%!PS", "application/postscript"),
        (b"\x1b%-12345X@PJL\r\n@PJL ENTER LANGUAGE = POSTSCRIPT\r\n%!PS", "application/postscript"),
        (b"\x1b%-12345X@PJL ENTER LANGUAGE=PCL\r\n\x1bE", "application/vnd.hp-pcl"),
        (b"\x1b%-12345X@PJL JOB\r\n", "application/octet-stream"),
        (b"\x1bE\x1b&l", "application/vnd.hp-pcl"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"II*\0", "image/tiff"),
        (b"RaS2PwgRaster\0", "image/pwg-raster"),
        (b"UNIRAST\0", "image/urf"),
        (b"Dear Sir,\r\n", "text/plain"),
        ("Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n".encode() * 300, "text/plain"),
        (b"caf\xe9 au lait", "application/octet-stream"),
        (b"\0\1\2", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_documents_are_known_by_their_octets(beginning: bytes, kind: str) -> None:
    """Never by what they are called."""
    assert sniffed(beginning) == kind


def test_what_octets_do_not_tell_the_sender_may() -> None:
    """A text may be a language of printers; a PDF is no JPEG whatever is said."""
    assert format_of(b"%PDF-1.4", "image/jpeg") == "application/pdf"
    assert format_of(b"plain words", "application/vnd.hp-pcl") == "application/vnd.hp-pcl"
    assert format_of(b"\0\1", "image/urf") == "image/urf"
    assert format_of(b"\0\1", "") == "application/octet-stream"


def test_paper_tells_its_size() -> None:
    """PWG 5101.1 names, hundredths of a millimetre."""
    assert size_of("iso_a4_210x297mm") == (21000, 29700)
    assert size_of("na_letter_8.5x11in") == (21590, 27940)
    assert [size_of(one) for one in ("a4", "iso_a4", "x_y_1x..mm", "x_y_0x1mm")] == [None] * 4
    assert name_of_size((21001, 29699), ("na_letter_8.5x11in", "iso_a4_210x297mm")) == "iso_a4_210x297mm"
    assert name_of_size((100, 100), ("iso_a4_210x297mm",)) == ""
    assert [is_custom(one) for one in ("custom_my_100x200mm", "custom_my_1x2mm", "iso_a4_210x297mm")] == [
        True,
        False,
        False,
    ]


def test_parts_have_traces_of_their_own() -> None:
    """The first has that of the whole; the others count on, also past the end."""
    uuid = "0192abcd-ef01-7000-8000-000000ffffff"
    assert trace_of(uuid) == trace_of(uuid, 1) == "92abcdef01ffffff"
    assert trace_of(uuid, 2) == "92abcdef01000000"
