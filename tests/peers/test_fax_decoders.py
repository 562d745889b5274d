"""Programs that are none of ours read our fax pages bit for bit: libtiff's tools, poppler's, Ghostscript."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mailshare.core.values.fax import Coding
from mailshare.documents.fax_strips import coded, recoded
from mailshare.wire.pdf_fax import write_pdf
from mailshare.wire.tiff_fax import read_tiff, write_tiff

pytestmark = pytest.mark.peers


@pytest.fixture(autouse=True)
def _programs(program: Callable[[str], str]) -> None:
    for name in ("tiffcp", "tiffinfo", "pdfimages", "gs"):
        program(name)


def pictures() -> list[Image.Image]:
    """Noise, which uses every code, and runs of all lengths."""
    noise = Image.frombytes("1", (1728, 120), random.Random(5).randbytes(216 * 120))
    runs = Image.new("1", (1728, 120), 1)
    for row in range(120):
        runs.paste(0, (row * 7, row, min(row * 7 + row * 14 + 1, 1728), row + 1))
    return [noise, runs]


def run(*words: object) -> str:
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("coding", list(Coding))
def test_our_files_are_read_by_libtiff(coding: Coding, tmp_path: Path) -> None:
    """Tiffcp decodes them to the very same pixels; tiffinfo finds the pages and no fault."""
    source, plain = tmp_path / "a.tif", tmp_path / "b.tif"
    source.write_bytes(write_tiff([coded(one, 204, 196, coding) for one in pictures()]))
    for number, picture in enumerate(pictures()):
        run("tiffcp", "-c", "none", f"{source},{number}", plain)
        with Image.open(plain) as opened:
            assert opened.convert("1").tobytes() == picture.tobytes()
    said = run("tiffinfo", source)
    assert "Page Number: 1-2" in said
    assert "FillOrder: lsb-to-msb" in said


@pytest.mark.parametrize("coding", list(Coding))
def test_our_pdfs_are_read_by_poppler_and_ghostscript(coding: Coding, tmp_path: Path) -> None:
    """Both find the pixels that we wrapped."""
    [picture, _] = pictures()
    source = tmp_path / "a.pdf"
    source.write_bytes(write_pdf([coded(picture, 204, 196, coding)]))
    run("pdfimages", "-png", source, tmp_path / "p")
    with Image.open(tmp_path / "p-000.png") as opened:
        assert opened.convert("1").tobytes() == picture.tobytes()
    run("gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pngmono", "-r204x196", f"-sOutputFile={tmp_path}/g.png", source)
    with Image.open(tmp_path / "g.png") as opened:
        assert opened.convert("1").crop((0, 0, 1728, 120)).tobytes() == picture.tobytes()


@pytest.mark.parametrize(("scheme", "coding"), [("g3:1d", Coding.MH), ("g3:2d", Coding.MR), ("g4", Coding.MMR)])
def test_files_of_libtiff_are_read_by_us(scheme: str, coding: Coding, tmp_path: Path) -> None:
    """Its own way of writing them: data before directories, other octet order."""
    [picture, _] = pictures()
    plain, made = tmp_path / "a.tif", tmp_path / "b.tif"
    picture.save(plain, "TIFF")
    for order in ("-L", "-B"):
        run("tiffcp", order, "-c", scheme, "-r", "120", plain, made)
        [found] = read_tiff(made.read_bytes())
        assert found.compression == (4 if coding is Coding.MMR else 3)
        if found.page is not None:  # libtiff keeps the photometric sense of its source
            assert recoded(found.page, Coding.MMR).rows == 120
