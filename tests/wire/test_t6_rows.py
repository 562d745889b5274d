"""Rows of MR and MMR are followed code by code: how many there are, and how many are damaged."""

from __future__ import annotations

import random

import pytest
from PIL import Image, ImageDraw

from mailshare.core.values.fax import Coding
from mailshare.documents.fax_strips import coded
from mailshare.wire.t6_rows import mmr_rows, mr_rows

WIDTH, ROWS = 1000, 120


def pictures() -> dict[str, Image.Image]:
    """Nothing, lines, strewn dots, the negative of lines."""
    lines, chance = Image.new("1", (WIDTH, ROWS), 1), random.Random(5)
    draw = ImageDraw.Draw(lines)
    for _ in range(40):
        draw.line([chance.randrange(WIDTH), chance.randrange(ROWS), chance.randrange(WIDTH), chance.randrange(ROWS)], 0)
    dots = Image.frombytes("1", (WIDTH, ROWS), chance.randbytes(WIDTH // 8 * ROWS))
    negative = lines.point([255] + [0] * 255, "1")
    return {"white": Image.new("1", (WIDTH, ROWS), 1), "lines": lines, "dots": dots, "negative": negative}


@pytest.mark.parametrize("name", ["white", "lines", "dots", "negative"])
@pytest.mark.parametrize("y_res", [98, 196])
def test_whole_pages_are_followed_to_their_end(name: str, y_res: int) -> None:
    """Every row of it, with what may stand behind it; a wrong width is found out."""
    picture = pictures()[name]
    strip = coded(picture, 204, y_res, Coding.MMR).data
    assert mmr_rows(strip, WIDTH, ROWS) == (ROWS, True)
    assert mmr_rows(strip, WIDTH, ROWS * 2) == (ROWS, True)
    strip = coded(picture, 204, y_res, Coding.MR).data
    tagged = int(("0" * 11 + "11") * 6 + "00", 2).to_bytes(10)
    for behind in (b"", bytes(40), tagged, bytes.fromhex("001001001001001001")):
        assert mr_rows(strip + behind, WIDTH, ROWS) == (ROWS, 0), behind
    if name != "white":
        assert mr_rows(strip, WIDTH - 8, ROWS)[1] > 0


@pytest.mark.parametrize("coding", [Coding.MR, Coding.MMR])
def test_what_was_cut_off_is_missing(coding: Coding) -> None:
    """At each length fewer rows than there were, never more, and no end of the page."""
    strip, before = coded(pictures()["lines"], 204, 196, coding).data, 0
    for length in range(1, len(strip) - 4, 7):
        if coding is Coding.MMR:
            rows, ended = mmr_rows(strip[:length], WIDTH, ROWS)
            assert not ended
        else:
            found, bad = mr_rows(strip[:length], WIDTH, ROWS)
            rows = found - bad
        assert before <= rows < ROWS
        before = rows
    assert before > ROWS // 2


def test_rubbish_ends_and_damage_is_counted() -> None:
    """Of MR each row until the next that is coded by itself; of octets by chance whatever comes of them."""
    chance = random.Random(1)
    whole = coded(pictures()["lines"], 204, 196, Coding.MR).data
    seen = 0
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        rows, bad = mr_rows(bytes(damaged), WIDTH, ROWS)
        assert rows >= ROWS - 2
        assert bad <= 10
        seen += bad > 0
    assert seen > 40
    for _ in range(60):
        rubbish = chance.randbytes(300)
        assert mmr_rows(rubbish, WIDTH, ROWS)[0] <= ROWS
        rows, bad = mr_rows(rubbish, WIDTH, ROWS)
        assert 0 <= bad <= rows <= ROWS
