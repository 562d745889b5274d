"""Small pictures of the pages of a document: what somebody is shown who looks a fax over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.looking import kind_of
from mailshare.documents.operations import Work

_GREYS = 16
_WIDEST, _NARROWEST = 2_000, 16
_TALLEST = 4  # times as high as wide


def pictures(work: Work) -> Mapping[str, object]:
    """The operation ``page-pictures``: pages as PNG of 16 greys, one behind the other in one file.

    Options: ``width`` in pixels, ``first`` page from 1, and ``most`` pages at once. The facts tell ``sizes``, octets of
    each picture, and ``of``, how many pages the document has.
    """
    width = max(_NARROWEST, min(int(work.options.get("width", 200)), _WIDEST))
    first, most = max(1, int(work.options.get("first", 1))), max(1, int(work.options.get("most", 1)))
    drawn = _of_tiff if kind_of(work) == kinds.TIFF else _of_others
    sizes: list[int] = []
    of = 0
    with open(work.target, "wb") as out:
        for total, picture in drawn(work, width, first, most):
            of = total
            if picture is not None:
                data = _png(picture)
                sizes.append(len(data))
                out.write(data)
    return {"format": kinds.PNG, "pages": len(sizes), "sizes": sizes, "of": of}


def _of_tiff(work: Work, width: int, first: int, most: int) -> Iterator[tuple[int, Any]]:
    """The pages of a fax keep their shape: their dots are not square."""
    from PIL import Image  # noqa: PLC0415 - never opened in the server

    from mailshare.documents.fax_strips import picture_of  # noqa: PLC0415 - as above
    from mailshare.wire.tiff_fax import read_tiff  # noqa: PLC0415 - only here

    with open(work.source, "rb") as stream:
        pages = [one.page for one in read_tiff(stream.read()) if one.page is not None]
    if any(one.width * one.rows > work.bounds.pixels for one in pages):
        raise NotConvertible(Hindrance.TOO_MANY_PIXELS)
    yield len(pages), None
    for page in pages[first - 1 : first - 1 + most]:
        high = round(width * page.rows * page.x_res / max(page.width * page.y_res, 1))
        size = (width, max(1, min(high, _TALLEST * width)))
        yield len(pages), picture_of(page).convert("L").resize(size, Image.Resampling.BOX)


def _of_others(work: Work, width: int, first: int, most: int) -> Iterator[tuple[int, Any]]:
    from mailshare.documents.converting import as_pdf, paper  # noqa: PLC0415 - only what is needed
    from mailshare.documents.pdf_pages import opened  # noqa: PLC0415 - as above
    from mailshare.documents.raster import Place, drawn  # noqa: PLC0415 - as above

    document = opened(as_pdf(work, kind_of(work), paper("")), work.bounds)
    yield len(document), None
    for number in range(first - 1, min(first - 1 + most, len(document))):
        wide, high = document[number].get_size()
        height = max(1, min(round(width * high / max(wide, 1)), _TALLEST * width))
        yield len(document), drawn(document[number], Place(0, 0, width, height), (width, height))


def _png(picture: Any) -> bytes:
    out = BytesIO()
    picture.convert("L").quantize(_GREYS).save(out, "PNG", optimize=True)
    return out.getvalue()
