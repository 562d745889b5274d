"""TIFF files as pages of a fax: those of faxes keep their pixels, all others are brought onto paper.

libtiff opens what programs of thirty years have written: strips and tiles, either order of bits, lengths that are
wrong. What it says of damaged rows is heard in :mod:`~mailshare.documents.fax_damage`.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.core.values.fax import FaxPage
from mailshare.documents.fax_damage import bearable, complained_rows, damaged_rows, listening
from mailshare.documents.fax_jbig import Decoder
from mailshare.documents.fax_layers import has_layers, picture_of_layers
from mailshare.documents.fax_paper import ACROSS, LINES, Layout
from mailshare.documents.fax_pictures import checked, on_page
from mailshare.documents.fax_profiles import is_of_profile
from mailshare.documents.fax_profiles import picture_of as profile_picture
from mailshare.documents.fax_shades import in_eight_bits
from mailshare.documents.fax_strips import coded
from mailshare.documents.looking import check_pages
from mailshare.wire.jbig import decode_jbig
from mailshare.wire.tiff_fax import TIFFPage, only, read_tiff, write_tiff

_STRETCH = 0.03  # two resolutions are the same when they differ by less: 200 and 204, 100 and 98
_WIDTHS = (1728, 2048, 2432)  # at 204 pixels an inch
_MOST_ROWS = 20_000
_OF_FAXES = (2, 3, 4, 9, 34661)  # Compression


def tiff_pages(
    data: bytes, layout: Layout, most: int, *, alone: bool = False, jbig: Decoder = decode_jbig
) -> tuple[list[FaxPage], int]:
    """Its pages in MMR, and how many damaged rows they have.

    :param alone: this process does nothing else, so its standard error may be listened to.
    :param jbig: takes pages in JBIG apart.
    :raises NotConvertible: DAMAGED, NOT_TAKEN, TOO_MANY_PAGES, TOO_MANY_PIXELS.
    """
    try:
        found = read_tiff(data)
    except PeerFault as fault:
        raise NotConvertible(Hindrance.DAMAGED, fault.public) from fault
    check_pages(len(found), most)
    if any(is_of_profile(one) or has_layers(one) for one in found):
        return _of_profiles(data, found, layout, jbig, alone=alone)
    return _read(_mended(data, found), found, layout, alone=alone)


def _of_profiles(
    data: bytes, found: list[TIFFPage], layout: Layout, jbig: Decoder, *, alone: bool
) -> tuple[list[FaxPage], int]:
    """Pages of a file of which libtiff does not read all; the others are read each by itself."""
    pages: list[FaxPage] = []
    damaged = 0
    for number, one in enumerate(found, 1):
        if is_of_profile(one) or has_layers(one):
            if has_layers(one):
                picture, bad = picture_of_layers(data, one, number, alone=alone)
                damaged += bad
            else:
                picture = profile_picture(data, one, jbig)
            pages.append(_page(picture, _resolution(picture, one, one.tags.get(274, (1,))[0]), one, layout))
        else:
            own, bad = _read(_mended(only(data, one), [one]), [one], layout, alone=alone, first=number)
            pages, damaged = pages + own, damaged + bad
    return pages, damaged


def _mended(data: bytes, found: list[TIFFPage]) -> bytes:
    """The file without what libtiff does not bear: a wrong mark of octet order, lengths that are missing or wrong."""
    if any(one.odd for one in found) and all(one.page is not None for one in found):
        return write_tiff([one.page for one in found if one.page is not None])
    if not all(one.rows for one in found):
        raise NotConvertible(Hindrance.DAMAGED, "A page of the TIFF file does not say how long it is")
    # The order that its version number tells (RFC 3249 section 5.2.1).
    return (b"II" if data[2:4] == b"*\0" else b"MM") + data[2:]


def _read(
    data: bytes, found: list[TIFFPage], layout: Layout, *, alone: bool, first: int = 1
) -> tuple[list[FaxPage], int]:
    """Pages that libtiff reads; ``first`` is the number of the first of them."""
    pages: list[FaxPage] = []
    damaged = 0
    opened: Any
    with Image.open(BytesIO(data), formats=["TIFF"]) as opened:
        for index in range(opened.n_frames):
            opened.seek(index)
            if opened.tag_v2.get(254, 0) & 1:
                continue  # a small picture of another page
            checked(opened.size)
            with listening(alone=alone) as heard:
                opened.load()
            one = found[len(pages)] if len(pages) < len(found) else None
            bad = max(complained_rows(heard, opened), damaged_rows(data, one, opened))
            damaged += bearable(bad, opened.height, first + len(pages))
            orientation = opened.tag_v2.get(274, 1)
            seen = in_eight_bits(opened)
            upright = seen if orientation == 1 else ImageOps.exif_transpose(seen)
            pages.append(_page(upright, _resolution(opened, one, orientation), one, layout))
    if len(pages) < len(found):
        raise NotConvertible(Hindrance.DAMAGED, f"Of the {len(found)} pages of the TIFF file {len(pages)} can be read")
    return pages, damaged


def _page(picture: Any, dots: tuple[float, float], one: TIFFPage | None, layout: Layout) -> FaxPage:
    """A page of the file, which stands upright by now; of a fax with the very pixels that it has."""
    lines = next((lines for lines in LINES.values() if _is(dots[1], lines)), 0)
    as_it_is = picture.mode == "1" and picture.width == layout.width and picture.height <= _MOST_ROWS
    if as_it_is and lines and _is(dots[0], ACROSS):
        return coded(picture, ACROSS, lines)
    # A page of a fax that is wider than high is a short one, not one that lies.
    of_fax = one is not None and one.compression in _OF_FAXES
    return on_page(picture, dots, layout, stands=of_fax)


def _resolution(frame: Any, one: TIFFPage | None, orientation: int) -> tuple[float, float]:
    """Pixels an inch of the page as it stands, or 0 where the file says nothing; of faxes what their shape tells."""
    across, down = (one.x_res, one.y_res) if one is not None else (0.0, 0.0)
    if frame.mode == "1" and frame.width in _WIDTHS and not (50 <= across <= 4800 and 50 <= down <= 4800):
        shape = frame.height / frame.width
        across, down = float(ACROSS), float(98 if shape < 1 else 196 if shape < 2 else 391)
    return (down, across) if orientation in (5, 6, 7, 8) else (across, down)


def _is(resolution: float, wanted: int) -> bool:
    return abs(resolution - wanted) <= _STRETCH * wanted
