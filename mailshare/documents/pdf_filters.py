"""What the filters of a stream of a PDF make of it, and whether all of it came out.

Whoever draws a PDF takes what a filter gave before it failed, and says nothing. Here it is told.

Source: ISO 32000-1 section 7.4.
"""

from __future__ import annotations

import zlib
from typing import Any

from attrs import field, frozen

_PICTURES = {"/DCTDecode": "DCT", "/DCT": "DCT", "/JPXDecode": "JPX", "/JBIG2Decode": "JBIG2"}
_PICTURES |= {"/CCITTFaxDecode": "CCITT", "/CCF": "CCITT"}
_FLATE = ("/FlateDecode", "/Fl")
_LONG = {"/LZW": "/LZWDecode", "/A85": "/ASCII85Decode", "/AHx": "/ASCIIHexDecode", "/RL": "/RunLengthDecode"}
_AT_ONCE = 1 << 20  # octets that are unpacked at a time
_TAIL = 256  # octets kept of what is only measured
_MOST_FILTERS = 8


@frozen
class Unpacked:
    """What came of a stream.

    :ivar size: octets; ``data``: all of them, or only the last ones.
    :ivar fault: why there may be more; empty when nothing says so.
    :ivar left: the coding of pictures that it is still in: ``DCT``, ``JPX``, ``JBIG2``, ``CCITT``; empty: none.
    :ivar parameters: of that coding, or of the last filter.
    """

    size: int
    data: bytes = field(repr=False)
    fault: str = ""
    left: str = ""
    parameters: Any = None


def unpacked(stream: Any, *, whole: bool = False) -> Unpacked:
    """Undo the filters, up to one that makes a picture.

    :param stream: of pikepdf, or a part of a page that has a dictionary and ``read_raw_bytes``.
    :param whole: all octets are wanted, also where no filter is left to be undone.
    """
    filters = _listed(stream.get("/Filter", stream.get("/F", [])))
    told = _listed(stream.get("/DecodeParms", stream.get("/DP", [])))
    data = stream.read_raw_bytes()
    names = [str(one) for one in filters]
    if len(names) > _MOST_FILTERS:
        return Unpacked(0, b"", "packed too many times")
    parameters = None
    for index, name in enumerate(names):
        parameters = told[index] if index < len(told) else None
        if name in _PICTURES:
            return Unpacked(len(data), data, "", _PICTURES[name], parameters)
        wanted = whole or index + 1 < len(names)
        size, data, fault = _undone(name, data, parameters, whole=wanted)
        if fault or not wanted:
            return Unpacked(size, data, fault, "", parameters)
    return Unpacked(len(data), data, "", "", parameters)


def _listed(told: Any) -> list[Any]:
    import pikepdf  # noqa: PLC0415 - only where a PDF comes

    return list(told) if isinstance(told, (pikepdf.Array, list)) else [told]


def _undone(name: str, data: bytes, parameters: Any, *, whole: bool) -> tuple[int, bytes, str]:
    """``(octets, all or the last of them, what is wrong)``."""
    if name in _FLATE:
        return _inflated(data, whole=whole)
    if name == "/Crypt":
        return len(data), data, ""
    if name in _LONG or name in _LONG.values():
        return _by_qpdf(name, data, parameters)
    return 0, b"", "packed in an unknown way"


def _inflated(packed: bytes, *, whole: bool) -> tuple[int, bytes, str]:
    """RFC 1950. The sum behind it is left out by some programs, so it is not asked for."""
    start = packed.lstrip(b"\r\n")[:2]
    headed = len(start) == 2 and start[0] & 15 == 8 and int.from_bytes(start) % 31 == 0
    left = packed.lstrip(b"\r\n")[2:] if headed else packed[2:]
    reader, size, parts, fault = zlib.decompressobj(-zlib.MAX_WBITS), 0, [b""], ""
    try:
        while left and not reader.eof:
            part = reader.decompress(left, _AT_ONCE)
            left = reader.unconsumed_tail
            size += len(part)
            parts = [*parts, part] if whole else [(parts[-1] + part)[-_TAIL:]]
    except zlib.error:
        fault = "damaged"
    if packed and not fault and not reader.eof:
        fault = "cut off"
    return size, b"".join(parts), fault


def _by_qpdf(name: str, data: bytes, parameters: Any) -> tuple[int, bytes, str]:
    """Those which say of their octets what is wrong with them; where they are cut off they just end."""
    import pikepdf  # noqa: PLC0415

    holder = pikepdf.new()  # with which the stream would go away
    stream = pikepdf.Stream(holder, data)
    stream["/Filter"] = pikepdf.Name(_LONG.get(name, name))
    if isinstance(parameters, pikepdf.Dictionary) and "/EarlyChange" in parameters:
        stream["/DecodeParms"] = pikepdf.Dictionary(EarlyChange=int(parameters["/EarlyChange"]))
    try:
        made = stream.read_bytes(pikepdf.StreamDecodeLevel.specialized)  # runs are such to qpdf
    except (pikepdf.PdfError, RuntimeError, ValueError):
        return 0, b"", "damaged"
    return len(made), made, ""
