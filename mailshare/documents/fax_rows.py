"""How many rows of the pages of a fax that came in are damaged; what is run in the confined process.

Lines that get a whole document from somebody else, a folder, a HylaFAX server, a provider, are told nothing of that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO

from PIL import Image

from mailshare.core.values.fax import FaxPage
from mailshare.documents.fax_damage import complained_rows, damaged_rows, listening
from mailshare.documents.fax_pages import pages_of
from mailshare.documents.operations import Work
from mailshare.wire.tiff_fax import read_tiff, write_tiff


def fax_damage(data: bytes, options: Mapping[str, object], declared: str = "") -> tuple[bytes, Mapping[str, object]]:
    """The operation ``fax-damage``.

    :param data: a TIFF file of pages.
    :param options: ``alone``: this process does nothing else, so its standard error may be listened to.
    :returns: JSON: for each page how many of its rows are damaged or missing; and ``{"pages": n}``.
    """
    del declared
    found = [_damaged(page, alone=bool(options.get("alone"))) for page in pages_of(data)]
    return json.dumps(found).encode(), {"pages": len(found)}


def _damaged(page: FaxPage, *, alone: bool) -> int:
    octets = write_tiff([page])
    [one] = read_tiff(octets)
    try:
        with Image.open(BytesIO(octets), formats=["TIFF"]) as opened:
            with listening(alone=alone) as heard:
                opened.load()
            bad = max(complained_rows(heard, opened), damaged_rows(octets, one, opened))
    except (OSError, ValueError, Image.DecompressionBombError):
        bad = page.rows  # nobody can draw it
    return min(max(bad, page.bad_rows), page.rows)


def count_rows(work: Work) -> Mapping[str, object]:
    """:func:`fax_damage` in the confined process."""
    with open(work.source, "rb") as stream:
        octets, facts = fax_damage(stream.read(), {"alone": True}, work.declared)
    with open(work.target, "wb") as stream:
        stream.write(octets)
    return {"format": "application/json", **facts}
