"""TIFF files of faxes: exact when written, forgiving when read; and the check of damaged rows."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from io import BytesIO

import pytest
from PIL import Image

from mailshare.core.errors import PeerFault
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_strips import coded, picture_of, recoded
from mailshare.wire.pdf_fax import write_pdf
from mailshare.wire.t4_rows import count_rows
from mailshare.wire.tiff_fax import is_profile_s, read_tiff, write_tiff


def noise(rows: int = 60, seed: int = 1) -> Image.Image:
    return Image.frombytes("1", (1728, rows), random.Random(seed).randbytes(216 * rows))


@pytest.fixture(scope="module")
def pages() -> list[FaxPage]:
    return [coded(noise(50 + number, number), 204, 196, Coding.MH) for number in range(3)]


def tags_at(data: bytes, offset: int) -> dict[int, tuple[int, int, int]]:
    count = struct.unpack_from("<H", data, offset)[0]
    found = [struct.unpack_from("<HHII", data, offset + 2 + 12 * number) for number in range(count)]
    assert [one[0] for one in found] == sorted(one[0] for one in found)
    return {tag: (kind, number, value) for tag, kind, number, value in found}


def test_profile_s_is_written_as_the_standard_says(pages: list[FaxPage]) -> None:
    """S5 X13: directory, resolutions, one strip for each page; the first one at octet 8; least bit first; no RTC."""
    data = write_tiff(pages)
    assert all(is_profile_s(page) for page in pages)
    assert data[:8] == b"II*\0\x08\0\0\0"
    offset = 8
    for number, page in enumerate(pages):
        tags = tags_at(data, offset)
        values = {tag: value for tag, (_, _, value) in tags.items()}
        wanted = {254: 2, 256: 1728, 257: page.rows, 258: 1, 259: 3, 262: 0, 266: 2, 277: 1, 278: page.rows, 292: 0}
        assert wanted.items() <= values.items()
        assert values[297] == number | 3 << 16
        assert offset % 2 == 0
        assert values[282] == offset + 2 + 12 * len(tags) + 4
        assert values[283] == values[282] + 8
        assert values[273] == values[283] + 8
        assert struct.unpack_from("<IIII", data, values[282]) == (204, 1, 196, 1)
        strip = data[values[273] : values[273] + values[279]]
        assert strip.translate(bytes(int(f"{one:08b}"[::-1], 2) for one in range(256))) == page.data
        assert not page.data.endswith(bytes.fromhex("001001001001001001"))
        offset = struct.unpack_from("<I", data, offset + 2 + 12 * len(tags))[0]
    assert offset == 0


@pytest.mark.parametrize("coding", list(Coding))
def test_what_is_written_is_read_bit_for_bit(coding: Coding) -> None:
    """Profile F for MH, MR and MMR; the picture stays the same in each."""
    picture = noise()
    page = coded(picture, 204, 98, coding)
    [found] = read_tiff(write_tiff([page]))
    assert found.page == page
    assert picture_of(page).tobytes() == picture.tobytes()
    assert picture_of(recoded(page, Coding.MMR)).tobytes() == picture.tobytes()


def test_odd_files_are_read(pages: list[FaxPage]) -> None:
    """X13: wrong marks, the other octet order, directories in a circle, files cut short."""
    data = write_tiff(pages)
    assert [one.page for one in read_tiff(b"XX" + data[2:])] == pages
    circle = bytearray(data)
    tags = tags_at(data, 8)
    circle[8 + 2 + 12 * len(tags) : 8 + 6 + 12 * len(tags)] = struct.pack("<I", 8)
    with pytest.raises(PeerFault, match="circle"):  # two of its three pages would be lost
        read_tiff(bytes(circle))
    circle = bytearray(write_tiff(pages[:1]))
    circle[8 + 2 + 12 * len(tags) : 8 + 6 + 12 * len(tags)] = struct.pack("<I", 8)
    assert len(read_tiff(bytes(circle))) == 1
    for cut in range(0, len(data), 97):
        with suppress(PeerFault):  # nothing else comes out
            assert len(read_tiff(data[:cut])) <= 3


def test_rubbish_ends_in_a_sentence(pages: list[FaxPage]) -> None:
    """S8: nothing that a stranger sends ends in anything else."""
    chance = random.Random(3)
    data = write_tiff(pages[:1])
    read, sentences = 0, []
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(chance.randrange(1, 12)):
            changed[chance.randrange(min(260, len(changed)))] = chance.randrange(256)
        try:
            read += len(read_tiff(bytes(changed)))
        except PeerFault as fault:
            sentences.append(fault.public)
    assert sentences
    assert min(map(len, sentences)) > 10
    assert read == 300 - len(sentences)  # never a page more than there was, never none in silence


def test_damaged_rows_are_counted(pages: list[FaxPage]) -> None:
    """A library mends such pages in silence; whoever accepts them must know."""
    page = pages[0]
    assert count_rows(page.data, 1728) == (50, 0)
    assert count_rows(page.data + bytes.fromhex("001001001001001001"), 1728) == (50, 0)
    assert count_rows(page.data, 2048)[1] > 0
    damaged = bytearray(page.data)
    for place in (1000, 3000, 6000):
        damaged[place] ^= 0x5A
    rows, bad = count_rows(bytes(damaged), 1728)
    assert 1 <= bad <= 8
    assert abs(rows - 50) <= 6
    assert count_rows(b"", 1728) == (0, 0)
    assert count_rows(random.Random(2).randbytes(5000), 1728)[1] > 0


@pytest.mark.parametrize("coding", list(Coding))
def test_pages_are_wrapped_into_pdf_as_they_are(coding: Coding) -> None:
    """U12 U13: nothing is recoded: another program takes the very same octets and the very same picture out."""
    import pikepdf
    import pypdfium2

    picture = noise(400)
    page = coded(picture, 204, 98, coding)
    data = write_pdf([page, page])
    with pikepdf.open(BytesIO(data)) as document:
        assert len(document.pages) == 2
        image = document.pages[1].get_images()["/F"]
        assert bytes(image.read_raw_bytes()) == page.data
        assert pikepdf.PdfImage(image).as_pil_image().convert("1").tobytes() == picture.tobytes()
        box = [float(one) for one in document.pages[0].MediaBox]
        assert box[2:] == pytest.approx([1728 * 72 / 204, 400 * 72 / 98], abs=0.01)
    assert len(pypdfium2.PdfDocument(data)) == 2
