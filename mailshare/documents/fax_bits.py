"""From pages in grey to pages of black and white, eight pixels in an octet: what a coder takes.

Pillow keeps an octet for each pixel of black and white, and packs them one by one when a page is coded, which takes
longer than the coding. Here the pixels are compared and packed many at a time, by those functions of Pillow that the
processor's vector instructions do: differences, sums, the plain threshold in the middle, and packing for pictures of 4
and 16 colours. Rows without ink, of which most pages have many, are not looked at.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import Any

from attrs import field, frozen
from PIL import Image, ImageChops

from mailshare.documents.fax_dots import with_dots

_DARK = 152  # what is darker becomes black: light grey letters stay, grey paper does not
_LIGHTEST = 230  # of a page where something is to be seen: yellow
_FIELD = 0.3  # of a page that is grey all over
_MIDDLE = 128  # where Pillow's own threshold is
_BANDS = 512  # of a page: each is looked at by itself for ink
_AT_ONCE = 512  # rows that are packed together: what is made of them on the way stays near the processor
# Four pixels, two bits for each as they were packed, as four bits.
_NIBBLES = bytes(one >> 3 & 8 | one >> 2 & 4 | one >> 1 & 2 | one & 1 for one in range(256))
_TURNED = bytes(255 - one for one in range(256))
_SAMPLE = 61  # of so many octets one is looked at; no row has a number of octets that this divides


@frozen
class Bits:
    """A page of black and white.

    :ivar data: its rows, most significant bit first, black is 1, each row whole octets.
    """

    width: int
    rows: int
    data: bytes = field(repr=False)

    @property
    def white(self) -> bool:
        """Nothing of it is black."""
        return self.data == bytes(len(self.data))  # which ends where the first ink is

    @property
    def dark(self) -> float:
        """About which share of its octets is black throughout."""
        sample = self.data[::_SAMPLE]
        return sample.count(255) / max(1, len(sample))


def inked(grey: bytes | bytearray, width: int) -> Bits:
    """A page whose pixels are black where they are dark.

    :param grey: an octet for each pixel, rows from the top.
    :param width: pixels, a multiple of 8.
    """
    rows = len(grey) // width
    band = width * max(2, rows // _BANDS)
    blank = b"\xff" * band
    parts, at = [], 0  # (whether there is ink, from which octet, to which), from the top
    for ink, bands in groupby(not grey.startswith(blank, start) for start in range(0, len(grey), band)):
        end = min(at + band * sum(1 for _ in bands), len(grey))
        parts.append((ink, at, end))
        at = end
    view = memoryview(grey)
    drawn = b"".join(view[start:end] for ink, start, end in parts if ink)
    step = width * _AT_ONCE
    packed = b"".join(_packed(drawn[start : start + step], width) for start in range(0, len(drawn), step))
    out, at = [], 0
    for ink, start, end in parts:
        size = (end - start) // 8
        out.append(packed[at : at + size] if ink else bytes(size))
        at += size if ink else 0
    return Bits(width, rows, b"".join(out))


def _packed(grey: bytes, width: int) -> bytes:
    """Pixels by the threshold, eight in an octet."""
    rows = len(grey) // width
    picture = Image.frombuffer("L", (width, rows), grey, "raw", "L", 0, 1)
    # What is 152 or more is 128 or more away from 24, where Pillow's own threshold is; nothing is as far below 24.
    white = ImageChops.difference(picture, _even("L", width, _DARK - _MIDDLE)).convert("1", dither=Image.Dither.NONE)
    # 1 more than white is 0, than black 1; of a mode with a palette, for only such pictures are packed further.
    black = ImageChops.add_modulo(_even("P", width, 1), white)
    fours = black.tobytes("raw", "P;2").translate(_NIBBLES)
    packed: bytes = Image.frombuffer("P", (width // 4, rows), fours, "raw", "P", 0, 1).tobytes("raw", "P;4")
    return packed


@lru_cache(maxsize=8)
def _even(mode: str, width: int, value: int) -> Any:
    """A picture whose pixels are all alike."""
    return Image.new(mode, (width, _AT_ONCE), value)


def bits_of(picture: Any) -> Bits:
    """The pixels of a picture of mode ``1``."""
    width, rows = picture.size
    if width % 8 or not rows:
        return Bits(width, rows, picture.tobytes().translate(_TURNED))
    return inked(picture.convert("L").tobytes(), width)


def black_and_white(grey: bytes | bytearray, width: int, lines: int, photos: str = "auto") -> Bits:
    """A grey page in two colours: letters and lines by a threshold, photographs by dots.

    Dots where letters are would cost readability and many times the minutes of the call; a threshold where a
    photograph is would leave nothing to see.

    :param grey: an octet for each pixel, rows from the top.
    :param width: pixels, a multiple of 8.
    :param lines: an inch.
    :param photos: as of a :class:`~mailshare.documents.fax_paper.Layout`.
    """
    page = Image.frombuffer("L", (width, len(grey) // width), grey, "raw", "L", 0, 1)
    dotted = page if photos == "threshold" else with_dots(page, lines, photos)
    bits = inked(grey if dotted is page else dotted.tobytes(), width)
    return _of_light(page, bits) if bits.white else bits


def _of_light(page: Any, white: Bits) -> Bits:
    """A page on which nothing is dark, but something is to be seen: its threshold lies in the middle of its own greys.

    A sheet that is all grey, as empty ones are that were scanned, stays white.
    """
    darkest = page.getextrema()[0]
    middle = (darkest + 255) // 2
    if darkest > _LIGHTEST or sum(page.histogram()[:middle]) > _FIELD * page.width * page.height:
        return white
    return inked(page.point([0 if grey < middle else 255 for grey in range(256)]).tobytes(), white.width)
