"""TIFF files of faxes as machines and programs of thirty years have written them; all made here."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from mailshare.core.values.fax import Coding
from mailshare.documents.fax_strips import coded

WIDTH, ROWS = 1728, 240
COMPRESSION = {Coding.MH: 3, Coding.MR: 3, Coding.MMR: 4}
REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
RTC = bytes.fromhex("001001001001001001")


def picture(width: int = WIDTH, rows: int = ROWS) -> Image.Image:
    """Lines, a frame, and noise."""
    made = Image.new("1", (width, rows), 1)
    draw, chance = ImageDraw.Draw(made), random.Random(4)
    for number in range(0, rows, 9):
        draw.line((0, number, width * number // rows, rows - 1), fill=0)
    draw.rectangle((3, 3, width - 4, rows - 4), outline=0)
    made.paste(Image.frombytes("1", (64, 64), chance.randbytes(512)), (width // 2, rows // 4))
    return made


def turned(one: Image.Image) -> Image.Image:
    return one.point([255] + [0] * 255, "1")


def tiff(
    strips: list[bytes], tags: Mapping[int, Any], *, order: str = "<", without: tuple[int, ...] = (), fill: int = 1
) -> bytes:
    """A file of one page; tags that are pairs are ratios, octets have no form, and ``without`` are left out."""
    if fill == 2:
        strips = [strip.translate(REVERSED) for strip in strips]
    data = b"".join(strips)
    places = [8 + sum(len(strip) for strip in strips[:number]) for number in range(len(strips))]
    counts = [len(strip) for strip in strips]
    told = {254: 0, 258: 1, 262: 0, 266: fill, 273: places, 277: 1, 279: counts, 282: (204, 1), 283: (196, 1), 296: 2}
    told |= tags
    told = {tag: value for tag, value in sorted(told.items()) if tag not in without}
    start = 8 + len(data) + len(data) % 2
    more, entries = b"", b""
    after = start + 2 + 12 * len(told) + 4
    for tag, value in told.items():
        if isinstance(value, tuple):
            entries += struct.pack(order + "HHII", tag, 5, len(value) // 2, after + len(more))
            more += struct.pack(f"{order}{len(value)}I", *value)
        elif isinstance(value, bytes):
            entries += struct.pack(order + "HHII", tag, 7, len(value), after + len(more))
            more += value
        elif isinstance(value, list) and len(value) > 1:
            entries += struct.pack(order + "HHII", tag, 4, len(value), after + len(more))
            more += struct.pack(f"{order}{len(value)}I", *value)
        else:
            entries += struct.pack(order + "HHII", tag, 4, 1, value[0] if isinstance(value, list) else value)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", start)
    return head + data + bytes(len(data) % 2) + struct.pack(order + "H", len(told)) + entries + bytes(4) + more


def fax(coding: Coding = Coding.MMR, *, each: int = ROWS, one: Image.Image | None = None, **how: Any) -> bytes:
    """The picture in strips of so many rows."""
    one = one or picture()
    width, rows = one.size
    parts = [one.crop((0, top, width, min(top + each, rows))) for top in range(0, rows, each)]
    strips = [coded(part, 204, 196, coding).data for part in parts]
    tags = {256: width, 257: rows, 259: COMPRESSION[coding], 278: each, **how.pop("tags", {})}
    if coding is Coding.MR:
        tags[292] = 1
    return tiff(strips, tags, **how)


def tiled() -> bytes:
    """Tiles of 576 by 64, as scanners for drawings write them."""
    one = Image.new("1", (WIDTH, 256), 1)
    one.paste(picture())
    boxes = [(left, top, left + 576, top + 64) for top in range(0, 256, 64) for left in range(0, WIDTH, 576)]
    tiles = [coded(one.crop(box), 204, 196).data for box in boxes]
    places = [8 + sum(len(tile) for tile in tiles[:number]) for number in range(len(tiles))]
    tags = {256: WIDTH, 257: ROWS, 259: 4, 322: 576, 323: 64, 324: places, 325: [len(tile) for tile in tiles]}
    return tiff(tiles, tags, without=(273, 278, 279))


def by_pillow(kind: str) -> bytes:
    out = BytesIO()
    picture().save(out, "TIFF", compression=kind, dpi=(204, 196))
    return out.getvalue()


def the_same() -> Iterator[tuple[str, bytes]]:
    """Files of the very same pixels, which they keep."""
    for coding in Coding:
        for order in "<>":
            for fill in (1, 2):
                for each in (ROWS, 64, 1):
                    yield f"{coding.value} {order} {fill} {each}", fax(coding, order=order, fill=fill, each=each)
        name = coding.value
        yield f"{name} turned", fax(coding, one=turned(picture()), tags={262: 1})
        yield f"{name} without rows per strip", fax(coding, without=(278,))
        yield f"{name} rows per strip of all", fax(coding, tags={278: 0xFFFFFFFF})
        yield f"{name} without octets of strips", fax(coding, without=(279,))
        yield f"{name} strips of no octets", fax(coding, tags={279: 0})
        yield f"{name} strips of too many octets", fax(coding, tags={279: 1_000_000})
        yield f"{name} without samples", fax(coding, without=(258, 277, 254))
        yield f"{name} without photometric", fax(coding, without=(262,))
        yield f"{name} 200 by 200", fax(coding, tags={282: (200, 1), 283: (200, 1)})
        yield f"{name} in centimetres", fax(coding, tags={282: (8031, 100), 283: (7700, 100), 296: 3})
        yield f"{name} another mark", b"XX" + fax(coding)[2:]
    yield "mh that does not say its length", fax(Coding.MH, tags={257: 0})
    strip = coded(picture(), 204, 196, Coding.MH).data
    yield "mh with an end of the page", tiff([strip + RTC], {256: WIDTH, 257: ROWS, 259: 3, 278: ROWS})
    yield "mh with fill in front", tiff([bytes(40) + strip], {256: WIDTH, 257: ROWS, 259: 3, 278: ROWS})
    yield "tiles", tiled()
    for kind in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_ccitt", "group3", "group4"):
        yield f"pillow {kind}", by_pillow(kind)


def brought_onto_paper() -> Iterator[tuple[str, bytes]]:
    """Files of other resolutions and widths; how large they are in inches is kept."""
    for width, rows, across, down in (
        (2592, 353, 300, 300),
        (3456, 470, 408, 391),
        (3456, 480, 400, 400),
        (2048, 240, 204, 196),
        (2432, 240, 204, 196),
        (1728, 120, 204, 98),
        (1728, 480, 204, 391),
        (1000, 240, 204, 196),
        (1729, 240, 204, 196),
        (850, 110, 100, 100),
        (7, 3, 204, 196),
    ):
        tags = {282: (across, 1), 283: (down, 1)}
        one = picture(width, rows) if rows > 100 else Image.new("1", (width, rows), 0)
        yield f"{width} {rows} {across} {down}", fax(one=one, each=rows, tags=tags)
    for orientation in range(9):
        yield f"orientation {orientation}", fax(tags={274: orientation})
    yield "no resolution", fax(without=(282, 283, 296))
    yield "ratios of nothing", fax(tags={282: (0, 0), 283: (1, 0)})
    yield "resolution beyond measure", fax(tags={282: (4_000_000_000, 1), 283: (1, 1)})


def shades() -> Iterator[tuple[str, bytes]]:
    """The same page in numbers of every kind: dark at the left, light in the middle, white at the right."""
    wide, high = 300, 200
    levels = [0.05] * 100 + [0.75] * 100 + [1.0] * 100

    def page(bits: int, pack: str, photometric: int = 1, **more: Any) -> bytes:
        top = (1 << bits) - 1 if pack not in "fd" else more.pop("top", 1)
        values = [level * top if photometric else (1 - level) * top for level in levels]
        row = struct.pack(f"<{wide}{pack}", *(value if pack in "fd" else round(value) for value in values))
        tags = {256: wide, 257: high, 258: bits, 259: 1, 262: photometric, 278: high, 282: (50, 1), 283: (50, 1)}
        return tiff([row * high], tags | {int(tag[1:]): value for tag, value in more.items()})

    for photometric in (1, 0):
        yield f"8 bits {photometric}", page(8, "B", photometric)
        yield f"16 bits {photometric}", page(16, "H", photometric)
    for top in (1, 255, 65535):
        yield f"with a point, to {top}", page(32, "f", t339=3, top=top)
    twelve = "".join(f"{round(level * 4095):03x}" for level in levels)
    tags = {256: wide, 257: high, 258: 12, 259: 1, 262: 1, 278: high, 282: (50, 1), 283: (50, 1)}
    yield "12 bits", tiff([bytes.fromhex(twelve) * high], tags)
    yield (
        "16 bits, the other order",
        tiff(
            [struct.pack(f">{wide}H", *(round(level * 65535) for level in levels)) * high], tags | {258: 16}, order=">"
        ),
    )
    lightness = bytes(value for level in levels for value in (round(255 * level), 128, 128)) * high
    yield "lab", tiff([lightness], tags | {258: [8, 8, 8], 262: 8, 277: 3})


def in_a_circle() -> bytes:
    """The first of three pages, behind which it comes again."""
    file = bytearray(fax(tags={297: [0, 3]}))
    start = struct.unpack_from("<I", file, 4)[0]
    struct.pack_into("<I", file, start + 2 + 12 * struct.unpack_from("<H", file, start)[0], start)
    return bytes(file)


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files of which too much is lost, or that nobody here can read."""
    for coding in Coding:
        whole = coded(picture(), 204, 196, coding).data
        tags = {256: WIDTH, 257: ROWS, 259: COMPRESSION[coding], 278: ROWS, 292: int(coding is Coding.MR)}
        if coding is Coding.MMR:
            del tags[292]
        yield f"{coding.value} half", tiff([whole[: len(whole) // 2]], tags)
        parts = [coded(picture().crop((0, top, WIDTH, top + 60)), 204, 196, coding).data for top in range(0, ROWS, 60)]
        yield (
            f"{coding.value} strip cut",
            tiff([parts[0], parts[1][: len(parts[1]) // 2], *parts[2:]], tags | {278: 60}),
        )
        yield f"{coding.value} rubbish", tiff([random.Random(7).randbytes(len(whole))], tags)
        yield f"{coding.value} zeros", tiff([bytes(len(whole))], tags)
        yield f"{coding.value} longer than it is", tiff([whole], {**tags, 257: 2 * ROWS, 278: 2 * ROWS})
    yield "mmr that does not say its length", fax(tags={257: 0})
    yield "no width", fax(tags={256: 0})
    yield "no strips", fax(without=(273, 279))
    yield "rubbish as jbig", fax(tags={259: 34661})
    yield "rubbish as profile j", fax(tags={259: 9})
    yield "rubbish as profile c", fax(tags={259: 7, 262: 10, 258: 8, 277: 3})
    yield "rubbish as profile l", fax(tags={259: 10, 262: 10, 258: 8, 277: 3})
    yield "rubbish as profile m", fax(tags={259: 7, 262: 10, 34732: 1})
    yield "unknown coding", fax(tags={259: 4711})
    yield "beyond measure", fax(tags={256: 100_000, 257: 100_000})
    numbers = {256: 30, 257: 20, 258: 32, 259: 1, 262: 1, 278: 20, 339: 3}
    yield "unknown numbers below zero", tiff([struct.pack("<f", -1) * 600], numbers)
    yield (
        "unknown planes of 16 bits",
        tiff([bytes(1200)] * 3, numbers | {258: [16, 16, 16], 277: 3, 284: 2, 339: 1, 262: 2}),
    )
    yield "in a circle", in_a_circle()
    yield "only a small picture", fax(tags={254: 1})


def several() -> bytes:
    """Three pages."""
    out = BytesIO()
    picture().save(out, "TIFF", compression="group4", dpi=(204, 196), save_all=True, append_images=[picture()] * 2)
    return out.getvalue()


def directories(file: bytes) -> list[tuple[int, int]]:
    """Where each begins, and where it says where the next one is."""
    found, at = [], struct.unpack_from("<I", file, 4)[0]
    while at:
        following = at + 2 + 12 * struct.unpack_from("<H", file, at)[0]
        found.append((at, following))
        at = struct.unpack_from("<I", file, following)[0]
    return found


def one_page_broken() -> Iterator[tuple[str, bytes]]:
    """Three pages, of which the second cannot be read, or leads nowhere; none of them may be left out for that."""
    whole, places = several(), directories(several())
    second = places[1]

    def changed(at: int, kind: str, value: int) -> bytes:
        file = bytearray(whole)
        struct.pack_into("<" + kind, file, at, value)
        return bytes(file)

    yield "its directory has no end", changed(second[0], "H", 65_535)
    yield "its directory is empty", changed(second[0], "H", 0)
    yield "it leads to itself", changed(second[1], "I", second[0])
    yield "it lies behind the end", changed(places[0][1], "I", len(whole) + 50)
    for tag, value in ((256, 0), (257, 0), (273, 10**8), (259, 99), (256, None)):
        for at in range(second[0] + 2, second[1], 12):
            if struct.unpack_from("<H", whole, at)[0] == tag:
                yield f"{tag} {value}", changed(at, "H", 60_000) if value is None else changed(at + 8, "I", value)
    for tenth in range(1, 10):
        yield f"cut at {tenth}", whole[: len(whole) * tenth // 10]
