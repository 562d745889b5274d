"""Text and HTML as pages: a PDF in one type of fixed width, as a line printer would have written it.

Latin text uses the Courier that every printer and every reader of PDF has. What goes beyond is set by fpdf2 in
DejaVu Sans Mono, where both are installed; else a question mark stands for each such character.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.encoded_words import text_of
from mailshare.core.media_type import MediaType
from mailshare.documents.looking import check_pages
from mailshare.documents.operations import Work

A4 = (595.28, 841.89)
_SIZE, _LEADING, _MARGIN = 10.0, 12.0, 42.5
_WIDTH = 0.6  # of a character of Courier, of its size (its width is 600 of 1000)
_TAB = 8
_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
_MOST_TEXT = 16 << 20  # octets


def count(work: Work, kind: str) -> int:
    """Pages on A4."""
    return sum(1 for _ in pages(text(work, kind), A4))


def text(work: Work, kind: str) -> str:
    """The text of the document; of HTML its words."""
    told = source_text(work)
    return html_words(told) if kind == kinds.HTML else told


def source_text(work: Work) -> str:
    """The characters of the document: by its byte order mark, the charset it is declared with, or what they can be.

    :raises NotConvertible: TOO_LARGE, above 16 MiB.
    """
    if os.path.getsize(work.source) > _MOST_TEXT:
        raise NotConvertible(Hindrance.TOO_LARGE, "A text as long as that is not printed here")
    with open(work.source, "rb") as file:
        octets = file.read()
    charset = MediaType.parse(work.declared).parameters.get("charset", "")
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if octets.startswith(mark):
            return octets.decode(name, "replace").removeprefix("\ufeff")
    if charset:
        return text_of(octets, charset)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def pages(told: str, paper: tuple[float, float]) -> Iterator[list[str]]:
    """The lines of each page: long ones broken, a form feed ends a page."""
    columns = max(10, int((paper[0] - 2 * _MARGIN) / (_SIZE * _WIDTH)))
    rows = max(5, int((paper[1] - 2 * _MARGIN) / _LEADING))
    lines: list[str] = []
    given = False
    for number, part in enumerate(told.split("\f")):
        if number:
            yield lines
            lines, given = [], True
        for line in part.splitlines():
            for piece in _broken(_shown(line), columns):
                if len(lines) == rows:
                    yield lines
                    lines = []
                lines.append(piece)
    if lines or not given:
        yield lines


def _shown(line: str) -> str:
    """Without what cannot be seen, tabulators as blanks."""
    kept = "".join(char for char in line.expandtabs(_TAB) if unicodedata.category(char)[0] != "C" or char == "\u00ad")
    return unicodedata.normalize("NFC", kept).rstrip()


def _broken(line: str, columns: int) -> Iterator[str]:
    while len(line) > columns:
        at = line.rfind(" ", columns // 2, columns + 1)
        at = at if at > 0 else columns
        yield line[:at].rstrip()
        line = line[at:].lstrip(" ")
    yield line


def to_pdf(work: Work, kind: str, target: str, paper: tuple[float, float]) -> int:
    """Write the document as PDF; returns how many pages it has."""
    told = text(work, kind)
    laid: list[list[str]] = []
    for page in pages(told, paper):
        laid.append(page)
        check_pages(len(laid), work.bounds.pages)
    foreign = any(not _latin(line) for page in laid for line in page)
    if not (foreign and _in_dejavu(laid, target, paper)):
        _in_courier(laid, target, paper)
    return len(laid)


def _latin(line: str) -> bool:
    if line.isascii():
        return True
    try:
        line.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _in_courier(laid: list[list[str]], target: str, paper: tuple[float, float]) -> None:
    import pikepdf  # noqa: PLC0415

    with pikepdf.new() as pdf:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type1,
            BaseFont=pikepdf.Name.Courier,
            Encoding=pikepdf.Name.WinAnsiEncoding,
        )
        resources = pdf.make_indirect(pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=pdf.make_indirect(font))))
        for lines in laid:
            page = pdf.add_blank_page(page_size=paper)
            page.Resources = resources
            page.Contents = pikepdf.Stream(pdf, _content(lines, paper[1]))
        pdf.save(target)


_ESCAPED = re.compile(rb"[\\()]")


def _content(lines: list[str], height: float) -> bytes:
    drawn = [f"BT /F1 {_SIZE} Tf {_LEADING} TL {_MARGIN} {height - _MARGIN - _SIZE:.2f} Td".encode()]
    for line in lines:
        octets = line.encode("cp1252", "replace")
        drawn.append(b"(" + _ESCAPED.sub(rb"\\\g<0>", octets) + b") Tj T*")
    return b"\n".join([*drawn, b"ET"])


def _in_dejavu(laid: list[list[str]], target: str, paper: tuple[float, float]) -> bool:
    """False when that font or fpdf2 is not installed."""
    try:
        from fpdf import FPDF  # noqa: PLC0415
    except ImportError:
        return False
    if not os.path.exists(_FONT):
        return False
    pdf = FPDF(unit="pt", format=paper)
    pdf.set_auto_page_break(auto=False)
    pdf.add_font("mono", fname=_FONT)
    pdf.set_font("mono", size=_SIZE)
    for lines in laid:
        pdf.add_page()
        for row, line in enumerate(lines):
            pdf.text(_MARGIN, _MARGIN + _SIZE + row * _LEADING, line)
    pdf.output(target)
    return True


# ---------------------------------------------------------------------- HTML in words

_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "dd", "div", "dl", "dt", "fieldset", "figure", "footer"}
    | {"form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"}
    | {"table", "tr", "ul"}
)
_UNSEEN = frozenset(["head", "script", "style", "template", "title", "noscript", "svg"])
_APART = frozenset(["h1", "h2", "h3", "h4", "p", "table", "ul", "ol", "pre", "blockquote"])


class _Words(HTMLParser):
    """Gathers the words of a page, a line for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._line: list[str] = []
        self._unseen = 0
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag is opened."""
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "body":
            self._unseen = 0  # the end of the head may be left out
        elif tag == "br":
            self.end_line(always=True)
        elif tag in _BLOCKS:
            self.end_line()
            self._apart(tag)
            self._pre += tag == "pre"
            if tag == "li":
                self._line.append("- ")
            elif tag == "hr":
                self.lines.append("-" * 72)
        elif tag in ("td", "th") and self._line:
            self._line.append("   ")
        elif tag == "img":
            told = dict(attrs).get("alt")
            if told:
                self._line.append(f"[{told}]")

    def handle_endtag(self, tag: str) -> None:
        """A tag is closed."""
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.end_line()
            self._apart(tag)
            self._pre = max(0, self._pre - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        """Words."""
        if self._unseen:
            return
        if self._pre:
            first, *others = data.split("\n")
            self._line.append(first)
            for other in others:
                self.end_line(always=True)
                self._line.append(other)
            return
        self._line.append(re.sub(r"\s+", " ", data))

    def end_line(self, *, always: bool = False) -> None:
        """What has been gathered is a line."""
        line, self._line = "".join(self._line), []
        line = line.rstrip() if self._pre else re.sub(r"(?<=\S) +(?=\S)", lambda gap: gap[0][:3], line).strip()
        if line or always:
            self.lines.append(line)

    def _apart(self, tag: str) -> None:
        if tag in _APART and self.lines and self.lines[-1]:
            self.lines.append("")


def html_words(told: str) -> str:
    """The words of an HTML page as they would be read aloud, a line for each paragraph; nothing is ever fetched."""
    words = _Words()
    words.feed(told)
    words.close()
    words.end_line()
    return "\n".join(words.lines).strip("\n") + "\n"
