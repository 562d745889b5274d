"""The streams that a page of a PDF is drawn with: contents, groups, patterns, letters, pictures, notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

_MOST = 20_000  # streams of a page


@frozen
class Part:
    """A stream of a page.

    :ivar kind: ``contents``, ``group``, ``picture``, or ``font``, which stands for whatever holds no drawing.
    :ivar stream: of pikepdf.
    :ivar resources: that it is drawn with.
    """

    kind: str
    stream: Any = field(repr=False)
    resources: Any = field(default=None, repr=False)


def parts_of(page: Any, seen: set[tuple[int, int]]) -> Iterator[Part]:
    """Every stream that is needed to draw the page, once.

    :param page: its dictionary, of pikepdf.
    :param seen: numbers of objects that were looked at before; they are left out, and new ones come in.
    """
    import pikepdf  # noqa: PLC0415 - only where a PDF comes

    resources = inherited(page, "/Resources")
    told = page.get("/Contents")
    for one in told if isinstance(told, pikepdf.Array) else [told]:
        if isinstance(one, pikepdf.Stream) and _new(one, seen):
            yield Part("contents", one, resources)
    left = [resources]
    for note in _items(page.get("/Annots")):
        left += _looks(note)
    for _ in range(_MOST):
        if not left:
            return
        one = left.pop()
        if isinstance(one, pikepdf.Stream):
            if not _new(one, seen):
                continue
            kind = _kind(one)
            yield Part(kind, one, one.get("/Resources") if kind == "group" else resources)
            left += [one.get("/Resources"), *(one.get(key) for key in ("/SMask", "/Mask"))]
        elif isinstance(one, pikepdf.Dictionary) and _new(one, seen):
            left += _within(one)


def inherited(page: Any, key: str) -> Any:
    """What a page says, or one of the branches above it."""
    for _ in range(50):
        if not hasattr(page, "get"):
            return None
        if key in page:
            return page.get(key)
        page = page.get("/Parent")
    return None


def _new(one: Any, seen: set[tuple[int, int]]) -> bool:
    """It was not looked at; what has no number of its own is part of something that has one."""
    if not one.is_indirect:
        return True
    if one.objgen in seen:
        return False
    seen.add(one.objgen)
    return True


def _items(told: Any) -> list[Any]:
    import pikepdf  # noqa: PLC0415

    if isinstance(told, pikepdf.Array):
        return list(told)
    return list(dict(told).values()) if isinstance(told, pikepdf.Dictionary) else []


def _kind(stream: Any) -> str:
    subtype = str(stream.get("/Subtype", ""))
    if subtype == "/Image":
        return "picture"
    if "/ShadingType" in stream:
        return "font"
    font = subtype in ("/Type1C", "/CIDFontType0C", "/OpenType") or "/Length1" in stream
    return "font" if font else "group"


def _looks(note: Any) -> list[Any]:
    """How a note looks: a stream, or one for each of its states."""
    import pikepdf  # noqa: PLC0415

    if not isinstance(note, pikepdf.Dictionary):
        return []
    told = note.get("/AP")
    normal = told.get("/N") if isinstance(told, pikepdf.Dictionary) else None
    if isinstance(normal, pikepdf.Stream):
        return [normal]
    state = str(note.get("/AS", ""))
    shown = normal.get(state) if isinstance(normal, pikepdf.Dictionary) and state.startswith("/") else None
    return [shown] if shown is not None else []


def _within(one: Any) -> list[Any]:
    """What a dictionary of resources, a font or a state of drawing leads to."""
    found: list[Any] = []
    for key in ("/XObject", "/Pattern", "/Font", "/ExtGState", "/CharProcs", "/Shading"):
        found += _items(one.get(key))
    found += [one.get(key) for key in ("/FontDescriptor", "/FontFile", "/FontFile2", "/FontFile3", "/SMask", "/G")]
    if "/BaseFont" in one:
        found += [*_items(one.get("/DescendantFonts")), one.get("/Resources")]
    return [each for each in found if each is not None]
