"""Which kinds of documents become which others here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from mailshare.core import print_formats as kinds
from mailshare.core.print_formats import OFFICE, PICTURES

RASTER = (kinds.PWG, kinds.URF)
_BEST = (kinds.PDF, kinds.PWG, kinds.URF, kinds.POSTSCRIPT, kinds.PCLXL, kinds.PCL)
_PLACES = ("/usr/bin", "/bin", "/usr/local/bin")
SOCKETS = "/tmp"  # noqa: S108 - where LibreOffice makes its socket, which it does not begin without; no choice of ours


@frozen
class Tools:
    """Programs of others that may be used: paths by name; one that is not installed or not wanted has none."""

    paths: Mapping[str, str] = field(factory=dict)

    @classmethod
    def found(cls, names: Sequence[str]) -> Tools:
        """Those of the names that are installed; one that is a path lies there, and is called by its last part."""
        paths: dict[str, str] = {}
        for name in names:
            for place in _PLACES:
                path = os.path.join(place, name)  # which is the name itself where that is a path
                if os.access(path, os.X_OK):
                    paths.setdefault(os.path.basename(name), path)
        return cls(paths)

    def has(self, name: str) -> bool:
        """It may be used."""
        return name in self.paths


def route(source: str, formats: Sequence[str], tools: Tools) -> str:
    """Which of the formats a document becomes; empty when none."""
    if source in formats:
        return source
    if not becomes_pdf(source, tools):
        return ""
    return next((kind for kind in _BEST if kind in formats and pdf_becomes(kind, tools)), "")


def becomes_pdf(source: str, tools: Tools) -> bool:
    """A document of that kind can be made a PDF, or is one."""
    if source in (kinds.PDF, kinds.TEXT, kinds.HTML, *PICTURES):
        return True
    return tools.has("gs") if source == kinds.POSTSCRIPT else source in OFFICE and tools.has("soffice")


def pdf_becomes(target: str, tools: Tools) -> bool:
    """A PDF can be made that."""
    if target in (kinds.PDF, *RASTER):
        return True
    return tools.has({kinds.POSTSCRIPT: "pdftops", kinds.PCLXL: "gs", kinds.PCL: "gs"}.get(target, ""))
