"""One document made of another: first a PDF of whatever came, then its pages chosen and laid out, then what the device
takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.print_formats import OFFICE, PICTURES
from mailshare.core.print_media import size_of
from mailshare.documents import outside
from mailshare.documents.looking import facts, kind_of
from mailshare.documents.operations import Work
from mailshare.documents.pdf_pages import arranged, opened
from mailshare.documents.routes import RASTER, Tools, route

_USUAL = "iso_a4_210x297mm"
_POINT = 2540 / 72


@frozen
class Wanted:
    """What is to come out, read from :class:`~mailshare.core.values.Conversion`."""

    formats: tuple[str, ...]
    options: Mapping[str, Any]
    done_there: frozenset[str]
    resolutions: tuple[int, ...]
    raster_types: tuple[str, ...]
    sheet_back: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Wanted:
        """Read it."""
        return cls(
            formats=tuple(told["formats"]),
            options=told["options"],
            done_there=frozenset(told["done_there"]),
            resolutions=tuple(told["resolutions"]),
            raster_types=tuple(told["raster_types"]),
            sheet_back=told["sheet_back"],
        )

    def here(self, name: str, usual: Any) -> Any:
        """The value of an option that the device leaves to us."""
        value = None if name in self.done_there else self.options.get(name)
        return usual if value is None else value

    @property
    def ranges(self) -> Sequence[Sequence[int]]:
        """Of pages."""
        return [one for one in self.here("page-ranges", []) if isinstance(one, list) and len(one) == 2]

    @property
    def up(self) -> int:
        """Pages on one side."""
        return int(self.here("number-up", 1))

    @property
    def copies(self) -> int:
        """Of the whole."""
        return int(self.here("copies", 1))

    @property
    def arranges(self) -> bool:
        """Pages are to be chosen, joined or repeated here."""
        return bool(self.ranges) or self.up > 1 or self.copies > 1

    @property
    def color(self) -> bool:
        """Not black only."""
        return self.options.get("print-color-mode") not in ("monochrome", "bi-level", "process-monochrome")

    @property
    def media(self) -> str:
        """Name of the paper, or empty when nobody said."""
        named = self.options.get("media")
        return named if isinstance(named, str) and size_of(named) else ""

    @property
    def resolution(self) -> int:
        """Dots per inch: those that the job asks for, if they are to be had."""
        asked = self.options.get("printer-resolution")
        dots = asked[0] if isinstance(asked, list) and asked else asked
        return dots if isinstance(dots, int) and dots in self.resolutions else self.resolutions[0]

    @property
    def raster_type(self) -> str:
        """The kind of pixels."""
        fitting = [one for one in self.raster_types if (one in ("srgb_8", "cmyk_8")) is self.color]
        return (fitting or list(self.raster_types))[0]


def convert(work: Work) -> Mapping[str, object]:
    """Make what is wanted."""
    wanted = Wanted.of(work.options)
    kind = kind_of(work)
    if kind in wanted.formats and not wanted.arranges:
        passed = _passed(work, kind)
        if passed is not None:
            return passed
    tools = Tools.found(work.bounds.tools)
    formats = [one for one in wanted.formats if one != kind or kind == kinds.PDF]
    target = route(kind, formats, tools)
    if not target:
        raise NotConvertible(*_why_not(kind))
    pdf, pages = as_pdf(work, kind, paper(wanted.media)), None
    if wanted.arranges or (target == kinds.PDF and kind == kinds.PDF):
        # Raster repeats its pages itself; a PDF that is passed on loses what it wants done.
        copies = 1 if target in RASTER else wanted.copies
        made = os.path.join(work.folder, "arranged.pdf")
        pages = arranged(pdf, made, work.bounds, ranges=wanted.ranges, up=wanted.up, copies=copies)
        pdf = made
    if pages is None:
        pages = len(opened(pdf, work.bounds))
    if target == kinds.PDF:
        os.replace(pdf, work.target)
    elif target in RASTER:
        pages = _raster(work, wanted, pdf, target)
    else:
        outside.pdf_to(work, target, pdf, work.target, color=wanted.color, resolution=wanted.resolution)
    return {"format": target, "pages": pages}


def _passed(work: Work, kind: str) -> Mapping[str, object] | None:
    """The document as it came, if it is right; ``None`` for one that has to lose what it wants done."""
    known = facts(work)
    if known.get("encrypted"):
        raise NotConvertible(Hindrance.ENCRYPTED)
    if known.get("active"):
        return None
    os.replace(work.source, work.target)
    return {"format": kind, "pages": known["pages"]}


def _why_not(kind: str) -> tuple[Hindrance, str]:
    if kind in OFFICE or kind == kinds.POSTSCRIPT:
        return Hindrance.TOOL_MISSING, ""
    if kind == kinds.TNEF:
        words = "A winmail.dat cannot be printed; the sender's Outlook has to write mail as HTML or plain text"
        return Hindrance.NOT_TAKEN, words
    if kind == kinds.ZIP:
        return Hindrance.NOT_TAKEN, "Archives are not unpacked here; please send the documents themselves"
    return (Hindrance.UNKNOWN_FORMAT if kind in (kinds.OCTETS, kinds.OLE) else Hindrance.NOT_TAKEN), ""


def paper(media: str) -> tuple[float, float]:
    """The size of a paper in points; A4 when it has no name."""
    wide, high = size_of(media or _USUAL) or (21_000, 29_700)
    return wide / _POINT, high / _POINT


def as_pdf(work: Work, kind: str, size: tuple[float, float]) -> str:
    """Path of a PDF of the document.

    :param size: of the paper for what has no pages of its own, points.
    """
    if kind == kinds.PDF:
        return work.source
    path = os.path.join(work.folder, "document-pages.pdf")
    if kind in PICTURES:
        from mailshare.documents.picture_pages import to_pdf as picture_to_pdf  # noqa: PLC0415 - only what is needed

        picture_to_pdf(work.source, path, size, work.bounds)
    elif kind in (kinds.TEXT, kinds.HTML):
        from mailshare.documents.html_pages import to_pdf as html_to_pdf  # noqa: PLC0415
        from mailshare.documents.text_pages import to_pdf as text_to_pdf  # noqa: PLC0415

        if not (kind == kinds.HTML and html_to_pdf(work, path, size)):
            text_to_pdf(work, kind, path, size)
    elif kind == kinds.POSTSCRIPT:
        outside.postscript_to_pdf(work, path)
    elif kind in OFFICE:
        outside.office_to_pdf(work, kind, path)
    else:
        raise NotConvertible(*_why_not(kind))
    return path


def _raster(work: Work, wanted: Wanted, pdf: str, target: str) -> int:
    from mailshare.documents.raster import Sheet, write_raster  # noqa: PLC0415
    from mailshare.wire.pwg_raster import KINDS, RasterPage  # noqa: PLC0415

    kind = wanted.raster_type
    if kind not in KINDS or (target == kinds.URF and KINDS[kind].urf < 0):
        kind = "srgb_8" if wanted.color and target == kinds.URF else "sgray_8"
    sides = str(wanted.options.get("sides", "one-sided"))
    quality = wanted.options.get("print-quality")
    page = RasterPage(
        kind=kind,
        width=0,
        height=0,
        resolution=wanted.resolution,
        media=wanted.media or _USUAL,
        duplex=sides != "one-sided",
        tumble=sides == "two-sided-short-edge",
        quality=quality if quality in (3, 4, 5) else 0,
    )
    scaling = str(wanted.options.get("print-scaling", "auto"))
    sheet = Sheet(target, page, scaling, wanted.sheet_back, wanted.copies)
    return write_raster(pdf, work.target, sheet, work.bounds)


def preview(work: Work) -> Mapping[str, object]:
    """The first page as JPEG."""
    from mailshare.documents.picture_pages import as_jpeg  # noqa: PLC0415
    from mailshare.documents.raster import Place, drawn  # noqa: PLC0415

    width = max(16, min(int(work.options.get("width", 600)), 4_000))
    document = opened(as_pdf(work, kind_of(work), paper("")), work.bounds)
    wide, high = document[0].get_size()
    height = max(1, min(round(width * high / max(wide, 1)), 4 * width))
    picture = drawn(document[0], Place(0, 0, width, height), (width, height))
    with open(work.target, "wb") as out:
        out.write(as_jpeg(picture))
    return {"format": kinds.JPEG, "pages": 1, "of": len(document)}
