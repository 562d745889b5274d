"""Rows of pixels as printers take them: equal rows counted, in a row equal pixels counted (PWG 5102.4 section 4.4).

The same in PWG raster and in URF. A row is preceded by how often it is repeated; then come runs: 0 to 127 and a pixel
that is there once more than that, or 129 to 255 and 257 less that many pixels that differ. In URF, 128 ends a row of
which the rest is white. Packing is in :mod:`mailshare.documents.row_packing`, as it takes a library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

MOST_REPEATED = 256
_REST_IS_WHITE = 128


class RowsWrong(ValueError):
    """They are not packed so, or end too early."""


def unpacked_rows(source: BinaryIO, height: int, width: int, unit: int) -> Iterator[bytes]:
    """The rows of a page again.

    :param width: octets of a row.
    :raises RowsWrong: see there.
    """
    left = height
    while left > 0:
        times = _octets(source, 1)[0] + 1
        row = bytearray()
        while len(row) < width:
            code = _octets(source, 1)[0]
            if code < _REST_IS_WHITE:
                row += _octets(source, unit) * (code + 1)
            elif code == _REST_IS_WHITE:
                row += b"\xff" * (width - len(row))
            else:
                row += _octets(source, (257 - code) * unit)
        if len(row) != width or times > left:
            raise RowsWrong("a row is longer than it may be, or there are too many")
        left -= times
        whole = bytes(row)
        for _ in range(times):
            yield whole


def skip_rows(source: BinaryIO, height: int, width: int, unit: int) -> None:
    """Pass over the rows of a page.

    :raises RowsWrong: see there.
    """
    for _row in unpacked_rows(source, height, width, unit):
        pass


def _octets(source: BinaryIO, count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise RowsWrong("it ends in the middle of a page")
    return data
