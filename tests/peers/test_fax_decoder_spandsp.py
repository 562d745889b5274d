"""spandsp, the fax engine of telephone exchanges, decodes our pages bit for bit; by ctypes, as it is installed."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_bits import bits_of
from mailshare.documents.fax_strips import below, coded, coded_bits

pytestmark = pytest.mark.peers
ENCODINGS = {Coding.MH: 1, Coding.MR: 2, Coding.MMR: 3}  # T4_COMPRESSION_ITU_
REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
ENDS = {Coding.MH: "000000000001" * 6, Coding.MR: "0000000000011" * 6, Coding.MMR: ""}
ROW = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_size_t)


@pytest.fixture(scope="module")
def spandsp() -> ctypes.CDLL:
    """The library."""
    try:
        library = ctypes.CDLL("libspandsp.so.2")
    except OSError:
        if os.environ.get("MAILSHARE_PEERS") == "required":
            pytest.fail("spandsp is not installed: apt-get install libspandsp2", pytrace=False)
        pytest.skip("spandsp is not installed: apt-get install libspandsp2")
    library.t4_rx_init.restype = ctypes.c_void_p
    library.t4_rx_init.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.t4_rx_set_row_write_handler.argtypes = [ctypes.c_void_p, ROW, ctypes.c_void_p]
    library.t4_rx_put_chunk.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    for name in ("set_rx_encoding", "set_image_width", "set_x_resolution", "set_y_resolution"):
        getattr(library, f"t4_rx_{name}").argtypes = [ctypes.c_void_p, ctypes.c_int]
    for name in ("start_page", "end_page", "free"):
        getattr(library, f"t4_rx_{name}").argtypes = [ctypes.c_void_p]
    return library


def decoded(spandsp: ctypes.CDLL, page: FaxPage, path: Path) -> bytes:
    """The rows that spandsp finds, black is 1: as they come over a line, with the end of the page behind them."""
    rows: list[bytes] = []

    def take(_: object, row: ctypes.Array[ctypes.c_ubyte], size: int) -> int:
        if size:
            rows.append(bytes(row[:size]))
        return 0

    handler = ROW(take)
    state = spandsp.t4_rx_init(None, str(path).encode(), ENCODINGS[Coding.MMR])
    spandsp.t4_rx_set_row_write_handler(state, handler, None)
    spandsp.t4_rx_set_rx_encoding(state, ENCODINGS[page.coding])
    spandsp.t4_rx_set_image_width(state, page.width)
    spandsp.t4_rx_set_x_resolution(state, 8031)  # dots a metre
    spandsp.t4_rx_set_y_resolution(state, 7700)
    assert spandsp.t4_rx_start_page(state) == 0
    end = ENDS[page.coding]
    octets = page.data + (int(end, 2).to_bytes((len(end) + 7) // 8) if end else b"")
    sent = octets.translate(REVERSED)
    spandsp.t4_rx_put_chunk(state, sent, len(sent))
    spandsp.t4_rx_end_page(state)
    spandsp.t4_rx_free(state)
    return b"".join(rows)


def charts() -> Iterator[Image.Image]:
    """After the test charts of ITU-T T.24: letters, thin lines and circles, a dense half-tone, black on white."""
    letters = Image.new("1", (1728, 500), 1)
    draw = ImageDraw.Draw(letters)
    for row in range(20):
        words = "Le telephone portera bientot la voix de Paris a New York. " * 3
        draw.text((40, 24 * row), words, fill=0, font_size=22)
    yield letters
    lines = Image.new("1", (1728, 400), 1)
    draw = ImageDraw.Draw(lines)
    for number in range(60):
        draw.line((number * 29, 0, 1727 - number * 13, 399), fill=0, width=1 + number % 3)
        draw.ellipse((20 + number * 9, number * 3, 400 + number * 20, 390), outline=0)
    yield lines
    grey = Image.linear_gradient("L").resize((1728, 300))
    yield grey.convert("1")
    yield Image.frombytes("1", (1728, 100), random.Random(6).randbytes(216 * 100))
    yield Image.new("1", (1728, 60), 0)


@pytest.mark.parametrize("coding", list(Coding))
def test_our_pages_are_read_by_spandsp(spandsp: ctypes.CDLL, coding: Coding, tmp_path: Path) -> None:
    """Every pixel of charts, in every coding."""
    for number, chart in enumerate(charts()):
        bits = bits_of(chart)
        assert decoded(spandsp, coded_bits(bits, 204, 196, coding), tmp_path / f"{number}.tif") == bits.data


@pytest.mark.parametrize("coding", list(Coding))
def test_pages_with_a_joined_head_are_read_by_spandsp(spandsp: ctypes.CDLL, coding: Coding, tmp_path: Path) -> None:
    """The line on top was put before the coded page without decoding it; a strict decoder sees one page."""
    chart = next(charts())
    head = Image.new("1", (1728, 26), 1)
    head.paste(0, (50, 3, 900, 20))
    page = below(coded(head, 204, 196, coding), coded(chart, 204, 196, coding))
    assert decoded(spandsp, page, tmp_path / "a.tif") == bits_of(head).data + bits_of(chart).data
