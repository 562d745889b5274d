"""What somebody put on a page of a PDF stands on the fax, with or without the flag for printing."""

from __future__ import annotations

import pytest
from odd_pdfs import FONT, PAGE, objects, stream

from mailshare.core.documents import NotConvertible
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_strips import picture_of

LOOK = stream(b"0 g 0 0 100 40 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 100 40]")
FORM = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]/DA(/F 12 Tf 0 g)/DR 5 0 R>>>>"


def noted(kind: str, flags: int, more: bytes) -> bytes:
    """An empty page with one note on it."""
    note = b"<</Type/Annot/Subtype/%b/Rect[100 100 200 140]/F %d%b>>" % (kind.encode(), flags, more)
    tree = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
    return objects(FORM, tree, PAGE % b"/Annots[6 0 R]", stream(b""), FONT, note, LOOK)


def black(data: bytes) -> int:
    [page] = pages_of(fax_pages(data, {}, "application/pdf")[0])
    return int(picture_of(page).histogram()[0])


@pytest.mark.parametrize("flags", [0, 4])
@pytest.mark.parametrize("kind", ["Stamp", "FreeText", "Ink", "Square", "Line", "Polygon", "Highlight", "Widget"])
def test_marks_are_seen(kind: str, flags: int) -> None:
    """As they look; those that are hidden, or not for the screen, are not."""
    more = b"/AP<</N 7 0 R>>" + (b"/FT/Tx/T(a)/V(x)" if kind == "Widget" else b"")
    assert black(noted(kind, flags, more)) == 30956
    assert black(noted(kind, flags | 2, more)) == 0


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Widget", b"/FT/Tx/T(a)/V(filled in)/DA(/F 12 Tf 0 g)"),
        ("Widget", b"/FT/Ch/Ff 131072/T(a)/V(filled in)/Opt[(filled in)(b)]/DA(/F 12 Tf 0 g)"),
        ("FreeText", b"/Contents(A note)/DA(/Helv 12 Tf 0 g)"),
        ("Ink", b"/InkList[[110 110 150 130 190 110]]/C[0 0 0]/BS<</W 3>>"),
        ("Square", b"/C[0 0 0]/BS<</W 3>>"),
    ],
)
def test_what_has_no_look_of_its_own_is_given_one(kind: str, more: bytes) -> None:
    """Values of fields, words, lines."""
    for flags in (0, 4):
        assert black(noted(kind, flags, more)) > 500, flags


@pytest.mark.parametrize(("kind", "word"), [("Stamp", "stamp"), ("Line", "line"), ("Polygon", "polygon")])
def test_what_nobody_here_can_draw_is_refused(kind: str, word: str) -> None:
    """With a sentence, instead of a page without it."""
    with pytest.raises(NotConvertible) as refused:
        black(noted(kind, 4, b"/L[110 110 190 130]/Vertices[110 110 150 130 190 110]"))
    assert f"a {word} on it does not say how it looks" in refused.value.public
    assert black(noted(kind, 2, b"")) == 0


@pytest.mark.parametrize("kind", ["Text", "Link", "Popup", "FileAttachment"])
def test_signs_follow_the_flag(kind: str) -> None:
    """What is only for the screen stays there."""
    assert black(noted(kind, 0, b"/AP<</N 7 0 R>>")) == 0
