"""Style, script and icons: read once, packed once, named by their hash, so that browsers keep them for ever."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.web.resource import Resource

_FOLDER = os.path.join(os.path.dirname(__file__), "static")
_KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    "LICENSES": "text/plain; charset=utf-8",
}
_SHORT = "public, max-age=60"
_FOR_EVER = "public, max-age=31536000, immutable"


@frozen
class _File:
    kind: str
    plain: bytes
    packed: bytes
    version: str


class StaticFiles(Resource):
    """``/static/NAME``; with ``?v=HASH`` the answer never changes."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self._files = _read()

    def url(self, name: str) -> str:
        """Where a page finds a file."""
        return f"/static/{name}?v={self._files[name].version}"

    def render_GET(self, request: Any) -> bytes:
        """The file; Twisted calls this."""
        name = b"/".join(request.postpath).decode("ascii", "replace")
        file = self._files.get(name)
        if file is None:
            request.setResponseCode(404)
            request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
            return b"There is nothing here\n"
        current = request.args.get(b"v", [b""])[0] == file.version.encode()
        request.setHeader(b"Cache-Control", (_FOR_EVER if current else _SHORT).encode())
        request.setHeader(b"Content-Type", file.kind.encode())
        request.setHeader(b"Vary", b"Accept-Encoding")
        if request.setETag(f'"{file.version}"'.encode()):
            return b""
        if b"gzip" in (request.getHeader(b"Accept-Encoding") or b""):
            request.setHeader(b"Content-Encoding", b"gzip")
            return file.packed
        return file.plain


def _read() -> Mapping[str, _File]:
    found = {}
    for folder, _, names in os.walk(_FOLDER):
        for name in names:
            kind = next((kind for end, kind in _KINDS.items() if name.endswith(end)), "")
            if not kind:
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as stream:
                plain = stream.read()
            key = os.path.relpath(path, _FOLDER).replace(os.sep, "/")
            version = hashlib.sha256(plain).hexdigest()[:16]
            found[key] = _File(kind, plain, gzip.compress(plain, 9, mtime=0), version)
    return found
