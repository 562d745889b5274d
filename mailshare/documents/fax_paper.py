"""The papers and resolutions of fax machines, and how a picture is brought onto one: padded, never stretched.

Source: ITU-T T.4 table 1, T.30 table 2: 204 pixels an inch across, 98, 196 or 391 lines an inch down; pages are 1728,
2048 or 2432 pixels wide for paper of the widths of A4, B4 and A3.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from attrs import frozen
from PIL import Image

ACROSS = 204
LINES: Mapping[str, int] = {"standard": 98, "fine": 196, "superfine": 391}
PAPERS: Mapping[str, tuple[int, float, float]] = {
    "A4": (1728, 210 / 25.4, 297 / 25.4),
    "Letter": (1728, 8.5, 11.0),
    "Legal": (1728, 8.5, 14.0),
    "B4": (2048, 250 / 25.4, 353 / 25.4),
    "A3": (2432, 297 / 25.4, 420 / 25.4),
}
_LYING = 1.05  # how much wider than the paper


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

    def turns(self, width: float, height: float) -> bool:
        """Whether something of that size in inches lies, and is turned so that it stands.

        What is hardly wider than the paper is made smaller instead: pages of faxes are, and may be short.
        """
        return width > height and width > _LYING * max(self.inches[0], self.width / ACROSS)

    def place(self, width: float, height: float) -> tuple[int, int, int, int]:
        """Where something of that size in inches goes: ``(left, top, pixels across, lines)``.

        What is too large is made smaller evenly; what is smaller stays as it is, in the middle of the width.
        """
        paper = max(self.inches[0], self.width / ACROSS)
        scale = min(1.0, paper / width, self.inches[1] / height)
        across, down = round(width * scale * ACROSS), round(height * scale * self.lines)
        return (self.width - across) // 2, 0, max(across, 1), max(min(down, self.rows), 1)


def on_paper(picture: Any, inches: tuple[float, float], layout: Layout, *, stands: bool = False) -> Any:
    """A grey picture of that size in inches as a whole page, mode ``L``."""
    if not stands and layout.turns(*inches):
        picture, inches = picture.transpose(Image.Transpose.ROTATE_270), (inches[1], inches[0])
    left, top, across, down = layout.place(*inches)
    page = Image.new("L", (layout.width, layout.rows), 255)
    page.paste(picture.resize((across, down), Image.Resampling.BOX, reducing_gap=2.0), (left, top))
    return page
