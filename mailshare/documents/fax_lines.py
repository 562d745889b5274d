"""Straight black lines of a drawing, drawn by ourselves.

PDFium works out how much of each pixel at both sides of a line is covered, which on a page full of long lines takes
longer than all else; of black and white only the pixels in between are wanted. A line is taken away from PDFium only
where nothing that is drawn after it can hide it, and where it is plain: not dashed, clipped, transparent or of a layer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import lru_cache
from math import ceil, floor, hypot
from types import SimpleNamespace
from typing import Any, ClassVar

from attrs import define, field
from PIL import Image, ImageDraw

_PATH, _TEXT = 2, 1  # FPDF_PAGEOBJ_
_FILLED = 0  # FPDF_TEXTRENDERMODE_
_BUTT = 0  # FPDF_LINECAP_
_FEWEST = 50  # parts of a page, below which PDFium is quick
_SHARE = 4  # of so many parts one must be such a line
_BLACK, _OPAQUE = 64, 255  # of 255: the lightest that is taken for black, and what lets nothing through
_SHORTEST = 8  # pixels, across and down: PDFium is quick where a line hardly leaves a row or column
_WIDEST = 6  # pixels, up to which a line is drawn pixel by pixel
_COVERED = 0.404  # share of a pixel that makes it dark enough for black (mailshare.documents.fax_bits)
_FINE = 1024  # PDFium tells places on a page in whole pixels; it is asked about one so many times as large
_COLOURS = ("red", "green", "blue", "seen")
_ASKED = (
    "FPDFPage_GetObject",
    "FPDFPageObj_GetType",
    "FPDFPageObj_SetIsActive",
    "FPDFPageObj_HasTransparency",
    "FPDFPageObj_GetDashCount",
    "FPDFPageObj_CountMarks",
    "FPDFPageObj_GetClipPath",
    "FPDFClipPath_CountPaths",
    "FPDFPageObj_GetStrokeColor",
    "FPDFPageObj_GetFillColor",
    "FPDFPageObj_GetStrokeWidth",
    "FPDFPageObj_GetLineCap",
    "FPDFPageObj_GetMatrix",
    "FPDFPath_CountSegments",
    "FPDFPath_GetDrawMode",
    "FPDFPath_GetPathSegment",
    "FPDFPathSegment_GetPoint",
    "FPDFTextObj_GetTextRenderMode",
)
Line = tuple[int, int, int, int]
Place = tuple[int, int, int, int, int]


def take_lines(page: Any, place: Place, pdfium: Any) -> list[Line]:
    """Lines of one pixel's width that together are lines of the page, which PDFium will no longer draw.

    :param page: of pypdfium2.
    :param place: on the canvas: left, top, pixels across, rows, quarter turns; as of ``FPDF_RenderPageBitmap``.
    """
    count = pdfium.FPDFPage_CountObjects(page)
    if count < _FEWEST or pdfium.FPDFPage_GetAnnotCount(page):  # what is stuck on lies above all
        return []
    lines: list[Line] = []
    left, top, across, down, _ = place
    within = (left + _WIDEST, top + _WIDEST, left + across - _WIDEST, top + down - _WIDEST)
    taken, parts = 0, _Parts(_address(page), _asking(pdfium), _shown(page, place, pdfium), within)
    for seen, index in enumerate(reversed(range(count))):
        part = parts.part(index)
        found = parts.line(part)
        if found:
            parts.leave_out(part)
            lines += found
            taken += 1
        elif not parts.covers_nothing(part) or taken * _SHARE < seen - _FEWEST:
            break
    return lines


def draw_lines(grey: bytearray, width: int, lines: Iterable[Line]) -> None:
    """Draw them onto a grey page."""
    page = Image.frombuffer("L", (width, len(grey) // width), grey, "raw", "L", 0, 1)
    page.readonly = 0  # else a copy would be drawn on
    draw = ImageDraw.Draw(page)
    for line in lines:
        draw.line(line, fill=0)


def _address(page: Any) -> int:
    return ctypes.cast(page.raw, ctypes.c_void_p).value or 0


def _shown(page: Any, place: Place, pdfium: Any) -> tuple[float, ...]:
    """From points of the page to pixels: a matrix as PDF has them."""
    left, top, across, down, turns = place
    x, y = ctypes.c_int(), ctypes.c_int()

    def pixel(across_page: float, up: float) -> tuple[float, float]:
        size = (0, 0, across * _FINE, down * _FINE, turns)
        pdfium.FPDF_PageToDevice(page, *size, across_page, up, x, y)
        return left + x.value / _FINE, top + y.value / _FINE

    far = 1000.0
    start, right, above = pixel(0, 0), pixel(far, 0), pixel(0, far)
    sides = [(end[axis] - start[axis]) / far for end in (right, above) for axis in (0, 1)]
    return (*sides, *start)


@lru_cache(maxsize=1)
def _asking(pdfium: Any) -> Any:
    """Functions of PDFium that are given places in memory as numbers, which ctypes does in two thirds of the time."""

    def number(kind: Any) -> Any:
        return kind if kind in (ctypes.c_int, None) else ctypes.c_void_p

    def quick(name: str) -> Any:
        told = getattr(pdfium, name)
        prototype = ctypes.PYFUNCTYPE(number(told.restype), *(number(kind) for kind in told.argtypes))
        return prototype(ctypes.cast(told, ctypes.c_void_p).value or 0)

    return SimpleNamespace(**{name.partition("_")[2]: quick(name) for name in _ASKED})


class _Told(ctypes.Structure):
    """What PDFium says of a part."""

    _fields_: ClassVar = [
        *((name, ctypes.c_uint) for name in _COLOURS),
        *((name, ctypes.c_int) for name in ("filled", "drawn")),
        *((name, ctypes.c_float) for name in ("x", "y", "width")),
        ("matrix", ctypes.c_float * 6),
    ]


@define
class _Parts:
    """Asks about parts of a page, which are places in memory."""

    page: int
    pdfium: Any
    shown: tuple[float, ...]
    within: tuple[float, float, float, float]
    _told: _Told = field(factory=_Told)
    _at: Any = field(init=False)
    _colours: tuple[int, ...] = field(init=False)
    _known: bytes = b""
    _to_pixels: tuple[float, ...] = ()

    def __attrs_post_init__(self) -> None:
        start = ctypes.addressof(self._told)
        places = {field[0]: start + getattr(_Told, field[0]).offset for field in _Told._fields_}
        self._at = SimpleNamespace(**places)
        self._colours = tuple(places[name] for name in _COLOURS)

    def part(self, index: int) -> int:
        """One of them."""
        found: int = self.pdfium.GetObject(self.page, index)
        return found

    def leave_out(self, part: int) -> None:
        """It is no longer drawn."""
        self.pdfium.SetIsActive(part, 0)

    def covers_nothing(self, part: int) -> bool:
        """Whether no line below it is hidden by it: it is black letters, or a black path."""
        pdfium, told = self.pdfium, self._told
        kind = pdfium.GetType(part)
        if kind == _TEXT:
            told.filled, told.drawn = pdfium.GetTextRenderMode(part) == _FILLED, 0
        elif kind != _PATH or not pdfium.GetDrawMode(part, self._at.filled, self._at.drawn):
            return False
        if not (told.filled or told.drawn) or pdfium.HasTransparency(part):
            return False
        drawn, filled = told.drawn, told.filled
        return not (filled and not self._black(part, pdfium.GetFillColor)) and not (
            drawn and not self._black(part, pdfium.GetStrokeColor)
        )

    def _black(self, part: int, ask: Any) -> bool:
        told = self._told
        ask(part, *self._colours)
        return bool(told.red <= _BLACK >= told.green and told.blue <= _BLACK and told.seen == _OPAQUE)

    def line(self, part: int) -> list[Line]:
        """Lines of one pixel's width that together are this part; none when it is no plain line."""
        pdfium, told, at = self.pdfium, self._told, self._at
        if pdfium.CountSegments(part) != 2:
            return []
        pdfium.GetDrawMode(part, at.filled, at.drawn)
        if told.filled or not told.drawn or not self._plain(part):
            return []
        x0, y0 = self._end(part, 0)
        x1, y1 = self._end(part, 1)
        pdfium.GetStrokeWidth(part, at.width)
        pdfium.GetMatrix(part, at.matrix)
        return self._pixels(x0, y0, x1 - x0, y1 - y0, capped=pdfium.GetLineCap(part) != _BUTT)

    def _plain(self, part: int) -> bool:
        pdfium = self.pdfium
        if pdfium.HasTransparency(part) or pdfium.GetDashCount(part):
            return False
        # Marks may name a layer that is not to be seen.
        if pdfium.CountPaths(pdfium.GetClipPath(part)) >= 0 or pdfium.CountMarks(part):
            return False
        return self._black(part, pdfium.GetStrokeColor)

    def _end(self, part: int, index: int) -> tuple[float, float]:
        """A path of two points begins at one and has a line to the other; of curves there are more."""
        self.pdfium.GetPoint(self.pdfium.GetPathSegment(part, index), self._at.x, self._at.y)
        return self._told.x, self._told.y

    def _pixels(self, x: float, y: float, along: float, up: float, *, capped: bool) -> list[Line]:
        """A line from ``(x, y)`` on, by the matrix of the part, which was asked for before."""
        if bytes(self._told.matrix) != self._known:
            self._known, self._to_pixels = bytes(self._told.matrix), self._combined()
        a, b, c, d, e, f = self._to_pixels
        length, unit = hypot(along, up), hypot(a, b) + hypot(c, d)
        if not length > 0 or not unit > 0:
            return []
        # No line is thinner than a pixel, which PDFium does likewise.
        half = max(self._told.width, 2 / unit) / 2 / length
        if capped:
            x, y = x - along * half, y - up * half
            along, up = along * (1 + 2 * half), up * (1 + 2 * half)
        x0, y0 = a * x + c * y + e, b * x + d * y + f
        x1, y1 = x0 + a * along + c * up, y0 + b * along + d * up
        left, top, right, bottom = self.within
        # What reaches beyond the page, and is cut there, is left to PDFium.
        if not (left < x0 < right and left < x1 < right and top < y0 < bottom and top < y1 < bottom):
            return []
        over, above = half * (c * along - a * up), half * (d * along - b * up)
        if abs(x1 - x0) > abs(y1 - y0):
            return [(y, x, below, beside) for x, y, beside, below in _steep(y0, x0, y1, x1, above, over)]
        return _steep(x0, y0, x1, y1, over, above)

    def _combined(self) -> tuple[float, ...]:
        own, (a, b, c, d, e, f) = self._told.matrix, self.shown
        sides = [side for x, y in (own[0:2], own[2:4]) for side in (x * a + y * c, x * b + y * d)]
        return (*sides, own[4] * a + own[5] * c + e, own[4] * b + own[5] * d + f)


def _steep(x0: float, y0: float, x1: float, y1: float, over: float, above: float) -> list[Line]:
    """A line that goes down more than across, as lines of one pixel's width.

    :param over: from the middle of an end to its corner, across and down (``above``).
    """
    if y0 > y1:
        x0, y0, x1, y1 = x1, y1, x0, y0
    first, last = ceil(y0 - 1 + _COVERED), floor(y1 - _COVERED)
    if last - first < _SHORTEST or abs(x1 - x0) < _SHORTEST:
        return []
    slope = (x1 - x0) / (y1 - y0)
    across = 2 * abs(over - above * slope)
    wide = max(1, round(across + 1 - 2 * _COVERED))
    if wide > _WIDEST:
        return []
    start = x0 + slope * (0.5 - y0) - wide / 2
    top, bottom = round(start + slope * first), round(start + slope * last)
    return [(top + number, first, bottom + number, last) for number in range(wide)]
