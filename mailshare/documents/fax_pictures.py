"""Pictures as pages of a fax."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import FaxPage
from mailshare.documents.fax_bits import black_and_white
from mailshare.documents.fax_paper import ACROSS, Layout, on_paper
from mailshare.documents.fax_strips import coded_bits

MOST_PIXELS = 120_000_000  # of one picture
_OPENED = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "HEIF", "MPO")
_PAPER = (7.7, 10.9)  # inches that a picture fills which does not say how large it is


def checked(size: tuple[int, int]) -> None:
    """It is not too large; asked before it is unpacked.

    :raises NotConvertible: TOO_MANY_PIXELS.
    """
    if size[0] * size[1] > MOST_PIXELS:
        words = f"A picture of {size[0]:,} x {size[1]:,} pixels is larger than is taken here"
        raise NotConvertible(Hindrance.TOO_MANY_PIXELS, words)


def picture_page(data: bytes, layout: Layout) -> FaxPage:
    """The page; of an animation the first picture, which is the one that everybody sees.

    :raises NotConvertible: and whatever Pillow raises.
    """
    Image.MAX_IMAGE_PIXELS = None  # ours is asked, before anything is unpacked
    if data[4:8] == b"ftyp":
        from pillow_heif import register_heif_opener  # noqa: PLC0415 - optional

        register_heif_opener(thumbnails=False)
    with Image.open(BytesIO(data), formats=_OPENED) as opened:
        checked(opened.size)
        dots = _told(opened)
        if opened.format == "JPEG":
            # A photograph of a telephone has ten times the pixels of a fax; the decoder leaves out what is not needed.
            whole = opened.size
            opened.draft("L", (2 * layout.width, 2 * layout.rows))
            dots = (dots[0] * opened.width / whole[0], dots[1] * opened.height / whole[1])
        turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        return on_page(ImageOps.exif_transpose(opened), (dots[1], dots[0]) if turned else dots, layout)


def _told(opened: Any) -> tuple[float, float]:
    told = opened.info.get("dpi")
    try:
        return (float(told[0]), float(told[1])) if told else (0.0, 0.0)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return 0.0, 0.0


def on_page(picture: Any, dots: tuple[float, float], layout: Layout, *, stands: bool = False) -> FaxPage:
    """A page with the picture on it, in MMR.

    :param dots: pixels an inch; where they are none, or nonsense, the picture becomes as large as the paper.
    :param stands: it is not turned, however wide it is.
    """
    plain = picture.mode == "1"
    across, down = dots
    if not (50 <= across <= 4800 and 50 <= down <= 4800):
        across = down = max(picture.width / _PAPER[0], picture.height / _PAPER[1], 50.0)
    inches = (picture.width / across, picture.height / down)
    page = on_paper(_grey(picture), inches, layout, stands=stands)
    bits = black_and_white(page.tobytes(), layout.width, layout.lines, "threshold" if plain else layout.photos)
    return coded_bits(bits, ACROSS, layout.lines)


def _grey(picture: Any) -> Any:
    """Mode ``L``, on white paper where it can be seen through."""
    if picture.mode.startswith("I"):  # of PNG, 16 bits
        return picture.convert("I").point(lambda value: value * (1 / 257) + 0).convert("L")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, seen).convert("L")
    return picture.convert("L")
