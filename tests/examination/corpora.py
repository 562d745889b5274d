"""Mail that nobody here wrote: found in a folder tree, or in the standard library's own test data."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

LARGEST = 30 * 1024 * 1024
_ENDINGS = frozenset({"", ".eml", ".txt", ".msg", ".mbox", ".mbx", ".mail", ".email", ".rfc822", ".bounce"})
_FROM_LINE = re.compile(rb"^From [^\n]*\n", re.MULTILINE)
_FIELD = re.compile(
    rb"^(?:from|to|received|return-path|message-id|subject|date|mime-version):", re.IGNORECASE | re.MULTILINE
)


def folder() -> Path | None:
    """Where the mail lies: ``MAILSHARE_CORPORA``, else ``test.test_email.data``; ``None`` when neither is here."""
    given = os.environ.get("MAILSHARE_CORPORA")
    if given:
        return Path(given)
    try:
        found = importlib.util.find_spec("test.test_email")
    except ModuleNotFoundError:
        return None
    if found is None or found.origin is None:
        return None
    data = Path(found.origin).with_name("data")
    return data if data.is_dir() else None


def messages(root: Path) -> Iterator[tuple[str, bytes]]:
    """``(where, octets with CRLF)`` of every message below a folder: single files, mbox files and Maildirs."""
    for path in sorted(root.rglob("*")):
        maildir = path.parent.name in {"cur", "new"}
        if not path.is_file() or path.stat().st_size > LARGEST or not (maildir or path.suffix.lower() in _ENDINGS):
            continue
        octets = path.read_bytes()
        if not (maildir or len(set(_FIELD.findall(octets[:4_096]))) > 1):
            continue
        pieces = _FROM_LINE.split(octets) if octets.startswith(b"From ") else [octets]
        if len(pieces) > 2:
            pieces = [each.replace(b"\n>From ", b"\nFrom ") for each in pieces]
        for number, piece in enumerate(pieces):
            if piece.strip():
                yield f"{path}:{number}", re.sub(rb"\r?\n", b"\r\n", piece)
