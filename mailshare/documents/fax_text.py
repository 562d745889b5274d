"""Text as pages of a fax: plain text and the words of HTML, the cover page, and the line at the head of each page."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from mailshare.documents.fax_paper import ACROSS, Layout, black_and_white

_FONTS = ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "NotoSansMono-Regular.ttf")
_COLUMNS = 80
_SIZE = 31  # pixels at 204 an inch: 80 columns fill the paper between its margins
_LINE = 40
_MARGIN = 110
_HEAD = 26 / 196  # inches of the line at the head
_MOST_TEXT = 2_000_000  # characters


def _font(size: int) -> Any:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)  # comes with Pillow; Latin letters only


def text_pages(text: str, layout: Layout) -> Iterator[Any]:
    """Pictures, mode ``1``, of text in lines of 80 columns; a form feed begins a page."""
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


def _sheet(lines: Sequence[str], layout: Layout) -> Any:
    height = round(layout.inches[1] * ACROSS)
    page = Image.new("L", (layout.width, height), 255)
    draw, font = ImageDraw.Draw(page), _font(_SIZE)
    for number, line in enumerate(lines):
        if line:
            draw.text((_MARGIN, _MARGIN + number * _LINE), line, fill=0, font=font)
    return _settled(page, layout)


def _settled(page: Any, layout: Layout) -> Any:
    """From square pixels to the lines of the layout."""
    return black_and_white(page.resize((layout.width, layout.rows), Image.Resampling.BILINEAR), "threshold")


def cover_page(fields: Mapping[str, str], text: str, layout: Layout) -> Any:
    """The cover page, mode ``1``.

    :param fields: what stands on it, label to value, in their order; empty values are left out.
    :param text: below them, as much as there is room for.
    """
    height = round(layout.inches[1] * ACROSS)
    page = Image.new("L", (layout.width, height), 255)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, 150), "FAX", fill=0, font=_font(150))
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
    for row in (row for line in text[:20_000].splitlines() for row in wrapped(line)):
        if at > height - _MARGIN - _LINE:
            break
        draw.text((_MARGIN, at), row, fill=0, font=body)
        at += _LINE
    return _settled(page, layout)


def with_head_line(page: Any, words: tuple[str, str, str], lines: int) -> Any:
    """The page with a line on top that says when, from whom and which page it is (ITU-T T.30: TTI).

    The line is added above; it covers nothing.

    :param words: at the left, in the middle, at the right.
    """
    width, rows = page.size
    head = round(_HEAD * ACROSS)
    strip = Image.new("L", (width, head), 255)
    draw, font = ImageDraw.Draw(strip), _font(head - 6)
    for text, where in zip(words, (0.0, 0.5, 1.0), strict=True):
        length = draw.textlength(text, font=font)
        draw.text((40 + (width - 80 - length) * where, 0), text, fill=0, font=font)
    height = max(round(_HEAD * lines), 8)
    out = Image.new("1", (width, rows + height), 255)
    out.paste(black_and_white(strip.resize((width, height), Image.Resampling.BILINEAR), "threshold"), (0, 0))
    out.paste(page, (0, height))
    return out


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
