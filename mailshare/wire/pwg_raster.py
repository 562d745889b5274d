"""PWG raster (PWG 5102.4): the page header; the rows are those of :mod:`mailshare.wire.raster_rows`."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from attrs import frozen

from mailshare.core.print_media import size_of
from mailshare.wire.raster_rows import RowsWrong

SYNC = b"RaS2"
HEADER = 1796
_MOST = 1 << 17  # pixels across or down


@frozen
class RasterKind:
    """A kind of pixels.

    :ivar colors: how many numbers make one; ``bits`` of each.
    :ivar space: number of PWG 5102.4 section 4.3.4, ``urf`` that of URF or -1.
    """

    colors: int
    bits: int
    space: int
    urf: int = -1

    def row(self, width: int) -> int:
        """Octets of a row of so many pixels."""
        return (width * self.colors * self.bits + 7) // 8

    @property
    def unit(self) -> int:
        """Octets that are packed together."""
        return max(1, self.colors * self.bits // 8)


KINDS: Mapping[str, RasterKind] = {
    "black_1": RasterKind(1, 1, 3),
    "sgray_8": RasterKind(1, 8, 18, 0),
    "srgb_8": RasterKind(3, 8, 19, 1),
    "cmyk_8": RasterKind(4, 8, 6, 6),
}
"""By their names in ``pwg-raster-document-type-supported``."""


@frozen
class RasterPage:
    """What a page says of itself.

    :ivar kind: name in :data:`KINDS`.
    :ivar width: pixels, as ``height``.
    :ivar resolution: dots per inch.
    :ivar media: self-describing name of the paper.
    :ivar duplex: on both sides; ``tumble``: turned over the short edge.
    :ivar cross: -1 = mirrored from left to right, ``feed``: from top to bottom; for backs of sheets.
    :ivar quality: ``print-quality``, 3 to 5; 0 = the printer's.
    :ivar total: pages of the document, 0 = not known.
    """

    kind: str
    width: int
    height: int
    resolution: int
    media: str = ""
    duplex: bool = False
    tumble: bool = False
    cross: int = 1
    feed: int = 1
    quality: int = 0
    total: int = 0
    media_type: str = ""


def page_header(page: RasterPage) -> bytes:
    """The 1,796 octets in front of a page's rows."""
    kind = KINDS[page.kind]
    points = [round(side * 72 / 2540) for side in size_of(page.media) or (0, 0)]
    out = bytearray(HEADER)
    for at, text in ((0, "PwgRaster"), (128, page.media_type), (1732, page.media)):
        octets = text.encode("ascii", "replace")[:63]
        out[at : at + len(octets)] = octets
    numbers = {
        272: page.duplex,
        276: page.resolution,
        280: page.resolution,
        352: points[0],
        356: points[1],
        368: page.tumble,
        372: page.width,
        376: page.height,
        384: kind.bits,
        388: kind.bits * kind.colors,
        392: kind.row(page.width),
        396: 0,  # the colours of a pixel stand together
        400: kind.space,
        420: kind.colors,
        452: page.total,
        456: page.cross,
        460: page.feed,
        472: page.width,
        476: page.height,
        480: 0xFFFFFF,
        484: page.quality,
    }
    for at, number in numbers.items():
        struct.pack_into(">i", out, at, int(number))
    return bytes(out)


def rows_of(header: bytes) -> tuple[int, int, int]:
    """``(height, octets of a row, octets packed together)`` of the rows behind a header.

    :raises RowsWrong: it is none.
    """
    if len(header) != HEADER or not header.startswith(b"PwgRaster\0"):
        raise RowsWrong("a page of PWG raster does not begin as it must")
    height, bits, row = (struct.unpack_from(">I", header, at)[0] for at in (376, 388, 392))
    if not 0 < height <= _MOST or not 0 < row <= _MOST * 8 or not 0 < bits <= 64:
        raise RowsWrong("a page of PWG raster has a size that cannot be")
    return height, row, max(1, bits // 8)
