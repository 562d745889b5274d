"""Documents as pages of a fax; what is run in the confined process, as functions from octets to octets.

Both operations give a TIFF file (mailshare.wire.tiff_fax) and facts beside it, so that nothing but a tolerant reader of
our own touches what comes back.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps, ImageSequence

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PeerFault
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_paper import ACROSS, Layout, black_and_white, on_paper
from mailshare.documents.fax_strips import coded, picture_of, recoded
from mailshare.documents.fax_text import cover_page, text_pages, with_head_line, words_of_html
from mailshare.documents.operations import Work
from mailshare.wire.tiff_fax import TIFFPage, read_tiff, write_tiff

MOST_PIXELS = 120_000_000  # of one picture
_STRETCH = 0.03  # two resolutions are the same when they differ by less: 200 and 204, 100 and 98


def kind_of(data: bytes, declared: str) -> str:
    """The media type, by the octets where they tell."""
    start = data[:1024].lstrip()
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    if data[:4] in (b"II*\0", b"MM\0*") or (data[2:4] in (b"*\0", b"\0*") and declared.startswith("image/tiff")):
        return "image/tiff"
    if data.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM")) or data[8:12] == b"WEBP":
        return "image/other"
    if start[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html"
    return declared.partition(";")[0].strip().casefold()


def fax_pages(data: bytes, options: Mapping[str, object], declared: str = "") -> tuple[bytes, Mapping[str, object]]:
    """The operation ``fax-pages``: a document as pages in MMR.

    :param options: ``paper``, ``resolution``, ``photos`` as :class:`~mailshare.documents.fax_paper.Layout`;
        ``most_pages``; ``charset`` of a text.
    :returns: a TIFF file, and ``{"pages": n}``.
    :raises NotConvertible: nothing can be made of it; of a document with several pages none is left out.
    """
    layout = Layout.of(options)
    most = int(str(options.get("most_pages", 200)))
    pages: list[FaxPage] = []
    for page in _pages(data, layout, kind_of(data, declared), str(options.get("charset", "utf-8"))):
        if len(pages) == most:
            raise NotConvertible(Hindrance.TOO_MANY_PAGES, f"The document has more than {most} pages")
        pages.append(page)
    if not pages:
        raise NotConvertible(Hindrance.EMPTY)
    return write_tiff(pages), {"pages": len(pages)}


def fax_finished(data: bytes, options: Mapping[str, Any], declared: str = "") -> tuple[bytes, Mapping[str, object]]:
    """The operation ``fax-finish``: pages as they go to one recipient.

    :param data: a TIFF file of :func:`fax_pages`, or nothing when the cover page is all.
    :param options: ``coding``; ``cover``: ``{"fields": {...}, "text": ""}`` for a page in front; ``head``: three
        texts for the line on top, in which ``{page}`` and ``{pages}`` are replaced; and those of a layout.
    """
    del declared
    layout, coding = Layout.of(options), Coding(options.get("coding", "mmr"))
    pages = pages_of(data) if data else []
    cover = options.get("cover")
    if cover:
        fields = {**cover["fields"], "Pages": str(len(pages) + 1)}
        pages.insert(0, coded(cover_page(fields, str(cover["text"]), layout), ACROSS, layout.lines))
    head = options.get("head")
    finished = []
    for number, page in enumerate(pages, 1):
        if head:
            left, middle, right = (
                str(text).replace("{pages}", str(len(pages))).replace("{page}", str(number)) for text in head
            )
            picture = with_head_line(picture_of(page), (left, middle, right), page.y_res)
            finished.append(coded(picture, page.x_res, page.y_res, coding))
        else:
            finished.append(recoded(page, coding))
    if not finished:
        raise NotConvertible(Hindrance.EMPTY)
    return write_tiff(finished), {"pages": len(finished)}


def make_pages(work: Work) -> Mapping[str, object]:
    """:func:`fax_pages` in the confined process."""
    return _written(work, fax_pages)


def finish_pages(work: Work) -> Mapping[str, object]:
    """:func:`fax_finished` in the confined process."""
    return _written(work, fax_finished)


def _written(work: Work, make: Callable[..., tuple[bytes, Mapping[str, object]]]) -> Mapping[str, object]:
    with open(work.source, "rb") as stream:
        data = stream.read()
    tiff, facts = make(data, work.options, work.declared)
    with open(work.target, "wb") as stream:
        stream.write(tiff)
    return {"format": "image/tiff", **facts}


def pages_of(data: bytes) -> list[FaxPage]:
    """The pages of a file that :func:`fax_pages` or :func:`fax_finished` wrote."""
    return [one.page for one in read_tiff(data) if one.page is not None]


def _pages(data: bytes, layout: Layout, kind: str, charset: str) -> Iterator[FaxPage]:
    if kind == "application/pdf":
        yield from _pdf(data, layout)
    elif kind == "image/tiff":
        yield from _tiff(data, layout)
    elif kind.startswith("image/"):
        yield from _image(data, layout)
    elif kind in ("text/plain", "text/html"):
        text = _decoded(data, charset)
        words = words_of_html(text) if kind == "text/html" else text
        if words.strip():
            for picture in text_pages(words, layout):
                yield coded(picture, ACROSS, layout.lines)
    else:
        raise NotConvertible(Hindrance.UNKNOWN_FORMAT, f"Documents of the kind {kind or 'unknown'} cannot be faxed")


def _decoded(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return data.decode("utf-8", "replace")


def _pdf(data: bytes, layout: Layout) -> Iterator[FaxPage]:
    import pypdfium2  # noqa: PLC0415 - only where a PDF comes
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as fault:
        locked = "password" in str(fault).casefold()
        raise NotConvertible(Hindrance.ENCRYPTED if locked else Hindrance.DAMAGED) from fault
    try:
        document.init_forms()
        for index in range(len(document)):
            page = document[index]
            yield coded(black_and_white(_drawn(page, layout, pdfium), layout.photos), ACROSS, layout.lines)
            page.close()
    except pypdfium2.PdfiumError as fault:
        raise NotConvertible(Hindrance.DAMAGED) from fault
    finally:
        document.close()


def _drawn(page: Any, layout: Layout, pdfium: Any) -> Any:
    """A page of a PDF as a grey picture, drawn where it stands on the paper: nothing is scaled afterwards."""
    width, height = page.get_size()
    inches = (max(width, 1.0) / 72, max(height, 1.0) / 72)
    turned = inches[0] > inches[1] and inches[0] > layout.inches[0]
    left, top, across, down = layout.place(*(reversed(inches) if turned else inches))
    stride = -(-layout.width // 4) * 4
    buffer = bytearray(b"\xff") * (stride * layout.rows)
    octets = (ctypes.c_ubyte * len(buffer)).from_buffer(buffer)
    bitmap = pdfium.FPDFBitmap_CreateEx(layout.width, layout.rows, pdfium.FPDFBitmap_Gray, octets, stride)
    try:
        place = (left, top, across, down, int(turned), pdfium.FPDF_ANNOT | pdfium.FPDF_PRINTING)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, *place)
        if page.formenv is not None:
            pdfium.FPDF_FFLDraw(page.formenv, bitmap, page, *place)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return Image.frombuffer("L", (layout.width, layout.rows), bytes(buffer), "raw", "L", stride, 1)


def _tiff(data: bytes, layout: Layout) -> Iterator[FaxPage]:
    """Pages of a TIFF file: those of a fax keep their pixels, all others are brought onto paper."""
    try:
        found = read_tiff(data)
    except PeerFault as fault:
        raise NotConvertible(Hindrance.DAMAGED, fault.public) from fault
    if all(one.page is not None and _fits(one, layout) for one in found):
        for one in found:
            assert one.page is not None
            page = recoded(one.page, Coding.MMR)
            yield FaxPage(page.width, page.rows, ACROSS, _lines(one.y_res), Coding.MMR, page.data)
        return
    yield from _image(_with_right_mark(data), layout)


def _fits(one: TIFFPage, layout: Layout) -> bool:
    return one.width == layout.width and 0 < one.rows <= 10_000 and _lines(one.y_res) > 0 and _is(one.x_res, ACROSS)


def _lines(y_res: float) -> int:
    return next((lines for lines in (98, 196, 391) if _is(y_res, lines)), 0)


def _is(resolution: float, wanted: int) -> bool:
    return abs(resolution - wanted) <= _STRETCH * wanted


def _with_right_mark(data: bytes) -> bytes:
    """The file with the mark of octet order that its version number tells (RFC 3249 section 5.2.1)."""
    return (b"II" if data[2:4] == b"*\0" else b"MM") + data[2:]


def _image(data: bytes, layout: Layout) -> Iterator[FaxPage]:
    try:
        with Image.open(BytesIO(data)) as opened:
            # Of an animation the first picture is the one that everybody sees; only TIFF files have pages.
            frames = ImageSequence.Iterator(opened) if opened.format == "TIFF" else [opened]
            for frame in frames:
                if frame.width * frame.height > MOST_PIXELS:
                    raise NotConvertible(Hindrance.TOO_MANY_PIXELS)
                yield _framed(frame, layout)
    except NotConvertible:
        raise
    except Image.DecompressionBombError as fault:
        raise NotConvertible(Hindrance.TOO_MANY_PIXELS) from fault
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError) as fault:
        raise NotConvertible(Hindrance.DAMAGED) from fault


def _framed(frame: Any, layout: Layout) -> FaxPage:
    across, down = _resolution(frame)
    two_colours = frame.mode == "1"
    picture = ImageOps.exif_transpose(frame)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    picture = picture.convert("L")
    inches = (picture.width / across, picture.height / down)
    page = on_paper(picture, inches, layout)
    return coded(black_and_white(page, "threshold" if two_colours else layout.photos), ACROSS, layout.lines)


def _resolution(frame: Any) -> tuple[float, float]:
    """Pixels an inch; of a picture that does not say, or says nonsense, so many that it fills the paper's width."""
    told = frame.info.get("dpi")
    try:
        across, down = (float(told[0]), float(told[1])) if told else (0.0, 0.0)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        across = down = 0.0
    if 50 <= across <= 4800 and 50 <= down <= 4800:
        return across, down
    fitting = max(frame.width / 7.7, frame.height / 10.9, 50.0)
    return fitting, fitting
