"""Packs rows of pixels for printers, by the encoder of another format that Pillow has in C.

TGA packs pixels as PWG raster does, runs and differing ones of up to 128 each, and numbers them otherwise: ``n - 1``
for pixels that differ and ``127 + n`` for a run, where PWG 5102.4 section 4.4 wants ``257 - n`` and ``n - 1``. One
table turns these numbers, wherever they stand, into ours; pixels that were turned by the table backwards before come
out as they were. So nothing walks over runs in Python. 128 stands for itself: as a number, TGA's run of one, it is
never written.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from mailshare.wire.raster_rows import MOST_REPEATED

_FORTH = bytes((0, *range(255, 128, -1), 128, *range(1, 128)))
_BACK = bytes(_FORTH.index(number) for number in range(256))
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def packed_rows(octets: bytes | bytearray, width: int, unit: int) -> Iterator[bytes]:
    """Rows as they go into PWG raster and URF, each preceded by how often it is repeated.

    :param octets: of rows, one after another.
    :param width: octets of a row.
    :param unit: octets of a pixel: 1 (also for eight pixels in one octet), 3 or 4.
    """
    from PIL import Image  # noqa: PLC0415

    view = memoryview(octets)
    every = (bytes(view[start : start + width]) for start in range(0, len(view), width))
    rows, counts = [], []
    for row, same in groupby(every):
        rows.append(row)
        counts.append(sum(1 for _ in same))
    mode, across = _MODES[unit], width // unit
    turned = b"".join(rows).translate(_BACK)
    picture = Image.frombuffer(mode, (across, len(rows)), turned, "raw", mode, 0, 1)
    picture.load()
    room = 2 * width + 1024  # more than a row can become
    for number, count in enumerate(counts):
        encoder = Image.core.tga_rle_encoder(mode, mode)  # type: ignore[attr-defined]  # as Pillow's own plugins do
        encoder.setimage(picture.im, (0, number, across, number + 1))
        _, done, packed = encoder.encode(room)
        assert done == 1, "the room is enough for any row"
        row = packed.translate(_FORTH)
        full, rest = divmod(count, MOST_REPEATED)
        if full:
            yield (b"\xff" + row) * full
        if rest:
            yield bytes((rest - 1,)) + row
