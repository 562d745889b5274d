"""Opens a PDF to be drawn, damaged ones too, with all of the pages that it says it has.

Two libraries look at it: PDFium, which draws, and qpdf, which tells what is damaged and mends it. Where the table of
objects is damaged both find the objects by themselves, and each leaves out without a word what it does not find; so
what is mended is taken only when its tree has as many pages as it says, and nothing is missing behind it.

Source: ISO 32000-1 sections 7.5 (file structure) and 7.7.3 (page tree).
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from mailshare.core.documents import Hindrance, NotConvertible

_MARK = b"%PDF-"
_PORTFOLIO = "This PDF is a folder of other documents; please attach those themselves"
_DRAWN_ELSEWHERE = "This PDF is a form (XFA) that only the program which made it can draw; please print it to PDF"
_CUT = "The end of the PDF is missing; please send it once more"
_OBJECT = re.compile(rb"(?<!\d)\d{1,10}\s+\d{1,5}\s+obj\b")
_OBJECTS = re.compile(rb"/Type\s*/ObjStm\b.{0,200}?stream\r?\n", re.DOTALL)
_COUNT = re.compile(rb"/Count\s+(\d{1,9})")
_MOST_PACKED = 16 << 20
_DAMAGED = ("file is damaged", "reconstruct cross-reference")
_XFA = 2  # FORMTYPE_XFA_FULL
_DEEPEST = 60  # branches of a page tree
_MOST = 100_000  # of its leaves


@define
class Opened:
    """A document to draw.

    :ivar drawn: of pypdfium2; ``known``: the same of pikepdf, or ``None`` where that cannot open it.
    :ivar mended: what there is was found without the table that the file has for it.
    """

    drawn: Any
    data: bytes = field(repr=False)
    known: Any = None
    mended: bool = False


@define
class _Tree:
    """What a page tree says, and what there is of it."""

    said: int = 0
    there: int = 0
    missing: int = 0

    @property
    def whole(self) -> bool:
        return self.there > 0 and not self.missing and self.said == self.there


def is_pdf(data: bytes) -> bool:
    """Whether octets that begin otherwise are a PDF: much stands before its mark, or that is gone."""
    return (_MARK in data and b"startxref" in data) or (b"endobj" in data and _OBJECT.search(data) is not None)


def opened(data: bytes) -> Opened:
    """The document, mended where need be.

    :raises NotConvertible: ENCRYPTED, EMPTY, DAMAGED, NOT_TAKEN: nobody but another program can draw it.
    """
    data = _from_mark(data)
    if _ends_within(data):
        raise NotConvertible(Hindrance.DAMAGED, _CUT)
    known, damaged = _known(data)
    tree = _tree(known)
    if damaged and known is not None:
        tree.said = max(tree.said, _said(data, known.Root.get("/Pages")))
    try:
        drawn = _drawn(data)
    except NotConvertible as refusal:
        if refusal.cause is not Hindrance.DAMAGED or known is None:
            raise
        drawn = None
    if known is not None and "/Collection" in known.Root:
        raise NotConvertible(Hindrance.NOT_TAKEN, _PORTFOLIO)
    if drawn is not None and known is not None and not damaged:
        found = Opened(drawn, data, known)
        if tree.there > len(drawn):
            # PDFium believes the number that the tree says of itself, and would leave the others out.
            found = _again(_of_all_pages(known))
    else:
        found = _mended(drawn, known, tree)
    if found.drawn.get_formtype() == _XFA:
        raise NotConvertible(Hindrance.NOT_TAKEN, _DRAWN_ELSEWHERE)
    return found


def _from_mark(data: bytes) -> bytes:
    """Without what stands before it; places in a PDF are counted from its mark."""
    at = data.find(_MARK)
    return data[at:] if at >= 0 else _MARK + b"1.7\n" + data


def _ends_within(data: bytes) -> bool:
    """Whether the file ends among its objects: behind the last table one begins and does not end, or more were to be
    put to a former state of the document. A reader would show that state, and say nothing.
    """
    last = data.rfind(b"startxref")
    behind = data[max(last, 0) :]
    begun = [found.start() for found in _OBJECT.finditer(behind)]
    if not begun:
        return False
    tail = behind[begun[-1] :]
    if b"endobj" not in tail and b"endstream" not in tail:
        return b"xref" not in tail and b"trailer" not in tail
    return last >= 0 and b"xref" not in behind[9:] and b"trailer" not in behind


def _known(data: bytes) -> tuple[Any, bool]:
    """The document of pikepdf, ``None`` where that cannot open it; and whether it had to be mended."""
    import pikepdf  # noqa: PLC0415 - only where a PDF comes

    try:
        document = pikepdf.open(io.BytesIO(data))
        document.Root.get("/Pages")
        len(document.objects)  # an object that is not where the table says is found out by looking only
    except (pikepdf.PdfError, pikepdf.PasswordError, ValueError, RuntimeError, AttributeError, KeyError):
        return None, True
    # What is told here is told once.
    return document, any(word in str(said) for said in document.get_warnings() for word in _DAMAGED)


def _tree(known: Any) -> _Tree:
    """Its pages, as qpdf knows them."""
    tree = _Tree()
    if known is None:
        return tree
    root = known.Root.get("/Pages")
    try:
        tree.said = int(root.get("/Count"))
    except (AttributeError, TypeError, ValueError):
        tree.said = -1
    for leaf in _leaves(root, set(), 0):
        if leaf is None:
            tree.missing += 1
        else:
            tree.there += 1
        if tree.there + tree.missing >= _MOST:
            break
    return tree


def _said(data: bytes, root: Any) -> int:
    """How many pages the root of the tree says there are, as the octets of the file have it, for qpdf puts the number
    right when it mends; 0 where that is not found.
    """
    if root is None:
        return 0
    found = re.compile(rb"(?<!\d)%d\s+%d\s+obj\b" % root.objgen).finditer(data)
    bodies = [data[one.end() : data.find(b"endobj", one.end())] for one in found]
    if not bodies:  # it stands in a stream of objects, in which numbers and objects are apart
        bodies = [b"".join(part for part in packed_objects(data) if b"/Kids" in part)]
    return max((int(one) for one in _COUNT.findall(bodies[-1])), default=0)


def packed_objects(data: bytes) -> Iterator[bytes]:
    """What the streams of objects of a file hold."""
    for one in _OBJECTS.finditer(data):
        start = one.end()
        try:
            yield zlib.decompressobj().decompress(data[start:], _MOST_PACKED)
        except zlib.error:
            yield data[start : data.find(b"endstream", start)]


def _leaves(branch: Any, seen: set[tuple[int, int]], depth: int) -> Iterator[Any]:
    """The pages below, ``None`` for each that is gone."""
    import pikepdf  # noqa: PLC0415

    if not isinstance(branch, pikepdf.Dictionary) or depth > _DEEPEST:
        yield None
        return
    kids = branch.get("/Kids")
    if not isinstance(kids, pikepdf.Array):
        yield branch if branch.get("/Type") != "/Pages" else None
        return
    if branch.is_indirect:
        if branch.objgen in seen:
            yield None
            return
        seen.add(branch.objgen)
    for kid in kids:
        yield from _leaves(kid, seen, depth + 1)


def _drawn(data: bytes) -> Any:
    import pypdfium2  # noqa: PLC0415 - only where a PDF comes

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as fault:
        # What PDFium says may be left over from the document before.
        said = str(fault).casefold()
        locked = ("password" in said or "security" in said) and b"/Encrypt" in data
        # Of a document without pages it says that it failed, and that all went well.
        empty = "Success" in str(fault) and not locked
        cause = Hindrance.ENCRYPTED if locked else Hindrance.EMPTY if empty else Hindrance.DAMAGED
        raise NotConvertible(cause, detail={"why": str(fault)}) from fault


def _again(data: bytes, *, mended: bool = False) -> Opened:
    return Opened(_drawn(data), data, _known(data)[0], mended)


def _of_all_pages(known: Any) -> bytes:
    import pikepdf  # noqa: PLC0415

    with pikepdf.new() as whole:
        whole.pages.extend(known.pages)
        return _saved(whole)


def _saved(known: Any) -> bytes:
    written = io.BytesIO()
    known.save(written)
    return written.getvalue()


def _mended(drawn: Any, known: Any, tree: _Tree) -> Opened:
    """The first of both libraries' mending that has all pages.

    :raises NotConvertible: DAMAGED: neither has.
    """
    import pikepdf  # noqa: PLC0415

    most = tree.there
    if tree.whole and (drawn is None or len(drawn) <= tree.there):
        try:
            found = _again(_saved(known), mended=True)
            if len(found.drawn) == tree.there:
                return found
        except (NotConvertible, pikepdf.PdfError, RuntimeError, ValueError):
            pass
    if drawn is not None:
        copy = io.BytesIO()
        drawn.save(copy)
        found = Opened(drawn, copy.getvalue(), _known(copy.getvalue())[0], mended=True)
        own = _tree(found.known)
        if own.whole and own.there == len(drawn):
            return found
        most = max(most, own.there)
    said = max(tree.said, len(drawn) if drawn is not None else 0)
    if 0 < most < said:
        raise NotConvertible(Hindrance.DAMAGED, f"The PDF is damaged: of its {said:,} pages {most:,} are there")
    raise NotConvertible(Hindrance.DAMAGED)
