"""URF, the raster of AirPrint: its two headers; the rows are those of :mod:`mailshare.wire.raster_rows`.

No document of its maker describes it; what CUPS reads and writes is what counts.
"""

from __future__ import annotations

import struct

from mailshare.wire.pwg_raster import KINDS, RasterPage
from mailshare.wire.raster_rows import RowsWrong

SYNC = b"UNIRAST\0"
HEADER = 32
_MOST = 1 << 17


def file_header(pages: int) -> bytes:
    """The beginning.

    :param pages: 0 = not known.
    """
    return SYNC + struct.pack(">I", pages)


def page_header(page: RasterPage) -> bytes:
    """The 32 octets in front of a page's rows.

    Of its media nothing is said: URF has numbers for types of paper only, and sizes follow from the pixels.
    """
    kind = KINDS[page.kind]
    sides = (2 if page.tumble else 3) if page.duplex else 1
    head = struct.pack(">BBBB", kind.bits * kind.colors, kind.urf, sides, page.quality or 4)
    return head + bytes(8) + struct.pack(">III", page.width, page.height, page.resolution) + bytes(8)


def rows_of(header: bytes) -> tuple[int, int, int]:
    """``(height, octets of a row, octets packed together)`` of the rows behind a header.

    :raises RowsWrong: it is none.
    """
    if len(header) != HEADER or header[0] not in (8, 24, 32, 48, 64):
        raise RowsWrong("a page of URF does not begin as it must")
    width, height = struct.unpack_from(">II", header, 12)
    if not 0 < width <= _MOST or not 0 < height <= _MOST:
        raise RowsWrong("a page of URF has a size that cannot be")
    unit = header[0] // 8
    return height, width * unit, unit
