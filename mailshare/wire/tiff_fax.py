"""TIFF files of faxes: Profile S and Profile F of RFC 3949, written exactly and read tolerantly.

A file of Profile S has each page as: its directory, the two resolutions, one strip; the first directory at octet 8.
Nothing here codes or decodes rows: the strips go in and come out as they are.

Source: RFC 3949 sections 2 to 4; RFC 3249 section 5 (what readers must bear: big-endian files, odd marks).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from mailshare.core.errors import PeerFault
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.wire.t4_rows import count_rows

MOST_PAGES = 5_000
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_ASCII, _SHORT, _LONG, _RATIONAL = 2, 3, 4, 5
_MOST_TEXT = 10_000  # octets
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_OCTETS, _SIGNED, _PLACE = 7, 10, 13  # octets of no form; ratios with signs; where a directory is
_LETTERS = {1: "B", 3: "H", 4: "I", _RATIONAL: "I", _OCTETS: "B", _SIGNED: "i", _PLACE: "I"}
_TWO = (_RATIONAL, _SIGNED)
_COMPRESSION = {Coding.MH: 3, Coding.MR: 3, Coding.MMR: 4}


def _broken(text: str) -> PeerFault:
    return PeerFault(text, code=554, enhanced=(5, 6, 1))


def write_tiff(pages: Sequence[FaxPage]) -> bytes:
    """A TIFF file of these pages: Profile S when all of them are MH of its sizes, else Profile F.

    :raises ValueError: there is no page.
    """
    if not pages:
        raise ValueError("a file needs a page")
    out = [b"II*\0", struct.pack("<I", 8)]
    at = 8
    for number, page in enumerate(pages):
        octets = _page(page, number, len(pages), at, last=number == len(pages) - 1)
        out.append(octets)
        at += len(octets)
    return b"".join(out)


def is_profile_s(page: FaxPage) -> bool:
    """Whether a page may stand in a file of Profile S (RFC 3949 table 3.6)."""
    standard = page.x_res in (200, 204) and page.y_res in (98, 100, 196, 200)
    return page.coding is Coding.MH and page.width == 1728 and standard


def _page(page: FaxPage, number: int, total: int, at: int, *, last: bool) -> bytes:
    two_dimensional = page.coding is Coding.MR
    tags: list[tuple[int, int, int]] = [
        (254, _LONG, 2),
        (256, _LONG, page.width),
        (257, _LONG, page.rows),
        (258, _SHORT, 1),
        (259, _SHORT, _COMPRESSION[page.coding]),
        (262, _SHORT, 0),
        (266, _SHORT, 2),
        (273, _LONG, 0),
        (277, _SHORT, 1),
        (278, _LONG, page.rows),
        (279, _LONG, len(page.data)),
        (282, _RATIONAL, 0),
        (283, _RATIONAL, 0),
        (292, _LONG, int(two_dimensional)) if page.coding is not Coding.MMR else (293, _LONG, 0),
        (296, _SHORT, 2),
        (297, _SHORT, number | total << 16),
    ]
    if page.bad_rows:
        tags.append((326, _LONG, page.bad_rows))
        tags.append((327, _SHORT, 2))
    resolutions = at + 2 + 12 * len(tags) + 4
    strip = resolutions + 16
    following = strip + len(page.data)
    following += following % 2
    places = {273: strip, 282: resolutions, 283: resolutions + 8}
    entries = [
        struct.pack("<HHII", tag, kind, 2 if tag == 297 else 1, places.get(tag, value)) for tag, kind, value in tags
    ]
    return b"".join(
        [
            struct.pack("<H", len(tags)),
            *entries,
            struct.pack("<I", 0 if last else following),
            struct.pack("<IIII", page.x_res, 1, page.y_res, 1),
            page.data.translate(_REVERSED),
            bytes((strip + len(page.data)) % 2),
        ]
    )


@frozen
class TIFFPage:
    """A page of a file that was read.

    :ivar compression: as the file says: 2, 3 and 4 are CCITT codings, everything else is somebody else's.
    :ivar rows: as the file says; 0 = it does not, and those of ``page`` were counted.
    :ivar photometric: 0 = white is 0, 1 = black is 0, 10 = ITULAB.
    :ivar odd: it does not say how long it is, or its strip is said to reach beyond the file; ``page`` is right.
    :ivar page: the fax page, or ``None`` when it is no CCITT page of one strip that could go as it is.
    :ivar tags: what its directory says, by the numbers of tags; ratios are two numbers each.
    :ivar place: where its directory is in the file.
    """

    compression: int
    width: int
    rows: int
    x_res: float
    y_res: float
    photometric: int = 0
    odd: bool = False
    page: FaxPage | None = field(default=None, repr=False)
    tags: Mapping[int, tuple[int, ...]] = field(factory=dict, repr=False)
    place: int = 0


def read_tiff(data: bytes) -> list[TIFFPage]:
    """The pages of a TIFF file, as far as they can be found.

    :raises PeerFault: it is no TIFF file, or has no page.
    """
    order = _order(data)
    pages = _pages_from(data, struct.unpack_from(order + "I", data, 4)[0], order)
    if not pages:
        raise _broken("This TIFF file has no page")
    return pages


def layers_of(data: bytes, page: TIFFPage) -> list[TIFFPage]:
    """The pictures that belong to a page (SubIFDs): each place may begin a chain of them (RFC 3949 section 8).

    :raises PeerFault: one lies outside the file.
    """
    order = _order(data)
    return [layer for place in page.tags.get(330, ()) for layer in _pages_from(data, place, order)]


def _pages_from(data: bytes, offset: int, order: str) -> list[TIFFPage]:
    """The pages of the directories that follow one another from there."""
    pages: list[TIFFPage] = []
    seen: set[int] = set()
    start = offset
    while offset and offset not in seen and len(pages) < MOST_PAGES:
        seen.add(offset)
        if offset + 2 > len(data):
            raise _broken("This TIFF file is cut off: one of its pages lies behind its end")
        place = offset
        tags, offset = _directory(data, place, order)
        if tags.get(254, (0,))[0] & 1:
            continue  # a small picture of another page
        if 256 in tags:
            pages.append(_read_page(data, tags, place))
    if offset in seen and offset != start:
        raise _broken("The pages of this TIFF file go in a circle, and nobody can tell which are missing")
    if offset and len(pages) < max((page.tags.get(297, (0, 0))[-1] for page in pages), default=0):
        raise _broken("The pages of this TIFF file go in a circle, and there are fewer than it says")
    return pages


def only(data: bytes, page: TIFFPage) -> bytes:
    """The same file with that page alone."""
    order, file = _order(data), bytearray(data)
    struct.pack_into(order + "I", file, 4, page.place)
    after = page.place + 2 + 12 * struct.unpack_from(order + "H", data, page.place)[0]
    if after + 4 <= len(file):
        struct.pack_into(order + "I", file, after, 0)
    return bytes(file)


def _order(data: bytes) -> str:
    """The octet order, by the version number where the mark is wrong (RFC 3249 section 5.2.1)."""
    if len(data) < 8:
        raise _broken("This is no TIFF file: it is too short")
    for order in ("<", ">"):
        if struct.unpack_from(order + "H", data, 2)[0] == 42:
            return order
    raise _broken("This is no TIFF file")


def _directory(data: bytes, offset: int, order: str) -> tuple[dict[int, tuple[int, ...]], int]:
    """The tags of a directory and the place of the next; values that lie outside the file are left out.

    :raises PeerFault: the directory itself does: the place of the next is at its end.
    """
    count = struct.unpack_from(order + "H", data, offset)[0]
    tags: dict[int, tuple[int, ...]] = {}
    at = offset + 2
    for _ in range(count):
        if at + 12 > len(data):
            raise _broken("This TIFF file is cut off, or damaged: the directory of a page reaches beyond its end")
        tag, kind, number = struct.unpack_from(order + "HHI", data, at)
        values = _values(data, at + 8, kind, number, order)
        if values:
            tags[tag] = values
        at += 12
    following = struct.unpack_from(order + "I", data, at)[0] if at + 4 <= len(data) else 0
    return tags, following


def _values(data: bytes, at: int, kind: int, number: int, order: str) -> tuple[int, ...]:
    size = _SIZES.get(kind, 0) * number
    if not 0 < size <= 1 << 20:
        return ()
    if size > 4:
        at = struct.unpack_from(order + "I", data, at)[0]
    if at + size > len(data):
        return ()
    letter = _LETTERS.get(kind)
    if letter is None:
        return ()
    return struct.unpack_from(f"{order}{number * (2 if kind in _TWO else 1)}{letter}", data, at)


def _read_page(data: bytes, tags: dict[int, tuple[int, ...]], place: int) -> TIFFPage:
    compression = tags.get(259, (1,))[0]
    width, rows = tags[256][0], tags.get(257, (0,))[0]
    per_inch = 2.54 if tags.get(296, (2,))[0] == 3 else 1.0
    x_res, y_res = (_ratio(tags.get(tag)) * per_inch for tag in (282, 283))
    strip = _strip(data, tags, compression, x_res, y_res)
    odd = strip is not None and (not rows or len(strip.data) < tags[279][0])
    return TIFFPage(compression, width, rows, x_res, y_res, tags.get(262, (0,))[0], odd, strip, tags, place)


def strips_of(data: bytes, page: TIFFPage) -> list[bytes]:
    """The octets of its strips as the file has them; of one that reaches beyond the file, what is there."""
    places, counts = page.tags.get(273, ()), page.tags.get(279, ())
    if not counts and len(places) == 1:
        return [data[places[0] :]]
    return [data[place : place + count] for place, count in zip(places, counts, strict=False)]


def row_counts(page: TIFFPage) -> tuple[int, ...]:
    """How many rows each of its strips has: each its own (RFC 3949 section 8), or all alike but the last."""
    told, strips = page.tags.get(559, ()), len(page.tags.get(273, ()))
    if told:
        return told
    each = min(page.tags.get(278, (page.rows,))[0], page.rows)
    return tuple(max(0, min(each, page.rows - each * number)) for number in range(strips))


def _ratio(value: tuple[int, ...] | None) -> float:
    return value[0] / value[1] if value and len(value) > 1 and value[1] else 0.0


def _strip(
    data: bytes, tags: dict[int, tuple[int, ...]], compression: int, x_res: float, y_res: float
) -> FaxPage | None:
    offsets, counts = tags.get(273, ()), tags.get(279, ())
    plain = tags.get(258, (1,))[0] == 1 and tags.get(262, (0,))[0] == 0 and tags.get(277, (1,))[0] == 1
    rows = tags.get(257, (0,))[0]
    if compression not in (3, 4) or len(offsets) != 1 or len(counts) != 1 or not plain:
        return None
    strip = data[offsets[0] : offsets[0] + counts[0]]
    if not strip:
        return None
    if tags.get(266, (1,))[0] == 2:
        strip = strip.translate(_REVERSED)
    coding = Coding.MMR if compression == 4 else Coding.MR if tags.get(292, (0,))[0] & 1 else Coding.MH
    if not rows and coding is Coding.MH:
        rows, _ = count_rows(strip, tags[256][0])
    if not rows:
        return None
    return FaxPage(tags[256][0], rows, round(x_res), round(y_res), coding, strip, tags.get(326, (0,))[0])


def first_text(data: bytes, tag: int) -> str:
    """A text of the first page, control characters other than line feeds made visible; empty when it has none.

    :param tag: e.g. 270, where receiving software describes the call.
    :raises PeerFault: it is no TIFF file.
    """
    order = _order(data)
    at = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, at)[0] if at + 2 <= len(data) else 0
    for place in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
        found, kind, size, where = struct.unpack_from(order + "HHII", data, place)
        if found == tag and kind == _ASCII and size <= _MOST_TEXT:
            octets = data[place + 8 : place + 8 + size] if size <= 4 else data[where : where + size]
            text = octets.partition(b"\0")[0].decode("utf-8", "replace")
            return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return ""


def first_strip(data: bytes) -> bytes:
    """The octets of the first strip of a file that we had written ourselves, most significant bit first.

    :raises PeerFault: there is none.
    """
    order = _order(data)
    tags, _ = _directory(data, struct.unpack_from(order + "I", data, 4)[0], order)
    if not tags.get(273) or not tags.get(279):
        raise _broken("This TIFF file has no strip")
    strip = data[tags[273][0] : tags[273][0] + tags[279][0]]
    return strip.translate(_REVERSED) if tags.get(266, (1,))[0] == 2 else strip
