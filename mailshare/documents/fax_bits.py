"""From pages in grey to pages of black and white, eight pixels in an octet: what a coder takes.

Pillow keeps an octet for each pixel of black and white, and packs them one by one when a page is coded, which takes
longer than the coding. Here the pixels are packed four and two at a time, by what Pillow has for pictures of 4 and 16
colours, and rows without ink, of which most pages have many, are not looked at.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from PIL import Image

from mailshare.documents.fax_dots import with_dots

_DARK = 152  # what is darker becomes black: light grey letters stay, grey paper does not
_BAND = 4  # rows that are looked at together
_INK = bytes([1] * _DARK + [0] * (256 - _DARK))
# Four pixels, two bits for each as they were packed, as four bits.
_NIBBLES = bytes(one >> 3 & 8 | one >> 2 & 4 | one >> 1 & 2 | one & 1 for one in range(256))
_TURNED = bytes(255 - one for one in range(256))


@frozen
class Bits:
    """A page of black and white.

    :ivar data: its rows, most significant bit first, black is 1, each row whole octets.
    """

    width: int
    rows: int
    data: bytes = field(repr=False)


def inked(grey: bytes | bytearray, width: int) -> Bits:
    """A page whose pixels are black where they are dark.

    :param grey: an octet for each pixel, rows from the top.
    :param width: pixels, a multiple of 8.
    """
    band = width * _BAND
    blank = b"\xff" * band
    bands = [grey[start : start + band] for start in range(0, len(grey), band)]
    with_ink = [one != blank[: len(one)] for one in bands]
    drawn = _packed(b"".join(one for one, ink in zip(bands, with_ink, strict=True) if ink).translate(_INK), width)
    if not all(with_ink):
        out, at = [], 0
        for one, ink in zip(bands, with_ink, strict=True):
            size = len(one) // 8
            out.append(drawn[at : at + size] if ink else bytes(size))
            at += size if ink else 0
        drawn = b"".join(out)
    return Bits(width, len(grey) // width, drawn)


def _packed(pixels: bytes, width: int) -> bytes:
    """Pixels that are 0 or 1, eight in an octet."""
    rows = len(pixels) // width
    if not rows:
        return b""
    fours = _as_colours(pixels, width, rows).tobytes("raw", "P;2")
    packed: bytes = _as_colours(fours.translate(_NIBBLES), width // 4, rows).tobytes("raw", "P;4")
    return packed


def _as_colours(pixels: bytes, width: int, rows: int) -> Any:
    """A picture with a palette of these pixels, which are not copied."""
    return Image.frombuffer("P", (width, rows), pixels, "raw", "P", 0, 1)


def bits_of(picture: Any) -> Bits:
    """The pixels of a picture of mode ``1``."""
    width, rows = picture.size
    if width % 8 or not rows:
        return Bits(width, rows, picture.tobytes().translate(_TURNED))
    return inked(picture.convert("L").tobytes(), width)


def black_and_white(page: Any, lines: int, photos: str = "auto") -> Bits:
    """A grey page in two colours: letters and lines by a threshold, photographs by dots.

    Dots where letters are would cost readability and many times the minutes of the call; a threshold where a
    photograph is would leave nothing to see.

    :param page: a picture of mode ``L``, its width a multiple of 8.
    :param lines: an inch.
    :param photos: as of a :class:`~mailshare.documents.fax_paper.Layout`.
    """
    return inked((page if photos == "threshold" else with_dots(page, lines, photos)).tobytes(), page.width)
