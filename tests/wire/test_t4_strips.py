"""Coded pages put one below the other without being decoded."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from mailshare.core.values.fax import Coding
from mailshare.documents.fax_bits import Bits, bits_of
from mailshare.documents.fax_strips import _file_by_pillow, below, coded, coded_bits, picture_of
from mailshare.wire.t4_rows import count_rows
from mailshare.wire.t4_strips import joined_strips
from mailshare.wire.tiff_fax import first_strip


def noise(width: int, rows: int, *, white_end: bool = False) -> Image.Image:
    made = Image.frombytes("1", (width, rows), random.Random(rows).randbytes(width // 8 * rows))
    if white_end:
        made.paste(1, (0, rows - 1, width, rows))
    return made


@pytest.mark.parametrize("width", [1728, 2048, 2432])
@pytest.mark.parametrize("coding", list(Coding))
def test_a_page_below_another_is_both_pictures(coding: Coding, width: int) -> None:
    """Bit for bit, whatever bit the upper one ends at; an all-white one too."""
    lower = noise(width, 30)
    for rows in range(2, 14):
        upper = noise(width, rows, white_end=True) if rows > 3 else Image.new("1", (width, rows), 1)
        page = below(coded(upper, 204, 196, coding), coded(lower, 204, 196, coding))
        assert page.rows == rows + 30
        picture = picture_of(page)
        assert picture.crop((0, 0, width, rows)).tobytes() == upper.tobytes()
        assert picture.crop((0, rows, width, rows + 30)).tobytes() == lower.tobytes()
        if coding is Coding.MH:
            assert count_rows(page.data, width) == (rows + 30, 0)


def test_what_is_no_strip_is_not_joined() -> None:
    """Rather than put rubbish on a line."""
    with pytest.raises(ValueError, match="does not end"):
        joined_strips(Coding.MMR, b"\x12\x34", b"\x56")
    with pytest.raises(ValueError, match="does not end"):
        joined_strips(Coding.MH, b"", b"\x56")


@pytest.mark.parametrize("coding", list(Coding))
@pytest.mark.parametrize("lines", [98, 196])
def test_the_coder_gives_what_pillow_writes_with_it(coding: Coding, lines: int) -> None:
    """The short way to the coder and the long one end in the same octets; so a Pillow that has no short one will do."""
    bits = bits_of(noise(1728, 40))
    assert coded_bits(bits, 204, lines, coding).data == first_strip(_file_by_pillow(bits, 204, lines, coding))


def test_pixels_are_packed_as_they_are() -> None:
    """Rows with and without ink, widths that are and are not whole octets."""
    for width in (1728, 8, 13, 1):
        picture = Image.new("1", (width, 9), 1)
        picture.paste(0, (0, 2, width // 2 + 1, 3))
        picture.paste(0, (width - 1, 5, width, 8))
        turned = bytes(255 - one for one in picture.tobytes())
        bits = bits_of(picture)
        assert (bits.width, bits.rows) == picture.size
        mask = 0xFF << (-width % 8) & 0xFF
        size = (width + 7) // 8
        for row in range(9):
            mine, right = bits.data[row * size : (row + 1) * size], turned[row * size : (row + 1) * size]
            assert mine[:-1] == right[:-1]
            assert mine[-1] & mask == right[-1] & mask
    assert bits_of(Image.new("1", (16, 2), 1)) == Bits(16, 2, bytes(4))
