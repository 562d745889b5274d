"""Transmission reports and the activity journal as PDF files, as a fax machine prints them.

Everything that is written comes from the queue and the journal; the small picture of the first page is drawn by the
confined process. fpdf2 sets the text; it is imported when the first report is made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from io import BytesIO
from typing import Any

from mailshare.core.errors import ConfigFault

_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
_MARGIN, _LINE, _WIDTH = 15.0, 5.5, 180.0  # millimetres
_PICTURE = 95.0  # width of the first page
_MOST_ROWS = 2000
_JOURNAL = (
    ("at", "Time", 42.0),
    ("way", "", 10.0),
    ("number", "Number", 36.0),
    ("pages", "Pages", 16.0),
    ("seconds", "Seconds", 18.0),
    ("tries", "Calls", 14.0),
    ("result", "Result", 44.0),
)


def shown_time(text: str, zone: tzinfo) -> str:
    """An instant of an answer (RFC 3339) on the wall clock; empty for none."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def transmission_report(
    facts: Sequence[tuple[str, str]], calls: Sequence[Mapping[str, str]], picture: bytes, *, title: str
) -> bytes:
    """A report on one fax.

    :param facts: name and value of each line of the head.
    :param calls: ``at``, ``result``, ``line``, ``pages`` and ``seconds`` of each call, the first one first.
    :param picture: PNG of the first page; empty = none.
    """
    pdf = _paper(title)
    for name, value in facts:
        _row(pdf, [(name, 45.0), (value, _WIDTH - 45.0)])
    pdf.ln(_LINE)
    widths = {"at": 52.0, "line": 30.0, "pages": 18.0, "seconds": 20.0, "result": 60.0}
    _row(pdf, [(name.capitalize(), width) for name, width in widths.items()], rule=True)
    for call in calls:
        _row(pdf, [(call.get(name, ""), width) for name, width in widths.items()])
    if picture:
        pdf.ln(_LINE)
        if pdf.get_y() > 150:
            pdf.add_page()
        left, top = pdf.get_x(), pdf.get_y()
        placed = pdf.image(BytesIO(picture), x=left, y=top, w=_PICTURE, h=297.0 - _MARGIN - top, keep_aspect_ratio=True)
        pdf.rect(left, top, placed.rendered_width, placed.rendered_height)
    return bytes(pdf.output())


def activity_journal(rows: Sequence[Mapping[str, object]], *, title: str) -> bytes:
    """What was sent and received, a line for each.

    :param rows: with ``at``, ``way``, ``number``, ``pages``, ``seconds``, ``tries`` and ``result``.
    """
    pdf = _paper(title)
    _row(pdf, [(name, width) for _, name, width in _JOURNAL], rule=True)
    for one in rows[:_MOST_ROWS]:
        _row(pdf, [(str(one.get(key, "")), width) for key, _, width in _JOURNAL])
    if len(rows) > _MOST_ROWS:
        _row(pdf, [(f"{len(rows) - _MOST_ROWS} more are not shown", _WIDTH)])
    return bytes(pdf.output())


def _paper(title: str) -> Any:
    try:
        from fpdf import FPDF  # noqa: PLC0415 - see the head of this module
    except ImportError as fault:
        raise ConfigFault("Reports as PDF need the package fpdf2; install mailshare[fax]") from fault
    pdf = FPDF(unit="mm", format="A4")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN)
    family = "Helvetica"
    if os.path.exists(_FONT):
        pdf.add_font("office", fname=_FONT)
        family = "office"
    pdf.set_title(title)
    pdf.add_page()
    pdf.set_font(family, size=14)
    _row(pdf, [(title, _WIDTH)])
    pdf.ln(_LINE / 2)
    pdf.set_font(family, size=9)
    return pdf


def _row(pdf: Any, cells: Sequence[tuple[str, float]], *, rule: bool = False) -> None:
    """One line; what is too long for its cell is cut, so that nothing is written over its neighbour."""
    for text, width in cells:
        pdf.cell(width, _LINE, _fitting(pdf, text, width - 1.5), border="B" if rule else 0)
    pdf.ln(_LINE)


def _fitting(pdf: Any, text: str, width: float) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    if pdf.font_family.casefold() == "helvetica":
        plain = plain.encode("latin-1", "replace").decode("latin-1")
    if pdf.get_string_width(plain) <= width:
        return plain
    while plain and pdf.get_string_width(plain + "...") > width:
        plain = plain[:-1]
    return plain + "..."
