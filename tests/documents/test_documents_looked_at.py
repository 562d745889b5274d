"""What documents are, by their octets, and how many pages they have."""

from __future__ import annotations

import io
import zipfile

import pytest
import pytest_twisted
from made_papers import octets, pdf, picture

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.row_packing import packed_rows
from mailshare.wire.pwg_raster import SYNC, RasterPage, page_header
from mailshare.wire.urf import file_header
from mailshare.wire.urf import page_header as urf_header

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def raster(pages: int, *, urf: bool = False) -> bytes:
    page = RasterPage("sgray_8", 16, 300, 300, "iso_a4_210x297mm")
    rows = b"".join(packed_rows(bytes(16) * 299 + bytes(range(16)), 16, 1))
    head = urf_header(page) if urf else page_header(page)
    return (file_header(0) if urf else SYNC) + (head + rows) * pages


@pytest_twisted.ensureDeferred
async def test_pdf_tells_pages_and_size(desk) -> None:
    """A PDF of three A4 pages says so, before anything is printed."""
    facts = await desk.facts(octets(pdf(3)))
    assert (facts.format, facts.pages, facts.encrypted, facts.active) == ("application/pdf", 3, False, ())
    assert facts.size == (21_000, 29_700)
    assert facts.octets == len(pdf(3))


@pytest_twisted.ensureDeferred
async def test_encrypted_pdf_is_told_of(desk) -> None:
    """A PDF with a password is told of by facts; one that opens without asking is an ordinary one."""
    facts = await desk.facts(octets(pdf(1, user="secret", owner="owner")))
    assert facts.encrypted
    assert facts.pages is None
    assert not (await desk.facts(octets(pdf(1, user="", owner="owner")))).encrypted


@pytest.mark.parametrize(
    ("document", "declared", "kind", "pages"),
    [
        (picture("JPEG"), "", "image/jpeg", 1),
        (picture("PNG"), "application/pdf", "image/png", 1),
        (picture("TIFF", save_all=True), "", "image/tiff", 1),
        (b"%!PS-Adobe-3.0\nshowpage\n", "", "application/postscript", None),
        (b"one\fpage\fand another\n", "text/plain", "text/plain", 3),
        (("line\n" * 64).encode(), "", "text/plain", 2),
        ("Größe\n".encode("latin-1"), "text/plain; charset=iso-8859-1", "text/plain", 1),
        (b"<!doctype html><title>x</title><p>words", "", "text/html", 1),
        (b"<p>words", "text/html; charset=utf-8", "text/html", 1),
        (packed(**{"[Content_Types].xml": b"", "word__document.xml": b""}), "", DOCX, None),
        (packed(mimetype=ODT.encode()), "", ODT, None),
        (packed(a=b"b"), DOCX, "application/zip", None),
        (raster(3), "", "image/pwg-raster", 3),
        (raster(2, urf=True), "", "image/urf", 2),
        (b"\x78\x9f\x3e\x22rest", "", "application/ms-tnef", None),
        (b"\x1bE\x1b&l0O", "", "application/vnd.hp-pcl", None),
        (b"\0\1\2\3", "application/pdf", "application/octet-stream", None),
    ],
    ids=range(17),
)
@pytest_twisted.ensureDeferred
async def test_kinds_are_known_by_their_octets(desk, document: bytes, declared: str, kind: str, pages: int) -> None:
    """Neither names nor what a sender declares decide; pages are counted where they can be."""
    facts = await desk.facts(octets(document), declared)
    assert (facts.format, facts.pages) == (kind, pages)


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (b"", Hindrance.EMPTY),
        (b"%PDF-1.7\nnothing else", Hindrance.DAMAGED),
        (raster(2)[:-3], Hindrance.DAMAGED),
        (picture("PNG")[:20], Hindrance.DAMAGED),
        (b"PK\x03\x04 and no more", Hindrance.DAMAGED),
        (pdf(6), Hindrance.TOO_MANY_PAGES),
        (b"\f" * 6, Hindrance.TOO_MANY_PAGES),
        (picture("PNG", (1500, 1000), "1"), Hindrance.TOO_MANY_PIXELS),
        (bytes(300_000), Hindrance.TOO_LARGE),
    ],
    ids=range(9),
)
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_is_told_in_a_word(desk, document: bytes, cause: Hindrance) -> None:
    """Every refusal has its cause and a sentence; nothing of the document is left."""
    desk.bound(pages=5, pixels=1_000_000, size=200_000)
    with pytest.raises(NotConvertible) as refused:
        await desk.facts(octets(document))
    assert refused.value.cause is cause
    assert refused.value.public.endswith(tuple("abcdefghijklmnopqrstuvwxyz"))


@pytest_twisted.ensureDeferred
async def test_active_content_is_named(desk) -> None:
    """JavaScript and files inside a PDF are told of."""
    import pikepdf

    made, out = pikepdf.open(io.BytesIO(pdf(1))), io.BytesIO()
    made.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
    made.attachments["a.txt"] = b"hello"
    made.save(out)
    assert (await desk.facts(octets(out.getvalue()))).active == ("embedded-file", "javascript")
