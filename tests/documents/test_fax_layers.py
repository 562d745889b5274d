"""Profiles L and M of RFC 3949: colours in planes of JBIG, and pages that are put together from layers."""

from __future__ import annotations

import base64
import struct
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from odd_tiffs import REVERSED, tiff
from PIL import Image, ImageDraw
from test_fax_profiles import in_lab

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import Coding
from mailshare.documents.fax_layers import picture_of_layers
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_profiles import picture_of as profile_picture
from mailshare.documents.fax_strips import coded, picture_of
from mailshare.wire.jbig import decode_planes, read_head
from mailshare.wire.t43 import merged
from mailshare.wire.tiff_fax import read_tiff

WIDTH, ROWS = 40, 24
PLANES = {
    "-s 10": (
        "AAAIAAAAACgAAAAYAAAACggAAxyvBC33lCebqHVXrEPfp3qA/wKzhe8UOZqA/wK4Iv4LgizM2/tA/wK+nozB6/Gr0m6bNFM6Q27oTxrW"
        "9sDyrryY/wLCetW7vZ9/CpyITvPkq8wHwv8CzmUzqh75OvUUb19UOrQPwpD/AsFV1cE4U5cPJskNTuNnRTT/AtBy2CVzuKNG4bKesdL/"
        "AvZ4akaVHNJJ4xj/Av8CBmDL8Rj/Ah3Pyr4PI5MZ3jT4XQl7/wInD+dMTqD/AmIai5dd8v8CAFkniP8CAFDyzP8CKHxP/wL/Atm6wP8C"
        "oVzJSwb/AgB1/wIBOP8CBMD/Alv/Ag=="
    ),
    "-o 0 -s 10": (
        "AAAIAAAAACgAAAAYAAAACggAAByvBC33lCebqHVXrEPfp3qA/wL2eGpGlRzSSeMY/wIofE//ArOF7xQ5moD/Av8C/wK4Iv4LgizM2/tA"
        "/wIGYMvxGP8C2brA/wK+nozB6/Gr0m6bNFM6Q27oTxrW9sDyrryY/wIdz8q+DyOTGd40+F0Je/8CoVzJSwb/AsJ61bu9n38KnIhO8+Sr"
        "zAfC/wInD+dMTqD/AgB1/wLOZTOqHvk69RRvX1Q6tA/CkP8CYhqLl13y/wIBOP8CwVXVwThTlw8myQ1O42dFNP8CAFkniP8CBMD/AtBy"
        "2CVzuKNG4bKesdL/AgBQ8sz/Alv/Ag=="
    ),
}
"""What pbmtojbg -q of Debian's jbigkit-bin 2.1 made of :func:`octets`, and how it was asked."""
HEAD = b"\xff\xa8" + b"\xff\xe1\0\x12G3FAX\0" + struct.pack(">HHBBBBBB", 1997, 200, 0, 32, 8, 0, 0, 0)
END = b"\xff\xe1\0\x08G3FAX\xff"
RANGES = b"\xff\xe1\0\x14G3FAX\1" + struct.pack(">6h", 0, 50, 128, 170, 96, 200)
TABLE = b"\xff\xe3\0\0\0\x18G3FAX\3" + struct.pack(">HI", 0, 3) + bytes(8)


def octets() -> bytes:
    """A slope of all shades, and a board of light and dark fields."""
    return bytes(
        (x * 6 + y * 3) % 256 if x < 20 else (255 if (x // 4 + y // 4) % 2 else 30)
        for y in range(ROWS)
        for x in range(WIDTH)
    )


@pytest.mark.parametrize("how", PLANES)
def test_every_plane_of_a_jbig_picture_is_found(how: str) -> None:
    """In Gray code, the first plane first, whether the planes or the stripes come one after another."""
    data = base64.b64decode(PLANES[how])
    assert read_head(data).planes == 8
    width, rows, planes = decode_planes(data, 8)
    assert (width, rows, merged(planes)) == (WIDTH, ROWS, octets())
    _, _, first = decode_planes(data, 1)
    assert first == planes[:1]
    assert merged(planes[:2]) == bytes(one // 64 * 85 for one in octets())


def in_planes(strip: bytes, **tags: Any) -> bytes:
    """A file of Profile L."""
    told = {256: WIDTH, 257: ROWS, 258: 8, 259: 10, 262: 10, 277: 1, 278: ROWS, 282: (50, 1), 283: (50, 1)}
    return tiff([strip], told | {int(tag[1:]): value for tag, value in tags.items()})


@pytest.mark.parametrize("how", PLANES)
@pytest.mark.parametrize("head", [b"", HEAD + END], ids=["without", "with"])
def test_profile_l_is_as_light_as_it_was(tmp_path: Path, how: str, head: bytes) -> None:
    """Grey by L*, with and without a head of ITU-T T.43; its dark fields are where they were when it is faxed."""
    file = in_planes(head + base64.b64decode(PLANES[how]))
    [one] = read_tiff(file)
    found = profile_picture(file, one).tobytes()
    for light, grey in ((255, 255), (30, 30)):  # L* of 100 is white, L* of 11.8 a grey of 32 of 255
        seen = {found[at] for at, octet in enumerate(octets()) if octet == light}
        assert all(abs(one - grey) <= 3 for one in seen)
    [page] = pages_of(fax_pages(file, {"photos": "threshold"}, "image/tiff", folder=str(tmp_path))[0])
    picture = picture_of(page)
    left, step = (1728 - WIDTH * 204 // 50) // 2, 204 / 50
    dark = [picture.getpixel((round(left + (22 + 4 * field) * step), 4)) == 0 for field in range(5)]
    assert dark == [False, True, False, True, False]


def test_colours_of_one_bit_and_of_three_parts(tmp_path: Path) -> None:
    """Red, green and blue, inks with black, CIELAB of which the lightness comes first; a scale of its own."""
    data = base64.b64decode(PLANES["-o 0 -s 10"])
    head, stripes = data[:20], data[20:]
    _, _, planes = decode_planes(data, 8)

    def of(count: int, strips: bytes) -> bytes:
        return head[:2] + bytes([count]) + head[3:] + strips

    file = in_planes(of(3, stripes), t258=[1, 1, 1], t277=3, t262=2)
    [one] = read_tiff(file)
    weights = (0.299, 0.587, 0.114)
    wanted = [
        sum(weight * 255 * plane[at] for weight, plane in zip(weights, planes, strict=False)) for at in range(960)
    ]
    assert all(abs(a - b) < 2 for a, b in zip(profile_picture(file, one).tobytes(), wanted, strict=True))
    file = in_planes(of(4, stripes), t258=[1, 1, 1, 1], t277=4, t262=5)
    [one] = read_tiff(file)
    found = profile_picture(file, one).tobytes()
    assert {at for at, grey in enumerate(found) if grey == 0} >= {at for at in range(960) if planes[3][at]}
    assert all(found[at] == 255 for at in range(960) if not any(plane[at] for plane in planes[:4]))
    grey = in_planes(data)
    file = in_planes(HEAD + END + of(24, stripes * 3), t258=[8, 8, 8], t277=3)
    assert profile_picture(file, read_tiff(file)[0]).tobytes() == profile_picture(grey, read_tiff(grey)[0]).tobytes()
    file = in_planes(HEAD + RANGES + END + data)
    assert max(profile_picture(file, read_tiff(file)[0]).tobytes()) == pytest.approx(119, abs=2)  # L* of 50


def test_what_of_profile_l_is_not_read_is_named(tmp_path: Path) -> None:
    """Tables of colours, and what is damaged: refused with a cause and a sentence, never a wrong page."""
    data = base64.b64decode(PLANES["-s 10"])
    refused = {
        "table": (in_planes(HEAD + TABLE + END + data), Hindrance.NOT_TAKEN, "table"),
        "indexed": (in_planes(data, t346=1), Hindrance.NOT_TAKEN, "table"),
        "bits": (in_planes(data, t262=2, t277=3), Hindrance.NOT_TAKEN, "several bits"),
        "head": (in_planes(HEAD + data), Hindrance.DAMAGED, "T.43"),
        "cut": (in_planes(data[:200]), Hindrance.DAMAGED, "rows"),
        "planes": (in_planes(data, t258=12), Hindrance.DAMAGED, "planes"),
    }
    for name, (file, cause, word) in refused.items():
        with pytest.raises(NotConvertible) as fault:
            fax_pages(file, {}, "image/tiff", folder=str(tmp_path))
        assert fault.value.cause is cause, name
        assert word in fault.value.public, name


# --------------------------------------------------------------------------- Profile M


def layered(
    strips: list[bytes], tags: dict[int, Any], *layers: tuple[list[bytes], dict[int, Any]], chain: bool
) -> bytes:
    """A file of one page with layers: all told by their places, or one place and the others chained to it."""
    places: list[int] = []
    behind = b""
    start = 8 + len(_directory(strips, tags | {330: [0] * (1 if chain else max(len(layers), 1))}, 8, 0))
    for number, (pieces, told) in enumerate(layers):
        at = start + len(behind)
        places.append(at)
        size = len(_directory(pieces, told, at, 0))
        behind += _directory(pieces, told, at, at + size if chain and number < len(layers) - 1 else 0)
    if layers:
        tags = tags | {330: places[:1] if chain else places}
    return b"II*\0" + struct.pack("<I", 8) + _directory(strips, tags, 8, 0) + behind


def _directory(strips: list[bytes], tags: dict[int, Any], at: int, following: int) -> bytes:
    """A directory, what its tags tell outside of it, and its strips; pairs are ratios."""
    told = {258: 1, 262: 0, 273: [0] * len(strips), 277: 1, 279: [len(strip) for strip in strips], 296: 2} | tags
    more, entries, after = b"", b"", at + 2 + 12 * len(told) + 4
    sizes = {tag: len(value) * 4 for tag, value in told.items() if isinstance(value, (tuple, list)) and len(value) > 1}
    strip_at = after + sum(sizes.values())
    told[273] = [strip_at + sum(len(strip) for strip in strips[:number]) for number in range(len(strips))]
    for tag, value in sorted(told.items()):
        values = list(value) if isinstance(value, (tuple, list)) else [value]
        kind, count = (5, len(values) // 2) if isinstance(value, tuple) else (4, len(values))
        if len(values) > 1:
            entries += struct.pack("<HHII", tag, kind, count, after + len(more))
            more += struct.pack(f"<{len(values)}I", *values)
        else:
            entries += struct.pack("<HHII", tag, kind, count, values[0])
    out = struct.pack("<H", len(told)) + entries + struct.pack("<I", following) + more + b"".join(strips)
    return out + bytes(len(out) % 2)


FULL, HIGH = 1728, 600
SQUARE = (200, 100, 520, 300)  # a dark field behind the words


def mask() -> Image.Image:
    """Words and lines; white is where what is behind is seen."""
    made = Image.new("1", (FULL, HIGH), 1)
    draw = ImageDraw.Draw(made)
    draw.text((100, 400), "Mixed raster content", fill=0, font_size=60)
    draw.rectangle((1000, 100, 1300, 300), fill=0)
    return made


def mask_strips(coding: Coding, *, fill: int = 1) -> tuple[list[bytes], list[int]]:
    """It, in strips of 256 rows as ITU-T T.44 wants them, the last of another length."""
    counts = [256, 256, 88]
    boxes = [(0, sum(counts[:at]), FULL, sum(counts[: at + 1])) for at in range(3)]
    strips = [coded(mask().crop(box), 204, 196, coding).data for box in boxes]
    return [strip.translate(REVERSED) if fill == 2 else strip for strip in strips], counts


def page(coding: Coding, **more: Any) -> tuple[list[bytes], dict[int, Any]]:
    """The directory of the mask."""
    strips, counts = mask_strips(coding, fill=more.get("fill", 1))
    tags: dict[int, Any] = {256: FULL, 257: HIGH, 259: 4 if coding is Coding.MMR else 3, 266: more.get("fill", 1)}
    tags |= {282: (204, 1), 283: (196, 1), 559: counts, 34732: [2, 1]}
    return strips, tags | ({292: 1} if coding is Coding.MR else {})


@cache
def behind() -> tuple[list[bytes], dict[int, Any]]:
    """A coarse picture of a light field with a dark one, in CIELAB as JPEG, somewhat in from the corner."""
    seen = Image.new("RGB", (300, 100), (250, 250, 250))
    seen.paste(
        (20, 30, 60), tuple(side // 4 for side in (SQUARE[0] - 102, SQUARE[1] - 49, SQUARE[2] - 102, SQUARE[3] - 49))
    )
    out = BytesIO()
    in_lab(seen)[0].save(out, "JPEG", quality=95, subsampling=0)
    tags = {256: 300, 257: 100, 258: [8, 8, 8], 259: 7, 262: 10, 277: 3, 278: 100, 282: (51, 1), 283: (49, 1)}
    return [out.getvalue()], tags | {286: (1, 2), 287: (1, 4), 34732: [1, 1]}


def before(lightness: int) -> tuple[list[bytes], dict[int, Any]]:
    """In front one colour everywhere, of which there are no octets."""
    tags = {256: FULL, 257: HIGH, 258: [8, 8, 8], 259: 7, 262: 10, 277: 3, 278: HIGH, 434: [lightness, 128, 96]}
    return [b""], tags | {282: (204, 1), 283: (196, 1), 34732: [3, 1]}


@pytest.mark.parametrize(
    ("coding", "fill", "chain"), [(Coding.MH, 1, True), (Coding.MR, 2, False), (Coding.MMR, 2, True)]
)
def test_profile_m_is_one_page(tmp_path: Path, coding: Coding, fill: int, *, chain: bool) -> None:
    """What is behind, where it belongs and as large as it is; what is in front, as sharp as the mask."""
    file = layered(*page(coding, fill=fill), behind(), before(0), chain=chain)
    [one] = read_tiff(file)
    seen, bad = picture_of_layers(file, one, 1, alone=True)
    assert (seen.size, bad) == ((FULL, HIGH), 0)
    assert seen.getpixel((1100, 200)) == 0
    assert seen.getpixel((SQUARE[0] + 20, SQUARE[1] + 20)) < 60
    assert seen.getpixel((SQUARE[0] - 20, SQUARE[1] + 20)) > 240
    assert seen.getpixel((1600, 580)) == 255  # beyond what is behind
    tiff_, facts = fax_pages(file, {}, "image/tiff", folder=str(tmp_path))
    [made] = pages_of(tiff_)
    assert facts == {"pages": 1}
    words = (90, 380, 1000, 500)
    assert picture_of(made).crop(words).tobytes() == mask().crop(words).tobytes()


def test_layers_of_every_kind(tmp_path: Path) -> None:
    """White words on a dark ground; planes of JBIG behind; a page without a mask; without anything behind."""
    dark = ([b""], before(0)[1] | {434: [40, 128, 96], 34732: [1, 1]})
    file = layered(*page(Coding.MMR), dark, before(255), chain=True)
    seen, _ = picture_of_layers(file, read_tiff(file)[0], 1, alone=True)
    assert (seen.getpixel((1100, 200)), seen.getpixel((5, 5))) == (255, 39)  # L* of 15.7
    planes = base64.b64decode(PLANES["-s 10"])
    tags = {256: WIDTH, 257: ROWS, 258: 8, 259: 10, 262: 10, 278: ROWS, 282: (17, 1), 283: (14, 1), 34732: [1, 1]}
    file = layered(*page(Coding.MMR), ([planes], tags), chain=False)
    seen, _ = picture_of_layers(file, read_tiff(file)[0], 1, alone=True)
    assert [seen.getpixel(place) for place in ((1100, 200), (30 * 12, 30), (26 * 12, 30))] == [0, 255, 31]
    alone = layered(*behind(), chain=False)
    [made] = pages_of(fax_pages(alone, {}, "image/tiff", folder=str(tmp_path))[0])
    assert picture_of(made).convert("L").point([255] + [0] * 255).getbbox() is not None
    words = layered(*page(Coding.MH), chain=False)
    [made] = pages_of(fax_pages(words, {}, "image/tiff", folder=str(tmp_path))[0])
    assert picture_of(made).crop((0, 0, FULL, HIGH)).tobytes() == mask().tobytes()


def test_layers_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """S8: half a mask, a layer outside the file, of an unknown kind, in an unknown coding, or too large."""
    strips, tags = page(Coding.MMR)
    outside = bytearray(layered(strips, tags, behind(), chain=True))
    place = outside.index(struct.pack("<HHI", 330, 4, 1)) + 8
    outside[place : place + 4] = struct.pack("<I", 10_000_000)
    files = {
        "half": layered([strips[0], strips[1][:40], strips[2]], tags, behind(), chain=True),
        "missing": layered(strips[:2], tags | {559: [256, 256]}, behind(), chain=True),
        "outside": bytes(outside),
        "kind": layered(strips, tags, (behind()[0], behind()[1] | {34732: [4, 1]}), chain=True),
        "coding": layered(strips, tags, (behind()[0], behind()[1] | {259: 5}), chain=True),
        "jpeg": layered(strips, tags, ([behind()[0][0][:300]], behind()[1]), chain=True),
        "bomb": layered(strips, tags, (behind()[0], behind()[1] | {282: (1, 900)}), chain=True),
        "mask": layered(strips, tags | {259: 5}, behind(), chain=True),
        "size": layered(strips, tags | {257: 0}, behind(), chain=True),
    }
    causes = {"kind": Hindrance.NOT_TAKEN, "coding": Hindrance.NOT_TAKEN, "mask": Hindrance.NOT_TAKEN}
    for name, file in files.items():
        with pytest.raises(NotConvertible) as refused:
            fax_pages(file, {}, "image/tiff", folder=str(tmp_path))
        wanted = Hindrance.TOO_MANY_PIXELS if name == "bomb" else causes.get(name, Hindrance.DAMAGED)
        assert refused.value.cause is wanted, name
        assert len(refused.value.public) > 20


def test_a_file_of_pages_of_all_profiles_keeps_them_all(tmp_path: Path) -> None:
    """A page in layers, one in planes, one in strips of MMR: none is lost, each is what it was."""
    strips, tags = page(Coding.MMR)
    plain = {tag: value for tag, value in tags.items() if tag not in (34732, 559)} | {278: 256}
    first = layered(strips, tags, behind(), chain=True)
    second = _directory(
        [base64.b64decode(PLANES["-s 10"])], {256: WIDTH, 257: ROWS, 258: 8, 259: 10, 262: 10}, len(first), 0
    )
    third = _directory(strips, plain, len(first) + len(second), 0)
    file = bytearray(first + second + third)
    for at, following in ((8, len(first)), (len(first), len(first) + len(second))):
        struct.pack_into("<I", file, at + 2 + 12 * struct.unpack_from("<H", file, at)[0], following)
    made = pages_of(fax_pages(bytes(file), {}, "image/tiff", folder=str(tmp_path))[0])
    assert len(made) == 3
    assert picture_of(made[2]).tobytes() == mask().tobytes()
