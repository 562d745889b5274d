"""Barcodes on the pages of a fax; what is run in the confined process."""

from __future__ import annotations

import json
from collections.abc import Mapping

from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.fax_pages import pages_of
from mailshare.documents.fax_strips import picture_of
from mailshare.documents.operations import Work

_MOST = 20  # barcodes of a page
_LONGEST = 200  # characters of one


def fax_barcodes(data: bytes, options: Mapping[str, object], declared: str = "") -> tuple[bytes, Mapping[str, object]]:
    """The operation ``fax-barcodes``.

    :param data: a TIFF file of pages.
    :returns: JSON: for each page the texts of its barcodes, from top to bottom; and ``{"pages": n}``.
    :raises NotConvertible: the reader is not installed, or a page cannot be decoded.
    """
    del options, declared
    try:
        import zxingcpp  # noqa: PLC0415 - only where a route asks for barcodes
    except ImportError as fault:
        raise NotConvertible(Hindrance.TOOL_MISSING, "Reading barcodes needs mailshare[barcodes] installed") from fault
    found = []
    for page in pages_of(data):
        picture = picture_of(page).convert("L")
        # Dots of a fax are higher than wide on most pages; bars and modules want them square.
        square = (picture.width, round(picture.height * page.x_res / page.y_res))
        read = zxingcpp.read_barcodes(picture.resize(square, Image.Resampling.NEAREST))
        placed = sorted(read[:_MOST], key=lambda one: one.position.top_left.y)
        found.append([one.text[:_LONGEST] for one in placed if one.text])
    return json.dumps(found).encode(), {"pages": len(found)}


def read_codes(work: Work) -> Mapping[str, object]:
    """:func:`fax_barcodes` in the confined process."""
    with open(work.source, "rb") as stream:
        octets, facts = fax_barcodes(stream.read(), work.options, work.declared)
    with open(work.target, "wb") as stream:
        stream.write(octets)
    return {"format": "application/json", **facts}
