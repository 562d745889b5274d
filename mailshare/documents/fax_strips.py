"""Between pictures of black and white and the coded strips of a fax, by the coder inside Pillow.

Pillow is never asked for MinIsWhite files, which every fax wants: it would turn each pixel by itself and take half a
second a page. The picture is turned instead, and the strip put into a file of our own (mailshare.wire.tiff_fax).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image, ImageChops

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.wire.tiff_fax import first_strip, write_tiff

_COMPRESSION = {Coding.MH: "group3", Coding.MR: "group3", Coding.MMR: "group4"}


def coded(picture: Any, x_res: int, y_res: int, coding: Coding = Coding.MMR) -> FaxPage:
    """A page of this picture.

    :param picture: of mode ``1``.
    """
    width, rows = picture.size
    info: dict[int, Any] = {278: rows}
    if coding is not Coding.MMR:
        info[292] = int(coding is Coding.MR)
    out = BytesIO()
    # The resolution is told before the coder runs: of MR every second row is coded whole on standard pages, every
    # fourth on finer ones (ITU-T T.4 section 4.2).
    # White may be any value but 0 in such a picture, so it is not simply inverted.
    turned = ImageChops.logical_xor(picture, Image.new("1", picture.size, 255))
    turned.save(out, "TIFF", compression=_COMPRESSION[coding], tiffinfo=info, dpi=(x_res, y_res))
    return FaxPage(width, rows, x_res, y_res, coding, first_strip(out.getvalue()))


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
