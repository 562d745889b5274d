"""Slips of paper, as PDF: a page of size A6 for each person, to be cut out, filled in by hand and handed over.

Characters that are not Latin need DejaVu Sans on the computer, as Debian's fonts-dejavu-core brings it; without, a
question mark stands for each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mailshare.core.errors import Unavailable

_FOLDER = "/usr/share/fonts/truetype/dejavu"
_PAPER = (105.0, 148.0)  # A6, in mm
_EDGE = 9.0
_LABEL, _LINE = 32.0, 4.6
_MOST_ADDRESSES = 3


def slips(pages: Sequence[Mapping[str, Any]], told: Callable[[str], str] = str) -> bytes:
    """A PDF.

    :param pages: as :func:`mailshare.web.handout.page` makes them; with ``password``, it is printed.
    :param told: says a sentence in the reader's language.
    :raises Unavailable: the library that makes PDF is not installed.
    """
    try:
        from fpdf import FPDF  # noqa: PLC0415 - few ask for paper
    except ModuleNotFoundError as error:
        raise Unavailable("PDF needs fpdf2; install mailshare with its extra: mailshare[web]") from error
    document: Any = FPDF(unit="mm", format=_PAPER)
    document.set_auto_page_break(auto=True, margin=_EDGE)
    document.set_margins(_EDGE, _EDGE)
    document.set_title("mailshare")
    pen = _Pen(document)
    for page in pages:
        document.add_page()
        _slip(pen, page, told)
    return bytes(document.output())


class _Pen:
    """Writes text in a font that has its letters, if there is one."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._wide = os.path.exists(os.path.join(_FOLDER, "DejaVuSans.ttf"))
        self._loaded = False

    def use(self, size: float, text: str, *, bold: bool = False) -> str:
        """Choose the font; the text as that font can write it."""
        plain = text.encode("latin-1", "replace").decode("latin-1")
        if plain == text or not self._wide:
            self.document.set_font("helvetica", "B" if bold else "", size)
            return plain
        if not self._loaded:
            for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
                file = os.path.join(_FOLDER, name)
                self.document.add_font("wide", style, file if os.path.exists(file) else f"{_FOLDER}/DejaVuSans.ttf")
            self._loaded = True
        self.document.set_font("wide", "B" if bold else "", size)
        return text

    def paragraph(self, size: float, text: str, *, bold: bool = False) -> None:
        """Text over the whole width."""
        words = self.use(size, text, bold=bold)
        self.document.multi_cell(0, size * 0.46, words, new_x="LMARGIN", new_y="NEXT", wrapmode="CHAR")

    def row(self, label: str, value: str) -> None:
        """A label and its value beside it."""
        document = self.document
        top = document.get_y()
        document.cell(_LABEL, _LINE, self.use(7.5, label))
        document.set_xy(_EDGE + _LABEL, top)
        words = self.use(8.5, value, bold=True)
        document.multi_cell(0, _LINE, words, new_x="LMARGIN", new_y="NEXT", wrapmode="CHAR", align="L")


def _slip(pen: _Pen, page: Mapping[str, Any], told: Callable[[str], str]) -> None:
    document = pen.document
    pen.paragraph(14, told(f"Mail for {page['name']}"), bold=True)
    document.ln(2)
    for row in page["values"]:
        if "fingerprint" not in row["label"]:
            pen.row(told(row["label"]), row["value"])
    pen.row(told("Password"), str(page.get("password", "")))
    if not page.get("password"):
        document.line(_EDGE + _LABEL, document.get_y(), _PAPER[0] - _EDGE, document.get_y())
    for identity in page["addresses"]:
        if identity["usable"]:
            document.ln(2)
            pen.paragraph(7.5, told(f"Others write to you ({identity['address']}) as"))
            for text in identity["usable"][:_MOST_ADDRESSES]:
                pen.paragraph(8, text, bold=True)
    if page["authority"]:
        document.ln(2)
        pen.paragraph(7.5, told("SHA-256 fingerprint of the certificate to trust"))
        pen.paragraph(6.5, page["authority"]["sha256"])
