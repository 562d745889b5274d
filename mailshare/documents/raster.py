"""The pages of a PDF as raster: drawn by PDFium, packed as printers take it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, BinaryIO

from attrs import evolve, frozen

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.print_media import size_of
from mailshare.documents.bounds import Bounds
from mailshare.documents.pdf_pages import opened
from mailshare.documents.row_packing import packed_rows
from mailshare.wire import pwg_raster, urf
from mailshare.wire.pwg_raster import KINDS, RasterPage

_BAND = 96 << 20  # octets of pixels that are drawn at once
_CRISP = 200  # dots per inch from which edges need no smoothing
_PIXEL = 2540  # hundredths of a millimetre in an inch


@frozen
class Sheet:
    """How pages are put on paper.

    :ivar format: PWG raster or URF.
    :ivar page: what all pages have in common; its ``width`` and ``height`` follow from the paper.
    :ivar scaling: ``print-scaling``: ``fit`` to the paper, ``fill`` it, ``none``; ``auto`` shrinks what does not fit.
    :ivar back: how the backs of sheets are turned (``pwg-raster-document-sheet-back``).
    :ivar copies: of the whole document, one after another.
    """

    format: str
    page: RasterPage
    scaling: str = "auto"
    back: str = "normal"
    copies: int = 1


def write_raster(source: str, target: str, sheet: Sheet, bounds: Bounds) -> int:
    """Write all pages of a PDF; returns how many.

    :raises NotConvertible: also TOO_MANY_PIXELS, when the paper has more at this resolution.
    """
    document = opened(source, bounds)
    count = len(document) * sheet.copies
    sheet = evolve(sheet, page=_sized(evolve(sheet.page, total=count), bounds))
    with open(target, "wb") as out:
        out.write(pwg_raster.SYNC if sheet.format == kinds.PWG else urf.file_header(count))
        for copy in range(sheet.copies):
            for index in range(len(document)):
                page = document[index]
                # In two-sided printing each copy begins on a sheet of its own: printers turn by themselves.
                _write_page(out, page, sheet, back=sheet.page.duplex and (copy * len(document) + index) % 2 == 1)
                page.close()
    return count


def _sized(page: RasterPage, bounds: Bounds) -> RasterPage:
    size = size_of(page.media)
    if size is None:
        raise NotConvertible(Hindrance.NOT_TAKEN, f"{page.media!r} is no size of paper")
    width, height = (round(side * page.resolution / _PIXEL) for side in size)
    if page.kind == "black_1":
        width = width // 8 * 8 or 8
    if width * height > bounds.pixels:
        raise NotConvertible(Hindrance.TOO_MANY_PIXELS)
    return evolve(page, width=width, height=height)


def _write_page(out: BinaryIO, page: Any, sheet: Sheet, *, back: bool) -> None:
    said = sheet.page
    if back:
        cross, feed = turned_back(sheet.back, tumble=said.tumble)
        said = evolve(said, cross=cross, feed=feed)
    header = pwg_raster.page_header(said) if sheet.format == kinds.PWG else urf.page_header(said)
    out.write(header)
    kind = KINDS[said.kind]
    for band in _bands(page, sheet, said):
        out.writelines(packed_rows(band, kind.row(said.width), kind.unit))


def turned_back(back: str, *, tumble: bool) -> tuple[int, int]:
    """``(cross, feed)`` of the back of a sheet (PWG 5102.4 section 5.1.1, ``pwg-raster-document-sheet-back``)."""
    if back == "flipped":
        return (-1, 1) if tumble else (1, -1)
    turned = (back == "manual-tumble" and tumble) or (back == "rotated" and not tumble)
    return (-1, -1) if turned else (1, 1)


def _bands(page: Any, sheet: Sheet, said: RasterPage) -> Iterator[bytes | bytearray]:
    """Rows of a page from the top, as they go to the printer, many at a time."""
    place = placed(page.get_size(), (said.width, said.height), said.resolution, sheet.scaling)
    band = max(1, min(said.height, _BAND // (said.width * 4)))
    starts = list(range(0, said.height, band))
    for start in reversed(starts) if said.feed < 0 else starts:
        yield _drawn(page, said, place, start, min(band, said.height - start))


@frozen
class Place:
    """Where a page lies on the paper: pixels, and quarters of a turn clockwise."""

    left: int
    top: int
    width: int
    height: int
    turn: int = 0


def placed(page: tuple[float, float], paper: tuple[int, int], resolution: int, scaling: str) -> Place:
    """In the middle of the paper; turned when it lies and the paper stands, or the other way round.

    :param page: points, as it is looked at.
    :param paper: pixels.
    """
    wide, high = (max(side, 1.0) * resolution / 72 for side in page)
    turn = int((wide > high) is not (paper[0] > paper[1]) and abs(wide - high) > 1)
    if turn:
        wide, high = high, wide
    across, down = paper[0] / wide, paper[1] / high
    near = abs(across - 1) < 0.01 and abs(down - 1) < 0.01  # rounding, and a paper of the same name
    scale = {
        "fit": min(across, down),
        "fill": max(across, down),
        "none": 1.0,
    }.get(scaling, min(across, down, 1.0) if not near else 1.0)
    width, height = round(wide * scale), round(high * scale)
    return Place((paper[0] - width) // 2, (paper[1] - height) // 2, max(width, 1), max(height, 1), turn)


def _drawn(page: Any, said: RasterPage, place: Place, start: int, rows: int) -> bytes | bytearray:
    """Rows of the page from that one on, of the kind that is asked for."""
    from PIL import Image, ImageChops  # noqa: PLC0415

    size, grey = (said.width, rows), KINDS[said.kind].colors == 1
    pixels = _pixels(page, place, size, start, grey=grey, crisp=said.resolution >= _CRISP)
    if said.kind in ("sgray_8", "srgb_8") and said.cross > 0 and said.feed > 0:
        return pixels
    picture = _picture(pixels, size, grey=grey)
    if said.kind == "black_1" and said.cross > 0 and said.feed > 0 and not any(picture.histogram()[1:255]):
        from mailshare.documents.fax_bits import inked  # noqa: PLC0415

        return inked(pixels, said.width).data  # no grey, no half-tones: the same dots in a quarter of the time
    if said.kind == "black_1":
        # Half-tones by dots, for what is no text; 1 is black there and white in a picture.
        picture = ImageChops.invert(picture.convert("L")).convert("1")
    elif said.kind == "cmyk_8":
        cyan, magenta, yellow, _ = picture.convert("CMYK").split()
        black = ImageChops.darker(ImageChops.darker(cyan, magenta), yellow)
        colors = (ImageChops.subtract(one, black) for one in (cyan, magenta, yellow))
        picture = Image.merge("CMYK", [*colors, black])
    if said.cross < 0:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if said.feed < 0:
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    octets: bytes = picture.tobytes()
    return octets


def drawn(page: Any, place: Place, size: tuple[int, int]) -> Any:
    """A piece of a page on white paper as a picture in RGB, with smooth edges."""
    return _picture(_pixels(page, place, size, 0, grey=False, crisp=False), size, grey=False)


def _picture(pixels: bytearray, size: tuple[int, int], *, grey: bool) -> Any:
    from PIL import Image  # noqa: PLC0415

    mode = "L" if grey else "RGB"
    return Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)


def _pixels(
    page: Any, place: Place, size: tuple[int, int], start: int, *, grey: bool, crisp: bool
) -> bytearray:
    """A piece of a page on white paper, from row ``start``, row for row in grey or RGB.

    :param crisp: edges are not smoothed, as is right for paper: a printer would make dots of the greys.
    """
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    width, height = size
    octets = 1 if grey else 3
    kind = pdfium.FPDFBitmap_Gray if grey else pdfium.FPDFBitmap_BGR
    stride = width * octets
    pixels = bytearray(b"\xff") * (stride * height)
    memory = (ctypes.c_ubyte * len(pixels)).from_buffer(pixels)
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, kind, memory, stride)
    if not bitmap:
        raise MemoryError
    try:
        flags = pdfium.FPDF_ANNOT | pdfium.FPDF_PRINTING
        flags |= pdfium.FPDF_GRAYSCALE if grey else pdfium.FPDF_REVERSE_BYTE_ORDER
        flags |= pdfium.FPDF_RENDER_NO_SMOOTHTEXT | pdfium.FPDF_RENDER_NO_SMOOTHPATH if crisp else 0
        pdfium.FPDF_RenderPageBitmap(
            bitmap, page, place.left, place.top - start, place.width, place.height, place.turn, flags
        )
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return pixels
