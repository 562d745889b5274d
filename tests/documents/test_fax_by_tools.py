"""Documents that other programs open become pages of a fax; and where on the paper things come to stand."""

from __future__ import annotations

import base64
import mimetypes
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve
from made_papers import octets, pdf
from odd_tiffs import tiff
from test_fax_profiles import ROWS, SAMPLES, WIDTH, pixels
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents import html_pages
from mailshare.documents.bounds import Bounds
from mailshare.documents.fax_pages import fax_finished, fax_pages, make_pages, pages_of
from mailshare.documents.fax_strips import picture_of
from mailshare.documents.operations import Work
from mailshare.documents.service import Documents

SIZES = {"A4": (595.28, 841.89), "Letter": (612, 792), "Legal": (612, 1008), "B4": (708.66, 1000.63)}
SIZES["A3"] = (841.89, 1190.55)
LINES = {"standard": 98, "fine": 196, "superfine": 391}


async def _aside(act):  # type: ignore[no-untyped-def]
    return await deferToThread(act)


@pytest_twisted.async_yield_fixture
async def documents(tmp_path: Path) -> AsyncIterator[Documents]:
    made = Documents(reactor, str(tmp_path / "documents"), _aside, Bounds(seconds=20), lambda _: None)
    yield made
    await made.stop()


async def pages_from(documents: Documents, data: bytes, declared: str = "") -> list[FaxPage]:
    made = await documents.perform("fax-pages", octets(data), {}, declared)
    tiff = await made.read(0, made.size)
    made.release()
    return pages_of(tiff)


def ink(page: FaxPage) -> tuple[int, int, int, int]:
    """The box of what is black."""
    return picture_of(page).point([255] + [0] * 255, "1").getbbox()  # type: ignore[no-any-return]


@pytest.mark.peers
@pytest_twisted.ensureDeferred
async def test_postscript_becomes_pages(documents: Documents, program) -> None:
    """By Ghostscript, in the confined process: an inch is an inch."""
    program("gs")
    text = b"%!PS\n<</PageSize[595 842]>>setpagedevice\n72 698 72 72 rectfill showpage 72 72 144 72 rectfill showpage\n"
    one, two = await pages_from(documents, text)
    left, top, right, bottom = ink(one)
    assert (right - left, bottom - top, top) == (pytest.approx(204, abs=2), pytest.approx(196, abs=2), 196)
    assert ink(two)[2] - ink(two)[0] == pytest.approx(408, abs=2)


@pytest_twisted.ensureDeferred
async def test_office_documents_become_pages(documents: Documents, tmp_path: Path) -> None:
    """By a program that behaves as LibreOffice does, where the configuration says it is; without one it is said so."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "made.pdf").write_bytes(pdf(2))
    script = """\
        #!/bin/sh
        while [ $# -gt 1 ]; do [ "$1" = --outdir ] && out=$2; shift; done
        case "$1" in *.rtf) cp "$(dirname "$0")/made.pdf" "$out/document.pdf" ;; *) exit 1 ;; esac
        """
    (folder / "soffice").write_text(textwrap.dedent(script))
    (folder / "soffice").chmod(0o755)
    letter = b"{\\rtf1 Dear Sir}"
    documents.follow(evolve(documents.bounds, tools=()))
    with pytest.raises(NotConvertible) as refused:
        await pages_from(documents, letter)
    assert refused.value.cause is Hindrance.TOOL_MISSING
    documents.follow(evolve(documents.bounds, tools=("gs", str(folder / "soffice"))))
    assert len(await pages_from(documents, letter)) == 2


@pytest.mark.parametrize("way", ["made", "gives up", "of another size", "no picture"])
@pytest_twisted.ensureDeferred
async def test_jbig_is_given_to_a_program(way: str, documents: Documents, tmp_path: Path) -> None:
    """What it makes is the page; without it, and where it makes no such page, the page is what it was."""
    script = {
        "made": "(printf 'P4 60 45\\n'; head -c 360 /dev/zero | tr '\\0' '\\377') > $2",
        "gives up": "exit 1",
        "of another size": "(printf 'P4 8 8\\n'; head -c 8 /dev/zero) > $2",
        "no picture": "echo > $2",
    }[way]
    (tmp_path / "jbgtopbm").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "jbgtopbm").chmod(0o755)
    data = tiff([base64.b64decode(SAMPLES["-p 0"]) + bytes(1000)], {256: WIDTH, 257: ROWS, 259: 9})
    documents.follow(evolve(documents.bounds, tools=()))
    [without] = await pages_from(documents, data, "image/tiff")
    documents.follow(evolve(documents.bounds, tools=(str(tmp_path / "jbgtopbm"),)))
    [page] = await pages_from(documents, data, "image/tiff")
    left, top, right, bottom = ink(page)
    assert (right - left, bottom - top) == (WIDTH, ROWS)
    assert picture_of(page).crop((left, top, right, bottom)).histogram()[0] == (
        WIDTH * ROWS if way == "made" else sum(pixels())
    )
    assert (page == without) is (way != "made")


def test_html_looks_as_it_is_meant_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something can lay it out; its words where nothing can."""
    (tmp_path / "source").write_bytes(b"<html><body><p>Some words</body></html>")
    work = Work(str(tmp_path), str(tmp_path / "source"), str(tmp_path / "target"), "text/html", {"paper": "Letter"})
    monkeypatch.setattr(html_pages, "to_pdf", lambda *_: False)
    assert make_pages(work)["pages"] == 1
    asked = []

    def laid_out(_: Work, target: str, paper: tuple[float, float]) -> bool:
        asked.append(paper)
        Path(target).write_bytes(pdf(3))
        return True

    monkeypatch.setattr(html_pages, "to_pdf", laid_out)
    assert make_pages(work)["pages"] == 3
    assert asked == [(612.0, 792.0)]


@pytest.mark.parametrize("resolution", list(LINES))
@pytest.mark.parametrize("paper", list(SIZES))
def test_an_inch_is_an_inch_on_every_paper(paper: str, resolution: str) -> None:
    """A square of an inch, from the corner of a page of that paper: padded in the middle, never stretched."""
    size = SIZES[paper]
    document = pdf(1, size, f"0 {size[1] - 72} 72 72 re f 0 0 {size[0]} 2 re f")
    [page] = pages_of(fax_pages(document, {"paper": paper, "resolution": resolution})[0])
    lines = LINES[resolution]
    whole = ink(page)
    square = picture_of(page).crop((0, 0, page.width, 2 * lines)).point([255] + [0] * 255, "1").getbbox()
    across = round(size[0] / 72 * 204)
    left = (page.width - across) // 2  # of Letter, half a millimetre of each margin is wider than any machine
    assert square[:2] == (pytest.approx(max(left, 0), abs=2), 0)
    assert square[2:] == (pytest.approx(left + 204, abs=2), pytest.approx(lines, abs=2))
    assert whole[2] - whole[0] == pytest.approx(min(across, page.width), abs=4)
    assert whole[3] == pytest.approx(size[1] / 72 * lines, abs=3)


@pytest.mark.parametrize("paper", ["Letter", "Legal", "B4", "A3"])
def test_larger_pages_shrink_evenly_onto_a4(paper: str) -> None:
    """A square stays a square in inches, and all of the page is there."""
    wide, high = SIZES[paper]
    document = pdf(1, (wide, high), f"0 {high - 144} 144 144 re f {wide - 20} 0 20 20 re f")
    [page] = pages_of(fax_pages(document, {"paper": "A4"})[0])
    top = picture_of(page).crop((0, 0, 1728, 420)).point([255] + [0] * 255, "1").getbbox()
    shown = ((top[2] - top[0]) / 204, (top[3] - top[1]) / 196)
    scale = min(1.0, 1728 / 204 / (wide / 72), 297 / 25.4 / (high / 72))
    assert shown == (pytest.approx(2 * scale, abs=0.03), pytest.approx(2 * scale, abs=0.03))
    assert ink(page)[3] == pytest.approx(high / 72 * scale * 196, abs=3)


@pytest.mark.parametrize("coding", list(Coding))
@pytest.mark.parametrize("resolution", list(LINES))
def test_the_line_on_top_is_as_high_in_every_resolution(resolution: str, coding: Coding) -> None:
    """An eighth of an inch, on every page its own number, and below it the page as it was, to the pixel."""
    tiff, _ = fax_pages(pdf(2), {"resolution": resolution})
    plain = [picture_of(page) for page in pages_of(tiff)]
    long = "A sender whose name is longer than the line could ever bear " * 3
    finished, _ = fax_finished(tiff, {"head": ["21 Nov 2026", long, "page {page} of {pages}"], "coding": coding.value})
    heads = []
    for page, before in zip(pages_of(finished), plain, strict=True):
        high = page.rows - before.height
        assert high / LINES[resolution] == pytest.approx(26 / 196, abs=0.01)
        picture = picture_of(page)
        assert picture.crop((0, high, 1728, page.rows)).tobytes() == before.tobytes()
        head = picture.crop((0, 0, 1728, high)).point([255] + [0] * 255, "1")
        thirds = [head.crop(box).getbbox() for box in ((0, 0, 500, high), (540, 0, 1370, high), (1395, 0, 1728, high))]
        assert all(thirds)
        assert head.crop((505, 0, 530, high)).getbbox() is None  # what is too long is cut off, and runs into nothing
        heads.append(head.tobytes())
    assert heads[0] != heads[1]


@pytest.mark.parametrize(("paper", "width"), [("A4", 1728), ("B4", 2048), ("A3", 2432)])
def test_a_cover_page_alone_has_the_size_of_the_paper(paper: str, width: int) -> None:
    """Its fields stand on it, and nothing else is sent."""
    cover = {"fields": {"From": "Anna Bell", "To": "Ms Miller"}, "text": "Hello"}
    tiff, facts = fax_finished(b"\n", {"cover": cover, "paper": paper})
    [page] = pages_of(tiff)
    assert (page.width, facts) == (width, {"pages": 1})
    assert ink(page)[2] > 500


STAND_IN = """
import mimetypes
if mimetypes.knownfiles:
    raise PermissionError(13, "Permission denied", mimetypes.knownfiles[0])
class CSS:
    def __init__(self, **of): pass
class HTML(CSS):
    pages = [1]
    def render(self, **of): return self
    def write_pdf(self, target): open(target, "wb").close()
"""


def test_what_a_layout_engine_may_not_read_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WeasyPrint 70 reads /etc/mime.types when it is imported, which a confined process may not: it was never found."""
    (tmp_path / "weasyprint.py").write_text(STAND_IN)
    (tmp_path / "source").write_bytes(b"<p>Words")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(mimetypes, "knownfiles", ["/etc/mime.types"])
    work = Work(str(tmp_path), str(tmp_path / "source"), str(tmp_path / "target"), "text/html")
    assert html_pages.to_pdf(work, str(tmp_path / "made.pdf"), (595, 842))
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
