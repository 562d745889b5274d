"""How many rows of a page of a fax are damaged: by what libtiff complains of, and by our own count.

libtiff draws something where rows are damaged, and says so to nobody but the process's standard error; there it is
counted, so that a fax of which half is missing does not go out as if it were whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from PIL import ImageChops

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import Coding
from mailshare.documents.fax_strips import coded
from mailshare.wire.t4_rows import count_marks, count_rows
from mailshare.wire.t6_rows import mmr_rows, mr_rows
from mailshare.wire.tiff_fax import TIFFPage, row_counts, strips_of

_MENDED = 0.05  # share of the rows of a page that may be damaged
_COMPLAINT = re.compile(rb"^(Fax\w+): (?!Warning).* at line (\d+) of (?:strip|tile) (\d+)", re.MULTILINE)
_MOST_SAID = 8 << 20
_MOST_FOLLOWED = 100_000  # octets of a strip in MR: a second
_CODINGS = (3, 4)  # Compression
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def bearable(bad: int, rows: int, number: int) -> int:
    """The same number of damaged rows, when a page of so many rows may have them.

    :param number: of the page, from 1.
    :raises NotConvertible: DAMAGED.
    """
    if bad > rows * _MENDED:
        words = f"Page {number} of the TIFF file is damaged: {bad} of its {rows} rows"
        raise NotConvertible(Hindrance.DAMAGED, f"{words} cannot be read")
    return bad


def damaged_rows(data: bytes, one: TIFFPage | None, picture: Any) -> int:
    """Rows of a page of a fax that are damaged or missing, by our own count: libtiff says nothing of rows of MH that
    are too short, too long, or not there, nor of half of those of MR, nor of a strip of MMR that is cut off.

    :param picture: what libtiff made of it, as it stands in the file.
    """
    if one is None or one.compression not in _CODINGS or picture.mode != "1":
        return 0
    coding = Coding.MMR if one.compression == 4 else Coding.MR if one.tags.get(292, (0,))[0] & 1 else Coding.MH
    if one.page is not None:
        strips = [(one.page.data, one.page.rows)]
    else:
        turned = one.tags.get(266, (1,))[0] == 2
        octets = (strip.translate(_REVERSED) if turned else strip for strip in strips_of(data, one))
        strips = list(zip(octets, row_counts(one), strict=False))
    ink = ImageChops.invert(picture) if one.photometric == 1 else picture
    top, damaged = 0, 0
    for strip, rows in strips:
        # Of a strip that is said to have no octets libtiff has found them by itself, or has said that there are none.
        if strip:
            damaged += _of_strip(coding, strip, ink.crop((0, top, one.width, top + rows)), one.y_res)
        top += rows
    return damaged


def _of_strip(coding: Coding, strip: bytes, picture: Any, y_res: float) -> int:
    width, rows = int(picture.width), int(picture.height)
    if coding is Coding.MH:
        found, bad = count_rows(strip, width, rows)
        return bad + max(0, rows - found)
    # What codes to the very same octets was whole. Only what was coded in another way is followed code by code.
    again = coded(picture, 204, round(y_res) or 196, coding).data.rstrip(b"\0")
    kept = len(again) - (4 if coding is Coding.MMR else 1)  # without the end of the page
    if strip[:kept] == again[:kept] and len(strip) > kept:
        return 0
    if coding is Coding.MMR:
        found, ended = mmr_rows(strip, width, rows)
        return 0 if ended else rows - found
    if len(strip) > _MOST_FOLLOWED:
        return max(0, rows - count_marks(strip) - 1)  # the first mark may be left out
    found, bad = mr_rows(strip, width, rows)
    return bad + max(0, rows - found)


@contextlib.contextmanager
def listening(*, alone: bool) -> Iterator[list[tuple[bytes, int, int]]]:
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


def complained_rows(heard: list[tuple[bytes, int, int]], frame: Any) -> int:
    """How many rows that is: of MH and MR each by itself, of MMR all from the first to the end of its strip."""
    each = min(frame.tag_v2.get(278, frame.height), frame.height)
    lost: dict[int, int] = {}
    for coding, row, strip in heard:
        rows = min(each, frame.height - strip * each)
        whole = rows - row if coding == b"Fax4Decode" else 1
        lost[strip] = max(lost.get(strip, 0), whole) if whole > 1 else lost.get(strip, 0) + 1
    return sum(lost.values())
