"""Pages of a PDF as pages of a fax: drawn by PDFium in grey where they stand on the paper, so that nothing is scaled.

Several processors draw at once, where there are several and the document has the pages for it.
"""

from __future__ import annotations

import ctypes
import io
import os
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import FaxPage
from mailshare.documents.fax_bits import black_and_white
from mailshare.documents.fax_paper import ACROSS, Layout
from mailshare.documents.fax_strips import coded_bits
from mailshare.documents.looking import check_pages
from mailshare.wire.tiff_fax import read_tiff, write_tiff

_MOST_AT_ONCE = 4  # processes that draw one document
_PAGES_EACH = 3  # below which another process costs more than it saves
_LOOKED_AT = 400  # parts of a page that are asked whether they are pictures
_DEEPEST = 4  # groups inside groups
_IMAGE, _SHADING, _GROUP = 3, 4, 5  # FPDF_PAGEOBJ_
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


def pdf_pages(data: bytes, layout: Layout, most: int, folder: str = "") -> list[FaxPage]:
    """Its pages in MMR.

    :param most: pages that are taken.
    :param folder: where processes that help may write; empty: none do. Whoever calls has no threads then.
    :raises NotConvertible: ENCRYPTED, DAMAGED, TOO_MANY_PAGES, EMPTY.
    """
    import pypdfium2  # noqa: PLC0415 - only where a PDF comes

    document = _opened(data)
    whole = _with_all_pages(data, len(document))
    if whole:
        document = _opened(whole)
    count = len(document)
    check_pages(count, most)

    def draw(indexes: range) -> list[FaxPage]:
        try:
            return list(_drawn(document, indexes, layout))
        except pypdfium2.PdfiumError as fault:
            raise NotConvertible(Hindrance.DAMAGED, detail={"why": str(fault)}) from fault

    document.init_forms()
    hands = min(_processors(), _MOST_AT_ONCE, count // _PAGES_EACH) if folder else 1
    return draw(range(count)) if hands < 2 else _by_several(draw, count, hands, folder)


def _opened(data: bytes) -> Any:
    import pypdfium2  # noqa: PLC0415 - only where a PDF comes

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as fault:
        # What PDFium says may be left over from the document before.
        locked = "password" in str(fault).casefold() and b"/Encrypt" in data
        # Of a document without pages it says that it failed, and that all went well.
        empty = "Success" in str(fault) and not locked
        cause = Hindrance.ENCRYPTED if locked else Hindrance.EMPTY if empty else Hindrance.DAMAGED
        raise NotConvertible(cause, detail={"why": str(fault)}) from fault


def _with_all_pages(data: bytes, count: int) -> bytes:
    """The document written anew when there are more pages in its tree than ``count``; else empty.

    PDFium believes the number that the tree says of itself, and would leave the others out without a word.
    """
    import pikepdf  # noqa: PLC0415 - only where a PDF comes

    written = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(data)) as document:
            if len(document.pages) <= count:
                return b""
            with pikepdf.new() as whole:
                whole.pages.extend(document.pages)
                whole.save(written)
    except (pikepdf.PdfError, ValueError, RuntimeError):
        return b""  # what PDFium made of it holds
    return written.getvalue()


def rehearse() -> None:
    """Draw a page of our own, so that what PDFium and Pillow make ready with their first page is there for others."""
    pdf_pages(_OWN, Layout.of({}), 1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_several(draw: Callable[[range], list[FaxPage]], count: int, hands: int, folder: str) -> list[FaxPage]:
    """Pages drawn by this process and others, each every so many; what another one cannot do is done here."""
    helpers = {hand: _helper(draw, range(hand, count, hands), f"{folder}/pages-{hand}") for hand in range(1, hands)}
    pages: dict[int, FaxPage] = dict(zip(range(0, count, hands), draw(range(0, count, hands)), strict=True))
    for hand, process in helpers.items():
        mine = range(hand, count, hands)
        _, status = os.waitpid(process, 0)
        if status == 0:
            with open(f"{folder}/pages-{hand}", "rb") as file:
                made = [one.page for one in read_tiff(file.read()) if one.page is not None]
        if status != 0 or len(made) != len(mine):
            made = draw(mine)  # which tells what is wrong, if something is
        pages.update(zip(mine, made, strict=True))
    return [pages[index] for index in range(count)]


def _helper(draw: Callable[[range], list[FaxPage]], indexes: range, path: str) -> int:
    """Start a process that draws these pages into a file; it belongs to the group of this one, and ends with it."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        pages = draw(indexes)
        with open(path, "wb") as file:
            file.write(write_tiff(pages))
        status = 0
    finally:
        os._exit(status)


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


def _drawn(document: Any, indexes: range, layout: Layout) -> Iterator[FaxPage]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    canvas = _Canvas(layout.width, layout.rows)
    try:
        for index in indexes:
            page = document[index]
            canvas.clear()
            _draw(page, canvas, layout, pdfium)
            photos = layout.photos
            if photos == "auto" and not _has_pictures(page, pdfium):
                photos = "threshold"
            page.close()
            bits = black_and_white(canvas.octets, canvas.width, layout.lines, photos)
            yield coded_bits(bits, ACROSS, layout.lines)
    finally:
        pdfium.FPDFBitmap_Destroy(canvas.bitmap)


def _draw(page: Any, canvas: _Canvas, layout: Layout, pdfium: Any) -> None:
    width, height = page.get_size()
    inches = (max(width, 1.0) / 72, max(height, 1.0) / 72)
    turned = layout.turns(*inches)
    left, top, across, down = layout.place(*(reversed(inches) if turned else inches))
    place = (left, top, across, down, int(turned), pdfium.FPDF_ANNOT | pdfium.FPDF_PRINTING)
    pdfium.FPDF_RenderPageBitmap(canvas.bitmap, page, *place)
    if page.formenv is not None:
        pdfium.FPDF_FFLDraw(page.formenv, canvas.bitmap, page, *place)


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
