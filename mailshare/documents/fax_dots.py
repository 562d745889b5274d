"""Where a page has photographs, and the dots that they are made of."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi
from typing import Any

from PIL import Image, ImageChops, ImageFilter

_MIDDLE = [255 if 40 < grey < 215 else 0 for grey in range(256)]
_ALL, _ANY = [0] * 255 + [255], [0] + [255] * 255  # of the tiles around one; ten times as fast as filters by rank
_TILE = 16  # pixels a side of what is judged as photograph or not
_PHOTO_TILES = 24  # of a page, below which it has no photograph
_CELL = 6  # pixels across two dots: 48 lines of dots an inch, as in a newspaper
_ACROSS = 204


def with_dots(page: Any, lines: int, photos: str) -> Any:
    """A grey page whose photographs are dots of black on white.

    :param page: mode ``L``.
    :param lines: an inch.
    :param photos: ``auto``, where they are; ``dither``: everywhere.
    """
    if photos == "dither":
        return _dots(page, (0, 0, *page.size), lines)
    tiles = _photographs(page)
    if tiles is None:
        return page
    left, top, right, bottom = (_TILE * side for side in tiles.getbbox())
    box = (left, top, min(right, page.width), min(bottom, page.height))
    mask = tiles.crop(tiles.getbbox()).resize((right - left, bottom - top), Image.Resampling.NEAREST)
    out = page.copy()
    out.paste(_dots(page, box, lines), box, mask.crop((0, 0, box[2] - left, box[3] - top)))
    return out


def _dots(page: Any, box: tuple[int, int, int, int], lines: int) -> Any:
    # What is lighter than the screen: together with the screen's negative, half of it is more than half of white.
    both = Image.blend(page.crop(box), _negative_screen(*page.size, lines).crop(box), 0.5)
    return both.convert("1", dither=Image.Dither.NONE).convert("L")


@lru_cache(maxsize=2)
def _negative_screen(width: int, rows: int, lines: int) -> Any:
    """What a pixel has to be lighter than to become white, for a whole page, taken from 255.

    The dots lie in diagonal rows and grow from their middles: such pages are coded in half the octets of pages whose
    dots are strewn, and a printer's toner does not close what lies between.
    """
    high = max(2, round(_CELL * lines / _ACROSS / 2) * 2)
    places = [(x, y) for y in range(high) for x in range(_CELL)]

    def height(place: tuple[int, int]) -> float:
        x, y = (place[0] + 0.5) / _CELL, (place[1] + 0.5) / high
        # Slightly askew, so that no two places are equal but those of the two dots.
        return cos(2 * pi * x + 0.11) * cos(2 * pi * y + 0.07)

    cell = [bytearray(_CELL) for _ in range(high)]
    for rank, (x, y) in enumerate(sorted(places, key=height)):
        cell[y][x] = 254 - round(rank * 253 / (len(places) - 1))
    row_of_cells = b"".join((bytes(row) * (width // _CELL + 1))[:width] for row in cell)
    octets = (row_of_cells * (rows // high + 1))[: width * rows]
    return Image.frombuffer("L", (width, rows), octets, "raw", "L", 0, 1)


def _photographs(page: Any) -> Any:
    """The tiles that are photographs, a picture of 0 and 255, or ``None`` when there are hardly any.

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
    inner = ImageChops.darker(share, lively).filter(ImageFilter.BoxBlur(1)).point(_ALL)
    tiles = inner.filter(ImageFilter.BoxBlur(2)).point(_ANY)
    return None if tiles.histogram()[255] < _PHOTO_TILES else tiles
