"""Notes on a page of a PDF: stamps, words and lines that somebody put on it stand on the fax as they do on the screen.

Programs that draw for paper leave out each note whose flag for printing is not set. Who faxes a document that he has
stamped or written on has seen his marks there, and not that flag, which many programs forget. Signs of notes that open,
links and attachments stay as the flag says. Fields of forms are drawn in any case.

Source: ISO 32000-1 sections 12.5.3 (flags) and 12.5.6 (kinds of notes).
"""

from __future__ import annotations

from typing import Any

from mailshare.core.documents import Hindrance, NotConvertible

_UNSEEN = 1 << 1 | 1 << 5  # hidden; not on the screen
_PRINTED = 1 << 2
_FREE_TEXT, _LINE, _SQUARE, _CIRCLE, _POLYGON, _POLYLINE, _HIGHLIGHT, _UNDERLINE = range(3, 11)  # FPDF_ANNOT_
_SQUIGGLY, _STRIKEOUT, _STAMP, _CARET, _INK = range(11, 16)
_MARKS = frozenset(range(_FREE_TEXT, _INK + 1))
_OF_NO_LOOK = {_LINE: "line", _POLYGON: "polygon", _POLYLINE: "line", _STAMP: "stamp"}
_MOST = 10_000


def show_notes(page: Any, number: int, pdfium: Any) -> None:
    """Let the marks on it be drawn.

    :param page: of pypdfium2. ``number``: from 1.
    :raises NotConvertible: DAMAGED: one does not say how it looks, and PDFium draws none of that kind by itself.
    """
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        try:
            kind, flags = pdfium.FPDFAnnot_GetSubtype(note), pdfium.FPDFAnnot_GetFlags(note)
            if kind not in _MARKS or flags & _UNSEEN:
                continue
            if kind in _OF_NO_LOOK and not pdfium.FPDFAnnot_HasKey(note, b"AP"):
                what = f"a {_OF_NO_LOOK[kind]} on it does not say how it looks; please print the document to a new PDF"
                raise NotConvertible(Hindrance.DAMAGED, f"Part of page {number} of the PDF would be lost: {what}")
            if not flags & _PRINTED:
                pdfium.FPDFAnnot_SetFlags(note, flags | _PRINTED)
        finally:
            pdfium.FPDFPage_CloseAnnot(note)
