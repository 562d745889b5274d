"""A document to be printed or faxed: what was found out about it, and what is to be made of it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class DocumentFacts:
    """What a document is, by its octets.

    :ivar format: media type; ``application/octet-stream`` when nobody knows it.
    :ivar octets: its length.
    :ivar pages: how many; ``None`` where only a conversion tells (PostScript, office files).
    :ivar size: width and length of the first page in hundredths of a millimetre, where it says so.
    :ivar encrypted: it opens only with a password that nobody has here.
    :ivar active: what a PDF wants done besides being shown: ``javascript``, ``launch``, ``embedded-file``.
    """

    format: str
    octets: int
    pages: int | None = None
    size: tuple[int, int] | None = None
    encrypted: bool = False
    active: tuple[str, ...] = ()


@frozen
class Conversion:
    """What is to be made of a document.

    :ivar formats: media types that may come out, in any order. A document that is one of these already, and of which
        nothing else is wanted, comes out as it came; else it becomes the best: PDF, then raster, then PostScript.
    :ivar options: of the job, by the names of IPP's Job Template attributes (RFC 8011 section 5.2), JSON
        values. Heeded:
        ``page-ranges``, ``number-up``, ``copies``, ``media``, ``sides``, ``print-color-mode``, ``print-scaling``,
        ``orientation-requested``, ``printer-resolution``.
    :ivar done_there: names of those options that the device fulfils itself; nothing is done about them here.
    :ivar resolutions: dots per inch of raster, in order of preference.
    :ivar raster_types: ``black_1``, ``sgray_8``, ``srgb_8``, ``cmyk_8``; the first that fits the colour mode is taken.
    :ivar sheet_back: how the back of a sheet is to be turned: ``normal``, ``rotated``, ``flipped``, ``manual-tumble``
        (PWG 5102.4 section 4.3.2.2).
    """

    formats: tuple[str, ...]
    options: Mapping[str, object] = field(factory=dict, hash=False)
    done_there: frozenset[str] = frozenset()
    resolutions: tuple[int, ...] = (300,)
    raster_types: tuple[str, ...] = ("sgray_8", "srgb_8")
    sheet_back: str = "normal"
