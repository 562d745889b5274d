"""What of a PDF is cut off: PDFium draws what is there of a page's contents or of a photograph, and says nothing."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any

from mailshare.core.documents import Hindrance, NotConvertible

_END_OF_IMAGE = b"\xff\xd9"  # EOI, ITU-T T.81 section B.1.1.3
_BEHIND = 4096  # octets at the end in which it stands, with what some scanners write behind it
_MORE = b"\x55" * 64  # octets that are codes of no colour that a page is filled up with
_HEAD = 2  # octets of a zlib stream before what is packed, RFC 1950 section 2.2
_AT_ONCE = 1 << 20  # octets that are unpacked at a time, and forgotten


def check_whole(document: Any) -> None:
    """Nothing of its pages is cut off.

    :param document: of pikepdf.
    :raises NotConvertible: DAMAGED: which page lacks what.
    """
    for number, page in enumerate(document.pages, 1):
        if any(_packed(one) and _ends_early(one.read_raw_bytes()) for one in _contents(page.obj)):
            raise _lost(number, "what is drawn on it")
        # Newer versions of pikepdf look into groups as well, and are about to leave the older name out.
        pictures = page.get_images() if hasattr(page, "get_images") else page.images
        if any(_cut_photograph(one) for one in pictures.values()):
            raise _lost(number, "a picture of it")


def _lost(number: int, what: str) -> NotConvertible:
    return NotConvertible(Hindrance.DAMAGED, f"Part of page {number} of the PDF would be lost: {what} is cut off")


def _contents(page: Any) -> Iterator[Any]:
    import pikepdf  # noqa: PLC0415 - only where a PDF comes

    told = page.get("/Contents", [])
    for one in told if isinstance(told, pikepdf.Array) else [told]:
        if isinstance(one, pikepdf.Stream):
            yield one


def _filters(stream: Any) -> list[str]:
    import pikepdf  # noqa: PLC0415 - only where a PDF comes

    told = stream.get("/Filter", [])
    return [str(one) for one in (told if isinstance(told, pikepdf.Array) else [told])]


def _packed(stream: Any) -> bool:
    return _filters(stream) in (["/FlateDecode"], ["/Fl"])


def _ends_early(packed: bytes) -> bool:
    """Whether the last block is missing. The sum behind it is left out by some programs, so it is not asked for."""
    reader, left = zlib.decompressobj(-zlib.MAX_WBITS), packed[_HEAD:]
    try:
        while left and not reader.eof:
            reader.decompress(left, _AT_ONCE)
            left = reader.unconsumed_tail
    except zlib.error:
        return False  # it is damaged, not cut: what PDFium makes of it is looked at where it comes out white
    return bool(packed) and not reader.eof


def _cut_photograph(picture: Any) -> bool:
    """A JPEG without its end, of which rows are missing; some cameras leave out the end alone.

    A decoder fills up missing rows without a word. It takes them from what is put behind, if it still wants some.
    """
    if _filters(picture) not in (["/DCTDecode"], ["/DCT"]):
        return False
    data = picture.read_raw_bytes()
    return _END_OF_IMAGE not in data[-_BEHIND:] and _decoded(data) != _decoded(data + _MORE)


def _decoded(data: bytes) -> bytes:
    """Pixels of a JPEG whose end is put behind it; empty when it is none, which PDFium says where it matters."""
    from PIL import Image  # noqa: PLC0415 - for such pictures only

    try:
        with Image.open(io.BytesIO(data + _END_OF_IMAGE)) as whole:
            return whole.tobytes()
    except OSError:
        return b""
