"""Rows of pixels as printers take them: equal rows counted, in a row equal pixels counted (PWG 5102.4 section 4.4).

The same in PWG raster and in URF. A row is preceded by how often it is repeated; then come runs: 0 to 127 and a pixel
that is there once more than that, or 129 to 255 and 257 less that many pixels that differ. In URF, 128 ends a row of
which the rest is white.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import BinaryIO

MOST_REPEATED = 256
_LONGEST = 128  # pixels of a run
_REST_IS_WHITE = 128


class RowsWrong(ValueError):
    """They are not packed so, or end too early."""


@lru_cache(maxsize=8)
def _runs(unit: int) -> re.Pattern[bytes]:
    """Finds one run after another: equal pixels in the first group, or pixels that begin no such run.

    A pair of pixels of one octet costs the same either way, and is no end of those that differ.
    """
    if unit == 1:
        return re.compile(rb"(.)\1{2,}|(?:(.)(?!\2\2)){1,128}", re.DOTALL)
    pixel = rb".{%d}" % unit
    return re.compile(rb"(%b)\1+|(?:(%b)(?!\2)){1,128}" % (pixel, pixel), re.DOTALL)


def packed_row(row: bytes, unit: int) -> bytes:
    """One row without its count.

    :param unit: octets of a pixel; 1 for rows of eight pixels an octet.
    """
    out = bytearray()
    for run in _runs(unit).finditer(row):
        pixels, repeated = run[0], run[1]
        count = len(pixels) // unit
        if repeated is not None:
            while count > _LONGEST:
                out.append(_LONGEST - 1)
                out += repeated
                count -= _LONGEST
            out.append(count - 1)
            out += repeated
        elif count == 1:
            out.append(0)
            out += pixels
        else:
            out.append(257 - count)
            out += pixels
    return bytes(out)


def packed_rows(rows: Iterable[bytes], unit: int) -> Iterator[bytes]:
    """All rows of a page."""
    last, packed, count = None, b"", 0
    for row in rows:
        if row == last:
            if count < MOST_REPEATED:
                count += 1
                continue
            yield b"\xff" + packed
        else:
            if last is not None:
                yield bytes((count - 1,)) + packed
            last, packed = row, packed_row(row, unit)
        count = 1
    if last is not None:
        yield bytes((count - 1,)) + packed


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
