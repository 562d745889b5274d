"""Walks the segments of a JBIG2 picture as it stands in a PDF, and tells whether all of it is there.

Decoders draw what they have and leave the rest white; of arithmetic codes nobody can tell where they are wrong, but
each segment says how long it is, which others it needs, and where on the page it belongs.

Source: ITU-T T.88 sections 7.2 (headers), 7.4 (regions, page information), annex D.3 (as embedded in other files).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import field, frozen

from mailshare.wire.t6_rows import mmr_rows

_UNKNOWN = 0xFFFFFFFF
_PAGE, _END_OF_PAGE, _END_OF_STRIPE, _END_OF_FILE = 48, 49, 50, 51
_GENERIC = (36, 38, 39)
_REGIONS = (4, 6, 7, 20, 22, 23, *_GENERIC, 40, 42, 43)
_KNOWN = frozenset({0, 16, *_REGIONS, _PAGE, _END_OF_PAGE, _END_OF_STRIPE, _END_OF_FILE, 52, 53, 62})
_REGION = struct.Struct(">IIIIB")  # width, height, place, how it is combined
_MOST = 100_000  # segments
_ENDS = {True: b"\0\0", False: b"\xff\xac"}  # of a generic region that does not say how long it is; MMR or not


class JBIG2Wrong(ValueError):
    """Part of the picture is missing, or it is none."""


@frozen
class Segment:
    """One segment.

    :ivar kind: its type, T.88 section 7.3.
    :ivar needs: numbers of the segments that it refers to.
    """

    number: int
    kind: int
    needs: tuple[int, ...]
    data: bytes = field(repr=False)


def segments(data: bytes) -> Iterator[Segment]:
    """Its segments, from the first to the end of the page.

    :raises JBIG2Wrong: one of them is cut off, or is none.
    """
    at = 0
    for _ in range(_MOST):
        if not data[at:].strip(b"\0\r\n"):
            return
        try:
            one, at = _segment(data, at)
        except (struct.error, IndexError) as fault:
            raise JBIG2Wrong("a segment of it is cut off") from fault
        yield one
        if one.kind in (_END_OF_PAGE, _END_OF_FILE):
            return
    raise JBIG2Wrong("it has no end")


def check_jbig2(data: bytes, shared: bytes, rows: int) -> None:
    """All of the picture is there.

    :param shared: the segments that several pictures share (``JBIG2Globals``).
    :param rows: of the picture as the PDF says.
    :raises JBIG2Wrong: what is missing.
    """
    known = {one.number for one in segments(shared)}
    page, stripe = 0, 0
    for one in segments(data):
        if not known.issuperset(one.needs):
            raise JBIG2Wrong("what it refers to is missing")
        known.add(one.number)
        if one.kind == _PAGE:
            page = _height(one)
        elif one.kind == _END_OF_STRIPE and len(one.data) >= 4:
            stripe = int.from_bytes(one.data[:4]) + 1
        elif one.kind in _REGIONS:
            _check_region(one)
    if not page:
        raise JBIG2Wrong("it does not say how large it is")
    if page == _UNKNOWN and stripe < rows:
        raise JBIG2Wrong("stripes of it are missing")


def _segment(data: bytes, at: int) -> tuple[Segment, int]:
    number, flags, count = struct.unpack_from(">IBB", data, at)
    at += 5
    if count >> 5 < 5:
        count, at = count >> 5, at + 1
    elif count >> 5 == 7:
        count = struct.unpack_from(">I", data, at)[0] & 0x1FFFFFFF
        at += 4 + (count + 8) // 8
    else:
        raise JBIG2Wrong("a segment of it is none")
    letter, size = ("B", 1) if number <= 256 else ("H", 2) if number <= 65536 else ("I", 4)
    if count * size > len(data):
        raise JBIG2Wrong("a segment of it is cut off")
    needs = struct.unpack_from(f">{count}{letter}", data, at)
    at += count * size + (4 if flags & 0x40 else 1)
    length = struct.unpack_from(">I", data, at)[0]
    at += 4
    kind = flags & 0x3F
    if kind not in _KNOWN or any(need >= number for need in needs):
        raise JBIG2Wrong("a segment of it is none")
    if length == _UNKNOWN:
        length = _found_length(data, at, kind)
    if at + length > len(data):
        raise JBIG2Wrong("a segment of it is cut off")
    return Segment(number, kind, needs, data[at : at + length]), at + length


def _found_length(data: bytes, at: int, kind: int) -> int:
    """Of a generic region that is told only behind it, with the rows that it came to have (section 7.2.7)."""
    if kind not in _GENERIC:
        raise JBIG2Wrong("a segment of it is none")
    end = data.find(_ENDS[bool(data[at + _REGION.size] & 1)], at + _REGION.size + 1)
    if end < 0:
        raise JBIG2Wrong("a segment of it is cut off")
    return end + 2 + 4 - at


def _height(page: Segment) -> int:
    if len(page.data) < 19:
        raise JBIG2Wrong("a segment of it is cut off")
    return int.from_bytes(page.data[4:8])


def _check_region(one: Segment) -> None:
    if len(one.data) < _REGION.size:
        raise JBIG2Wrong("a segment of it is cut off")
    width, height, *_ = _REGION.unpack_from(one.data)
    if one.kind in _GENERIC and len(one.data) > _REGION.size and one.data[_REGION.size] & 1 and 0 < width < 1 << 16:
        rows, ended = mmr_rows(one.data[_REGION.size + 1 :], width, height)
        if rows < height and not ended:
            raise JBIG2Wrong("rows of it are missing")
