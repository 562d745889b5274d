"""What a printer can do, in the words of IPP; what a destination does not say is what most office printers can."""

from __future__ import annotations

from attrs import frozen

from mailshare.core import print_formats as kinds
from mailshare.core.print_media import COMMON

FORMATS = (
    kinds.PDF,
    kinds.POSTSCRIPT,
    kinds.JPEG,
    kinds.PNG,
    kinds.TIFF,
    kinds.PWG,
    kinds.URF,
    kinds.TEXT,
    kinds.OCTETS,
)
MODEL = "mailshare print by mail"
"""``printer-make-and-model`` of all queues."""


@frozen
class Abilities:
    """What jobs to a destination may ask for.

    :ivar formats: media types; the first is the one to send when anything will do.
    :ivar media: names of sizes; ``ready`` those that lie in its trays.
    :ivar resolutions: dots per inch.
    :ivar finishings: enums of RFC 8011 section 5.2.6; 3 = none.
    :ivar copies: most of them.
    """

    formats: tuple[str, ...] = FORMATS
    media: tuple[str, ...] = COMMON
    ready: tuple[str, ...] = ("iso_a4_210x297mm", "na_letter_8.5x11in")
    sources: tuple[str, ...] = ("auto", "main", "alternate", "manual")
    types: tuple[str, ...] = ("auto", "stationery", "stationery-heavyweight", "envelope", "labels", "photographic")
    output_bins: tuple[str, ...] = ("auto", "face-down", "face-up")
    sides: tuple[str, ...] = ("one-sided", "two-sided-long-edge", "two-sided-short-edge")
    color: bool = True
    qualities: tuple[int, ...] = (3, 4, 5)
    resolutions: tuple[int, ...] = (150, 300, 600)
    finishings: tuple[int, ...] = (3,)
    number_up: tuple[int, ...] = (1, 2, 4, 6, 9, 16)
    copies: int = 999

    @property
    def color_modes(self) -> tuple[str, ...]:
        """Values of ``print-color-mode``."""
        return ("auto", "monochrome", "color") if self.color else ("auto", "monochrome")

    @property
    def raster_types(self) -> tuple[str, ...]:
        """Values of ``pwg-raster-document-type-supported``."""
        return ("black_1", "sgray_8", "srgb_8", "srgb_16", "cmyk_8") if self.color else ("black_1", "sgray_8")

    @property
    def urf(self) -> tuple[str, ...]:
        """Values of ``urf-supported``."""
        dots = "-".join(map(str, self.resolutions))
        color, duplex = ("SRGB24",) if self.color else (), ("DM1",) if len(self.sides) > 1 else ()
        return ("V1.4", "CP1", "W8", *color, f"RS{dots}", *duplex)
