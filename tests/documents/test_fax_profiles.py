"""Profiles J and C of RFC 3949: the pixels of a black and white page, the lightness of one in colour."""

from __future__ import annotations

import base64
import random
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from odd_tiffs import tiff
from PIL import Image

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_profiles import picture_of as profile_picture
from mailshare.documents.fax_strips import picture_of
from mailshare.wire.jbig import OtherJBIG, decode_jbig, read_head
from mailshare.wire.tiff_fax import read_tiff

WIDTH, ROWS = 60, 45
SAMPLES = {
    "-p 8": (
        "AAABAAAAADwAAAAtAAAAgH8AAAj6Ln/U3qT0mhe6bt69ozNrND8UZ4J0UrSU5NHnnC+9H1peIg33/on0Gvw3VXx8SVMhUPt7NBvr"
        "Axj7pJL+uynNphI0TfmKg2tHPahjVVVIdzY28DJXxl/Tg9U3CM1gLJNZQdfSVt7ppb/ZGJ4H6llDxbF9/L8pO5ptPYwB0cIONQ91"
        "twB4VcIV15H3sJf51TGce5QPTDN2RsUtmeJBJqSEqJoAaNUtF5o1XvQjFRzkN9zCNMPYjf2oxFI133Gou5NfUiUuOQW6gv8Ajiqo"
        "RIJ2jNU1LpXgZEjWRIKZViCRlrUDiV0KgkrWuJnkW7SX8H+mYndfgkYLnHCPXo9G4CkVY1A8m5SybOevWPD/Ag=="
    ),
    "-p 0": (
        "AAABAAAAADwAAAAtAAAAgH8AAAD0XP8Aqb1J6Tn2jZDsZoRhJ+LbWpY+zzHzf9F3MBU53Os5PnnEsh8zHEvT2pUT+8QzMQuwAklh"
        "GriDirtuXG8+rKO8bp65Z7AIwKXNipvISEEkVFgxR4T9mgqb2oQNo0fb35JJJ9mM06YEURBFN9nj85lbHQiLXPZ0J7OocOT/ADLT"
        "rMpyusIdHf6mmfy0tq3/AJAee7K2a50mtRTk6d5cfRsu1FXloYYGh9brpCRWNu9RQLcpoNZMPJ+sPWXX36NOu74oFbuUPJeE4gsi"
        "jr0v8hrMZdPunq4d4ahxzsA2+VwheiCsVDe+ud6U2BIe00T2OB13UdnPO0UkRk6TdLjhGUORqKjHarHVANxa68dqVf6A/wI="
    ),
    "-p 64 -s 10": (
        "AAABAAAAADwAAAAtAAAACn8AAED9hGBqG4UR7dDMcRhyt+snVHk0DcLfU0MTYmZiFaghggatoFn/AL/ZJRjhefen9fRkQwTxqXm8"
        "d5vCNxMwBfvA/wJZ8BZZFjYaq4agLS3IltvquCdQ2pdYwvgg4P4OrLR+UOtwFtVVFXg+9qqWUhztQJHpFn+H5XCpBASKwj4Y/wIw"
        "b3P8L+zYak8/Fsv72CkGkeoNKYq3nQmYqhHcvy2G8qJvL4ywoeUr2lu5ocS3e/jAVdCdq0D/AoQR43C8x3GfO/dKY9K5q0F3U8T9"
        "0PWn9CDdFi6jjzt1LcU90H9lWRqUOngezm1Yde1QcvEDfWylTYsRZd0oAVRIkRGiQq9M6P8C3AVZUhmsThXbDY+daQDfuttBP6QU"
        "p2LjEU9OdqX214Oyuib5/wI="
    ),
    "-s 9": (
        "AAABAAAAADwAAAAtAAAACX8AAAj6Ln/U3qT0mhe6bt69ozNrND8UZ4J0UrSU5NHnnC+9H1peIg33/on0Gvw3VXx8SVMhUf8CIHqg"
        "31gYx90kl/XX7e6YSNBytioNrRwX0o1VUdLH1GBAyV8Zf04Qhexrcw1xu5/1BPK0THj/AuCHivPiUvaei9wzincQ9ron94hhi5cN"
        "pcA1au9zA/2uZSgwCoaH8vMCb2GjqBRA/wL9ejmtISI6WBIV3pz3VnKted0r0gUbGK3huumInzD9abRwTWmdfXsePbxu9ESGJ0r8"
        "aCLf7xgFbRj/Atcz3A3ulPnmLL81M/X+z/fc6/sEAbcDQqepQjgFVrhxpAQK14kseZUjeX8kZ9WcYw4Ebssf8lkIxYOY/wI="
    ),
    "-m 60": (
        "AAABAAAAADwAAAAtAAAAgDwAAAj6Ln/U3qT0mhe6bt69ozNrND8UZ4J0UrSU5NHnnC+9H1peIg33/on0Gvw3VXx8SVMhUPt7NBvr"
        "Axj7pJL+uynNphI0TfmKg2tHPahjVVVIdzY28DJXxl/Tg9U3CM1gLJNZQdfSVt7ppb/ZGJ4H6llDxbF9/L8pO5ptPYwB0cIONQ91"
        "twB4VcIV15H3sJf51TGce5QPTDN2RsUtmeJBJqSEqJoAaNUtF5o1XvQjFRzkN9zCNMPYjf2oxFI133Gou5NfUiUuOQW6gv8Ajiqo"
        "RIJ2jNU1LpXgZEjWRIKZViCRlrUDiV0KgkrWuJnkW7SX8H+mYndfgkYLnHCPXo9G4CkVY1A8m5SybOevWPD/Ag=="
    ),
    "-C hello -Y 900 30": (
        "AAABAAAAADwAAAOEAAAAgH8AACj/BwAAAAVoZWxsb/ouf9TepPSaF7pu3r2jM2s0PxRngnRStJTk0eecL70fWl4iDff+ifQa/DdV"
        "fHxJUyFQ+3s0G+sDGPukkv67Kc2mEjRN+YqDa0c9qGNVVUh3NjbwMlfGX9OD1TcIzWAsk1lB19JW3umlv9kYngfqWUPFsX38vyk7"
        "mm09jAHRwg41D3W3AHhVwhXXkfewl/nVMZx7lA9MM3ZGxS2Z4kEmpISomgBo1S0XmjVe9CMVHOQ33MI0w9iN/ajEUjXfcai7k19S"
        "JS45BbqC/wCOKqhEgnaM1TUuleBkSNZEgplWIJGWtQOJXQqCSta4meRbtJfwf6Zid1+CRguccI9ej0bgKRVjUDyblLJs569Y8P8C"
        "/wUAAAAt/wI="
    ),
    "-q": (
        "AAABAAAAADwAAAAtAAAAAggAAxz6Ln/U3qT0mP8C+JVN29e0Zm1mh+D/AvVNgnRStJTk0eecL70g/wIdFQiDff8AkAAGvw7/AsUF"
        "+vJUyFQ+LPqN9YL/Akb1pJL+uVqstkj/Ak3dJMc/JDsM27ONZOj/Age9/UYEQxHVyLDg4NzO/wJDnNtiDOKPudrAIP8C2vyS51Qi"
        "7JZF7gb/AhpP691qP5YEoP8C37qLLPe2jhiHoP8CTkYSnDbdr9IP/Ez/Agx2gf6UbIGA/wLr8qcLJhMU3E/A/wJofehgnrMyCq89"
        "6d4JkKjw/wLVh2Z2wL/tHJDJpi0iQWio/wIZNzkAvB5IxgYGM+lPm5Sg/wLJEQ20uUTcTGlgCq3vT/8C2EYG1cMY2bBI/Fbg/wLU"
        "YhYO1k9ZpGrmzcz2QCFp/wLl1WzBcPycN/sXC50g/wI1/hBn/wI="
    ),
    "-q -p 72 -s 7": (
        "AAABAAAAADwAAAAtAAAABwgAA0j+wjA1DcKI9ZCXzE7y2WpgEMsi4T2yUs+odu7EzADg53VF99YLvZ5k/wJkfgI+++P+m1NCpvhy"
        "gbxBMpWXW4lNdhFaKYw3F1Z7X+sTncEJwyoInJxA/wIjfuFmmJWn5YyzjxqmSiHo6UkojI0LGBJkSkaqQJqCGcB1ioKCUgyPJY+A"
        "/wIFs0f8TXqKUHRb+rdEN84S18DZ+iFvL5Ax+LWgnPGKjm0yEP8C8B4tzGpLisi6rd50v3o0ai4GS2xhCrLazAPJqmaZfZlep8v2"
        "uFk8skvy59xPMP8C6JpbEpZTo+4Ozl+mZe1QcxZ4Ze3fLGPWrxO03YoFzmbO4vSKNLPCAlVSIme2PNmtNzr8Zbs0/wLoEXFCX2P7"
        "S/XiuDH44YbcoD7/Ag=="
    ),
}
"""What pbmtojbg85 and pbmtojbg of Debian's jbigkit-bin 2.1 made of :func:`pixels`, and how they were asked."""


def pixels() -> bytes:
    """Stripes, fields and dots; an octet for each, 1 = black."""
    return bytes(
        int((x * x + 3 * y * y) // 40 % 4 == 0 or (y > 30 and x % 8 < 3 and y % 5 < 2))
        for y in range(ROWS)
        for x in range(WIDTH)
    )


@pytest.mark.parametrize("how", SAMPLES)
def test_every_pixel_of_a_jbig_picture_is_found(how: str) -> None:
    """Templates of two and three rows, typical rows, stripes, comments, lengths told late."""
    assert decode_jbig(base64.b64decode(SAMPLES[how])) == (WIDTH, ROWS, pixels())


def test_damaged_jbig_is_refused_or_read_but_never_a_surprise() -> None:
    """Each octet changed, each length cut: a fault of its own, or a picture of the size that its head tells."""
    chance = random.Random(6)
    for how in ("-s 9", "-m 60"):
        whole = base64.b64decode(SAMPLES[how])
        for at in range(len(whole)):
            with pytest.raises(PeerFault):
                decode_jbig(whole[:at])
            changed = bytearray(whole)
            changed[at] ^= 1 << chance.randrange(8)
            try:
                head = read_head(bytes(changed))
                if head.width * head.rows > 100_000:
                    continue
                width, rows, found = decode_jbig(bytes(changed))
            except PeerFault:
                continue
            assert len(found) == width * rows


def test_jbig_that_faxes_do_not_have_is_named() -> None:
    """Several layers or planes, and neighbours above."""
    whole = base64.b64decode(SAMPLES["-s 9"])
    for at, octet in ((1, 1), (2, 2)):
        with pytest.raises(OtherJBIG):
            decode_jbig(whole[:at] + bytes([octet]) + whole[at + 1 :])


def as_it_is(data: bytes, folder: Path) -> Image.Image:
    """The only page, as it would be faxed."""
    [page] = pages_of(fax_pages(data, {}, "image/tiff", folder=str(folder))[0])
    assert (page.x_res, page.y_res) == (204, 196)
    return picture_of(page)


@pytest.mark.parametrize("compression", [9, 34661])
@pytest.mark.parametrize(("order", "fill"), [("<", 1), ("<", 2), (">", 2)])
@pytest.mark.parametrize("turned", [False, True])
def test_profile_j_keeps_its_pixels(tmp_path: Path, compression: int, order: str, fill: int, *, turned: bool) -> None:
    """In strips, in either order of octets and of bits, white as 0 or as 1."""
    data, seen = base64.b64decode(SAMPLES["-p 8"]), pixels()
    tags = {256: WIDTH, 257: 2 * ROWS, 278: ROWS, 259: compression, 262: int(turned)}
    file = tiff([data, data], tags, order=order, fill=fill)
    table = [0, 255] if turned else [255, 0]
    wanted = Image.frombytes("L", (WIDTH, 2 * ROWS), seen + seen).point([*table, *[0] * 254], "1")
    [one] = read_tiff(file)
    assert profile_picture(file, one).tobytes() == wanted.tobytes()
    page = as_it_is(file, tmp_path)
    assert page.width == 1728


def test_profile_j_of_a_fax_goes_out_pixel_for_pixel(tmp_path: Path) -> None:
    """A page of the width of the paper is not touched; a bomb is refused before it is taken apart."""
    head = bytes.fromhex("00000100") + struct.pack(">III", 1728, 240, 240) + bytes.fromhex("08000008")
    noise = random.Random(3).randbytes(900).replace(b"\xff", b"")
    file = tiff([head + noise + b"\xff\x02"], {256: 1728, 257: 240, 259: 9})
    [one] = read_tiff(file)
    page = as_it_is(file, tmp_path)
    assert page.size == (1728, 240)
    assert page.tobytes() == profile_picture(file, one).tobytes()
    assert page.getextrema() == (0, 255)
    bomb = tiff([head[:8] + b"\xff\xff\xff\xfe" + head[12:] + b"\xff\x02"], {256: 1728, 257: 240, 259: 9})
    with pytest.raises(NotConvertible) as refused:
        fax_pages(bomb, {}, "image/tiff", folder=str(tmp_path))
    assert refused.value.cause is Hindrance.TOO_MANY_PIXELS


def in_lab(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A picture of sRGB as octets of CIELAB by ITU-T T.42, in the light of D50; and the grey that is as light."""
    lab, grey = [], []
    for pixel in picture.get_flattened_data():
        red, green, blue = (_linear(each / 255) for each in pixel)  # type: ignore[union-attr]
        x = (0.4361 * red + 0.3851 * green + 0.1431 * blue) / 0.9642
        y = 0.2225 * red + 0.7169 * green + 0.0606 * blue
        z = (0.0139 * red + 0.0971 * green + 0.7141 * blue) / 0.8249
        fx, fy, fz = (_root(each) for each in (x, y, z))
        light, a, b = 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)
        octets = (light * 2.55, (a + 85) * 1.5, (b + 75) * 1.275)
        lab.append(tuple(min(255, max(0, round(each))) for each in octets))
        grey.append(round(255 * (12.92 * y if y <= 0.0031308 else 1.055 * y ** (1 / 2.4) - 0.055)))
    parts = [Image.frombytes("L", picture.size, bytes(values)) for values in zip(*lab, strict=True)]
    return Image.merge("YCbCr", parts), Image.frombytes("L", picture.size, bytes(grey))


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _root(value: float) -> float:
    return float(value ** (1 / 3)) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116


def colours() -> Image.Image:
    """Fields of all colours, light to dark."""
    picture = Image.new("RGB", (160, 96))
    chance = random.Random(2)
    for number in range(60):
        left, top = number % 10 * 16, number // 10 * 16
        field = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        picture.paste(field, (left, top, left + 16, top + 16))
    return picture


def jpeg(picture: Image.Image, **how: Any) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", quality=95, **how)
    return out.getvalue()


ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"


@pytest.mark.parametrize("shape", ["whole", "tables", "adobe", "grey", "decode", "strips"])
def test_profile_c_is_as_light_as_it_was(tmp_path: Path, shape: str) -> None:
    """Each field within a few steps of what its colour is worth; tables apart, a marker that misleads, an own scale."""
    lab, wanted = in_lab(colours())
    tags: dict[int, Any] = {256: 160, 257: 96, 258: [8, 8, 8], 259: 7, 262: 10, 277: 3, 282: (100, 1), 283: (100, 1)}
    strips = [jpeg(lab, subsampling=0)]
    if shape == "tables":
        strips, tags = [jpeg(lab, subsampling=0, streamtype=2)], tags | {347: jpeg(lab, subsampling=0, streamtype=1)}
    elif shape == "grey":
        strips, tags = [jpeg(lab.getchannel(0))], tags | {258: 8, 277: 1}
    elif shape == "adobe":
        strips = [strips[0][:2] + ADOBE + strips[0][20:]]
    elif shape == "decode":
        half = Image.merge("YCbCr", [lab.getchannel(0).point(lambda value: value // 2), *lab.split()[1:]])
        strips, tags = [jpeg(half, subsampling=0)], tags | {433: (0, 1, 200, 1)}
    elif shape == "strips":
        strips, tags = [jpeg(lab.crop((0, top, 160, top + 32)), subsampling=0) for top in (0, 32, 64)], tags | {278: 32}
    file = tiff(strips, tags)
    [one] = read_tiff(file)
    found = profile_picture(file, one)
    assert found.size == (160, 96)
    inner = [(x, y) for y in range(8, 96, 16) for x in range(8, 160, 16)]
    assert max(abs(int(found.getpixel(place)) - int(wanted.getpixel(place))) for place in inner) <= 5
    page = as_it_is(file, tmp_path)
    assert page.point([255] + [0] * 255, "1").getbbox() is not None


def test_a_cut_page_in_colour_is_refused(tmp_path: Path) -> None:
    """Half a page is no page, and JPEG that is said to be JBIG none at all."""
    whole = jpeg(in_lab(colours())[0])
    tags: dict[int, Any] = {256: 160, 257: 96, 258: [8, 8, 8], 259: 7, 262: 10, 277: 3}
    for strips, more in (([whole[: len(whole) // 2]], {}), ([whole], {257: 200}), ([whole], {256: 170})):
        with pytest.raises(NotConvertible) as refused:
            fax_pages(tiff(strips, tags | more), {}, "image/tiff", folder=str(tmp_path))
        assert refused.value.cause is Hindrance.DAMAGED
    with pytest.raises(NotConvertible) as refused:
        fax_pages(tiff([whole], tags | {259: 10}), {}, "image/tiff", folder=str(tmp_path))
    assert refused.value.cause is Hindrance.DAMAGED
    assert "JBIG" in refused.value.public
