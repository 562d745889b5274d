"""Straight lines of a drawing, which we draw ourselves: none is lost, none shows that would not be seen."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageChops, ImageFilter

from mailshare.documents import fax_pdf
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_strips import picture_of

WIDE, HIGH = 595, 842


def a_pdf(content: str, turned: int = 0, box: tuple[int, int, int, int] = (0, 0, WIDE, HIGH)) -> bytes:
    """A page on which that is drawn; ``/G`` lets half of it through, ``/Off`` is a layer that is not to be seen."""
    out = BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(WIDE, HIGH))
        page = document.pages[0]
        layer = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name="Layer"))
        shown = pikepdf.Dictionary(OFF=[layer], Order=[layer])
        document.Root.OCProperties = pikepdf.Dictionary(OCGs=[layer], D=shown)
        half = pikepdf.Dictionary(Type=pikepdf.Name.ExtGState, CA=0.5, ca=0.5)
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        page.Resources = pikepdf.Dictionary(
            ExtGState=pikepdf.Dictionary(G=half), Properties=pikepdf.Dictionary(Off=layer), Font={"/F": font}
        )
        page.Contents = document.make_stream(content.encode())
        page.Rotate, page.MediaBox = turned, list(box)
        document.save(out)
    return out.getvalue()


def lines(count: int = 120, seed: int = 1, end: float = 560) -> str:
    """Lines in all directions, each with how it is drawn."""
    chance, drawn = random.Random(seed), []
    for _ in range(count):
        x0, y0, x1, y1 = (chance.uniform(20, end) for _ in range(4))
        wide, cap, grey = chance.uniform(0.7, 2), chance.choice((0, 1, 2)), chance.choice((0, 0, 0.2))
        drawn.append(f"{wide:.2f} w {cap} J {grey} G {x0:.2f} {y0:.2f} m {x1:.2f} {y1:.2f} l S")
    return "\n".join(drawn)


def drawn(data: bytes, resolution: str = "fine") -> Any:
    """The page in black and white, mode ``L``."""
    [page] = pages_of(fax_pages(data, {"resolution": resolution}, "application/pdf")[0])
    return picture_of(page).convert("L")


def by_pdfium(data: bytes, monkeypatch: pytest.MonkeyPatch, resolution: str = "fine") -> Any:
    """The same, all of it drawn by PDFium."""
    with monkeypatch.context() as patch:
        patch.setattr(fax_pdf, "take_lines", lambda *_: [])
        return drawn(data, resolution)


def black(picture: Any) -> int:
    """How many pixels are."""
    count: int = picture.histogram()[0]
    return count


def astray(one: Any, other: Any) -> int:
    """How many black pixels of one have none of the other even beside them."""
    return black(ImageChops.lighter(one, ImageChops.invert(other.filter(ImageFilter.MinFilter(3)))))


def taken(data: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many thin lines we drew."""
    counts = []
    with monkeypatch.context() as patch:
        patch.setattr(fax_pdf, "draw_lines", lambda _, __, found: counts.append(len(found)))
        drawn(data)
    return sum(counts)


VIEWS: dict[str, tuple[str, int, tuple[int, int, int, int]]] = {
    "as it is": ("", 0, (0, 0, WIDE, HIGH)),
    "scaled and askew": (".8 .1 -.1 .9 40 5 cm", 0, (0, 0, WIDE, HIGH)),
    "squeezed": (".5 0 0 1 150 0 cm", 0, (0, 0, WIDE, HIGH)),
    "mirrored": ("-1 0 0 1 590 0 cm", 0, (0, 0, WIDE, HIGH)),
    "turned": ("", 90, (0, 0, WIDE, HIGH)),
    "upside down": ("", 180, (0, 0, WIDE, HIGH)),
    "from elsewhere": ("1 0 0 1 -300 700 cm", 0, (-300, 700, WIDE - 300, HIGH + 700)),
    "cut at the edge": ("", 0, (100, 100, 400, 500)),
    "too large": ("2 0 0 2 0 0 cm", 0, (0, 0, 2 * WIDE, 2 * HIGH)),
}


@pytest.mark.parametrize("resolution", ["standard", "fine", "superfine"])
@pytest.mark.parametrize("view", VIEWS)
def test_lines_are_where_pdfium_has_them(view: str, resolution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a pixel, of the same width on the whole, and none is lost or added."""
    before, turned, box = VIEWS[view]
    data = a_pdf(f"{before}\n{lines()}", turned, box)
    now, then = drawn(data, resolution), by_pdfium(data, monkeypatch, resolution)
    assert taken(data, monkeypatch) > 20
    # Of ends that are cut off square a pixel of a corner may be missing or stand out.
    assert astray(then, now) <= black(then) / 3000
    assert astray(now, then) <= black(then) / 3000
    assert abs(black(now) - black(then)) <= black(then) / 20


def test_a_single_line_more_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of a page by itself, of those that are as thin as can be."""
    page = lines(60)
    without = drawn(a_pdf(page))
    for more in ("500 700 m 520 800 l S", "300 790 m 500 800 l S", "520 800 m 500 700 l S"):
        data = a_pdf(f"{page}\n0 w 0 G {more}")
        assert taken(data, monkeypatch) > taken(a_pdf(page), monkeypatch)
        assert black(drawn(data)) >= black(without) + 50


HIDDEN = {
    "under white": f"{lines()}\n1 g 100 100 300 300 re f",
    "under a thick white line": f"{lines()}\n1 G 40 w 100 100 m 400 400 l S",
    "under white letters": f"{lines()}\n1 g BT /F 200 Tf 100 200 Td (HIDE) Tj ET",
    "under light letters": f"{lines()}\n1 G 0 g BT 1 Tr 9 w /F 200 Tf 100 200 Td (HIDE) Tj ET",
    "under a picture": f"{lines()}\nq 300 0 0 300 100 100 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \xff EI Q",
    "under glass": f"{lines()}\n/G gs 1 g 100 100 300 300 re f",
    "in a layer that is off": f"/OC /Off BDC\n{lines()}\nEMC",
    "clipped": f"q 200 200 100 100 re W n\n{lines()}\nQ",
    "transparent": f"/G gs\n{lines()}",
    "dashed": f"[20 20] 0 d\n{lines()}",
    "light": lines().replace(" G ", " 0 0 0.9 0.9 rg .9 G "),
    "thick": lines().replace(" w ", " w 30 w "),
    "filled": lines().replace(" S", " f"),
    "too few": lines(20),
    "along an axis": "\n".join(f"0 G 1 w 50 {y} m 500 {y} l S {y} 50 m {y} 500 l S" for y in range(50, 500, 5)),
}


@pytest.mark.parametrize("how", HIDDEN)
def test_what_is_not_plain_is_left_to_pdfium(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that something hides, cuts or lightens look as they are meant to: not a pixel is ours."""
    data = a_pdf(HIDDEN[how])
    assert taken(data, monkeypatch) == 0
    assert ImageChops.difference(drawn(data), by_pdfium(data, monkeypatch)).getbbox() is None


def test_lines_above_what_hides_others_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a white field lie lines that stay hidden, before it those that do not, among black letters and fields."""
    words = "0 g BT /F 12 Tf 60 60 Td (Words) Tj ET 70 80 20 20 re f"
    data = a_pdf(f"{lines(90, 2)}\n1 g 0 0 595 842 re f\n0 g\n{lines(90, 3)}\n{words}\n{lines(9, 4)}")
    shown = a_pdf(f"{lines(90, 3)}\n{words}\n{lines(9, 4)}")
    assert taken(data, monkeypatch) > 90
    now, then = drawn(data), by_pdfium(shown, monkeypatch)
    assert astray(then, now) <= black(then) / 3000
    assert astray(now, then) <= black(then) / 3000


def test_a_comment_stuck_above_hides_what_it_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with annotations is left to PDFium."""
    out = BytesIO()
    with pikepdf.open(BytesIO(a_pdf(lines()))) as document:
        look = document.make_stream(b"1 g 0 0 300 300 re f")
        look.Type, look.Subtype, look.BBox = pikepdf.Name.XObject, pikepdf.Name.Form, [0, 0, 300, 300]
        note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Stamp, Rect=[100, 100, 400, 400], F=4)
        note.AP = pikepdf.Dictionary(N=look)
        document.pages[0].Annots = [document.make_indirect(note)]
        document.save(out)
    data = out.getvalue()
    assert taken(data, monkeypatch) == 0
    page = drawn(data)
    assert black(page.crop((350, 1300, 1050, 1950))) == 0
    assert isinstance(page, Image.Image)
