"""Follows the rows of a page in MR or MMR, and counts those that are damaged or missing.

A library that decodes such a page fills up with white what a strip that is cut off does not have, and says nothing.

Source: ITU-T T.4 section 4.2 (two-dimensional coding), T.6 section 2.2.
"""

from __future__ import annotations

from attrs import frozen

from mailshare.wire.t4_rows import BLACK, WHITE, mark_behind, next_mark

_PASS, _ACROSS = 8, 9  # modes; the others are how far a change is from the one above it
_EOFB = 0x001001
_CODES = {"0001": _PASS, "001": _ACROSS, "1": 0, "011": 1, "000011": 2, "0000011": 3, "010": -1, "000010": -2}
_CODES |= {"0000010": -3}
_Row = list[int]  # where the colour changes, from white; then the width, some times


def _modes() -> list[tuple[int, int]]:
    """By the next 7 bits: ``(bits of the code, mode)``; ``(0, 0)`` where there is no code."""
    table = [(0, 0)] * 128
    for code, mode in _CODES.items():
        free = 7 - len(code)
        first = int(code, 2) << free
        table[first : first + (1 << free)] = [(len(code), mode)] * (1 << free)
    return table


_MODES = _modes()


@frozen
class Rows:
    """What was found of a picture.

    :ivar rows: that add up.
    :ivar bad: places where there is none, up to the next mark.
    :ivar ended: the end of the page stands behind them.
    :ivar octets: how many were followed.
    """

    rows: int
    bad: int
    ended: bool
    octets: int


def mmr_rows(strip: bytes, width: int, most: int) -> tuple[int, bool]:
    """How many rows can be followed, at most so many; and whether the end of the page stands behind them.

    :param strip: most significant bit first.
    """
    data, end, at, rows = strip + bytes(4), len(strip) * 8, 0, 0
    above: _Row | None = [width] * 4
    while rows < most and at < end:
        following, above = _two(data, at, width, above or [])
        if above is None or following > end:
            break
        at, rows = following, rows + 1
    octets = int.from_bytes(data[at >> 3 : (at >> 3) + 4])
    return rows, octets >> (8 - (at & 7)) & 0xFFFFFF == _EOFB


def mr_rows(strip: bytes, width: int, most: int) -> tuple[int, int]:
    """``(rows, damaged rows)`` of a strip in MR, at most so many; a row below a damaged one is damaged, too, if it is
    coded by it.
    """
    data, end, at, rows, bad = strip + bytes(4), len(strip) * 8, 0, 0, 0
    above: _Row | None = [width] * 4
    while rows < most and at < end:
        behind = mark_behind(data, at, end)
        if not behind and rows:
            following = next_mark(data, at, end)
            bad += following < end
            at, above = following, None
            if at >= end:
                break
            continue
        at = behind or at
        if at >= end or mark_behind(data, at, end) or mark_behind(data, at + 1, end):  # one mark behind another: RTC
            break
        alone = data[at >> 3] >> (7 - (at & 7)) & 1 if behind else 1
        at, above = _one(data, at + (behind > 0), width) if alone else _two(data, at + 1, width, above or [])
        rows += 1
        if above is None:
            bad += 1
            at = next_mark(data, at, end)
    return rows, min(bad, rows)


def pdf_rows(strip: bytes, width: int, most: int, k: int, *, aligned: bool) -> Rows:
    """Follow the rows of a fax picture inside a PDF, whose rows may have marks before them, or none.

    :param k: below 0 = MMR, 0 = MH, above = MR.
    :param aligned: each row begins with an octet of its own.
    Source: ISO 32000-1 section 7.4.6.
    """
    data, end, at, rows, bad = strip + bytes(4), len(strip) * 8, 0, 0, 0
    above: _Row | None = [width] * 4
    while rows < most and at < end:
        if aligned:
            at = (at + 7) & ~7
        behind = mark_behind(data, at, end)
        if k < 0 and behind:
            # A mark where a row should be: two of them are the end, one alone is no code at all.
            return Rows(rows, bad, ended=bool(mark_behind(data, behind, end)), octets=behind >> 3)
        at = behind or at
        again = mark_behind(data, at + (k > 0 and behind > 0), end) if behind else 0
        if again:
            return Rows(rows, bad, ended=True, octets=at >> 3)
        if at >= end:
            break
        if k < 0:
            at, above = _two(data, at, width, above or [])
        elif k == 0:
            at, above = _one(data, at, width)
        else:
            alone = data[at >> 3] >> (7 - (at & 7)) & 1
            at, above = _one(data, at + 1, width) if alone else _two(data, at + 1, width, above or [])
        if at > end:
            break
        rows += above is not None
        if above is None:
            bad += 1
            at = next_mark(data, at, end) if k >= 0 else end
    return Rows(rows, bad, ended=False, octets=min(at, end) >> 3)


def _one(data: bytes, at: int, width: int) -> tuple[int, _Row | None]:
    """Follow a row that is coded by itself: the bit behind it, and its changes; ``None``: it does not add up."""
    row: _Row = []
    pixels, codes, other = 0, WHITE, BLACK
    while pixels < width:
        at, run = _run(data, at, codes)
        if run < 0:
            return at, None
        pixels += run
        row.append(pixels)
        codes, other = other, codes
    return at, row + [width] * 4 if pixels == width else None


def _run(data: bytes, at: int, codes: list[tuple[int, int]]) -> tuple[int, int]:
    """The bit behind a run, and its length; -1: there is none."""
    length, run = 0, 64
    while run >= 64:
        byte = at >> 3
        if byte + 2 >= len(data):
            return at, -1
        word = data[byte] << 16 | data[byte + 1] << 8 | data[byte + 2]
        bits, run = codes[word >> (11 - (at & 7)) & 0x1FFF]
        if not bits:
            return at, -1
        at += bits
        length += run
    return at, length


def _two(data: bytes, at: int, width: int, above: _Row) -> tuple[int, _Row | None]:
    """Follow a row that is coded by the one above it: the bit behind it, and its changes; ``None``: it is damaged."""
    row: _Row = []
    place, near, size = -1, 0, len(data) - 1  # near: which change above is meant, of those to the other colour
    colour = 0
    if not above:
        return at, None
    while place < width:
        byte = at >> 3
        if byte >= size:
            return at, None
        bits, mode = _MODES[(data[byte] << 8 | data[byte + 1]) >> (9 - (at & 7)) & 0x7F]
        if not bits:
            return at, None
        at += bits
        while above[near] <= place < width and above[near] < width:
            near += 2
        if mode == _PASS:
            place = above[near + 1]
        elif mode == _ACROSS:
            at, first = _run(data, at, BLACK if colour else WHITE)
            at, second = _run(data, at, WHITE if colour else BLACK)
            if first < 0 or second < 0:
                return at, None
            change = max(place, 0) + first
            place = change + second
            row += (change, place)
        else:
            change = above[near] + mode
            if change < max(place, 0) or change > width:
                return at, None
            place = change
            row.append(change)
            colour ^= 1
            near = near - 1 if near else 1
    if place != width:
        return at, None
    return at, row + [width] * 4
