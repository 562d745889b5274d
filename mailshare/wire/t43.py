"""Where the planes of a colour picture of a fax begin, and what they are planes of: ITU-T T.43.

In front of the planes, which are one picture of JBIG (mailshare.wire.jbig), there may be segments as JPEG has them:
``FFA8``, then ``FFE1``, a length, ``G3FAX`` and a number, until the number 255. A table of colours is ``FFE3``.

Source: ITU-T T.43 section 6 (the head, Gray code); RFC 3949 section 7 (what TIFF adds).
"""

from __future__ import annotations

import struct

from attrs import frozen

from mailshare.core.errors import PeerFault

_START, _SEGMENT, _TABLE = 0xFFA8, 0xFFE1, 0xFFE3
_NAME = b"G3FAX"
_KIND, _RANGES, _END = 0, 1, 255
_MOST_PLANES = 16  # of a part of the colour


@frozen
class ColourHead:
    """What stands before the planes.

    :ivar start: where the JBIG picture begins.
    :ivar planes: how many belong to the first part of the colour, which is its lightness; 0 = nothing says so.
    :ivar table: the planes are numbers of colours in a table.
    :ivar lightness: the values of L* for the least and the greatest octet, where they are not 0 and 100.
    """

    start: int = 0
    planes: int = 0
    table: bool = False
    lightness: tuple[float, float] | None = None


def read_colour_head(data: bytes) -> ColourHead:
    """The head of a strip; one without is all planes.

    :raises PeerFault: it is cut off.
    """
    if data[:2] != _START.to_bytes(2):
        return ColourHead()
    at, planes, table, lightness = 2, 0, False, None
    while at + 6 <= len(data):
        marker, size = struct.unpack_from(">HH", data, at)
        if marker == _TABLE:
            table, at = True, at + 2 + struct.unpack_from(">I", data, at + 2)[0]
            continue
        told = data[at + 4 : at + 2 + size]
        if marker != _SEGMENT or size < 8 or not told.startswith(_NAME):
            break
        number, told, at = told[5], told[6:], at + 2 + size
        if number == _END:
            return ColourHead(at, planes, table, lightness)
        if number == _KIND and len(told) >= 10:
            planes = told[6]
            if planes > _MOST_PLANES:
                break
        elif number == _RANGES and len(told) >= 12:
            lightness = _range(*struct.unpack_from(">hh", told))
    raise PeerFault("The head of a picture in colour (ITU-T T.43) is damaged", code=554, enhanced=(5, 6, 1))


def _range(offset: int, width: int) -> tuple[float, float]:
    """Of 256 values, as T.42 writes them: where 0 lies, and how much 255 steps are."""
    least = -offset * width / 255
    return least, least + width


def merged(planes: list[bytes]) -> bytes:
    """Values of eight bits from planes in Gray code, the first of which has the greatest weight; more are left out.

    :param planes: an octet for each pixel, 0 or 1, all of the same length.
    """
    size = len(planes[0])
    plane = whole = int.from_bytes(planes[0])
    # Each bit is the one before it, turned where the plane says so: all pixels at once, as one long number.
    for each in planes[1:8]:
        plane ^= int.from_bytes(each)
        whole = whole << 1 | plane
    steps = min(len(planes), 8)
    octets = whole.to_bytes(size + 1)[-size:]
    top = (1 << steps) - 1
    return octets if steps == 8 else octets.translate(bytes(min(255, value * 255 // top) for value in range(256)))
