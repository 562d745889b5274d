"""Pages of Profile M: a mask in black and white says where a picture in front is seen, and where one behind it.

The mask is the page of the file; what is in front and behind are pictures that belong to it, of any size and place, as
coarse as their makers liked. What becomes of them is a grey page as fine as the mask.

Source: RFC 3949 section 8 (``ImageLayer``, ``ImageBaseColor``, ``StripRowCounts``, ``XPosition``); ITU-T T.44.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_damage import bearable, complained_rows, damaged_rows, listening
from mailshare.documents.fax_pictures import checked
from mailshare.documents.fax_profiles import base_grey, is_of_profile, picture_of
from mailshare.wire.tiff_fax import TIFFPage, layers_of, read_tiff, row_counts, strips_of, write_tiff

_LAYER, _ACROSS, _DOWN = 34732, 286, 287  # ImageLayer, XPosition, YPosition
_BEHIND, _MASK, _BEFORE = 1, 2, 3
_MOST_LAYERS = 500
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def has_layers(one: TIFFPage) -> bool:
    """Whether the page is put together from several pictures."""
    return _LAYER in one.tags


def picture_of_layers(data: bytes, one: TIFFPage, number: int, *, alone: bool) -> tuple[Any, int]:
    """The page in grey, and how many damaged rows its mask has.

    :param number: of the page, from 1.
    :param alone: this process does nothing else, so its standard error may be listened to.
    :raises NotConvertible: DAMAGED, NOT_TAKEN, TOO_MANY_PIXELS, or that of a layer.
    """
    if not one.width or not one.rows:
        raise NotConvertible(Hindrance.DAMAGED, "A page of the TIFF file does not say how large it is")
    checked((one.width, one.rows))
    try:
        layers = layers_of(data, one)
    except PeerFault as fault:
        raise NotConvertible(Hindrance.DAMAGED, fault.public) from fault
    if len(layers) > _MOST_LAYERS:
        raise NotConvertible(Hindrance.NOT_TAKEN, f"A page of the TIFF file has {len(layers):,} layers")
    mask, bad = None, 0
    if _kind(one) == _MASK:
        mask, bad = _mask(data, one, number, alone=alone)
    else:
        layers.append(one)
    size = (one.width, one.rows)
    seen = {_BEHIND: Image.new("L", size, 255), _BEFORE: Image.new("L", size, 0)}
    for layer in sorted(layers, key=lambda layer: layer.tags.get(_LAYER, (0, 1))[1:]):
        canvas = seen.get(_kind(layer))
        if canvas is None:
            raise NotConvertible(Hindrance.NOT_TAKEN, "A page of the TIFF file has a layer that RFC 3949 does not know")
        _lay(data, layer, one, canvas)
    if mask is not None:
        seen[_BEHIND].paste(seen[_BEFORE], (0, 0), mask)
    return seen[_BEHIND if mask is not None else _kind(one)], bad


def _kind(one: TIFFPage) -> int:
    return one.tags.get(_LAYER, (0,))[0]


def _lay(data: bytes, layer: TIFFPage, page: TIFFPage, canvas: Any) -> None:
    """Bring a layer to its place on the page, as large as its resolution says."""
    across = page.x_res / layer.x_res if page.x_res and layer.x_res else 1.0
    down = page.y_res / layer.y_res if page.y_res and layer.y_res else 1.0
    left, top = round(_inches(layer, _ACROSS) * page.x_res), round(_inches(layer, _DOWN) * page.y_res)
    size = (round(layer.width * across), round(layer.rows * down))
    checked(size)
    if not any(layer.tags.get(279, ())):
        plain = base_grey(layer, 255 if _kind(layer) == _BEHIND else 0)
        canvas.paste(plain, (left, top, left + size[0], top + size[1]))
        return
    picture = picture_of(data, layer).convert("L")
    canvas.paste(picture.resize(size, Image.Resampling.BILINEAR) if picture.size != size else picture, (left, top))


def _inches(layer: TIFFPage, tag: int) -> float:
    told = layer.tags.get(tag, ())
    per_inch = 2.54 if layer.tags.get(296, (2,))[0] == 3 else 1.0
    return told[0] / told[1] / per_inch if len(told) > 1 and told[1] else 0.0


def _mask(data: bytes, one: TIFFPage, number: int, *, alone: bool) -> tuple[Any, int]:
    """Where what is in front is seen, 255 or 0; and damaged rows."""
    if is_of_profile(one):
        return picture_of(data, one).convert("L").point([255 - grey for grey in range(256)]), 0
    if one.compression not in (3, 4):
        raise NotConvertible(Hindrance.NOT_TAKEN, "A mask of the TIFF file is coded as none of RFC 3949 is")
    coding = Coding.MMR if one.compression == 4 else Coding.MR if one.tags.get(292, (0,))[0] & 1 else Coding.MH
    turned = one.tags.get(266, (1,))[0] == 2
    mask, top, damaged = Image.new("L", (one.width, one.rows), 0), 0, 0
    for strip, rows in zip(strips_of(data, one), row_counts(one), strict=False):
        if strip:
            octets = strip.translate(_REVERSED) if turned else strip
            part, bad = _strip(FaxPage(one.width, rows, 204, 196, coding, octets), alone=alone)
            mask.paste(part.convert("L").point([255 - grey for grey in range(256)]), (0, top))
            damaged += bad
        top += rows
    if top < one.rows:
        raise NotConvertible(Hindrance.DAMAGED, f"Of the {one.rows} rows of a page of the TIFF file there are {top}")
    return mask, bearable(damaged, one.rows, number)


def _strip(page: FaxPage, *, alone: bool) -> tuple[Any, int]:
    file = write_tiff([page])
    with Image.open(BytesIO(file), formats=["TIFF"]) as opened:
        with listening(alone=alone) as heard:
            opened.load()
        return opened.copy(), max(complained_rows(heard, opened), damaged_rows(file, read_tiff(file)[0], opened))
