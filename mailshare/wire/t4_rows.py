"""Counts the damaged rows of a page that came over a line without error correction.

A library that decodes such a page mends what it can and says nothing; whoever has to accept or refuse it must know.
Each row of T.4's one-dimensional coding must begin with an end-of-line mark and add up to the page's width.

Source: ITU-T T.4 section 4.1, tables 2 and 3.
"""

from __future__ import annotations


def _codes(text: str) -> list[str]:
    """The codes of a table, in the order of their run lengths."""
    return text.split()


_WHITE_ENDS = _codes(
    "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 101010 101011 "
    "0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011 "
    "00011010 00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 00101011 "
    "00101100 00101101 00000100 00000101 00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 "
    "01011000 01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100"
)
_BLACK_ENDS = _codes(
    "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 000011000 "
    "0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 "
    "00000011000 000011001010 000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 "
    "000001101011 000011010010 000011010011 000011010100 000011010101 000011010110 000011010111 000001101100 "
    "000001101101 000011011010 000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 "
    "000001100101 000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 "
    "000001011000 000001011001 000000101011 000000101100 000001011010 000001100110 000001100111"
)
_WHITE_MORE = _codes(
    "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 "
    "011010011 011010100 011010101 011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 "
    "010011010 011000 010011011"
)
_BLACK_MORE = _codes(
    "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 "
    "0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 0000001110011 0000001110100 "
    "0000001110101 0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 "
    "0000001011011 0000001100100 0000001100101"
)
_EXTENDED = _codes(
    "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 "
    "000000010111 000000011100 000000011101 000000011110 000000011111"
)
_EOL_ZEROS = 11
_LOOK = 13  # bits of the longest code
_Codes = list[tuple[int, int]]


def _table(terminating: list[str], make_up: list[str]) -> _Codes:
    """By the next 13 bits: ``(bits of the code, pixels)``; ``(0, 0)`` where there is no code."""
    table = [(0, 0)] * (1 << _LOOK)
    runs = [
        *enumerate(terminating),
        *((64 * (step + 1), code) for step, code in enumerate(make_up)),
        *((1792 + 64 * step, code) for step, code in enumerate(_EXTENDED)),
    ]
    for pixels, code in runs:
        free = _LOOK - len(code)
        first = int(code, 2) << free
        table[first : first + (1 << free)] = [(len(code), pixels)] * (1 << free)
    return table


WHITE = _table(_WHITE_ENDS, _WHITE_MORE)
BLACK = _table(_BLACK_ENDS, _BLACK_MORE)


def count_rows(strip: bytes, width: int, most: int = 0) -> tuple[int, int]:
    """``(rows, damaged rows)`` of an MH strip.

    :param strip: most significant bit first; with or without RTC, fill bits and byte alignment.
    :param most: rows after which the page is over, whatever stands behind them; 0 = no bound.
    """
    data = strip + bytes(4)
    used = strip.rstrip(b"\0")  # what is left of a last octet, and fill, is no row
    end = len(used) * 8 - ((used[-1] & -used[-1]).bit_length() - 1 if used else 0)
    rows, bad, at = 0, 0, 0
    marks = 0
    while at < end and (not most or rows < most):
        behind = mark_behind(data, at, end)
        if behind:
            at = behind
            marks += 1
            if marks == 6:  # RTC: the page is over
                return rows, bad
            continue
        if not marks and rows:
            bad += 1  # what follows a row is no mark: this row was longer than it should be
            at = next_mark(data, at, end)
            continue
        marks = 0
        at, right = _row(data, at, width)
        rows += 1
        if not right:
            bad += 1
            at = next_mark(data, at, end)
    return rows, bad


def count_marks(strip: bytes) -> int:
    """How many rows of an MH strip have an end-of-line mark before them; those of RTC are not counted.

    Of MR, too, whose marks have a bit behind them.
    """
    bits = f"{int.from_bytes(strip):0{8 * len(strip)}b}"
    mark = "0" * _EOL_ZEROS + "1"
    for end in (mark * 6, (mark + "1") * 6):
        bits = bits.partition(end)[0] if end in bits else bits
    return bits.count(mark)


def mark_behind(data: bytes, at: int, end: int) -> int:
    """The bit behind an end-of-line mark that begins here, fill included; 0 = there is none."""
    start = at
    while at < end and not data[at >> 3] >> (7 - (at & 7)) & 1:
        at += 1
    return at + 1 if at < end and at - start >= _EOL_ZEROS else 0


def next_mark(data: bytes, at: int, end: int) -> int:
    """The first bit of the next mark, or the end."""
    zeros = 0
    while at < end:
        if data[at >> 3] >> (7 - (at & 7)) & 1:
            if zeros >= _EOL_ZEROS:
                return at - _EOL_ZEROS
            zeros = 0
        else:
            zeros += 1
        at += 1
    return end


def _row(data: bytes, at: int, width: int) -> tuple[int, bool]:
    """Follow one row: the bit behind it, and whether it adds up."""
    pixels, codes, other, run = 0, WHITE, BLACK, 64
    while pixels < width or run >= 64:  # a row ends with a terminating code, be it for no pixel at all
        byte = at >> 3
        word = data[byte] << 16 | data[byte + 1] << 8 | data[byte + 2] if byte + 2 < len(data) else 0
        bits, run = codes[word >> (11 - (at & 7)) & 0x1FFF]
        if not bits:
            return at, False
        at += bits
        pixels += run
        if run < 64:
            codes, other = other, codes
    return at, pixels == width
