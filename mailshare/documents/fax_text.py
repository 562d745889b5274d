"""Text as pages of a fax: plain text and the words of HTML, the cover page, and the line at the head of each page."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from mailshare.core.values.fax import FaxPage
from mailshare.documents.fax_bits import inked
from mailshare.documents.fax_paper import ACROSS, Layout
from mailshare.documents.fax_strips import coded_bits

_FONTS = ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "NotoSansMono-Regular.ttf")
_COLUMNS = 80
_SIZE = 31  # pixels at 204 an inch: 80 columns fill the paper between its margins
_LINE = 40
_MARGIN = 110
_HEAD = 26 / 196  # inches of the line at the head
# Of the line at the head: from where to where of the width a text may go, and where it stands there.
_THIRDS = ((0.023, 0.29, 0.0), (0.31, 0.79, 0.5), (0.81, 0.977, 1.0))
_MOST_TEXT = 2_000_000  # characters


def _font(size: int) -> Any:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)  # comes with Pillow; Latin letters only


def text_pages(text: str, layout: Layout) -> Iterator[FaxPage]:
    """Pages, in MMR, of text in lines of 80 columns; a form feed begins a page."""
    height = round(layout.inches[1] * ACROSS)
    most = (height - 2 * _MARGIN) // _LINE
    for sheet in text[:_MOST_TEXT].rstrip().split("\f"):
        lines = [row for line in sheet.splitlines() or [""] for row in wrapped(line)]
        for start in range(0, len(lines), most):
            yield _sheet(lines[start : start + most], layout)


def wrapped(line: str, columns: int = _COLUMNS) -> list[str]:
    """A line as rows of at most that many columns, broken at blanks where there are any."""
    line = "".join(char for char in line.expandtabs(8) if char.isprintable())
    if len(line) <= columns:
        return [line.rstrip()]
    return textwrap.wrap(line, columns, drop_whitespace=True, break_on_hyphens=False) or [""]


def _sheet(lines: Sequence[str], layout: Layout) -> FaxPage:
    height = round(layout.inches[1] * ACROSS)
    page = Image.new("L", (layout.width, height), 255)
    draw, font = ImageDraw.Draw(page), _font(_SIZE)
    for number, line in enumerate(lines):
        if line:
            draw.text((_MARGIN, _MARGIN + number * _LINE), line, fill=0, font=font)
    return _settled(page, layout)


def _settled(page: Any, layout: Layout) -> FaxPage:
    """From square pixels to the lines of the layout."""
    right = page.resize((layout.width, layout.rows), Image.Resampling.BILINEAR)
    return coded_bits(inked(right.tobytes(), layout.width), ACROSS, layout.lines)


def cover_page(fields: Mapping[str, str], text: str, layout: Layout, *, title: str = "FAX", note: str = "") -> FaxPage:
    """The cover page, in MMR.

    :param fields: what stands on it, label to value, in their order; empty values are left out.
    :param text: below them, as much as there is room for.
    :param title: large words on top; ``note`` stands at the foot.
    """
    height = round(layout.inches[1] * ACROSS)
    page = Image.new("L", (layout.width, height), 255)
    draw = ImageDraw.Draw(page)
    size = 150
    while size > 40 and draw.textlength(title, font=_font(size)) > layout.width - 2 * _MARGIN:
        size -= 10
    draw.text((_MARGIN, 150), title, fill=0, font=_font(size))
    label, font, at = _font(30), _font(36), 380
    for name, value in fields.items():
        if not value:
            continue
        draw.text((_MARGIN, at + 5), name, fill=0, font=label)
        for row in wrapped(value, 50)[:3]:
            draw.text((_MARGIN + 300, at), row, fill=0, font=font)
            at += 56
        at += 14
    draw.line((_MARGIN, at + 20, layout.width - _MARGIN, at + 20), fill=0, width=4)
    at += 70
    body = _font(_SIZE)
    foot = [row for line in note[:2_000].splitlines() for row in wrapped(line)][:12]
    for number, row in enumerate(foot):
        draw.text((_MARGIN, height - _MARGIN - (len(foot) - number) * _LINE), row, fill=0, font=body)
    height -= (len(foot) + 1) * _LINE if foot else 0
    for row in (row for line in text[:20_000].splitlines() for row in wrapped(line)):
        if at > height - _MARGIN - _LINE:
            break
        draw.text((_MARGIN, at), row, fill=0, font=body)
        at += _LINE
    return _settled(page, layout)


def head_line(words: Sequence[str], page: FaxPage) -> FaxPage:
    """The line for the top of a page that says when, from whom and which page it is (ITU-T T.30: TTI), as a page.

    Its last row is white, so that it can be put above another one as it is.

    :param words: at the left, in the middle, at the right; what does not fit is cut off at the right of each.
    :param page: whose width, resolution and coding it has.
    """
    head = round(_HEAD * ACROSS)
    strip = Image.new("L", (page.width, head), 255)
    draw, font = ImageDraw.Draw(strip), _font(head - 6)
    for text, (left, right, where) in zip(words, _THIRDS, strict=True):
        room = (right - left) * page.width
        kept = text
        while kept and draw.textlength(kept, font=font) > room:
            kept = kept[:-1]
        at = left * page.width + (room - draw.textlength(kept, font=font)) * where
        draw.text((at, 0), kept, fill=0, font=font)
    height = max(round(_HEAD * page.y_res), 8)
    right_size = strip.resize((page.width, height), Image.Resampling.BILINEAR)
    right_size.paste(255, (0, height - 1, page.width, height))
    return coded_bits(inked(right_size.tobytes(), page.width), page.x_res, page.y_res, page.coding)


_BREAKS = frozenset({"p", "br", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "pre"})
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _BREAKS:
            self.out.append("\n")
        elif tag == "td":
            self.out.append("  ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BREAKS - {"br"}:
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.out.append(re.sub(r"\s+", " ", data))


def words_of_html(text: str) -> str:
    """What can be read in an HTML text; its pictures and its looks are lost."""
    reader = _Words()
    reader.feed(text[:_MOST_TEXT])
    reader.close()
    lines = (line.strip() for line in "".join(reader.out).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
