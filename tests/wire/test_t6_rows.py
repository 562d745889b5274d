"""Rows of MR and MMR are followed code by code: how many there are, and how many are damaged."""

from __future__ import annotations

import random

import pytest
from PIL import Image, ImageDraw

from mailshare.core.values.fax import Coding
from mailshare.documents.fax_strips import coded
from mailshare.wire.t6_rows import mmr_rows, mr_rows, pdf_rows

WIDTH, ROWS = 1000, 120
TAGGED = int(("0" * 11 + "11") * 6 + "00", 2).to_bytes(10)  # RTC of MR


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
    for behind in (b"", bytes(40), TAGGED, bytes.fromhex("001001001001001001")):
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


@pytest.mark.parametrize("name", ["white", "lines", "dots", "negative"])
@pytest.mark.parametrize("coding", list(Coding))
def test_rows_of_pictures_in_pdf_are_followed(name: str, coding: Coding) -> None:
    """With marks or without, each on an octet of its own or not; where the end of the page stands, it is seen."""
    strip = coded(pictures()[name], 204, 196, coding).data
    k = {Coding.MMR: -1, Coding.MH: 0, Coding.MR: 4}[coding]
    found = pdf_rows(strip, WIDTH, ROWS, k, aligned=False)
    assert (found.rows, found.bad, len(strip) - found.octets < 8) == (ROWS, 0, True)
    ends = {Coding.MMR: b"", Coding.MH: bytes.fromhex("001001" * 3), Coding.MR: TAGGED}
    found = pdf_rows(strip + ends[coding], WIDTH, 2 * ROWS, k, aligned=False)
    assert (found.rows, found.bad, found.ended) == (ROWS, 0, True)
    if name != "white":
        for length in range(1, len(strip) - 8, max(101, len(strip) // 9)):
            cut = pdf_rows(strip[:length], WIDTH, ROWS, k, aligned=False)
            assert cut.rows < ROWS
            assert not cut.ended


def test_rows_without_marks_and_on_octets_of_their_own() -> None:
    """MH as PDF files have it, which says nothing between two rows."""
    bits = "1011" + "011" + "1100"  # 4 white, 4 black, 5 white: 13 pixels
    assert pdf_rows(_octets([bits] * 9, aligned=False), 13, 9, 0, aligned=False).rows == 9
    found = pdf_rows(_octets([bits] * 9, aligned=True), 13, 9, 0, aligned=True)
    assert (found.rows, found.bad) == (9, 0)
    assert pdf_rows(_octets([bits] * 9, aligned=True), 13, 9, 0, aligned=False).rows < 9
    two = "001" + "1011" + "011" + "1"  # 4 white, 4 black, and then as above
    found = pdf_rows(_octets([two, "111", "111"], aligned=True), 13, 3, -1, aligned=True)
    assert (found.rows, found.bad) == (3, 0)


def _octets(rows: list[str], *, aligned: bool) -> bytes:
    text = "".join(row + "0" * (-len(row) % 8 if aligned else 0) for row in rows)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def test_rubbish_in_pdf_is_no_rows() -> None:
    """Noise, nothing, and nothing but ones or zeros."""
    noise = random.Random(6).randbytes(4000)
    for k in (-1, 0, 4):
        for data in (noise, bytes(4000)):
            found = pdf_rows(data, WIDTH, ROWS, k, aligned=False)
            assert found.rows < ROWS // 4
            assert not (found.ended and found.rows)
    found = pdf_rows(b"\xff" * 4000, WIDTH, ROWS, -1, aligned=False)
    assert (found.rows, found.octets) == (ROWS, ROWS // 8)  # white, with very much behind it
