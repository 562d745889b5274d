"""PDF: how many pages, what else is in it, and another one made of chosen pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.bounds import Bounds
from mailshare.documents.looking import check_pages

_GRIDS = {2: (1, 2), 4: (2, 2), 6: (2, 3), 9: (3, 3), 16: (4, 4)}  # (across, down) on upright paper
_LEAST, _MOST = 3.0, 14_400.0  # points of a side of a page (ISO 32000-1 annex C)
_A4 = (595.28, 841.89)
_HUNDREDTHS = 2540 / 72  # of a millimetre in a point


def opened(path: str, bounds: Bounds) -> Any:
    """The document of PDFium.

    :raises NotConvertible: DAMAGED, ENCRYPTED, EMPTY, TOO_MANY_PAGES.
    """
    import pypdfium2  # noqa: PLC0415 - optional, and never opened in the server

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as fault:
        cause = Hindrance.ENCRYPTED if "password" in str(fault).lower() else Hindrance.DAMAGED
        raise NotConvertible(cause, detail={"why": str(fault)}) from fault
    check_pages(len(document), bounds.pages)
    return document


def look(path: str, bounds: Bounds) -> Mapping[str, object]:
    """Pages, size of the first one, whether it is encrypted, and what it wants done."""
    try:
        document = opened(path, bounds)
    except NotConvertible as refusal:
        if refusal.cause is Hindrance.ENCRYPTED:
            return {"encrypted": True}
        raise
    width, height = document.get_page_size(0)
    told: dict[str, object] = {"pages": len(document), "active": active_parts(path)}
    if 0 < width < 1_000_000 and 0 < height < 1_000_000:
        told["size"] = [round(width * _HUNDREDTHS), round(height * _HUNDREDTHS)]
    return told


def active_parts(path: str) -> list[str]:
    """What the document wants done besides being shown."""
    import pikepdf  # noqa: PLC0415

    try:
        with pikepdf.open(path) as pdf:
            return sorted(_active(pdf))
    except pikepdf.PasswordError:
        return []
    except pikepdf.PdfError:
        return []  # PDFium opened it, and it runs nothing


def _active(pdf: Any) -> set[str]:
    root, found = pdf.Root, set()
    names = root.get("/Names")
    for key, what in (("/JavaScript", "javascript"), ("/EmbeddedFiles", "embedded-file")):
        if names is not None and key in names:
            found.add(what)
    for action in (root.get("/OpenAction"), *dict(root.get("/AA") or {}).values()):
        kind = str(action.get("/S", "")) if hasattr(action, "get") and not isinstance(action, list) else ""
        found |= {"/JavaScript": {"javascript"}, "/Launch": {"launch"}}.get(kind, set())
    return found


def made_passive(pdf: Any) -> None:
    """Take out of an open document what it wants done besides being shown."""
    for key in ("/OpenAction", "/AA"):
        if key in pdf.Root:
            del pdf.Root[key]
    names = pdf.Root.get("/Names")
    for key in ("/JavaScript", "/EmbeddedFiles"):
        if names is not None and key in names:
            del names[key]


def arranged(
    source: str, target: str, bounds: Bounds, *, ranges: Sequence[Sequence[int]] = (), up: int = 1, copies: int = 1
) -> int:
    """Write a PDF of chosen pages, several on one, all of them so many times; nothing in it does anything by itself.

    :param ranges: first and last page, from 1, ascending.
    :returns: its pages.
    :raises NotConvertible: NO_SUCH_PAGES, TOO_MANY_PAGES, ENCRYPTED.
    """
    import pikepdf  # noqa: PLC0415

    try:
        pdf = pikepdf.open(source)
    except pikepdf.PasswordError as fault:
        raise NotConvertible(Hindrance.ENCRYPTED) from fault
    with pdf:
        chosen = chosen_pages(len(pdf.pages), ranges)
        check_pages(-(-len(chosen) // up) * copies, bounds.pages)
        made_passive(pdf)
        if ranges:
            wanted = set(chosen)
            for index in reversed(range(len(pdf.pages))):
                if index not in wanted:
                    del pdf.pages[index]
        if up > 1:
            _several_on_one(pdf, up)
        single = len(pdf.pages)
        for _ in range(copies - 1):
            for index in range(single):
                pdf.pages.append(pdf.pages[index])
        pdf.save(target)
        return len(pdf.pages)


def chosen_pages(count: int, ranges: Sequence[Sequence[int]]) -> list[int]:
    """Their indexes, from 0.

    :raises NotConvertible: NO_SUCH_PAGES.
    """
    if not ranges:
        return list(range(count))
    chosen = [page - 1 for first, last in ranges for page in range(max(first, 1), min(last, count) + 1)]
    if not chosen:
        raise NotConvertible(Hindrance.NO_SUCH_PAGES, f"The document has {count} pages, and none of those asked for")
    return chosen


def _several_on_one(pdf: Any, up: int) -> None:
    """Lay the pages out in rows from the top, on paper of the size of the first page of each sheet."""
    import pikepdf  # noqa: PLC0415

    count = len(pdf.pages)
    for start in range(0, count, up):
        first = pdf.pages[start]
        left, bottom, right, top = (float(side) for side in first.mediabox)
        if not (_LEAST <= right - left <= _MOST and _LEAST <= top - bottom <= _MOST):
            left, bottom, right, top = 0.0, 0.0, *_A4
        narrow, wide = sorted((right - left, top - bottom))
        across, down = _GRIDS[up]
        page_lies = (right - left > top - bottom) is not (int(first.obj.get("/Rotate", 0)) % 180 == 90)
        if page_lies:
            across, down = down, across
        width, height = (narrow, wide) if (across == down and not page_lies) or across < down else (wide, narrow)
        if across != down:  # pages that stand go side by side on paper that lies, and the other way round
            width, height, across, down = height, width, down, across
        pdf.add_blank_page(page_size=(width, height))
        sheet = pdf.pages[-1]
        for place in range(min(up, count - start)):
            row, column = divmod(place, across)
            box = pikepdf.Rectangle(
                width * column / across,
                height * (down - row - 1) / down,
                width * (column + 1) / across,
                height * (down - row) / down,
            )
            sheet.add_overlay(pdf.pages[start + place], box)
    for _ in range(count):
        del pdf.pages[0]
