"""PDF files whose frame is damaged: drawn with all of their pages, or refused with a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO

import pikepdf
import pytest
from odd_pdfs import objects, stream

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_strips import picture_of

PAGES = 5
KINDS = ("plain", "streams of objects", "for the web", "both")


def book(kind: str, pages: int = PAGES) -> bytes:
    """A document of some pages, each with a bar of its own and lines."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<<>>>>"
    kids = b"".join(b"%d 0 R " % (3 + 2 * number) for number in range(pages))
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%b]>>" % (pages, kids)]
    for number in range(pages):
        bar = b"0 g 72 %d 200 100 re f " % (600 - 20 * number)
        bodies += [page % (4 + 2 * number), stream(bar + b"0 0 m 5 5 l S " * 100)]
    data, out = objects(*bodies), BytesIO()
    if kind == "plain":
        return data
    mode = pikepdf.ObjectStreamMode
    with pikepdf.open(BytesIO(data)) as document:
        document.save(
            out,
            object_stream_mode=mode.disable if kind == "for the web" else mode.generate,
            linearize=kind != "streams of objects",
            compress_streams=False,
        )
    return out.getvalue()


def _shifted(data: bytes) -> bytes:
    return re.sub(rb"(\d{10}) 00000 n", lambda one: b"%010d 00000 n" % (int(one[1]) + 5), data)


MENDED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "no place of the table": lambda data: re.sub(rb"startxref\s+\d+", b"startxref\n0", data),
    "a place far behind": lambda data: re.sub(rb"startxref\s+\d+", b"startxref\n999999999", data),
    "no mark at the end": lambda data: data[:-20],
    "much before it": lambda data: b"From: somebody\r\n" * 300 + data,
    "no mark at the beginning": lambda data: data[9:],
    "much behind it": lambda data: data + bytes(5000),
    "lengths too short": lambda data: re.sub(rb"/Length \d+", b"/Length 7", data),
    "lengths too long": lambda data: re.sub(rb"/Length \d+", b"/Length 99999", data),
    "streams without an end": lambda data: data.replace(b"endstream", b""),
    "entries too short": lambda data: data.replace(b" 00000 n \n", b" 00000 n\n"),
    "a table that is off": _shifted,
    "a table of zeros": lambda data: re.sub(rb"\d{10} 00000 n", bytes(10).replace(b"\0", b"0") + b" 00000 n", data),
    "a table from 1": lambda data: data.replace(b"xref\n0 ", b"xref\n1 "),
    "no trailer": lambda data: data.replace(b"trailer", b"tralier"),
    "a count too low": lambda data: data.replace(b"/Count 5", b"/Count 4"),
}


@pytest.mark.parametrize("how", sorted(MENDED))
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_frames_are_mended(kind: str, how: str) -> None:
    """Every page is there, each with its own bar, whatever happened to the frame."""
    pages = pages_of(fax_pages(MENDED[how](book(kind)), {}, "application/pdf")[0])
    assert len(pages) == PAGES
    for number, page in enumerate(pages):
        picture = picture_of(page)
        top = round((842 - 700 + 20 * number) * 196 / 72)
        middle = 20 + round(172 * 204 / 72)
        assert (picture.getpixel((middle, top + 5)), picture.getpixel((middle, top - 5))) == (0, 255), number


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_off_is_refused_or_whole(kind: str) -> None:
    """At each place: a sentence, or all pages."""
    whole = book(kind)
    for length in (1, 2, 4, *range(10, len(whole) - 20, 331)):
        refused, blacks = outcome(whole[:length])
        if refused:
            assert refused in (Hindrance.DAMAGED, Hindrance.UNKNOWN_FORMAT)
        else:
            assert len(blacks) == PAGES, length
            assert all(blacks), length


def outcome(data: bytes) -> tuple[str, list[int]]:
    """Why it is refused, with a sentence; or how many pixels of each page are black."""
    try:
        pages = pages_of(fax_pages(data, {}, "application/pdf")[0])
    except NotConvertible as refusal:
        return refusal.cause if len(refusal.public) > 20 else "no sentence", []
    return "", [picture_of(page).histogram()[0] for page in pages]


def lacking() -> Iterator[tuple[str, str, bytes]]:
    """Documents of which pages are gone: name, a word of the refusal, the document."""
    whole = book("plain")
    gone = re.sub(rb"\n7 0 obj.*?endobj", b"", whole, flags=re.DOTALL)
    yield "a page is gone", "of its 5 pages 4", gone
    yield "what is drawn on one is gone", "missing", re.sub(rb"\n8 0 obj.*?endobj", b"", whole, flags=re.DOTALL)
    newer = whole + b"4 0 obj\n<</Length 10>>stream\n0 0 m 9 9"
    yield "the end of a later state is missing", "end of the PDF", newer
    yield "a later state has no table", "end of the PDF", newer + b" l S\nendstream\nendobj\n"


def test_documents_that_lack_pages_are_refused() -> None:
    """With a sentence that says how many, or that their end is missing: no former state is faxed in silence."""
    for name, word, data in lacking():
        with pytest.raises(NotConvertible) as refused:
            fax_pages(data, {}, "application/pdf")
        assert word in refused.value.public, name
