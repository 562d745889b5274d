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
_REMEMBERED = 8_192  # runs, of each size of pixels


class RowsWrong(ValueError):
    """They are not packed so, or end too early."""


@lru_cache(maxsize=8)
def _runs(unit: int) -> re.Pattern[bytes]:
    """Finds one run after another: equal pixels, or up to 128 that begin no such run.

    White and black come first, because those are found fastest and are most of a page. A pair of pixels of one octet
    costs the same either way, and is no end of those that differ.
    """
    if unit == 1:
        return re.compile(rb"\xff{3,}|\x00{3,}|(.)\1{2,}|(?:(.)(?!\2\2)){1,128}", re.DOTALL)
    pixel = rb".{%d}" % unit
    return re.compile(rb"(%b)\1+|(?:(%b)(?!\2)){1,128}" % (pixel, pixel), re.DOTALL)


class _Packed(dict[bytes, bytes]):
    """Runs as they are packed; a page has few of them, and most of these often.

    :param unit: octets of a pixel; ``times`` that octet is written for each of the run.
    """

    def __init__(self, unit: int, times: int) -> None:
        super().__init__()
        self._unit = unit
        self._times = times

    def __missing__(self, run: bytes) -> bytes:
        count, pixel = len(run) // self._unit, run[: self._unit]
        if run == pixel * count:
            full, rest = divmod(count - 1, _LONGEST)
            pixel *= self._times
            packed = (bytes((_LONGEST - 1,)) + pixel) * full + bytes((rest,)) + pixel
        else:
            packed = bytes((257 - count,)) + _widened(run, self._times)
        if len(self) < _REMEMBERED:
            self[run] = packed
        return packed


def _widened(run: bytes, times: int) -> bytes:
    """Each octet so many times."""
    out = bytearray(len(run) * times)
    for start in range(times):
        out[start::times] = run
    return bytes(out)


@lru_cache(maxsize=8)
def _packed(unit: int, times: int) -> _Packed:
    return _Packed(unit, times)


def packed_row(row: bytes, unit: int) -> bytes:
    """One row without its count.

    :param unit: octets of a pixel; 1 for rows of eight pixels an octet.
    """
    times = 1
    if unit == 3 and (grey := row[::3]) == row[1::3] == row[2::3]:
        row, unit, times = grey, 1, 3  # most rows in colour have none
    packed = _packed(unit, times)
    return b"".join([packed[run[0]] for run in _runs(unit).finditer(row)])


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
