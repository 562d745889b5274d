"""Print jobs as mail, version 1: writing the mails of a job, and finding its parts in one that came.

A job is one mail, or N mails with the same manifest and a chunk each. Any mail program shows what they are; the chunks
joined in the order of their names are the document. docs/protocol/print-mail.md describes the format.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.print_manifest import PrintManifest
from mailshare.core.report_parts import CRLF, date_text, field, paragraphs, seven_bit, text_field

MANIFEST_TYPE = "application/vnd.mailshare.print-job+json"
MANIFEST_KIND = "mailshare-print-job"  # the ``typ`` of its signature
JOB_FIELD = "Mailshare-Job"
_LINE = 57  # octets a line of base64, 76 columns
_ENDINGS = {
    "application/pdf": "pdf", "application/postscript": "ps", "image/jpeg": "jpg", "image/png": "png",
    "image/tiff": "tif", "image/pwg-raster": "pwg", "image/urf": "urf", "text/plain": "txt", "text/html": "html",
}  # fmt: skip
_PART_ID = re.compile(r"(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.\d{1,3}(?:\.r\d)?@(?P<host>.+)")
_UNSAFE = re.compile(r"[^\w.\-]+")


@frozen
class PartAddress:
    """Who writes to whom.

    :ivar to: the printer's mail address.
    :ivar host: what stands behind the @ of Message-IDs.
    :ivar at: microseconds UTC.
    :ivar resend: how often this part was sent before: a resend has an id of its own, or stores would drop it.
    """

    sender: Address
    to: Address
    host: str
    at: int
    resend: int = 0


def part_id(job: str, number: int, host: str, resend: int = 0) -> str:
    """Message-ID of a part, with angle brackets.

    :param job: the manifest's id.
    """
    again = f".r{resend}" if resend else ""
    return f"<{job}.{number}{again}@{host}>"


def travelling_name(message_id: str, host: str) -> str:
    """The manifest's id of the part that has this Message-ID; empty for what :func:`part_id` has not made."""
    found = _PART_ID.fullmatch(message_id.strip(" <>").casefold())
    return found["job"] if found is not None and found["host"] == host.casefold() else ""


def document_name(manifest: PrintManifest, number: int) -> str:
    """File name of the document in a single mail, of the chunk in one of several: ``report.pdf.003of012``."""
    stem = _UNSAFE.sub("_", manifest.name).strip("_.")[:80] or "document"
    ending = _ENDINGS.get(manifest.format, "bin")
    name = stem if stem.lower().endswith(f".{ending}") else f"{stem}.{ending}"
    if manifest.encoding == "gzip":
        name += ".gz"
    if manifest.encryption is not None:
        name += ".encrypted"
    total = len(manifest.chunks)
    return name if total == 1 else f"{name}.{number:03}of{total:03}"


def part_frame(
    manifest: PrintManifest, signed: bytes, number: int, about: PartAddress, kid: str = ""
) -> tuple[bytes, bytes]:
    """What stands before and behind the chunk in one mail of a job, CRLF line ends, 7-bit.

    The chunk goes between them as :class:`Base64Lines` gives it.

    :param signed: the manifest as :func:`mailshare.wire.jws.sign` made it; the same for all parts.
    :param number: from 1.
    :param kid: name of the key that signed; empty = unsigned.
    """
    boundary = f"print-{manifest.id}".encode()
    whole = len(manifest.chunks) == 1 and manifest.encoding == "none" and not manifest.encryption
    kind = manifest.format if whole else "application/octet-stream"
    name = document_name(manifest, number).encode("ascii", "replace").replace(b"?", b"_")
    pieces = [
        _header(manifest, number, about, kid, boundary),
        *(b"--", boundary, CRLF, _words(manifest, number)),
        *(b"\r\n--", boundary, CRLF, _manifest_part(signed)),
        *(b"\r\n--", boundary, CRLF, b"Content-Type: ", kind.encode(), CRLF),
        b"Content-Transfer-Encoding: base64\r\n",
        *(b'Content-Disposition: attachment; filename="', name, b'"\r\n\r\n'),
    ]
    return b"".join(pieces), b"--" + boundary + b"--\r\n"


class Base64Lines:
    """Octets as base64 in lines of 76 columns, whatever pieces they come in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The lines that are full."""
        data = self._rest + data
        whole = len(data) - len(data) % _LINE
        self._rest = data[whole:]
        return base64_lines(data[:whole])

    def end(self) -> bytes:
        """The last line."""
        rest, self._rest = self._rest, b""
        return base64_lines(rest)


def base64_lines(data: bytes) -> bytes:
    """Octets as base64 in lines of 76 columns."""
    lines = [b64encode(data[at : at + _LINE]) for at in range(0, len(data), _LINE)]
    return CRLF.join([*lines, b""])


def _header(manifest: PrintManifest, number: int, about: PartAddress, kid: str, boundary: bytes) -> bytes:
    total = len(manifest.chunks)
    counted = f" ({number}/{total})" if total > 1 else ""
    first = part_id(manifest.id, 1, about.host)
    triage = f"v=1; id={manifest.id}; part={number}; parts={total}; size={manifest.size}"
    triage += f"; kid={kid}" if kid else ""
    lines = [
        field("Date", date_text(about.at)),
        field("From", f"<{about.sender}>"),
        field("To", f"<{about.to}>"),
        text_field("Subject", f"[print] {manifest.name or 'document'}{counted}"),
        field("Message-ID", part_id(manifest.id, number, about.host, about.resend)),
    ]
    if number > 1:
        lines += [field("In-Reply-To", first), field("References", first)]
    lines += [
        field("Auto-Submitted", "auto-generated"),
        field(JOB_FIELD, triage),
        b"MIME-Version: 1.0\r\n",
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n',
        CRLF,
    ]
    return b"".join(lines)


def _words(manifest: PrintManifest, number: int) -> bytes:
    total = len(manifest.chunks)
    name = manifest.name or "A document"
    if total == 1:
        told = f"{name} ({manifest.format}, {manifest.size:,} octets) is to be printed. The document is attached."
    else:
        told = f"This is part {number} of {total} of {name}. The printer joins the parts; nothing is to be done."
    if manifest.encryption is not None:
        told += " It is encrypted for the printing server; nobody else can open it."
    options = ", ".join(f"{option}={value}" for option, value in manifest.options.items())
    texts: Sequence[str] = [told, *([f"Options: {options}."] if options else []), f"Job {manifest.id}"]
    text, encoding = seven_bit(paragraphs(texts))
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    return head + encoding + CRLF + CRLF + text


def _manifest_part(signed: bytes) -> bytes:
    head = f"Content-Type: {MANIFEST_TYPE}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
    head += 'Content-Disposition: attachment; filename="job.json"\r\n\r\n'
    return head.encode() + base64_lines(signed)


@frozen
class Triage:
    """What the ``Mailshare-Job`` field says; never trusted alone."""

    id: str
    part: int
    parts: int
    size: int
    kid: str = ""


_TRIAGE = re.compile(
    r"v=1; ?id=([0-9a-f\-]{36}); ?part=(\d{1,3}); ?parts=(\d{1,3}); ?size=(\d{1,15})"
    r"(?:; ?kid=([A-Za-z0-9._@+\-]{1,100}))?\Z"
)


def triage(value: str | None) -> Triage | None:
    """Read the field; ``None`` when it is missing or not of version 1."""
    found = _TRIAGE.match(" ".join(value.split())) if value else None
    if found is None:
        return None
    return Triage(found[1], int(found[2]), int(found[3]), int(found[4]), found[5] or "")
