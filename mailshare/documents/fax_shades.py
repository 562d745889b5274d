"""Pictures of TIFF files whose pixels Pillow hands over as numbers of the file's own scale: as shades of grey.

Taken as they are, 12 bits would all be black, and 16 bits of which 0 is white a negative.
"""

from __future__ import annotations

from typing import Any

from mailshare.core.documents import Hindrance, NotConvertible

_WHITE_IS_ZERO = 0  # PhotometricInterpretation
_APART = 2  # PlanarConfiguration: red, green and blue each by itself
_TOPS = (1.0, 255.0, 65535.0, 4294967295.0)  # of numbers of 32 bits, which do not say what white is


def in_eight_bits(frame: Any) -> Any:
    """The frame itself, or a picture of mode ``L`` of the same pixels.

    :param frame: a page of a TIFF file, as Pillow opened it.
    :raises NotConvertible: NOT_TAKEN: of its numbers nobody knows which is white, or Pillow mixes them up.
    """
    tags = frame.tag_v2
    bits = _first(tags.get(258, 1))
    if bits > 8 and tags.get(284) == _APART and tags.get(277, 1) > 1:
        raise _not_taken(f"has its colours apart, in {bits} bits each")
    if frame.mode == "LAB":
        return frame.getchannel(0).point(greys_of_lightness(0.0, 100.0))
    if not frame.mode.startswith(("I", "F")):
        return frame
    wide = frame if frame.mode == "F" else frame.convert("I")
    least, most = wide.getextrema()
    top = float((1 << bits) - 1) if bits < 32 else _top(float(least), float(most), frame.mode)
    if not 0 <= least <= most <= top:
        raise _not_taken("has numbers below zero for its pixels")
    scale, start = (-255 / top, 255.0) if tags.get(262) == _WHITE_IS_ZERO else (255 / top, 0.0)
    return wide.point(lambda value: value * scale + start).convert("L")


def _top(least: float, most: float, mode: str) -> float:
    """What white is: the least of the usual ones that nothing goes beyond."""
    usual = [top for top in _TOPS if most <= top and (mode == "F" or top > 1)]
    if least < 0 or not usual:
        raise _not_taken("has numbers for its pixels of which nobody can say which is white")
    return usual[0]


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _not_taken(what: str) -> NotConvertible:
    return NotConvertible(Hindrance.NOT_TAKEN, f"A page of the TIFF file {what}; please send it as PDF")


def greys_of_lightness(least: float, most: float) -> list[int]:
    """For each octet of lightness the grey of a screen that is as light (CIE 15; IEC 61966-2-1).

    :param least: L* of octet 0, ``most`` of octet 255.
    """
    greys = []
    for octet in range(256):
        light = min(100.0, max(0.0, least + (most - least) * octet / 255))
        shone = ((light + 16) / 116) ** 3 if light > 8 else light * 27 / 24389
        grey = 12.92 * shone if shone <= 0.0031308 else 1.055 * shone ** (1 / 2.4) - 0.055
        greys.append(round(255 * grey))
    return greys
