"""Pages of the profiles of Internet fax files that libtiff does not read, as pictures: J (JBIG) and C (JPEG in CIELAB).

What becomes of them is black and white, so of the three parts of a colour only its lightness is taken apart.

Source: RFC 3949 sections 5 (Profile J) and 6 (Profile C, ``Decode``); ITU-T T.42 (how CIELAB becomes octets).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.documents.fax_pictures import checked
from mailshare.wire.jbig import OtherJBIG, decode_jbig, read_head
from mailshare.wire.tiff_fax import TIFFPage, strips_of

_JBIG = (9, 34661)  # Compression: of RFC 3949, and of libtiff
_JPEG, _ITULAB = 7, 10  # Compression, PhotometricInterpretation
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
    10: "JBIG in colour (Profile L)",
    34663: "JBIG 2",
    34676: "SGI LogLuv",
}
_LAYER = 34732  # ImageLayer: the page is put together from several


def is_of_profile(one: TIFFPage) -> bool:
    """Whether libtiff does not read it."""
    return one.compression in (*_JBIG, *_OTHERS) or one.photometric == _ITULAB or _LAYER in one.tags


def picture_of(data: bytes, one: TIFFPage) -> Any:
    """The page as a picture that stands upright: mode ``1``, or ``L`` of a page in colour.

    :raises NotConvertible: DAMAGED; NOT_TAKEN; TOO_MANY_PIXELS.
    """
    if _LAYER in one.tags:
        raise _not_taken("is put together from layers (Profile M)")
    try:
        if one.compression in _JBIG:
            picture = _black_and_white(data, one)
        elif one.compression == _JPEG and one.photometric == _ITULAB:
            picture = _lightness(data, one)
        else:
            raise _not_taken(f"is coded by {_OTHERS.get(one.compression, 'what no profile of faxes has')}")
    except OtherJBIG as fault:
        raise NotConvertible(Hindrance.NOT_TAKEN, fault.public) from fault
    except PeerFault as fault:
        raise NotConvertible(Hindrance.DAMAGED, fault.public) from fault
    turn = _TURNS.get(one.tags.get(274, (1,))[0])
    return picture if turn is None else picture.transpose(turn)


def _not_taken(what: str) -> NotConvertible:
    words = f"A page of the TIFF file {what}; Profiles S, F, J and C of RFC 3949 are read here, and PDF"
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


def _black_and_white(data: bytes, one: TIFFPage) -> Any:
    turned = one.tags.get(_FILL, (1,))[0] == 2
    black = [255, 0] if one.photometric == 0 else [0, 255]
    parts = []
    for strip in strips_of(data, one):
        coded = strip.translate(_REVERSED) if turned else strip
        head = read_head(coded)
        checked((head.width, head.rows))
        width, rows, pixels = decode_jbig(coded)
        part = Image.frombytes("L", (width, rows), pixels)
        parts.append(part.point([*black, *[0] * 254], "1"))
    return _together(parts, one)


def _lightness(data: bytes, one: TIFFPage) -> Any:
    tables = bytes(one.tags.get(_TABLES, ()))
    parts = []
    for strip in strips_of(data, one):
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


def _greys(one: TIFFPage) -> list[int]:
    """From an octet of lightness to the grey of a screen that is as light (CIE 15; IEC 61966-2-1)."""
    told = one.tags.get(_DECODE, ())
    ends = [told[at] / told[at + 1] for at in (0, 2)] if len(told) >= 4 and told[1] and told[3] else [0.0, 100.0]
    greys = []
    for octet in range(256):
        light = min(100.0, max(0.0, ends[0] + (ends[1] - ends[0]) * octet / 255))
        shone = ((light + 16) / 116) ** 3 if light > 8 else light * 27 / 24389
        grey = 12.92 * shone if shone <= 0.0031308 else 1.055 * shone ** (1 / 2.4) - 0.055
        greys.append(round(255 * grey))
    return greys
