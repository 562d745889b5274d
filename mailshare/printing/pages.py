"""The few pages that a queue's URIs lead a person to: what it is, how it stands, its picture."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from html import escape
from urllib.parse import unquote

from mailshare.core.values import PrintJob
from mailshare.printing.destinations import Destination
from mailshare.printing.service import PrintService
from mailshare.wire.ipp_job import state_message

_START = "/ipp/print/"
_ICONS = {"icon-48.png": 48, "icon-128.png": 128, "icon-512.png": 512}
_INK, _PAPER, _BODY = b"\x33\x55\x77", b"\xff\xff\xff", b"\xcc\xd6\xe0"


class Pages:
    """Made anew for each request, from what is known now."""

    def __init__(self, service: PrintService) -> None:
        self._service = service

    def page(self, path: str, authority: str, *, secure: bool) -> tuple[bytes, bytes] | None:
        """``(media type, octets)`` of a path, or ``None`` when there is nothing.

        :param authority: ``host:port`` as the client calls us.
        """
        scheme = "ipps" if secure else "ipp"
        if path in ("", "/", "/ipp", "/ipp/", "/ipp/print", _START):
            return self._html("Printers", self._list(f"{scheme}://{authority}"))
        if not path.startswith(_START):
            return None
        name, _, rest = path[len(_START) :].partition("/")
        queue = self._service.queue(unquote(name)) if name else None
        if queue is None:
            return None
        if rest in _ICONS:
            return b"image/png", icon(_ICONS[rest])
        if rest in ("", "supplies"):
            return self._html(queue.title or queue.name, self._queue(queue, f"{scheme}://{authority}"))
        number = rest.removeprefix("jobs/")
        job = self._service.board.get(int(number)) if number.isascii() and number.isdigit() else None
        if job is None or job.ticket.queue != queue.name or rest == number:
            return None
        return self._html(f"Job {job.id}", self._job(job))

    def _list(self, root: str) -> str:
        lines = [
            f'<li><a href="{_START}{escape(one.name)}">{escape(one.title or one.name)}</a>: '
            f"<code>{escape(root)}{_START}{escape(one.name)}</code></li>"
            for one in self._service.destinations.values()
        ]
        return f"<ul>{''.join(lines)}</ul>"

    def _queue(self, queue: Destination, root: str) -> str:
        _, _, words = self._service.standing(queue)
        jobs = self._service.board.waiting(queue.name)
        rows = "".join(f"<tr><td>{job.id}</td><td>{escape(state_message(job))}</td></tr>" for job in jobs[:100])
        return (
            f"<p>{escape(queue.location)}</p><p>{escape(words)}</p>"
            f"<p>Add it as <code>{escape(root)}{_START}{escape(queue.name)}</code>.</p>"
            f"<p>Jobs that are not over: {len(jobs)}</p><table>{rows}</table>"
        )

    @staticmethod
    def _job(job: PrintJob) -> str:
        return f"<p>{escape(state_message(job))}</p><p>{len(job.documents)} documents, {job.octets} octets</p>"

    @staticmethod
    def _html(title: str, body: str) -> tuple[bytes, bytes]:
        text = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>'
            f"{escape(title)}</title></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
        )
        return b"text/html; charset=utf-8", text.encode("utf-8", "replace")


@lru_cache(maxsize=4)
def icon(size: int) -> bytes:
    """A sheet of paper coming out of a printer, as PNG (ISO/IEC 15948)."""
    rows = bytearray()
    for y in range(size):
        rows.append(0)
        for x in range(size):
            across, down = x * 16 // size, y * 16 // size
            if (5 <= across < 11 and 2 <= down < 6) or (4 <= across < 12 and 9 <= down < 14):
                rows += _PAPER
            elif 2 <= across < 14 and 6 <= down < 12:
                rows += _INK
            else:
                rows += _BODY
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out
