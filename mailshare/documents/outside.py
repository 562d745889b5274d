"""Programs of others that open what we do not, or not as quickly: Ghostscript, poppler's pdftops, an office suite,
jbigkit.

Each runs as a child of the confined process, within the same bounds: no network, no files but those of the folder.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import partial

from mailshare.core import print_formats as kinds
from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.print_formats import OFFICE
from mailshare.documents.confinement import end_with
from mailshare.documents.operations import Work
from mailshare.documents.routes import Tools

_GS = ("-dSAFER", "-dBATCH", "-dNOPAUSE", "-dQUIET", "-dNOPROMPT")
_DEVICES = {kinds.PCLXL: ("pxlmono", "pxlcolor"), kinds.PCL: ("ljet4", "cljet5")}


def postscript_to_pdf(work: Work, target: str) -> None:
    """By Ghostscript, which may touch no file but these two."""
    _run(work, "gs", [*_GS, "-sDEVICE=pdfwrite", f"-sOutputFile={target}", "-f", work.source], target)


def office_to_pdf(work: Work, kind: str, target: str) -> None:
    """By an office suite without a window, with a profile that goes away with the folder."""
    named = os.path.join(work.folder, f"document.{OFFICE[kind]}")
    os.link(work.source, named)
    profile = f"-env:UserInstallation=file://{work.folder}/profile"
    made = os.path.join(work.folder, "document.pdf")
    argv = [profile, "--headless", "--norestore", "--convert-to", "pdf", "--outdir", work.folder, named]
    _run(work, "soffice", argv, made)
    os.rename(made, target)


def pdf_to(work: Work, kind: str, source: str, target: str, *, color: bool, resolution: int) -> None:
    """PostScript by pdftops, PCL by Ghostscript."""
    if kind == kinds.POSTSCRIPT:
        _run(work, "pdftops", ["-level3", "-q", source, target], target)
        return
    device = _DEVICES[kind][color]
    argv = [*_GS, f"-sDEVICE={device}", f"-r{resolution}", f"-sOutputFile={target}", "-f", source]
    _run(work, "gs", argv, target)


def jbig_to_pbm(work: Work, source: str, target: str) -> None:
    """By jbigkit; of a picture that is cut off it makes nothing."""
    if os.path.exists(target):
        os.unlink(target)
    _run(work, "jbgtopbm", [source, target], target)


def _run(work: Work, name: str, argv: Sequence[str], made: str) -> None:
    path = Tools.found(work.bounds.tools).paths.get(name)
    if path is None:
        raise NotConvertible(Hindrance.TOOL_MISSING)
    try:
        ended = subprocess.run(  # noqa: S603 - a path of ours, and file names of ours
            [path, *argv],
            cwd=work.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=work.bounds.seconds,
            check=False,
            preexec_fn=partial(end_with, os.getpid()),  # safe: this process has no threads
        )
    except subprocess.TimeoutExpired as fault:
        raise NotConvertible(Hindrance.TOO_LONG) from fault
    if ended.returncode in (-24, 152):  # SIGXCPU, and what a shell makes of it
        raise NotConvertible(Hindrance.TOO_LONG)
    if ended.returncode == -25:  # SIGXFSZ
        raise NotConvertible(Hindrance.RESULT_TOO_LARGE)
    if ended.returncode != 0 or not os.path.exists(made) or not os.path.getsize(made):
        raise NotConvertible(Hindrance.DAMAGED, detail={"why": f"{name} ended with {ended.returncode}"})
