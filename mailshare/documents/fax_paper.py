"""The papers and resolutions of fax machines, and how a picture is brought onto one: padded, never stretched.

Source: ITU-T T.4 table 1, T.30 table 2: 204 pixels an inch across, 98, 196 or 391 lines an inch down; pages are 1728,
2048 or 2432 pixels wide for paper of the widths of A4, B4 and A3.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from attrs import frozen
from PIL import Image, ImageChops, ImageFilter

ACROSS = 204
LINES: Mapping[str, int] = {"standard": 98, "fine": 196, "superfine": 391}
PAPERS: Mapping[str, tuple[int, float, float]] = {
    "A4": (1728, 210 / 25.4, 297 / 25.4),
    "Letter": (1728, 8.5, 11.0),
    "Legal": (1728, 8.5, 14.0),
    "B4": (2048, 250 / 25.4, 353 / 25.4),
    "A3": (2432, 297 / 25.4, 420 / 25.4),
}
_DARK = 152  # what is darker becomes black: light grey letters stay, grey paper does not
_BLACK_OR_WHITE = [0] * _DARK + [255] * (256 - _DARK)
_MIDDLE = [255 if 40 < grey < 215 else 0 for grey in range(256)]
_TILE = 16  # pixels a side of what is judged as photograph or not
_PHOTO_TILES = 24  # of a page, below which it has no photograph


@frozen
class Layout:
    """How pages are to be.

    :ivar width: pixels; ``inches`` of the paper, width and height.
    :ivar lines: an inch.
    :ivar photos: ``auto``: what looks like a photograph is dithered; ``threshold``; ``dither``: everything is.
    """

    width: int
    inches: tuple[float, float]
    lines: int
    photos: str = "auto"

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Layout:
        """From ``paper``, ``resolution`` and ``photos`` of the options of an operation."""
        width, *inches = PAPERS[str(options.get("paper", "A4"))]
        lines = LINES[str(options.get("resolution", "fine"))]
        return cls(width, (inches[0], inches[1]), lines, str(options.get("photos", "auto")))

    @property
    def rows(self) -> int:
        """Lines of a whole page."""
        return ceil(self.inches[1] * self.lines - 0.001)

    def place(self, width: float, height: float) -> tuple[int, int, int, int]:
        """Where something of that size in inches goes: ``(left, top, pixels across, lines)``.

        What is too large is made smaller evenly; what is smaller stays as it is, in the middle of the width.
        """
        paper = max(self.inches[0], self.width / ACROSS)
        scale = min(1.0, paper / width, self.inches[1] / height)
        across, down = round(width * scale * ACROSS), round(height * scale * self.lines)
        return (self.width - across) // 2, 0, max(across, 1), max(min(down, self.rows), 1)


def on_paper(picture: Any, inches: tuple[float, float], layout: Layout) -> Any:
    """A grey picture of that size in inches as a whole page, mode ``L``."""
    if inches[0] > inches[1] and inches[0] > layout.inches[0]:
        picture, inches = picture.transpose(Image.Transpose.ROTATE_270), (inches[1], inches[0])
    left, top, across, down = layout.place(*inches)
    page = Image.new("L", (layout.width, layout.rows), 255)
    page.paste(picture.resize((across, down), Image.Resampling.BOX, reducing_gap=2.0), (left, top))
    return page


def black_and_white(page: Any, photos: str = "auto") -> Any:
    """A grey page in two colours: letters and lines by a threshold, photographs by dots.

    Dots where letters are would cost readability and many times the minutes of the call; a threshold where a
    photograph is would leave nothing to see.
    """
    if photos == "dither":
        return page.convert("1")
    plain = page.point(_BLACK_OR_WHITE, "1")
    if photos == "threshold":
        return plain
    mask = _photographs(page)
    if mask is None:
        return plain
    plain.paste(page.convert("1"), (0, 0), mask)
    return plain


def _photographs(page: Any) -> Any:
    """A mask of the tiles that are photographs, or ``None`` when there are hardly any.

    A tile is one when most of it is neither light nor dark and its shades differ: grey boxes are all alike.
    """
    # Every second pixel of every second row tells as much, in a quarter of the time; most pages end here.
    sample = page.resize((page.width // 2, page.height // 2), Image.Resampling.NEAREST)
    middle = sample.point(_MIDDLE).reduce(_TILE // 2)
    share = middle.point([255 if grey > 190 else 0 for grey in range(256)])
    if share.histogram()[255] < _PHOTO_TILES:
        return None
    moved = ImageChops.difference(sample, ImageChops.offset(sample, 1, 1)).reduce(_TILE // 2)
    lively = moved.point([255 if grey >= 2 else 0 for grey in range(256)])
    # Lines of grey letters make tiles one beside the other, photographs make fields of them.
    tiles = ImageChops.darker(share, lively).filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MaxFilter(5))
    if tiles.histogram()[255] < _PHOTO_TILES:
        return None
    return tiles.resize((tiles.width * _TILE, tiles.height * _TILE)).crop((0, 0, *page.size)).convert("1")
