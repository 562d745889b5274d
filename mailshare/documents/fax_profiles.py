"""Pages of the profiles of Internet fax files that libtiff does not read, as pictures: J (JBIG), C (JPEG in CIELAB)
and L (planes of JBIG).

What becomes of them is black and white, so of the three parts of a colour only its lightness is taken apart.

Source: RFC 3949 sections 5 (Profile J), 6 (Profile C, ``Decode``) and 7 (Profile L); ITU-T T.42 (how CIELAB becomes
octets), T.43 (planes).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.documents.fax_jbig import Decoder
from mailshare.documents.fax_pictures import checked
from mailshare.documents.fax_shades import greys_of_lightness
from mailshare.wire.jbig import OtherJBIG, decode_jbig, decode_planes, read_head
from mailshare.wire.t43 import merged, read_colour_head
from mailshare.wire.tiff_fax import TIFFPage, row_counts, strips_of

_JBIG = (9, 34661)  # Compression: of RFC 3949, and of libtiff
_JPEG, _PLANES = 7, 10  # Compression
_RGB, _INKS, _ITULAB = 2, 5, 10  # PhotometricInterpretation
_INDEXED = 346
_DECODE, _TABLES, _FILL = 433, 347, 266
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_OTHERS = {
    34663: "JBIG 2",
    34676: "SGI LogLuv",
}
_BASE = 434  # ImageBaseColor: what stands where a strip has no octets


def is_of_profile(one: TIFFPage) -> bool:
    """Whether libtiff does not read it."""
    return one.compression in (*_JBIG, _PLANES, *_OTHERS) or one.photometric == _ITULAB


def picture_of(data: bytes, one: TIFFPage, jbig: Decoder = decode_jbig) -> Any:
    """The page as a picture that stands upright: mode ``1``, or ``L`` of a page in colour.

    :param jbig: takes pictures of black and white apart.
    :raises NotConvertible: DAMAGED; NOT_TAKEN; TOO_MANY_PIXELS.
    """
    try:
        if one.compression in _JBIG:
            picture = _black_and_white(data, one, jbig)
        elif one.compression == _JPEG and one.photometric == _ITULAB:
            picture = _lightness(data, one)
        elif one.compression == _PLANES:
            picture = _of_planes(data, one)
        else:
            raise _not_taken(f"is coded by {_OTHERS.get(one.compression, 'what no profile of faxes has')}")
    except OtherJBIG as fault:
        raise NotConvertible(Hindrance.NOT_TAKEN, fault.public) from fault
    except PeerFault as fault:
        raise NotConvertible(Hindrance.DAMAGED, fault.public) from fault
    turn = _TURNS.get(one.tags.get(274, (1,))[0])
    return picture if turn is None else picture.transpose(turn)


def _not_taken(what: str) -> NotConvertible:
    words = f"A page of the TIFF file {what}; the profiles of RFC 3949 are read here, and PDF"
    return NotConvertible(Hindrance.NOT_TAKEN, words)


def _together(parts: list[Any], one: TIFFPage) -> Any:
    """Strips below one another; a page of which a strip is missing is none."""
    if not parts or any(part.width != one.width for part in parts):
        raise NotConvertible(Hindrance.DAMAGED, "A strip of the TIFF file is not as wide as its page")
    rows = sum(part.height for part in parts)
    if one.rows and rows < one.rows:
        raise NotConvertible(Hindrance.DAMAGED, f"Of the {one.rows} rows of a page of the TIFF file there are {rows}")
    page = Image.new(parts[0].mode, (one.width, one.rows or rows))
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height
    return page


def base_grey(one: TIFFPage, otherwise: int) -> int:
    """How light it is where a layer has no octets (``ImageBaseColor``)."""
    told = one.tags.get(_BASE, ())
    return _greys(one)[min(told[0], 255)] if told else otherwise


def _coded(data: bytes, one: TIFFPage) -> list[bytes]:
    """Its strips, most significant bit first."""
    turned = one.tags.get(_FILL, (1,))[0] == 2
    return [strip.translate(_REVERSED) if turned else strip for strip in strips_of(data, one)]


def _black_and_white(data: bytes, one: TIFFPage, jbig: Decoder) -> Any:
    black = [255, 0] if one.photometric == 0 else [0, 255]
    parts = []
    for coded in _coded(data, one):
        head = read_head(coded)
        checked((head.width, head.rows))
        width, rows, pixels = jbig(coded)
        part = Image.frombytes("L", (width, rows), pixels)
        parts.append(part.point([*black, *[0] * 254], "1"))
    return _together(parts, one)


def _of_planes(data: bytes, one: TIFFPage) -> Any:
    """A page of Profile L, in grey."""
    samples, bits = one.tags.get(277, (1,))[0], one.tags.get(258, (1,))[0]
    parts = []
    for coded, rows in zip(_coded(data, one), row_counts(one), strict=False):
        if not coded and _BASE in one.tags:
            parts.append(Image.new("L", (one.width, rows), base_grey(one, 255)))
            continue
        colour = read_colour_head(coded)
        if colour.table or one.tags.get(_INDEXED, (0,))[0]:
            raise _not_taken("is coded by JBIG as numbers of colours in a table (Profile L)")
        planes = coded[colour.start :]
        head = read_head(planes)
        checked((head.width, head.rows))
        if one.photometric in (_RGB, _INKS):
            if bits != 1 or samples not in (3, 4):
                raise _not_taken("is coded by JBIG in colours of several bits that are no CIELAB")
            width, high, found = decode_planes(planes, samples)
            parts.append(_of_inks(found, (width, high), light=one.photometric == _RGB))
        else:
            width, high, found = decode_planes(planes, colour.planes or bits)
            grey = Image.frombytes("L", (width, high), merged(found))
            parts.append(grey.point(_greys(one, colour.lightness)))
    return _together(parts, one)


def _of_inks(planes: list[bytes], size: tuple[int, int], *, light: bool) -> Any:
    """The grey of colours of one bit each: red, green, blue, or cyan, magenta, yellow and perhaps black."""
    bands = [Image.frombytes("L", size, plane) for plane in planes]
    on, off = (255, 0) if light else (0, 255)
    seen = Image.merge("RGB", [band.point([off, on, *[0] * 254]) for band in bands[:3]]).convert("L")
    if len(bands) == 4:
        seen.paste(0, mask=bands[3].point([0, 255, *[0] * 254]))
    return seen


def _lightness(data: bytes, one: TIFFPage) -> Any:
    tables = bytes(one.tags.get(_TABLES, ()))
    parts = []
    for strip, rows in zip(strips_of(data, one), row_counts(one), strict=False):
        if not strip and _BASE in one.tags:
            parts.append(Image.new("L", (one.width, rows), one.tags[_BASE][0] & 255))
            continue
        whole = tables[:-2] + strip[2:] if tables else strip
        with Image.open(BytesIO(_uncoloured(whole)), formats=["JPEG"]) as opened:
            checked(opened.size)
            opened.draft("L", None)  # of three parts the first, as it is
            parts.append(opened.convert("L"))
    return _together(parts, one).point(_greys(one))


def _uncoloured(jpeg: bytes) -> bytes:
    """The file without what would have its parts taken for red, green and blue: the marker of Adobe."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        size = 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] == 0xEE:
            jpeg = jpeg[:at] + jpeg[at + size :]
        else:
            at += size
    return jpeg


def _greys(one: TIFFPage, ends: tuple[float, float] | None = None) -> list[int]:
    """From an octet of lightness to grey.

    :param ends: L* of the least and the greatest octet, as the picture itself has them; else as the directory has.
    """
    told = one.tags.get(_DECODE, ())
    if ends is None:
        ends = (told[0] / told[1], told[2] / told[3]) if len(told) >= 4 and told[1] and told[3] else (0.0, 100.0)
    return greys_of_lightness(*ends)
