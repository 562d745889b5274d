"""Documents as pages of a fax; what is run in the confined process, as functions from octets to octets.

Both operations give a TIFF file (mailshare.wire.tiff_fax) and facts beside it, so that nothing but a tolerant reader of
our own touches what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from typing import Any

from PIL import Image

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.print_formats import OFFICE, PICTURES
from mailshare.core.values.fax import Coding, FaxPage
from mailshare.documents.fax_jbig import Decoder, decode_by_program
from mailshare.documents.fax_paper import Layout
from mailshare.documents.fax_strips import below, recoded
from mailshare.documents.fax_text import cover_page, head_line, text_pages, words_of_html
from mailshare.documents.looking import check_pages, kind_of, kind_of_file
from mailshare.documents.operations import Work
from mailshare.documents.pdf_opening import is_pdf
from mailshare.wire.jbig import decode_jbig
from mailshare.wire.tiff_fax import read_tiff, write_tiff

_MOST_PAGES = 200


def fax_pages(
    data: bytes,
    options: Mapping[str, object],
    declared: str = "",
    *,
    folder: str = "",
    jbig: Decoder = decode_jbig,
) -> tuple[bytes, Mapping[str, object]]:
    """The operation ``fax-pages``: a document as pages in MMR.

    :param options: ``paper``, ``resolution``, ``photos`` as :class:`~mailshare.documents.fax_paper.Layout`;
        ``most_pages``; ``charset`` of a text.
    :param folder: of a process that does nothing else; other processes may help it there.
    :param jbig: takes pages in JBIG apart.
    :returns: a TIFF file, and ``{"pages": n}``, with ``damaged_rows`` where rows of a TIFF file had to be mended.
    :raises NotConvertible: nothing can be made of it; of a document with several pages none is left out.
    """
    kind = _kind(data, declared)
    try:
        pages, damaged = _pages(data, kind, options, folder, jbig)
    except Image.DecompressionBombError as fault:
        raise NotConvertible(Hindrance.TOO_MANY_PIXELS) from fault
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError) as fault:
        raise NotConvertible(Hindrance.DAMAGED, detail={"why": str(fault)[:200]}) from fault
    if not pages:
        raise NotConvertible(Hindrance.EMPTY)
    return write_tiff(pages), {"pages": len(pages)} | ({"damaged_rows": damaged} if damaged else {})


def _kind(data: bytes, declared: str) -> str:
    kind = kind_of_file(BytesIO(data), declared)
    # A PDF behind a long preamble, or without its mark, would go out as the text that it is written in.
    if kind in (kinds.OCTETS, kinds.TEXT) and not declared.startswith("text/") and is_pdf(data):
        return kinds.PDF
    if kind == kinds.TEXT and declared.startswith(kinds.PDF) and b"%PDF-".startswith(data[:5]):
        return kinds.PDF  # of which not even the mark is whole
    # RFC 3249 section 5.2.1: files of faxes may begin with any mark.
    odd = kind in (kinds.OCTETS, kinds.TEXT) and declared.startswith("image/tiff")
    return kinds.TIFF if odd and data[2:4] in (b"*\0", b"\0*") else kind


def _pages(
    data: bytes, kind: str, options: Mapping[str, object], folder: str, jbig: Decoder
) -> tuple[list[FaxPage], int]:
    """The pages, and how many damaged rows they have."""
    layout, most = Layout.of(options), int(str(options.get("most_pages", _MOST_PAGES)))
    if kind == kinds.PDF:
        from mailshare.documents.fax_pdf import pdf_pages  # noqa: PLC0415 - each kind imports what opens it

        return pdf_pages(data, layout, most, folder), 0
    if kind == kinds.TIFF:
        from mailshare.documents.fax_tiff import tiff_pages  # noqa: PLC0415

        return tiff_pages(data, layout, most, alone=bool(folder), jbig=jbig)
    if kind in PICTURES:
        from mailshare.documents.fax_pictures import picture_page  # noqa: PLC0415

        return [picture_page(data, layout)], 0
    if kind in (kinds.TEXT, kinds.HTML):
        text = _decoded(data, str(options.get("charset", "utf-8")))
        return _text(words_of_html(text) if kind == kinds.HTML else text, layout, most), 0
    if kind == kinds.POSTSCRIPT or kind in OFFICE:
        raise NotConvertible(Hindrance.TOOL_MISSING)
    if kind == kinds.ZIP:
        raise NotConvertible(Hindrance.NOT_TAKEN, "An archive cannot be faxed; please attach the documents themselves")
    raise NotConvertible(Hindrance.UNKNOWN_FORMAT, "Documents of this kind cannot be faxed; PDF is always right")


def _text(words: str, layout: Layout, most: int) -> list[FaxPage]:
    pages: list[FaxPage] = []
    for page in text_pages(words, layout) if words.strip() else ():
        pages.append(page)
        check_pages(len(pages), most)
    return pages


def _decoded(data: bytes, charset: str) -> str:
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace")
    try:
        return data.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return data.decode("cp1252", "replace")


def fax_finished(data: bytes, options: Mapping[str, Any], declared: str = "") -> tuple[bytes, Mapping[str, object]]:
    """The operation ``fax-finish``: pages as they go to one recipient.

    The line on top is coded by itself and set before the coded page: nothing is decoded for it.

    :param data: a TIFF file of :func:`fax_pages`, or blanks when the cover page is all.
    :param options: ``coding``; ``cover``: ``{"fields": {...}, "text": "", "title": "FAX", "note": ""}`` for a page in
        front; ``head``: three texts for the line on top, in which ``{page}`` and ``{pages}`` are replaced; and those
        of a layout.
    """
    del declared
    layout, coding = Layout.of(options), Coding(options.get("coding", "mmr"))
    pages = pages_of(data) if data.strip() else []
    cover = options.get("cover")
    if cover:
        fields = {**cover["fields"], "Pages": str(len(pages) + 1)}
        title, note = str(cover.get("title", "FAX")), str(cover.get("note", ""))
        pages.insert(0, cover_page(fields, str(cover["text"]), layout, title=title, note=note))
    if not pages:
        raise NotConvertible(Hindrance.EMPTY)
    finished = [recoded(page, coding) for page in pages]
    head = options.get("head")
    if head:
        finished = [_headed(page, head, f"{number}", f"{len(pages)}") for number, page in enumerate(finished, 1)]
    return write_tiff(finished), {"pages": len(finished)}


def _headed(page: FaxPage, head: Sequence[object], number: str, total: str) -> FaxPage:
    words = [str(text).replace("{pages}", total).replace("{page}", number) for text in head]
    return below(head_line(words, page), page)


def make_pages(work: Work) -> Mapping[str, object]:
    """:func:`fax_pages` in the confined process, with the programs that open what we do not."""
    source = work.source
    kind = kind_of(work)
    if kind == kinds.POSTSCRIPT or kind in OFFICE:
        from mailshare.documents.converting import as_pdf  # noqa: PLC0415

        source = as_pdf(work, kind, _points(work.options))
    elif kind == kinds.HTML:
        from mailshare.documents.html_pages import to_pdf  # noqa: PLC0415

        drawn = f"{work.folder}/html.pdf"
        source = drawn if to_pdf(work, drawn, _points(work.options)) else source
    with open(source, "rb") as stream:
        data = stream.read()
    jbig = partial(decode_by_program, work)
    return _written(work, *fax_pages(data, work.options, work.declared, folder=work.folder, jbig=jbig))


def _points(options: Mapping[str, object]) -> tuple[float, float]:
    width, height = Layout.of(options).inches
    return width * 72, height * 72


def finish_pages(work: Work) -> Mapping[str, object]:
    """:func:`fax_finished` in the confined process."""
    with open(work.source, "rb") as stream:
        data = stream.read()
    return _written(work, *fax_finished(data, work.options))


def _written(work: Work, tiff: bytes, facts: Mapping[str, object]) -> Mapping[str, object]:
    with open(work.target, "wb") as stream:
        stream.write(tiff)
    return {"format": kinds.TIFF, **facts}


def pages_of(data: bytes) -> list[FaxPage]:
    """The pages of a file that :func:`fax_pages` or :func:`fax_finished` wrote."""
    return [one.page for one in read_tiff(data) if one.page is not None]
