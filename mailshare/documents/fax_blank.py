"""Why a page of a PDF came out white, or all black: PDFium leaves out what it cannot draw, and says nothing.

A page is looked at only when its pixels are suspicious. One on which nothing stands is a page; one whose scan cannot be
decoded, whose letters have no shapes, or whose drawing cannot be read is a page that would be lost.
"""

from __future__ import annotations

import ctypes
import io
import re
from collections.abc import Callable
from typing import Any

from mailshare.core.documents import Hindrance, NotConvertible

_TEXT, _IMAGE, _GROUP = 1, 3, 5  # FPDF_PAGEOBJ_
_LOOKED_AT_PICTURES = 4_000  # parts of a page, those in groups, too
_DEEPEST = 8  # groups inside groups
_UNSEEN = 3  # FPDF_TEXTRENDERMODE_: neither filled nor drawn around
_LIGHT = 250
_LOOKED_AT = 400  # parts of a page
_PACKED = ("", "FlateDecode", "LZWDecode", "RunLengthDecode", "ASCII85Decode", "ASCIIHexDecode")
_DRAWING = re.compile(rb"/\w+\s+Do\b|\)\s*Tj\b|\]\s*TJ\b|\d\s+re\s+f\b|\d\s+[lc]\s+[SfBb]\b")


def check_white(page: Any, number: int, pdfium: Any, data: bytes) -> None:
    """The page may be white.

    :param page: of pypdfium2; nothing dark came of it. ``number``: from 1.
    :param data: the document.
    :raises NotConvertible: DAMAGED: there is something on it that cannot be drawn.
    """
    words, parts = False, _parts(page, pdfium)
    if not parts and _draws(data, number):
        raise _lost(number, "what is drawn on it is damaged")
    for one in parts:
        kind = pdfium.FPDFPageObj_GetType(one)
        if kind == _IMAGE and not _decodes(one, pdfium):
            raise _lost(number, "a picture of it cannot be decoded")
        words = words or (kind == _TEXT and _dark(one, pdfium))
    if words and _letters(page, pdfium):
        raise _lost(number, "there is no font here for its words; please embed the fonts")


def check_pictures(page: Any, number: int, pdfium: Any) -> None:
    """Each picture of the page is one that PDFium can draw; what it cannot it leaves out.

    :raises NotConvertible: DAMAGED.
    """
    left = _LOOKED_AT_PICTURES
    told = pdfium.FPDF_IMAGEOBJ_METADATA()

    def look(count: int, part: Callable[..., Any], whole: Any, depth: int) -> None:
        nonlocal left
        for index in range(count):
            left -= 1
            if left < 0 or depth > _DEEPEST:
                return
            one = part(whole, index)
            kind = pdfium.FPDFPageObj_GetType(one)
            if kind == _GROUP:
                look(pdfium.FPDFFormObj_CountObjects(one), pdfium.FPDFFormObj_GetObject, one, depth + 1)
            if kind != _IMAGE:
                continue
            seen = pdfium.FPDFImageObj_GetImageMetadata(one, page, told) and told.bits_per_pixel
            if not seen or (_coding(one, pdfium) == "JBIG2Decode" and not _decodes(one, pdfium)):
                raise _lost(number, "a picture of it cannot be decoded")

    look(pdfium.FPDFPage_CountObjects(page), pdfium.FPDFPage_GetObject, page, 0)


def _coding(picture: Any, pdfium: Any) -> str:
    """The last filter of a picture."""
    name = ctypes.create_string_buffer(100)
    filters = pdfium.FPDFImageObj_GetImageFilterCount(picture)
    pdfium.FPDFImageObj_GetImageFilter(picture, filters - 1, name, 100)
    return name.value.decode("latin-1") if filters else ""


def check_black(page: Any, number: int, pdfium: Any) -> None:
    """The page may be black, or dark for the most part.

    :raises NotConvertible: DAMAGED: a picture of it was filled up because some of it is missing.
    """
    for one in _parts(page, pdfium):
        if pdfium.FPDFPageObj_GetType(one) == _IMAGE and _too_short(one, page, pdfium):
            raise _lost(number, "a picture of it is cut off")


def _lost(number: int, what: str) -> NotConvertible:
    return NotConvertible(Hindrance.DAMAGED, f"Page {number} of the PDF would be lost: {what}")


def _parts(page: Any, pdfium: Any) -> list[Any]:
    count = min(pdfium.FPDFPage_CountObjects(page), _LOOKED_AT)
    return [pdfium.FPDFPage_GetObject(page, index) for index in range(count)]


def _draws(data: bytes, number: int) -> bool:
    """Whether a page on which PDFium found nothing at all wants something drawn, or cannot be read."""
    import pikepdf  # noqa: PLC0415 - for such pages only

    try:
        with pikepdf.open(io.BytesIO(data)) as document:
            told: Any = document.pages[number - 1].obj.get("/Contents", [])
            streams = list(told) if isinstance(told, pikepdf.Array) else [told]
            drawn = [one.read_bytes() for one in streams if isinstance(one, pikepdf.Stream)]
    except (pikepdf.PdfError, ValueError, RuntimeError, IndexError):
        return True
    return any(_DRAWING.search(content) for content in drawn)


def _decodes(picture: Any, pdfium: Any) -> bool:
    bitmap = pdfium.FPDFImageObj_GetBitmap(picture)
    if bitmap:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return bool(bitmap)


def _dark(text: Any, pdfium: Any) -> bool:
    """Whether the words would be seen on white."""
    red, green, blue, seen = (ctypes.c_uint() for _ in range(4))
    pdfium.FPDFPageObj_GetFillColor(text, red, green, blue, seen)
    dark = min(red.value, green.value, blue.value) < _LIGHT and seen.value > 0
    return dark and pdfium.FPDFTextObj_GetTextRenderMode(text) != _UNSEEN


def _letters(page: Any, pdfium: Any) -> bool:
    """Whether there are characters on the page that are no blanks."""
    text = pdfium.FPDFText_LoadPage(page)
    if not text:
        return False
    try:
        count = min(pdfium.FPDFText_CountChars(text), _LOOKED_AT)
        codes = (pdfium.FPDFText_GetUnicode(text, index) for index in range(count))
        return any(code > 32 and not chr(min(code, 0x10FFFF)).isspace() for code in codes)
    finally:
        pdfium.FPDFText_ClosePage(text)


def _too_short(picture: Any, page: Any, pdfium: Any) -> bool:
    """Of a picture without a coding of its own: there are fewer octets than it has pixels."""
    name = ctypes.create_string_buffer(100)
    filters = pdfium.FPDFImageObj_GetImageFilterCount(picture)
    for index in range(filters):
        pdfium.FPDFImageObj_GetImageFilter(picture, index, name, 100)
        if name.value.decode("latin-1") not in _PACKED:
            return False
    told = pdfium.FPDF_IMAGEOBJ_METADATA()
    if not pdfium.FPDFImageObj_GetImageMetadata(picture, page, told):
        return False
    wanted = (told.width * told.bits_per_pixel + 7) // 8 * told.height
    return bool(pdfium.FPDFImageObj_GetImageDataDecoded(picture, None, 0) * 2 < wanted)
