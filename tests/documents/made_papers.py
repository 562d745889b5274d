"""Documents for the tests, made of nothing."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pikepdf
from PIL import Image


async def octets(data: bytes) -> AsyncIterator[bytes]:
    """A document as it comes."""
    for at in range(0, len(data), 65_536):
        yield data[at : at + 65_536]


def pdf(pages: int = 1, size: tuple[float, float] = (595.28, 841.89), drawn: str = "", **encryption: str) -> bytes:
    """A PDF; page N has the words "page N" and a black square of 72 points in the lower left corner."""
    made, out = pikepdf.new(), io.BytesIO()
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    for number in range(1, pages + 1):
        page = made.add_blank_page(page_size=size)
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        words = drawn or f"0 0 72 72 re f BT /F1 24 Tf 100 400 Td (page {number}) Tj ET"
        page.Contents = pikepdf.Stream(made, words.encode())
    made.save(out, encryption=pikepdf.Encryption(**encryption) if encryption else False)
    return out.getvalue()


def picture(kind: str, size: tuple[int, int] = (300, 200), mode: str = "RGB", **told: object) -> bytes:
    """A picture: its left half is black."""
    made, out = Image.new(mode, size, "white"), io.BytesIO()
    made.paste("black", (0, 0, size[0] // 2, size[1]))
    made.save(out, kind, **told)
    return out.getvalue()


def words_of(data: bytes) -> list[str]:
    """The text of each page of a PDF, by PDFium."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    return [page.get_textpage().get_text_range() for page in document]


def looks(data: bytes, page: int = 0) -> Image.Image:
    """A page of a PDF, in grey, at 72 dots per inch."""
    import pypdfium2

    return pypdfium2.PdfDocument(data)[page].render(grayscale=True).to_pil().convert("L")
