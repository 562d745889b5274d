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
from mailshare.documents.pdf_opening import packed_objects
from mailshare.documents.pdf_parts import inherited, parts_of

_TEXT, _IMAGE, _GROUP = 1, 3, 5  # FPDF_PAGEOBJ_
_LOOKED_AT_PICTURES = 4_000  # parts of a page, those in groups, too
_DEEPEST = 8  # groups inside groups
_UNSEEN = 3  # FPDF_TEXTRENDERMODE_: neither filled nor drawn around
_LIGHT = 250
_LOOKED_AT = 400  # parts of a page
_MOST_BLANKS = 16  # octets that are 0 in a row, which are blanks in contents
_TAKES = {"CCITTFaxDecode": 8.0, "JBIG2Decode": 0.25, "JPXDecode": 0.25}  # octets of a row that is all white
_CONTENTS = re.compile(rb"/Contents\s+\d+\s+\d+\s+R|/Contents\s*\[\s*\d")
_LETTERED = """
b B b* B* BDC BI BMC BT BX c cm CS cs d d0 d1 Do DP EI EMC ET EX f F f* G g gs h i ID j J K k l m M MP n q Q re RG rg ri
s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y
"""
_OPERATORS = frozenset([*_LETTERED.split(), "'", '"'])  # ISO 32000-1 annex A
_PACKED = ("", "FlateDecode", "LZWDecode", "RunLengthDecode", "ASCII85Decode", "ASCIIHexDecode")
_DRAWING = re.compile(rb"/\w+\s+Do\b|\)\s*Tj\b|\]\s*TJ\b|\d\s+re\s+f\b|\d\s+[lc]\s+[SfBb]\b")


def check_white(page: Any, number: int, pdfium: Any, data: bytes) -> None:
    """The page may be white.

    :param page: of pypdfium2; nothing dark came of it. ``number``: from 1.
    :param data: the document.
    :raises NotConvertible: DAMAGED: there is something on it that cannot be drawn.
    """
    words, parts = False, _parts(page, pdfium)
    if _draws(data, number, nothing=not parts):
        raise _lost(number, "what is drawn on it is damaged")
    for one in parts:
        kind = pdfium.FPDFPageObj_GetType(one)
        if kind == _IMAGE and not _decodes(one, pdfium):
            raise _lost(number, "a picture of it cannot be decoded")
        if kind == _IMAGE and _too_plain(one, pdfium):
            raise _lost(number, "a picture of it is damaged")
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


def _draws(data: bytes, number: int, *, nothing: bool) -> bool:
    """Whether a page that came out white wants something drawn that PDFium did not find, or cannot be read.

    :param nothing: PDFium found nothing at all on it.
    """
    import pikepdf  # noqa: PLC0415 - for such pages only

    try:
        with pikepdf.open(io.BytesIO(data)) as document:
            page = document.pages[number - 1].obj
            told: Any = page.get("/Contents", [])
            streams = list(told) if isinstance(told, pikepdf.Array) else [told]
            drawn = [one.read_bytes() for one in streams if isinstance(one, pikepdf.Stream)]
            if not drawn:
                return _is_said(data, page.objgen, sum("/Contents" in one.obj for one in document.pages))
            damaged = any(bytes(_MOST_BLANKS) in one for one in drawn) or not _is_read(page)
    except (pikepdf.PdfError, ValueError, RuntimeError, IndexError, TypeError):
        return True
    return damaged or (nothing and any(_DRAWING.search(content) for content in drawn))


def _is_said(data: bytes, place: tuple[int, int], others: int) -> bool:
    """Whether a page without contents had some: what is referred to and is not there is as nothing to qpdf.

    :param others: pages that have contents.
    """
    bodies = list(re.finditer(rb"(?<!\d)%d\s+%d\s+obj\b(.*?)endobj" % place, data, re.DOTALL))
    if bodies:
        return any(_CONTENTS.search(body[1]) for body in bodies)
    # It stands among others in a stream of objects: more pages want contents than have them.
    return sum(len(_CONTENTS.findall(part)) for part in packed_objects(data)) > others


def _is_read(page: Any) -> bool:
    """Whether its contents are instructions that there are, and the pictures they call for are there."""
    import pikepdf  # noqa: PLC0415

    resources = inherited(page, "/Resources")
    groups = resources.get("/XObject", {}) if resources is not None else {}
    instructions = pikepdf.parse_content_stream(page)
    for one in instructions:
        operator = str(one.operator)
        if operator not in _OPERATORS and not isinstance(one, pikepdf.ContentStreamInlineImage):
            return False
        if operator == "Do" and one.operands and groups.get(str(one.operands[0])) is None:
            return False
    return bool(instructions) or not any(
        one.stream.read_bytes().strip() for one in parts_of(page, set()) if one.kind == "contents"
    )


def _too_plain(picture: Any, pdfium: Any) -> bool:
    """Whether a picture of one colour all over has many more octets than such a picture takes: they were not read."""
    rows_take = _TAKES.get(_coding(picture, pdfium))
    if rows_take is None:
        return False
    bitmap = pdfium.FPDFImageObj_GetBitmap(picture)
    if not bitmap:
        return False
    try:
        rows, stride = pdfium.FPDFBitmap_GetHeight(bitmap), pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), rows * stride)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    first = pixels[: stride - 8]
    plain = not first.strip(first[:1]) and all(pixels.startswith(first, at) for at in range(0, len(pixels), stride))
    return plain and pdfium.FPDFImageObj_GetImageDataRaw(picture, None, 0) > 300 + rows * rows_take


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
