"""Hundreds of odd documents: each becomes pages or is refused with a sentence, within bounds; none ends the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import odd_pdfs
import odd_tiffs
import pytest
import pytest_twisted
from made_papers import octets
from odd_pdfs import one_page, stream, tiles
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.bounds import Bounds
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_strips import picture_of
from mailshare.documents.service import Documents

_ODD = ("rubbish", "huge numbers", "font of 0")  # which are no instructions, and leave a white page
_BOUND = {Hindrance.TOO_LONG, Hindrance.TOO_MUCH_MEMORY, Hindrance.CRASHED, Hindrance.DAMAGED}
ALL = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from odd_pdfs import all_of_them
from mailshare.core.documents import NotConvertible
from mailshare.documents.fax_pages import fax_pages, pages_of
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for name, data in all_of_them():
    began = time.process_time()
    print(json.dumps(["begun", name]), flush=True)
    try:
        pages = pages_of(fax_pages(data, {}, "application/pdf")[0])
        told = [[page.width, page.rows] for page in pages]
    except NotConvertible as refusal:
        told = [refusal.cause.value, refusal.status, refusal.public]
    print(json.dumps([name, told, time.process_time() - began]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[object]]:
    """What became of each odd PDF, in a process with the memory that one has for a document."""
    argv = [sys.executable, "-c", ALL, str(Path(__file__).parent)]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=400, check=False)
    lines = [json.loads(line) for line in made.stdout.splitlines()]
    assert made.returncode == 0, (lines[-1], made.stderr[-500:])
    slow = {line[0]: line[2] for line in lines if line[0] != "begun" and line[2] > 5}
    assert not slow
    return {line[0]: line[1] for line in lines if line[0] != "begun"}


def test_pages_that_a_tree_does_not_count_are_there(outcomes: dict[str, list[object]]) -> None:
    """PDFium believes the count; a page must not be lost for that."""
    assert len(outcomes["trees: more than said"]) == 3


def test_every_odd_pdf_becomes_pages_or_is_refused(outcomes: dict[str, list[object]]) -> None:
    """S8: whole pages of the paper, or 5.6.1 with a cause and a sentence; most of them can be drawn."""
    assert len(outcomes) > 400
    drawn = 0
    for name, told in outcomes.items():
        if told and isinstance(told[0], list):
            drawn += 1
            assert all(page == [1728, 2292] for page in told), name
        else:
            cause, status, sentence = told
            assert status == "5.6.1", name
            assert cause in {"damaged", "encrypted", "empty", "too-many-pages"}, name
            assert len(str(sentence)) > 20, name
    assert drawn > 320


def test_what_is_drawn_and_what_is_not(outcomes: dict[str, list[object]]) -> None:
    """Sizes, pictures, forms and rubbish on a page are no reason to refuse it; passwords and lost pages are."""
    refused = {name for name, told in outcomes.items() if not isinstance(told[0], list)}
    drawn = {name for name in refused if name.startswith(("boxes", "contents", "forms"))}
    contents = {f"contents: {name}" for name in ("picture in it, open", "contents gone", "contents itself", *_ODD)}
    assert drawn == contents | {"forms: Stamp 0 ", "forms: Stamp 4 "}
    pictures = {name.removeprefix("pictures: ") for name in refused if name.startswith("pictures")}
    undecodable = ("mmr with wrong columns", "jbig2 cut", "jpeg cut", "jpeg 2000 cut", "flate cut", "too short")
    undecodable += ("broken profile", "unknown filter", "filters upon filters", "predictor")
    assert pictures == {name + how for name in undecodable for how in ("", " askew", " flat")}
    locked = {name for name in refused if outcomes[name][0] == "encrypted"}
    assert locked == {f"locks: locked {revision} geheim" for revision in (2, 3, 4, 6)}
    assert outcomes["trees: no pages"][0] in {"empty", "damaged"}  # PDFium does not say which
    for name in ("trees: a null", "trees: one that is gone", "trees: itself"):
        assert outcomes[name][0] == "damaged"
    for name in ("before", "behind", "wrong start", "twice", "old", "no table"):
        assert f"broken: {name}" not in refused


def test_pages_that_are_cut_off_are_refused() -> None:
    """S8: what is missing of a page is not left white or black in silence; where only marks are missing, nothing is."""
    for name, word, data in odd_pdfs.cut():
        with pytest.raises(NotConvertible) as refused:
            fax_pages(data, {}, "application/pdf")
        assert word in refused.value.public, name
        assert "cut off" in refused.value.public, name
    for name, data in odd_pdfs.ends_left_out():
        [page] = pages_of(fax_pages(data, {}, "application/pdf")[0])
        assert picture_of(page).getextrema() == (0, 255), name


@pytest.mark.parametrize("alone", [False, True])
def test_scans_of_every_coding_are_looked_through(alone: bool, tmp_path: Path) -> None:
    """S8: whole ones are drawn alike; of one that is cut off or rubbish the sentence says what is missing."""
    folder, seen = str(tmp_path) if alone else "", {}
    for name, (told, octets_) in odd_pdfs.coded_scans().items():
        [page] = pages_of(fax_pages(odd_pdfs.scan_of(name, told, octets_), {}, folder=folder)[0])
        seen[name] = picture_of(page).histogram()[0]
    least, *_, most = sorted(seen.values())
    assert least > 20_000
    assert most < 1.02 * least, seen
    count = 0
    for name, data in odd_pdfs.damaged_scans() if alone else ():
        with pytest.raises(NotConvertible) as refused:
            fax_pages(data, {}, folder=folder)
        assert refused.value.cause is Hindrance.DAMAGED, name
        assert "Part of page 1 of the PDF would be lost: a picture of it is" in refused.value.public, name
        count += 1
    assert count == (68 if alone else 0)


def test_pages_that_would_be_lost_are_refused() -> None:
    """S8: PDFium leaves out what it cannot draw; such a page is refused with a sentence that says what, never white."""
    for name, word, data in odd_pdfs.lost():
        with pytest.raises(NotConvertible) as refused:
            fax_pages(data, {}, "application/pdf")
        assert word in refused.value.public, name
        assert refused.value.status == "5.6.1", name
    for name, data in odd_pdfs.white():
        [page] = pages_of(fax_pages(data, {}, "application/pdf")[0])
        assert picture_of(page).getextrema() == (255, 255), name
    box = (round(20 + 72 * 204 / 72) + 4, round((842 - 700) * 196 / 72) + 4)
    for name, data in odd_pdfs.light():
        [page] = pages_of(fax_pages(data, {}, "application/pdf")[0])
        picture = picture_of(page)
        assert (picture.getpixel(box), picture.getpixel((5, 5))) == (0, 255), name


@pytest.mark.parametrize("filter_", ["jbig2", "mmr", "mh", "mr", "jpeg", "jpeg 2000", "flate", "mask"])
def test_pictures_of_every_coding_are_seen(filter_: str) -> None:
    """The circle and the line stand on the page, in whatever coding they came."""
    from odd_pdfs import pictures

    data = dict(pictures())[filter_]
    [page] = pages_of(fax_pages(data, {})[0])
    picture = picture_of(page)
    across, down = 204 / 72, 196 / 72
    left, top = round(20 + 100 * across), round((842 - 600) * down)
    dark = [picture.getpixel((left + round(x * 300 * across), top + round(y * 200 * down))) == 0 for x, y in
            ((0.5, 0.5), (0.02, 0.5), (0.3, 0.7), (0.95, 0.1))]  # fmt: skip
    assert dark == [True, False, True, False]


def test_tiff_files_of_faxes_keep_their_pixels(tmp_path: Path) -> None:
    """S5 X13: whatever wrote them: strips, tiles, orders of octets and bits, lengths missing or wrong."""
    wanted, seen = odd_tiffs.picture().convert("L").convert("1").tobytes(), 0
    for name, data in odd_tiffs.the_same():
        tiff, facts = fax_pages(data, {}, "image/tiff", folder=str(tmp_path))
        [page] = pages_of(tiff)
        assert picture_of(page).tobytes() == wanted, name
        assert (page.x_res, page.y_res, facts) == (204, 196, {"pages": 1}), name
        seen += 1
    assert seen > 70


def test_tiff_files_of_other_sizes_keep_their_inches(tmp_path: Path) -> None:
    """Resolutions, widths and orientations; nothing is stretched, what is too wide shrinks evenly."""
    for name, data in odd_tiffs.brought_onto_paper():
        tiff, _ = fax_pages(data, {}, "image/tiff", folder=str(tmp_path))
        [page] = pages_of(tiff)
        assert page.width == 1728
        box = picture_of(page).point([255] + [0] * 255, "1").getbbox()
        words = name.split()
        if words[0].isdigit() and int(words[1]) > 100 and box is not None:
            width, rows, across, down = (int(word) for word in words)
            shrunk = min(1.0, 1728 / 204 / (width / across))
            assert box[2] - box[0] == pytest.approx(shrunk * width / across * 204, abs=16)
            assert box[3] - box[1] == pytest.approx(shrunk * rows / down * page.y_res, abs=12)


def test_shades_in_numbers_of_every_kind_are_what_they_were(tmp_path: Path) -> None:
    """Dark is black, light is white: of 8, 12, 16 and 32 bits, whichever end of them is white."""
    seen = 0
    for name, data in odd_tiffs.shades():
        [page] = pages_of(fax_pages(data, {}, "image/tiff", folder=str(tmp_path))[0])
        picture, left = picture_of(page), (1728 - 1224) // 2
        assert [picture.getpixel((left + x, 400)) for x in (200, 600, 1000)] == [0, 255, 255], name
        seen += 1
    assert seen == 10


def test_damaged_tiff_files_are_refused(tmp_path: Path) -> None:
    """S8 X12: half a page is no page."""
    causes = {"beyond": Hindrance.TOO_MANY_PIXELS}
    causes |= {f"unknown {what}": Hindrance.NOT_TAKEN for what in ("numbers", "planes")}
    for name, data in odd_tiffs.damaged():
        if name == "mmr longer than it is":
            continue  # its end of the page is there: nothing was lost
        with pytest.raises(NotConvertible) as refused:
            fax_pages(data, {}, "image/tiff", folder=str(tmp_path))
        assert refused.value.status == "5.6.1", name
        assert refused.value.cause is next(
            (cause for start, cause in causes.items() if name.startswith(start)), Hindrance.DAMAGED
        ), name


def test_a_page_of_a_tiff_file_that_cannot_be_read_is_not_left_out(tmp_path: Path) -> None:
    """S6: one of three makes the whole file fail; a file whose last page leads to its first has them all."""
    whole = odd_tiffs.several()
    back = bytearray(whole)
    last = odd_tiffs.directories(whole)[-1][1]
    back[last : last + 4] = whole[4:8]
    for data in (whole, bytes(back)):
        assert fax_pages(data, {}, "image/tiff", folder=str(tmp_path))[1] == {"pages": 3}
    count = 0
    for name, data in odd_tiffs.one_page_broken():
        with pytest.raises(NotConvertible) as refused:
            fax_pages(data, {}, "image/tiff", folder=str(tmp_path))
        assert refused.value.cause is Hindrance.DAMAGED, name
        count += 1
    assert count == 18


def test_a_few_damaged_rows_are_mended_and_told(tmp_path: Path) -> None:
    """The page goes out, and how many rows were mended stands beside it."""
    whole = bytearray(odd_tiffs.fax(odd_tiffs.Coding.MH))
    whole[2000] ^= 0x5A
    tiff, facts = fax_pages(bytes(whole), {}, "image/tiff", folder=str(tmp_path))
    assert 1 <= int(str(facts["damaged_rows"])) <= 12
    assert len(pages_of(tiff)) == 1


async def _aside(act):  # type: ignore[no-untyped-def]
    return await deferToThread(act)


@pytest.mark.parametrize("name", ["tiles", "picture", "postscript"])
@pytest_twisted.ensureDeferred
async def test_bombs_for_faxes_end_within_their_bounds(name: str, tmp_path: Path, program) -> None:
    """Five thousand million tiles, a picture of 40,000 by 40,000, PostScript without end: refused or drawn, in time."""
    told = b"/Type/XObject/Subtype/Image/Width 40000/Height 40000/BitsPerComponent 8/ColorSpace/DeviceRGB"
    picture = one_page(b"q 99 0 0 99 0 0 cm /I Do Q", b"", b"<</XObject<</I 6 0 R>>>>", stream(bytes(9999), told))
    if name == "postscript":
        program("gs")
    data = {"tiles": tiles(), "picture": picture, "postscript": b"%!PS\n{} loop\nshowpage\n"}[name]
    documents = Documents(reactor, str(tmp_path / "d"), _aside, Bounds(seconds=2), lambda _: None)
    try:
        with pytest.raises(NotConvertible) as refused:
            made = await documents.perform("fax-pages", octets(data), {}, "")
            raise NotConvertible(Hindrance.TOO_LONG if made.pages == 1 else Hindrance.EMPTY)
        assert refused.value.cause in _BOUND
        assert (await documents.perform("fax-pages", octets(one_page()), {}, "")).pages == 1
    finally:
        await documents.stop()
