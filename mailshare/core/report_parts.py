"""The bricks of mail that the server writes itself: dates, safe fields, wrapped text, parts.

Everything that came from a peer goes through :func:`printable` first, so that neither a header line nor a line of a
report can be forged by a reply or an address (no CR, LF, NUL or other control character comes out of here).
"""

from __future__ import annotations

import quopri
import re
import textwrap
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_AS_IT_IS = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
_WORD_OCTETS = 36  # as base64 with its frame 60 characters: a line of 76 with the field's name (RFC 2047 section 2)
CRLF = b"\r\n"


def date_text(at: int) -> str:
    """An instant as RFC 5322 section 3.3 writes it, in UTC: ``Sat, 21 Nov 2026 11:53:07 +0000``.

    :param at: microseconds UTC.
    """
    return _date_of_second(at // 1_000_000)


@lru_cache(maxsize=8)
def _date_of_second(second: int) -> str:
    moment = datetime.fromtimestamp(second, UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} +0000"


def printable(text: str, limit: int = 500) -> str:
    """One line without control and invisible characters, cut at ``limit`` characters."""
    if len(text) <= limit and _AS_IT_IS.fullmatch(text):
        return text
    safe = text if text.isascii() and text.isprintable() else _UNSAFE.sub(" ", text)
    clean = " ".join(safe.split())
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def field(name: str, value: str) -> bytes:
    """A header or status field, one line, UTF-8 where it must be; CRLF ended."""
    return f"{name}: {printable(value, 900)}".encode() + CRLF


def text_field(name: str, value: str) -> bytes:
    """A header field of free text; what is not ASCII becomes encoded words (RFC 2047), folded one a line."""
    clean = printable(value, 200)
    if clean.isascii():
        return field(name, clean)
    chunks: list[bytes] = [b""]
    for char in clean:
        octets = char.encode()
        if len(chunks[-1]) + len(octets) > _WORD_OCTETS:
            chunks.append(b"")
        chunks[-1] += octets
    words = [b"=?utf-8?B?" + b64encode(chunk) + b"?=" for chunk in chunks]
    return name.encode() + b": " + b"\r\n ".join(words) + CRLF


def paragraphs(texts: Sequence[str]) -> bytes:
    """Plain text, wrapped at 76 columns, an empty line between paragraphs. A text that begins with blanks is quoted."""
    out: list[str] = []
    for text in texts:
        indent = "    " if text.startswith(" ") else ""
        out.extend(textwrap.wrap(printable(text, 2000), 76, initial_indent=indent, subsequent_indent=indent))
        out.append("")
    return "\r\n".join(out).encode() + CRLF


def part(content_type: str, body: bytes, *, description: str = "") -> bytes:
    """A body part with its header; the transfer encoding tells whether there are octets above 127."""
    header = b"Content-Type: " + content_type.encode() + CRLF
    if description:
        header += field("Content-Description", description)
    header += b"Content-Transfer-Encoding: " + (b"7bit" if body.isascii() else b"8bit") + CRLF
    return header + CRLF + body


def seven_bit(octets: bytes) -> tuple[bytes, bytes]:
    """Text with CRLF line ends so that no relay has to change it, and the transfer encoding that says how."""
    if octets.isascii():
        return octets, b"7bit"
    return quopri.encodestring(octets).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), b"quoted-printable"


def text_part(body: bytes) -> bytes:
    """A body part of plain text."""
    return part("text/plain; charset=utf-8", body, description="Notification")


def report_message(header: bytes, report_type: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """A ``multipart/report`` (RFC 6522) of these parts.

    :param header: the header fields before MIME's own.
    :param boundary: hoped to occur in no part; it is made longer where it does.
    """
    mark = boundary.encode("ascii")
    while any(mark in each for each in parts):
        mark += b"_"
    eight = any(not each.isascii() for each in parts)
    out = [header, b"MIME-Version: 1.0\r\n"]
    out.append(f"Content-Type: multipart/report; report-type={report_type};\r\n\tboundary=".encode())
    out += [b'"', mark, b'"\r\n', b"Content-Transfer-Encoding: ", b"8bit" if eight else b"7bit", CRLF, CRLF]
    out.append(b"This is a report in several parts, made by a mail server.\r\n")
    for each in parts:
        out += [b"\r\n--", mark, CRLF, each]
    out += [b"\r\n--", mark, b"--\r\n"]
    return b"".join(out)
