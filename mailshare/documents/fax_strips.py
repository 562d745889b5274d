"""Between pages of black and white and the coded strips of a fax, by the coder inside Pillow.

The coder is given rows as it wants them, eight pixels in an octet, black is 1. Pillow's own way to it would pack each
pixel by itself, and of MinIsWhite files, which every fax wants, turn each by itself before, in half a second a page.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_bits import Bits, bits_of
from mailshare.wire.t4_strips import joined_strips
from mailshare.wire.tiff_fax import first_strip, write_tiff


def coded(picture: Any, x_res: int, y_res: int, coding: Coding = Coding.MMR) -> FaxPage:
    """A page of a picture of mode ``1``."""
    return coded_bits(bits_of(picture), x_res, y_res, coding)


def coded_bits(bits: Bits, x_res: int, y_res: int, coding: Coding = Coding.MMR) -> FaxPage:
    """A page of these pixels."""
    try:
        file = _file_of(bits, x_res, y_res, coding)
    except (AttributeError, TypeError):  # a Pillow that calls its coder otherwise
        file = _file_by_pillow(bits, x_res, y_res, coding)
    return FaxPage(bits.width, bits.rows, x_res, y_res, coding, first_strip(file))


def _file_of(bits: Bits, x_res: int, y_res: int, coding: Coding) -> bytes:
    """A TIFF file with one strip, by the coder alone: it takes the packed rows for a picture in grey."""
    across = (bits.width + 7) // 8
    rows = Image.frombuffer("L", (across, bits.rows), bits.data, "raw", "L", 0, 1)
    # The resolution is told before the coder runs: of MR every second row is coded whole on standard pages, every
    # fourth on finer ones (ITU-T T.4 section 4.2).
    tags: dict[int, Any] = {256: bits.width, 257: bits.rows, 258: 1, 259: 4 if coding is Coding.MMR else 3, 262: 0}
    tags |= {277: 1, 278: bits.rows, 282: float(x_res), 283: float(y_res), 284: 1, 296: 2}
    if coding is not Coding.MMR:
        tags[292] = int(coding is Coding.MR)
    coder = Image._getencoder("L", "libtiff", ("L", 0, "", sorted(tags.items()), {}), ())  # noqa: SLF001 - see above
    out: list[bytes] = []
    try:
        coder.setimage(rows.im, (0, 0, across, bits.rows))
        ended = 0
        while not ended:
            _, ended, octets = coder.encode(1 << 20)
            out.append(octets)
        if ended < 0:
            raise OSError(f"the coder of fax pages ended with {ended}")
    finally:
        coder.cleanup()
    return b"".join(out)


def _file_by_pillow(bits: Bits, x_res: int, y_res: int, coding: Coding) -> bytes:
    """The same, more slowly; not even here MinIsWhite, the picture is turned instead."""
    picture = Image.frombytes("1", (bits.width, bits.rows), bits.data)
    info: dict[int, Any] = {278: bits.rows}
    if coding is not Coding.MMR:
        info[292] = int(coding is Coding.MR)
    out = BytesIO()
    kind = "group4" if coding is Coding.MMR else "group3"
    picture.save(out, "TIFF", compression=kind, tiffinfo=info, dpi=(x_res, y_res))
    return out.getvalue()


def picture_of(page: FaxPage) -> Any:
    """The picture of a page, mode ``1``.

    :raises NotConvertible: it cannot be decoded at all.
    """
    try:
        with Image.open(BytesIO(write_tiff([page]))) as opened:
            opened.load()
            return opened.convert("1", dither=Image.Dither.NONE)
    except (OSError, ValueError, SyntaxError) as fault:
        raise NotConvertible(Hindrance.DAMAGED, "A page of the fax cannot be decoded") from fault


def recoded(page: FaxPage, coding: Coding) -> FaxPage:
    """The same picture in another coding."""
    return page if page.coding is coding else coded(picture_of(page), page.x_res, page.y_res, coding)


def below(head: FaxPage, page: FaxPage) -> FaxPage:
    """The page with something on top of it, whose last row is white; neither is decoded.

    :param head: of the same width and coding.
    """
    strip = joined_strips(page.coding, head.data, page.data)
    return FaxPage(page.width, head.rows + page.rows, page.x_res, page.y_res, page.coding, strip, page.bad_rows)
