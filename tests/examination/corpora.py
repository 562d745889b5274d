"""Mail that nobody here wrote: found in a folder tree, or in the standard library's own test data.

``MAILSHARE_CORPORA=FOLDER`` names a tree of single files, mbox files and Maildirs; each folder directly below it counts
as one source. What a file is called does not matter: mail is what begins like mail.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

_WHERE = "import test.test_email; print(test.test_email.__file__)"
LARGEST = 30 * 1024 * 1024
_FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\n]*\d\d[^\n]*\n")
_FIELD = re.compile(rb"([!-9;-~]{1,70})[ \t]*:")
_WRITTEN = frozenset({b"from", b"subject", b"date", b"message-id", b"sender", b"reply-to", b"mime-version"})
_CARRIED = frozenset({b"to", b"cc", b"received", b"return-path", b"delivered-to", b"apparently-to", b"x-original-to"})
_FOLDED_LINE = re.compile(rb"\r?\n[ \t][^\n]*")


def folder() -> Path | None:
    """Where the mail lies: ``MAILSHARE_CORPORA``, else ``test.test_email.data`` of one of this machine's Pythons.

    Debian's own Python comes without its tests. ``None`` when there is none.
    """
    given = os.environ.get("MAILSHARE_CORPORA")
    if given:
        return Path(given)
    for python in (sys.executable, shutil.which("python3"), shutil.which("python3", path=_without_ours())):
        found = python and subprocess.run([python, "-c", _WHERE], capture_output=True, text=True, check=False)
        if found and found.returncode == 0 and (data := Path(found.stdout.strip()).with_name("data")).is_dir():
            return data
    return None


def _without_ours() -> str:
    """The path without the environment of these tests, whose Python hides the machine's."""
    ours = Path(sys.executable).parent
    return os.pathsep.join(one for one in os.environ.get("PATH", "").split(os.pathsep) if Path(one) != ours)


ROOT = folder()
needs_mail = pytest.mark.skipif(ROOT is None, reason="no mail: set MAILSHARE_CORPORA, or install test.test_email.data")


def is_mail(octets: bytes) -> bool:
    """It begins with fields, nearly all lines are such, and it says who wrote it and how it came."""
    head = _FOLDED_LINE.sub(b"", octets[:32_768]).replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")[0]
    lines = [line for line in head.split(b"\n") if not line.startswith((b"From ", b">From "))]
    names = [found[1].lower() for line in lines if (found := _FIELD.match(line))]
    return len(names) >= 0.8 * len(lines) > 0 and bool(_WRITTEN & set(names)) and bool(_CARRIED & set(names))


def as_sent(octets: bytes) -> bytes:
    """Files hold LF for CRLF; one that has CRLF too is left as it is, with all its oddities."""
    return octets if b"\r\n" in octets else octets.replace(b"\n", b"\r\n")


def messages(root: Path) -> Iterator[tuple[str, bytes]]:
    """``(where, octets)`` of every message below a folder, each once."""
    seen = set[bytes]()
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        octets = path.read_bytes()
        if octets.startswith(b"\x1f\x8b"):
            octets = _unpacked(octets)
        starts = [found.start() for found in _FROM_LINE.finditer(octets)]
        pieces = [octets]
        if starts and starts[0] == 0:
            pieces = [octets[a:b] for a, b in zip(starts, [*starts[1:], len(octets)], strict=True)]
        for number, piece in enumerate(pieces):
            if not is_mail(piece):
                continue
            sent = as_sent(piece if len(pieces) < 2 else piece.partition(b"\n")[2].replace(b"\n>From ", b"\nFrom "))
            digest = hashlib.sha256(sent.strip()).digest()
            if digest not in seen:
                seen.add(digest)
                yield f"{path}:{number}", sent


def _unpacked(octets: bytes) -> bytes:
    try:
        return gzip.decompress(octets)
    except (OSError, EOFError, zlib.error):
        return b""


def sources(root: Path, found: list[tuple[str, bytes]]) -> int:
    """How many of the folders directly below the root gave something."""
    return len({Path(where).relative_to(root).parts[0] for where, _ in found})
