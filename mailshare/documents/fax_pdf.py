"""Pages of a PDF as pages of a fax: drawn by PDFium in grey where they stand on the paper, so that nothing is scaled.

Several processors draw at once, where there are several and the document has the pages for it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import define, field

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import FaxPage
from mailshare.documents.fax_bits import Bits, black_and_white
from mailshare.documents.fax_blank import check_black, check_pictures, check_white
from mailshare.documents.fax_cut import Wholeness
from mailshare.documents.fax_lines import Place, draw_lines, take_lines
from mailshare.documents.fax_notes import show_notes
from mailshare.documents.fax_paper import ACROSS, Layout
from mailshare.documents.fax_strips import coded_bits
from mailshare.documents.looking import check_pages
from mailshare.documents.pdf_opening import opened
from mailshare.wire.tiff_fax import read_tiff, write_tiff

_MOST_AT_ONCE = 4  # processes that draw one document
_PAGES_EACH = 3  # below which another process costs more than it saves
_NUMBER = 4  # octets of the number of a page
_LOOKED_AT = 3000  # parts of a page that are asked whether they are pictures; looking at its pixels takes as long
_DEEPEST = 4  # groups inside groups
_IMAGE, _SHADING, _GROUP = 3, 4, 5  # FPDF_PAGEOBJ_
_BLACK = 0.6  # share of a page that is dark, from which on it is asked why
_OWN = b"""%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Count 1/Kids[3 0 R]>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>> endobj
4 0 obj <</Length 50>> stream
BT /F 12 Tf 72 700 Td (Page) Tj ET 0 0 m 72 72 l S
endstream endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
trailer <</Root 1 0 R>>
"""
_Draw = Callable[[Iterable[int]], dict[int, FaxPage]]


def pdf_pages(data: bytes, layout: Layout, most: int, folder: str = "") -> list[FaxPage]:
    """Its pages in MMR.

    :param most: pages that are taken.
    :param folder: where processes that help may write; empty: none do. Whoever calls has no threads then.
    :raises NotConvertible: ENCRYPTED, DAMAGED, TOO_MANY_PAGES, EMPTY.
    """
    import pypdfium2  # noqa: PLC0415 - only where a PDF comes

    book = opened(data)
    document = book.drawn
    count = len(document)
    check_pages(count, most)
    whole = Wholeness(book, alone=bool(folder))

    def draw(indexes: Iterable[int]) -> dict[int, FaxPage]:
        try:
            return dict(_drawn(document, indexes, layout, whole))
        except pypdfium2.PdfiumError as fault:
            raise NotConvertible(Hindrance.DAMAGED, detail={"why": str(fault)}) from fault

    document.init_forms()
    hands = min(_processors(), _MOST_AT_ONCE, count // _PAGES_EACH) if folder else 1
    pages = draw(range(count)) if hands < 2 else _by_several(draw, count, hands, folder)
    return [pages[index] for index in range(count)]


def rehearse() -> None:
    """Draw a page of our own, so that what PDFium and Pillow make ready with their first page is there for others."""
    pdf_pages(_OWN, Layout.of({}), 1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_several(draw: _Draw, count: int, hands: int, folder: str) -> dict[int, FaxPage]:
    """Pages drawn by this process and others, each taking the next one when it is done with one; what another one
    cannot do is done here.
    """
    reads, writes = os.pipe2(os.O_CLOEXEC)
    os.write(writes, b"".join(index.to_bytes(_NUMBER) for index in range(count)))
    os.close(writes)
    paths = [f"{folder}/pages-{hand}" for hand in range(1, hands)]
    helpers = [_helper(draw, _taken(reads), path) for path in paths]
    pages = draw(_taken(reads))
    os.close(reads)
    for process, path in zip(helpers, paths, strict=True):
        _, status = os.waitpid(process, 0)
        if status == 0:
            pages |= _made(path)
    # Which tells what is wrong, if something is.
    return pages | draw(index for index in range(count) if index not in pages)


def _taken(reads: int) -> Iterator[int]:
    """Numbers of pages that nobody else has taken; a pipe gives each octet to one reader only."""
    while number := os.read(reads, _NUMBER):
        yield int.from_bytes(number)


def _helper(draw: _Draw, indexes: Iterable[int], path: str) -> int:
    """Start a process that draws these pages into a file; it belongs to the group of this one, and ends with it."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        pages = draw(indexes)
        with open(path, "wb") as file:
            file.write(len(pages).to_bytes(_NUMBER) + b"".join(index.to_bytes(_NUMBER) for index in pages))
            file.write(write_tiff(list(pages.values())) if pages else b"")
        status = 0
    finally:
        os._exit(status)


def _made(path: str) -> dict[int, FaxPage]:
    """What a process that helped has drawn."""
    with open(path, "rb") as file:
        count = int.from_bytes(file.read(_NUMBER))
        numbers = [int.from_bytes(file.read(_NUMBER)) for _ in range(count)]
        drawn = [one.page for one in read_tiff(file.read()) if one.page is not None] if count else []
    return dict(zip(numbers, drawn, strict=True))


@define
class _Canvas:
    """A grey page in memory that is drawn on again and again."""

    width: int
    rows: int
    octets: bytearray = field(init=False, repr=False)
    bitmap: Any = field(init=False)
    _memory: Any = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        import pypdfium2.raw as pdfium  # noqa: PLC0415

        self.octets = bytearray(self.width * self.rows)
        self._memory = (ctypes.c_ubyte * len(self.octets)).from_buffer(self.octets)
        kind = pdfium.FPDFBitmap_Gray
        self.bitmap = pdfium.FPDFBitmap_CreateEx(self.width, self.rows, kind, self._memory, self.width)
        if not self.bitmap:
            raise MemoryError

    def clear(self) -> None:
        """Make it white."""
        ctypes.memset(self._memory, 0xFF, len(self.octets))


def _drawn(document: Any, indexes: Iterable[int], layout: Layout, whole: Wholeness) -> Iterator[tuple[int, FaxPage]]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    canvas = _Canvas(layout.width, layout.rows)
    try:
        for index in indexes:
            whole.check(index)
            page = document[index]
            canvas.clear()
            show_notes(page, index + 1, pdfium)
            place = _place(page, layout)
            lines = take_lines(page, place, pdfium)
            _draw(page, canvas, place, pdfium)
            if lines:
                draw_lines(canvas.octets, canvas.width, lines)
            pictures = _has_pictures(page, pdfium)
            photos = layout.photos if pictures or layout.photos != "auto" else "threshold"
            bits = black_and_white(canvas.octets, canvas.width, layout.lines, photos)
            if pictures:
                check_pictures(page, index + 1, pdfium)
            _check(bits, page, index + 1, pdfium, whole.book.data)
            page.close()
            yield index, coded_bits(bits, ACROSS, layout.lines)
    finally:
        pdfium.FPDFBitmap_Destroy(canvas.bitmap)


def _check(bits: Bits, page: Any, number: int, pdfium: Any, data: bytes) -> None:
    """Nothing of the page was left out in silence.

    :raises NotConvertible: DAMAGED.
    """
    if bits.white:
        check_white(page, number, pdfium, data)
    elif bits.dark > _BLACK:
        check_black(page, number, pdfium)


def _place(page: Any, layout: Layout) -> Place:
    """Where it stands on the canvas."""
    width, height = page.get_size()
    inches = (max(width, 1.0) / 72, max(height, 1.0) / 72)
    turned = layout.turns(*inches)
    left, top, across, down = layout.place(*(reversed(inches) if turned else inches))
    return left, top, across, down, int(turned)


def _draw(page: Any, canvas: _Canvas, place: Place, pdfium: Any) -> None:
    flags = pdfium.FPDF_ANNOT | pdfium.FPDF_PRINTING
    pdfium.FPDF_RenderPageBitmap(canvas.bitmap, page, *place, flags)
    if page.formenv is not None:
        pdfium.FPDF_FFLDraw(page.formenv, canvas.bitmap, page, *place, flags)


def _has_pictures(page: Any, pdfium: Any) -> bool:
    """There may be a photograph on it: it has a picture, a shading, something stuck on, or more than is looked at."""
    if pdfium.FPDFPage_GetAnnotCount(page):
        return True
    left = _LOOKED_AT

    def looks(count: int, part: Callable[..., Any], whole: Any, depth: int) -> bool:
        nonlocal left
        left -= count
        if left < 0 or depth > _DEEPEST:
            return True
        for index in range(count):
            one = part(whole, index)
            kind = pdfium.FPDFPageObj_GetType(one)
            if kind in (_IMAGE, _SHADING):
                return True
            if kind == _GROUP and looks(
                pdfium.FPDFFormObj_CountObjects(one), pdfium.FPDFFormObj_GetObject, one, depth + 1
            ):
                return True
        return False

    return looks(pdfium.FPDFPage_CountObjects(page), pdfium.FPDFPage_GetObject, page, 0)
