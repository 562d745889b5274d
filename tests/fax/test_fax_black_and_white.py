"""Pixels become black and white many at a time, and as one by one."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from mailshare.documents.fax_bits import black_and_white, inked
from mailshare.documents.fax_dots import with_dots


def one_by_one(grey: bytes, threshold: int) -> bytes:
    """The same by a plain loop."""
    return bytes(
        sum((shade < threshold) << 7 - at for at, shade in enumerate(grey[start : start + 8]))
        for start in range(0, len(grey), 8)
    )


@pytest.mark.parametrize("rows", [1, 3, 40, 1100])
def test_every_shade_is_black_or_white_by_the_threshold(rows: int) -> None:
    """Lighter than 151 is white, in every place of an octet, on short and long pages, with and without blank rows."""
    chance = random.Random(rows)
    shades = bytes(range(256)) * 2
    page = b"".join(chance.choice((bytes(chance.sample(shades, 64)), b"\xff" * 64)) for _ in range(rows))
    made = inked(bytearray(page), 64)
    assert (made.width, made.rows) == (64, rows)
    assert made.data == one_by_one(page, 152)


def test_a_page_without_ink_is_white() -> None:
    """Nothing is packed of it."""
    assert inked(b"\xff" * 1728 * 1146, 1728).data == bytes(216 * 1146)


def test_dots_grow_with_darkness() -> None:
    """White has no dot, black no gap, and a shade as much black as it is dark."""
    for grey in (0, 1, 60, 128, 200, 254, 255):
        dots = with_dots(Image.new("L", (120, 120), grey), 196, "dither")
        assert set(dots.tobytes()) <= {0, 255}
        assert dots.tobytes().count(0) / 120**2 == pytest.approx(1 - grey / 255, abs=0.04)
    made = black_and_white(bytes(120 * 120), 120, 196, "dither")
    assert made.data == b"\xff" * (120 * 120 // 8)
