"""What of a PDF is cut off or damaged: PDFium draws what is there of a page's contents or of a picture, and says
nothing.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import define, field

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.pdf_filters import unpacked
from mailshare.documents.pdf_opening import Opened
from mailshare.documents.pdf_parts import Part, parts_of
from mailshare.documents.pdf_scans import wrong_with

_INLINE = re.compile(rb"(?:^|\s)BI\s.*?\sID\s", re.DOTALL)
_ENDLESS = "EOF found while reading inline image"
_PICTURE = "a picture of it"


@define
class Wholeness:
    """Looks through the pages of one document, each part once.

    :ivar alone: this process does nothing else.
    """

    book: Opened
    alone: bool = False
    _seen: set[tuple[int, int]] = field(factory=set, repr=False)

    def check(self, index: int) -> None:
        """Nothing of the page is cut off.

        :param index: of the page, from 0.
        :raises NotConvertible: DAMAGED: what is.
        """
        if self.book.known is None:
            return
        if index >= len(self.book.known.pages):
            raise NotConvertible(Hindrance.DAMAGED, f"Page {index + 1} of the PDF is missing")
        page = self.book.known.pages[index].obj
        for part in parts_of(page, self._seen):
            what, wrong = self._wrong(part)
            if wrong:
                raise lost(index + 1, what, wrong)
        if self.book.mended and page.get("/Contents") is None:
            raise lost(index + 1, "what is drawn on it", "missing")

    def _wrong(self, part: Part) -> tuple[str, str]:
        """What of the page is wrong, and why; why is empty when nothing is."""
        if part.kind == "picture":
            return _PICTURE, wrong_with(part.stream, part.resources, alone=self.alone)
        if part.kind == "font":
            return "a font of it", unpacked(part.stream).fault
        found = unpacked(part.stream, whole=True)
        if found.fault or not _INLINE.search(found.data):
            return "what is drawn on it", found.fault
        return _PICTURE, self._within(found.data, part.resources)

    def _within(self, contents: bytes, resources: Any) -> str:
        """What is wrong with pictures that stand in contents."""
        import pikepdf  # noqa: PLC0415 - for such contents only

        holder = pikepdf.new()
        try:
            for one in pikepdf.parse_content_stream(pikepdf.Stream(holder, contents)):
                if isinstance(one, pikepdf.ContentStreamInlineImage):
                    wrong = wrong_with(_Inline(one.iimage), resources, alone=self.alone)
                    if wrong:
                        return wrong
        except pikepdf.PdfError:
            return "damaged"
        return "cut off" if any(_ENDLESS in str(said) for said in holder.get_warnings()) else ""


class _Inline:
    """A picture that stands in contents, to be asked as others are."""

    def __init__(self, picture: Any) -> None:
        self._picture = picture

    def get(self, key: str, default: Any = None) -> Any:
        """What its dictionary says; short names are long ones there already."""
        return self._picture.obj.get(key, default)

    def read_raw_bytes(self) -> bytes:
        """Its octets as they stand there."""
        octets: bytes = self._picture.unparse().partition(b"\nID\n")[2]
        return octets.removesuffix(b"EI")


def lost(number: int, what: str, why: str) -> NotConvertible:
    """The refusal of a page, from 1, of which something is missing."""
    return NotConvertible(Hindrance.DAMAGED, f"Part of page {number} of the PDF would be lost: {what} is {why}")
