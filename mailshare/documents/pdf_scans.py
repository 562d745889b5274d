"""Pictures of a PDF that are there only in part, by their own octets.

PDFium fills up what is missing of a picture with white or black, or leaves it out, and says nothing. So the rows of
faxes are followed one by one, segments and tiles are counted, and of plain pixels there must be as many as the picture
is large.
"""

from __future__ import annotations

import io
from typing import Any

from mailshare.core.documents import NotConvertible
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.pdf_filters import Unpacked, unpacked
from mailshare.wire.jbig2_segments import JBIG2Wrong, check_jbig2
from mailshare.wire.jpeg2000_parts import JPEG2000Wrong, check_jpeg2000
from mailshare.wire.t6_rows import pdf_rows

_END_OF_IMAGE = b"\xff\xd9"  # EOI, ITU-T T.81 section B.1.1.3
_BEHIND = 4096  # octets at the end in which it stands, with what some scanners write behind it
_MORE = b"\x55" * 64  # octets that are codes of no colour that a page is filled up with
_MENDED = 20  # one row of so many may be missing of a fax
_PARTS = {"DeviceGray": 1, "G": 1, "CalGray": 1, "Indexed": 1, "I": 1, "Separation": 1}
_PARTS |= {"DeviceRGB": 3, "RGB": 3, "CalRGB": 3, "Lab": 3, "DeviceCMYK": 4, "CMYK": 4}
_LARGEST = 1 << 16


def wrong_with(picture: Any, resources: Any = None, *, alone: bool = False) -> str:
    """What is wrong with a picture; empty when nothing is, as far as can be seen without drawing it.

    :param picture: a stream of pikepdf, or a picture within contents that has a dictionary and ``read_raw_bytes``.
    :param resources: where the names of its colours are explained.
    :param alone: this process does nothing else, so its standard error may be kept from saying what is damaged.
    """
    width, rows = _number(picture, "/Width", "/W"), _number(picture, "/Height", "/H")
    if width <= 0 or rows <= 0:
        return "of no size"
    found = unpacked(picture)
    if found.fault:
        return found.fault
    if not found.size:
        return "empty"
    if found.left == "CCITT":
        return _of_fax(found, width, rows, alone=alone)
    if found.left == "JBIG2":
        return _of_jbig2(found, rows)
    if found.left == "JPX":
        try:
            check_jpeg2000(found.data)
        except JPEG2000Wrong:
            return "cut off"
        return ""
    if found.left == "DCT":
        return "cut off" if _cut_photograph(found.data) else ""
    return _of_pixels(picture, found, resources, width, rows)


def _number(told: Any, *names: str) -> int:
    for name in names:
        value = told.get(name)
        if isinstance(value, (int, float)) or hasattr(value, "__int__"):
            return int(value)
    return 0


def _told(found: Unpacked) -> Any:
    """The parameters of its last filter."""
    return found.parameters if hasattr(found.parameters, "get") else {}


def _flag(told: Any, name: str) -> bool:
    return bool(told.get(name)) if hasattr(told, "get") else False


def _of_fax(found: Unpacked, width: int, rows: int, *, alone: bool) -> str:
    told = _told(found)
    k, columns = _number(told, "/K"), _number(told, "/Columns") or 1728
    wanted = min(rows, _number(told, "/Rows") or rows)
    if not 0 < columns < _LARGEST or not 0 < wanted < _LARGEST:
        return "too large"
    if columns < width:
        return "narrower than it says"
    aligned = _flag(told, "/EncodedByteAlign")
    if alone and k < 0 and not aligned and _codes_back(found.data, columns, wanted):
        return ""
    done = pdf_rows(found.data, columns, wanted, k, aligned=aligned)
    if done.ended and done.rows:
        wanted = done.rows + done.bad
    lost = max(done.bad, wanted - done.rows)
    if lost > wanted // _MENDED:
        return f"damaged: {lost} of its {wanted} rows cannot be read"
    # What is no fax at all can be a few rows of white with very much behind them.
    behind = len(found.data.rstrip(b"\0")) - done.octets
    return "damaged: most of it is behind its last row" if not done.ended and behind > done.octets + 64 else ""


def _codes_back(strip: bytes, width: int, rows: int) -> bool:
    """Whether decoded and coded again the very same octets come out: it was whole then, which is told four times as
    fast as by following it.
    """
    from mailshare.documents.fax_damage import listening  # noqa: PLC0415 - for such pictures only
    from mailshare.documents.fax_strips import coded, picture_of  # noqa: PLC0415

    try:
        with listening(alone=True):
            again = coded(picture_of(FaxPage(width, rows, 204, 196, Coding.MMR, strip)), 204, 196).data.rstrip(b"\0")
    except (NotConvertible, OSError):
        return False
    kept = len(again) - 4  # without the end of the page
    return strip[:kept] == again[:kept] and len(strip) - kept in range(1, 64)


def _of_jbig2(found: Unpacked, rows: int) -> str:
    shared = _told(found).get("/JBIG2Globals")
    before = b""
    if hasattr(shared, "read_raw_bytes"):
        inside = unpacked(shared, whole=True)
        if inside.fault:
            return inside.fault
        before = inside.data
    try:
        check_jbig2(found.data, before, rows)
    except JBIG2Wrong as fault:
        return f"damaged: {fault}"
    return ""


def _cut_photograph(data: bytes) -> bool:
    """A JPEG without its end, of which rows are missing; some cameras leave out the end alone.

    A decoder fills up missing rows without a word. It takes them from what is put behind, if it still wants some.
    """
    return _END_OF_IMAGE not in data[-_BEHIND:] and _decoded(data) != _decoded(data + _MORE)


def _decoded(data: bytes) -> bytes:
    """Pixels of a JPEG whose end is put behind it; empty when it is none, which PDFium says."""
    from PIL import Image  # noqa: PLC0415 - for such pictures only

    try:
        with Image.open(io.BytesIO(data + _END_OF_IMAGE)) as whole:
            return whole.tobytes()
    except OSError:
        return b""


def _of_pixels(picture: Any, found: Unpacked, resources: Any, width: int, rows: int) -> str:
    """Fewer octets than all of its rows but one have."""
    parts = 1 if _flag(picture, "/ImageMask") or _flag(picture, "/IM") else _parts(picture, resources)
    bits = _number(picture, "/BitsPerComponent", "/BPC") or 1
    told = _told(found)
    marks = 1 if _number(told, "/Predictor") >= 10 and found.left == "" else 0  # before each row, of PNG
    each = (width * parts * bits + 7) // 8 + marks
    return "cut off" if parts and found.size < each * (rows - 1) else ""


def _parts(picture: Any, resources: Any) -> int:
    """Of how many numbers a colour is made; 0 where that cannot be told."""
    told = picture.get("/ColorSpace", picture.get("/CS"))
    named = str(told) if told is not None else ""
    spaces: Any = resources.get("/ColorSpace") if resources is not None else None
    if named.startswith("/") and named[1:] not in _PARTS and hasattr(spaces, "get"):
        told = spaces.get(named)
    try:
        if told is None:
            return 0
        family = str(told)[1:] if str(told).startswith("/") else str(told[0])[1:]
        if family == "ICCBased":
            return _number(told[1], "/N")
        if family == "DeviceN":
            return len(told[1])
        return _PARTS.get(family, 0)
    except (IndexError, TypeError, ValueError, KeyError):
        return 0
