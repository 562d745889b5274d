"""Our raster, read by CUPS; and raster of Ghostscript, read by us: pixel for pixel."""

from __future__ import annotations

import ctypes
import ctypes.util
import io
import os
import subprocess
from pathlib import Path

import pytest

from mailshare.documents.row_packing import packed_rows
from mailshare.wire import pwg_raster, urf
from mailshare.wire.pwg_raster import KINDS, RasterPage
from mailshare.wire.raster_pages import count_pages
from mailshare.wire.raster_rows import RowsWrong, unpacked_rows

pytestmark = pytest.mark.peers
HEADER = 1796
WIDTH, HEIGHT = 104, 700


def rows_of(kind: str, page: int) -> list[bytes]:
    """Rows with long and short runs, rows that repeat often, and noise."""
    unit, width = KINDS[kind].unit, KINDS[kind].row(WIDTH)
    out: list[bytes] = []
    for number in range(HEIGHT):
        if number < 300:
            row = bytes([255 * (page % 2)]) * width
        elif number % 3:
            row = out[-1]
        else:
            noise = b"".join(bytes([(n * number + page) % (3 if n % 7 else 251)]) * unit for n in range(WIDTH))
            row = (noise * 2)[:width]
        out.append(row)
    return out


def written(kind: str, *, as_urf: bool) -> tuple[bytes, list[list[bytes]]]:
    pages = [rows_of(kind, page) for page in (1, 2)]
    out = urf.file_header(2) if as_urf else pwg_raster.SYNC
    for rows in pages:
        page = RasterPage(kind, WIDTH, HEIGHT, 300, "iso_a6_105x148mm", duplex=True, total=2, quality=4)
        out += urf.page_header(page) if as_urf else pwg_raster.page_header(page)
        out += b"".join(packed_rows(b"".join(rows), KINDS[kind].row(WIDTH), KINDS[kind].unit))
    return out, pages


@pytest.fixture(scope="module")
def cups() -> ctypes.CDLL:
    """The library of CUPS that opens raster."""
    name = ctypes.util.find_library("cups")
    if name is None:
        if os.environ.get("MAILSHARE_PEERS") == "required":
            pytest.fail("libcups is not installed: apt-get install cups-client", pytrace=False)
        pytest.skip("libcups is not installed: apt-get install cups-client")
    library = ctypes.CDLL(name)
    library.cupsRasterOpen.restype = ctypes.c_void_p
    library.cupsRasterOpen.argtypes = [ctypes.c_int, ctypes.c_int]
    library.cupsRasterReadHeader2.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.cupsRasterReadPixels.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint]
    library.cupsRasterClose.argtypes = [ctypes.c_void_p]
    return library


def read_by_cups(cups: ctypes.CDLL, path: Path, width: int) -> list[tuple[bytes, list[bytes]]]:
    """Header and rows of each page."""
    pages = []
    with path.open("rb") as file:
        raster = cups.cupsRasterOpen(file.fileno(), 0)
        assert raster
        header, row = ctypes.create_string_buffer(HEADER), ctypes.create_string_buffer(width)
        while cups.cupsRasterReadHeader2(raster, header):
            rows = []
            while len(rows) < HEIGHT and cups.cupsRasterReadPixels(raster, row, width) == width:
                rows.append(row.raw)
            pages.append((header.raw, rows))
        cups.cupsRasterClose(raster)
    return pages


@pytest.mark.parametrize(
    ("kind", "as_urf"),
    [("black_1", False), ("sgray_8", False), ("srgb_8", False), ("cmyk_8", False), ("sgray_8", True), ("srgb_8", True)],
)
def test_cups_reads_what_we_write(cups: ctypes.CDLL, tmp_path: Path, kind: str, *, as_urf: bool) -> None:
    """Every pixel of every kind, and what the header says of the page."""
    data, pages = written(kind, as_urf=as_urf)
    path = tmp_path / "pages.ras"
    path.write_bytes(data)
    read = read_by_cups(cups, path, KINDS[kind].row(WIDTH))
    assert [rows for _, rows in read] == pages
    header = read[0][0]
    numbers = {at: int.from_bytes(header[at : at + 4], "little") for at in (272, 276, 372, 376, 384, 388, 392, 400)}
    bits = KINDS[kind].bits * KINDS[kind].colors
    wanted = {272: 1, 276: 300, 372: WIDTH, 376: HEIGHT, 384: KINDS[kind].bits, 388: bits}
    assert numbers == wanted | {392: KINDS[kind].row(WIDTH), 400: KINDS[kind].space}


@pytest.mark.parametrize(("device", "space"), [("pwgraster", 18), ("pwgraster", 19), ("urf", 18), ("urf", 19)])
def test_we_read_what_ghostscript_writes(program, tmp_path: Path, device: str, space: int) -> None:
    """Pages are counted, and packed again by us they are the same pixels, in hardly more octets."""
    gs, path = program("gs"), tmp_path / "pages.ras"
    text = "%!PS\n/Courier findfont 20 scalefont setfont 2 {72 500 moveto (What stands here) show showpage} repeat\n"
    argv = [gs, "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", f"-sDEVICE={device}", "-r100", f"-sOutputFile={path}"]
    argv += [f"-dcupsColorSpace={space}", "-dcupsBitsPerColor=8"]
    subprocess.run([*argv, "-"], input=text.encode(), check=True, capture_output=True)
    data = path.read_bytes()
    assert count_pages(io.BytesIO(data), 10) == 2
    source = io.BytesIO(data)
    size, reader = (HEADER, pwg_raster.rows_of) if source.read(4) == pwg_raster.SYNC else (urf.HEADER, urf.rows_of)
    source.read(8 if size == urf.HEADER else 0)
    height, width, unit = reader(source.read(size))
    start = source.tell()
    rows = list(unpacked_rows(source, height, width, unit))
    again = b"".join(packed_rows(b"".join(rows), width, unit))
    assert list(unpacked_rows(io.BytesIO(again), height, width, unit)) == rows
    assert len(again) <= (source.tell() - start) * 1.05
    assert any(len(set(row)) > 1 for row in rows)


@pytest.mark.parametrize(
    ("row", "unit", "packed"),
    [
        (b"aaaaa", 1, b"\x04a"),
        (b"abcde", 1, b"\xfcabcde"),
        (b"abbbcd", 1, b"\0a\x02b\xffcd"),
        (bytes(range(256)), 1, b"\x81" + bytes(range(128)) + b"\x81" + bytes(range(128, 256))),
        (b"a", 1, b"\0a"),
        (b"x" * 300, 1, b"\x7fx\x7fx\x2bx"),
        (b"abcabcdef", 3, b"\x01abc\0def"),
    ],
)
def test_runs_are_packed_as_the_standard_says(row: bytes, unit: int, packed: bytes) -> None:
    """PWG 5102.4 section 4.4: repeats as n - 1, differing pixels as 257 - n, single ones as repeats of one."""
    assert b"".join(packed_rows(row, len(row), unit)) == b"\0" + packed
    both = row * 600 + bytes(len(row))
    times = b"".join(packed_rows(both, len(row), unit))
    assert times.startswith(2 * (b"\xff" + packed) + b"\x57" + packed)
    assert b"".join(unpacked_rows(io.BytesIO(times), 601, len(row), unit)) == both


def test_damaged_rows_are_refused() -> None:
    """A row that is longer than it may be, more rows than there are, an early end."""
    for data in (b"\0\x7fa", b"\x05\x03a", b"\0\xfcab", b""):
        with pytest.raises(RowsWrong):
            list(unpacked_rows(io.BytesIO(data), 2, 4, 1))
