"""Programs that are none of ours code pages as JBIG, and we read them; and one that reads them: those of jbigkit."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from mailshare.core.errors import PeerFault
from mailshare.documents.fax_jbig import decode_by_program
from mailshare.documents.operations import Work
from mailshare.wire.jbig import decode_jbig, decode_planes
from mailshare.wire.t43 import merged

pytestmark = pytest.mark.peers


def pages() -> dict[str, Image.Image]:
    """Lines with noise, a photograph as strewn dots, a photograph as dots in rows, for which neighbours move."""
    chance = random.Random(8)
    lines = Image.new("1", (1728, 400), 1)
    draw = ImageDraw.Draw(lines)
    for _ in range(60):
        draw.line([chance.randrange(1728), chance.randrange(400), chance.randrange(1728), chance.randrange(400)], 0)
    lines.paste(Image.frombytes("1", (64, 64), chance.randbytes(512)), (300, 100))
    grey = Image.radial_gradient("L").resize((864, 150))
    cell = Image.new("1", (16, 16), 1)
    ImageDraw.Draw(cell).ellipse((3, 3, 11, 11), fill=0)
    rows = Image.new("1", (1728, 304), 1)
    for top in range(0, 304, 16):
        for left in range(0, 1728, 16):
            rows.paste(cell, (left, top))
    return {"lines": lines, "strewn": grey.convert("1"), "rows": rows}


def jbig(picture: Image.Image, folder: Path, *words: str) -> bytes:
    """What a program of jbigkit makes of a picture."""
    picture.save(folder / "a.pbm", "PPM")
    argv = [*words, str(folder / "a.pbm"), str(folder / "a.jbg")]
    subprocess.run(argv, check=True, capture_output=True)
    return (folder / "a.jbg").read_bytes()


@pytest.mark.parametrize(
    "words",
    ["pbmtojbg85", "pbmtojbg85 -p 72 -s 100 -m 127", "pbmtojbg -q -m 127", "pbmtojbg85 -Y 9999 100 -C words"],
)
def test_jbigkit_is_read_pixel_for_pixel(words: str, program: Callable[[str], str], tmp_path: Path) -> None:
    """S5: T.85 with either template, with stripes, moved neighbours, comments and a length that is told late."""
    program("pbmtojbg85")
    moved = False
    for name, picture in pages().items():
        data = jbig(picture, tmp_path, *words.split())
        width, rows, found = decode_jbig(data)
        assert (width, rows) == picture.size, name
        assert found == picture.convert("L").point([1] + [0] * 255).tobytes(), name
        moved = moved or b"\xff\x06" in data
    assert moved


def test_jbigkit_and_we_say_the_same(program: Callable[[str], str], tmp_path: Path) -> None:
    """Its decoder is used where it is installed: whole pictures, cut ones, damaged ones, with whatever is behind."""
    program("jbgtopbm")
    chance, work = random.Random(3), Work(str(tmp_path), "", "")

    def told(decode: Callable[[bytes], tuple[int, int, bytes]], data: bytes) -> tuple[int, int, bytes] | str:
        try:
            return decode(data)
        except PeerFault as fault:
            return fault.public

    for words in ("pbmtojbg85 -s 32 -p 72", "pbmtojbg -q", "pbmtojbg85 -Y 9999 60"):
        picture = pages()["strewn"].crop((200, 40, 600, 100))
        whole = jbig(picture, tmp_path, *words.split())
        assert len(whole) > 1400
        odd = [whole + bytes(100), whole * 2, *(whole[: chance.randrange(1100, len(whole))] for _ in range(10))]
        for _ in range(20):
            changed = bytearray(whole)
            changed[chance.randrange(20, len(whole))] ^= 1 << chance.randrange(8)
            odd.append(bytes(changed))
        for number, data in enumerate([*odd, whole]):
            assert told(partial(decode_by_program, work), data) == told(decode_jbig, data), (words, number)
        # It takes no pictures whose length is told late.
        assert (tmp_path / "page.pbm").exists() is ("-Y" not in words)


def test_planes_of_jbigkit_are_read_value_for_value(program: Callable[[str], str], tmp_path: Path) -> None:
    """Grey as planes in Gray code, as Profile L has it: in stripes or whole, stripe by stripe or plane by plane."""
    program("pbmtojbg")
    grey = Image.blend(Image.radial_gradient("L"), Image.effect_noise((256, 256), 60), 0.3).resize((120, 60))
    grey.save(tmp_path / "a.pgm", "PPM")
    for order in ("-o 0", "-o 3", "-o 4", "-o 5"):
        for stripes in ("-s 25", ""):
            argv = [
                "pbmtojbg",
                "-q",
                *order.split(),
                *stripes.split(),
                str(tmp_path / "a.pgm"),
                str(tmp_path / "a.jbg"),
            ]
            subprocess.run(argv, check=True, capture_output=True)
            width, rows, planes = decode_planes((tmp_path / "a.jbg").read_bytes(), 8)
            assert ((width, rows), merged(planes)) == (grey.size, grey.tobytes()), (order, stripes)
