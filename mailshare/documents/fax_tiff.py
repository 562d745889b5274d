"""TIFF files as pages of a fax: those of faxes keep their pixels, all others are brought onto paper.

libtiff opens what programs of thirty years have written: strips and tiles, either order of bits, lengths that are
wrong. It also draws something where rows are damaged, and says so to nobody but the process's standard error; there
it is counted, so that a fax of which half is missing does not go out as if it were whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_paper import ACROSS, LINES, Layout
from mailshare.documents.fax_pictures import checked, on_page
from mailshare.documents.fax_profiles import is_of_profile
from mailshare.documents.fax_profiles import picture_of as profile_picture
from mailshare.documents.fax_strips import coded
from mailshare.documents.looking import check_pages
from mailshare.wire.t4_rows import count_marks, count_rows
from mailshare.wire.tiff_fax import TIFFPage, read_tiff, write_tiff

_STRETCH = 0.03  # two resolutions are the same when they differ by less: 200 and 204, 100 and 98
_MENDED = 0.05  # share of the rows of a page that may be damaged
_WIDTHS = (1728, 2048, 2432)  # at 204 pixels an inch
_MOST_ROWS = 20_000
_OF_FAXES = (2, 3, 4, 9, 34661)  # Compression
_COMPLAINT = re.compile(rb"^(Fax\w+): (?!Warning).* at line (\d+) of (?:strip|tile) (\d+)", re.MULTILINE)
_MOST_SAID = 8 << 20


def tiff_pages(data: bytes, layout: Layout, most: int, *, alone: bool = False) -> tuple[list[FaxPage], int]:
    """Its pages in MMR, and how many damaged rows they have.

    :param alone: this process does nothing else, so its standard error may be listened to.
    :raises NotConvertible: DAMAGED, NOT_TAKEN, TOO_MANY_PAGES, TOO_MANY_PIXELS.
    """
    try:
        found = read_tiff(data)
    except PeerFault as fault:
        raise NotConvertible(Hindrance.DAMAGED, fault.public) from fault
    check_pages(len(found), most)
    if any(is_of_profile(one) for one in found):
        return _of_profiles(data, found, layout, most, alone=alone)
    return _read(_mended(data, found), found, layout, alone=alone)


def _of_profiles(
    data: bytes, found: list[TIFFPage], layout: Layout, most: int, *, alone: bool
) -> tuple[list[FaxPage], int]:
    """Pages of a file of which libtiff does not read all; the others are read each by itself."""
    pages: list[FaxPage] = []
    damaged = 0
    for one in found:
        if is_of_profile(one):
            picture = profile_picture(data, one)
            pages.append(_page(picture, _resolution(picture, one, one.tags.get(274, (1,))[0]), one, layout))
        elif one.page is not None:
            own, bad = tiff_pages(write_tiff([one.page]), layout, most, alone=alone)
            pages, damaged = pages + own, damaged + bad
        else:
            raise NotConvertible(Hindrance.NOT_TAKEN, "The pages of the TIFF file are of too many kinds")
    return pages, damaged


def _mended(data: bytes, found: list[TIFFPage]) -> bytes:
    """The file without what libtiff does not bear: a wrong mark of octet order, lengths that are missing or wrong."""
    if any(one.odd for one in found) and all(one.page is not None for one in found):
        return write_tiff([one.page for one in found if one.page is not None])
    if not all(one.rows for one in found):
        raise NotConvertible(Hindrance.DAMAGED, "A page of the TIFF file does not say how long it is")
    # The order that its version number tells (RFC 3249 section 5.2.1).
    return (b"II" if data[2:4] == b"*\0" else b"MM") + data[2:]


def _read(data: bytes, found: list[TIFFPage], layout: Layout, *, alone: bool) -> tuple[list[FaxPage], int]:
    pages: list[FaxPage] = []
    damaged = 0
    opened: Any
    with Image.open(BytesIO(data), formats=["TIFF"]) as opened:
        for index in range(opened.n_frames):
            opened.seek(index)
            if opened.tag_v2.get(254, 0) & 1:
                continue  # a small picture of another page
            checked(opened.size)
            with _listening(alone=alone) as heard:
                opened.load()
            one = found[len(pages)] if len(pages) < len(found) else None
            bad = max(_told(heard, opened), _damaged(one))
            if bad > opened.height * _MENDED:
                words = f"Page {len(pages) + 1} of the TIFF file is damaged: {bad} of its {opened.height} rows"
                raise NotConvertible(Hindrance.DAMAGED, f"{words} cannot be read")
            damaged += bad
            orientation = opened.tag_v2.get(274, 1)
            upright = opened if orientation == 1 else ImageOps.exif_transpose(opened)
            pages.append(_page(upright, _resolution(opened, one, orientation), one, layout))
    if len(pages) < len(found):
        raise NotConvertible(Hindrance.DAMAGED, f"Of the {len(found)} pages of the TIFF file {len(pages)} can be read")
    return pages, damaged


def _damaged(one: TIFFPage | None) -> int:
    """Rows of a page in MH or MR that are damaged or missing, by our own count: libtiff says nothing of rows that are
    too short, too long, or not there. Of MR the marks of rows are counted.
    """
    if one is None or one.page is None or one.page.coding is Coding.MMR:
        return 0
    page = one.page
    if page.coding is Coding.MR:
        return max(0, page.rows - count_marks(page.data) - 1)  # the first mark may be left out
    rows, bad = count_rows(page.data, page.width, page.rows)
    return bad + max(0, page.rows - rows)


@contextlib.contextmanager
def _listening(*, alone: bool) -> Iterator[list[tuple[bytes, int, int]]]:
    """What libtiff complains about, filled in at the end: the coding, the row, the strip."""
    heard: list[tuple[bytes, int, int]] = []
    if not alone:
        yield heard
        return
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as listening:
            os.dup2(listening.fileno(), 2)
            try:
                yield heard
            finally:
                os.dup2(kept, 2)
            listening.seek(0)
            said = listening.read(_MOST_SAID)
            heard += [(coding, int(row), int(strip)) for coding, row, strip in _COMPLAINT.findall(said)]
    finally:
        os.close(kept)


def _told(heard: list[tuple[bytes, int, int]], frame: Any) -> int:
    """How many rows that is: of MH and MR each by itself, of MMR all from the first to the end of its strip."""
    each = min(frame.tag_v2.get(278, frame.height), frame.height)
    lost: dict[int, int] = {}
    for coding, row, strip in heard:
        rows = min(each, frame.height - strip * each)
        whole = rows - row if coding == b"Fax4Decode" else 1
        lost[strip] = max(lost.get(strip, 0), whole) if whole > 1 else lost.get(strip, 0) + 1
    return sum(lost.values())


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
