"""Status mails of printing: ``multipart/report`` with words for people and a signed part for machines (RFC 6522)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field, frozen

from mailshare.core.address import Address
from mailshare.core.errors import PeerFault
from mailshare.core.print_status import PrintStatus, read_status, status_octets, texts, title
from mailshare.core.report_parts import CRLF, date_text, paragraphs, report_message, seven_bit, text_field
from mailshare.core.report_parts import field as header_field
from mailshare.wire.jws import Signed, SigningKey, sign, unwrap
from mailshare.wire.mime import EntityBegun, EntityData, MIMEEvent
from mailshare.wire.print_mail import base64_lines

STATUS_TYPE = "application/vnd.mailshare.print-status+json"
STATUS_KIND = "mailshare-print-status"  # the ``typ`` of its signature
_MOST = 128 * 1024  # octets of a machine part that are looked at


@frozen
class StatusLetter:
    """The mail around a status.

    :ivar about: Message-ID of the mail that brought the job, with angle brackets, or empty; so mail programs thread it.
    :ivar original: header lines of that mail, CRLF ended, to be returned; or empty.
    """

    sender: Address
    to: Address
    message_id: str
    at: int
    about: str = ""
    original: bytes = b""


def status_mail(
    status: PrintStatus, name: str, letter: StatusLetter, key: SigningKey | None, passed: Sequence[str] = ()
) -> bytes:
    """The whole mail, CRLF line ends, 7-bit.

    Its envelope sender is the null sender; it answers nothing that was sent automatically (RFC 3834), which its caller
    sees to.

    :param name: of the job.
    :param passed: what happened before and was not told yet, a line each.
    """
    lines = [
        header_field("Date", date_text(letter.at)),
        header_field("From", f"<{letter.sender}>"),
        header_field("To", f"<{letter.to}>"),
        text_field("Subject", title(status, name)),
        header_field("Message-ID", letter.message_id),
    ]
    if letter.about:
        lines += [header_field("In-Reply-To", letter.about), header_field("References", letter.about)]
    lines.append(header_field("Auto-Submitted", "auto-replied"))
    text, encoding = seven_bit(paragraphs(texts(status, name, passed)))
    signed = sign(status_octets(status), key, kind=STATUS_KIND)
    parts = [
        _part(b"text/plain; charset=utf-8", encoding, text),
        _part(STATUS_TYPE.encode() + b"; charset=utf-8", b"base64", base64_lines(signed)),
    ]
    if letter.original:
        original, how = seven_bit(letter.original)
        parts.append(_part(b"text/rfc822-headers", how, original))
    return report_message(b"".join(lines), "print-status", f"status-{status.id}", parts)


def _part(kind: bytes, encoding: bytes, body: bytes) -> bytes:
    return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + CRLF + CRLF + body


@define
class StatusCollector:
    """Picks the machine part out of a mail that streams by; feed it the events of a MIME reader.

    :ivar found: the part was there.
    """

    found: bool = False
    _path: tuple[int, ...] | None = None
    _octets: bytearray = field(factory=bytearray)

    def take(self, event: MIMEEvent) -> None:
        """One event; the first part of the right type counts."""
        if isinstance(event, EntityBegun) and event.media.name == STATUS_TYPE and not self.found:
            self.found, self._path = True, event.path
        elif isinstance(event, EntityData) and event.path == self._path and len(self._octets) <= _MOST:
            self._octets += event.data

    def result(self) -> tuple[PrintStatus, Signed]:
        """The status, and the signature that is yet to be verified.

        :raises PeerFault: there is none, or it cannot be used.
        """
        if not self.found:
            raise PeerFault("There is no status of a print job in this mail")
        signed = unwrap(bytes(self._octets), kind=STATUS_KIND)
        return read_status(signed.payload), signed
