"""A fax that came in, as a mail: words about the call, and its pages attached.

Source: RFC 3965 (simple mode), RFC 3302 (``image/tiff; application=faxbw``), RFC 4160 section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field as attribute
from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.report_parts import CRLF, date_text, field, paragraphs, seven_bit, text_field
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.wire.pdf_fax import write_pdf
from mailshare.wire.print_mail import base64_lines
from mailshare.wire.tiff_fax import write_tiff


@frozen
class FaxLetter:
    """What the mail around a fax needs to know.

    :ivar sender: the fax address of the caller, or one that nobody reads.
    :ivar to: whom the mail is for.
    :ivar host: of this server; ``at`` when the call ended, microseconds UTC.
    :ivar formats: ``tiff``, ``pdf``, ``profile-s``.
    :ivar simple: the pages as Profile S; empty = they are not to be had so, and ``profile-s`` is what ``tiff`` is.
    :ivar use: what this mail of the call is for, when there are several; part of its Message-ID.
    :ivar author: address in From instead of the caller's, for mails that ask something of this office itself; they bear
        no mark of a machine.
    :ivar words: without them it is the pages alone, fit to be faxed on.
    :ivar note: a paragraph before all others.
    :ivar unread: a document that came in place of pages, and gives none; ``why`` that is. Empty = there are pages, or
        the document cannot be had.
    """

    sender: Address
    to: Sequence[str]
    host: str
    at: int
    formats: Sequence[str] = ("pdf",)
    use: str = ""
    author: str = ""
    words: bool = True
    note: str = ""
    simple: bytes = attribute(default=b"", repr=False)
    unread: bytes = attribute(default=b"", repr=False)
    why: str = ""


def message_id(ringing: Ringing, host: str, use: str = "") -> str:
    """The Message-ID of a mail of a call: always the same, so that it is known when it was stored already."""
    return f"<fax.{ringing.id}{'.' + use if use else ''}@{host}>"


def fax_mail(ringing: Ringing, facts: CallFacts, pages: Sequence[FaxPage], about: FaxLetter) -> bytes:
    """The mail, CRLF line ends, 7-bit."""
    caller = facts.station.strip() or ringing.caller or "unknown"
    boundary = f"fax-{ringing.id}".encode("ascii", "replace")[:60]
    subject = f"Fax from {caller}, {len(pages)} page{'s' if len(pages) != 1 else ''}"
    if about.why:
        subject = f"Fax from {caller}, which cannot be read"
    elif facts.cause is not FaxCause.OK:
        subject += " (broken off)"
    author = about.author or str(about.sender)
    out = [
        field("Date", date_text(about.at)),
        text_field("From", f"Fax {caller}").rstrip(b"\r\n") + f" <{author}>\r\n".encode(),
        field("To", ", ".join(f"<{one}>" for one in about.to)),
        text_field("Subject", subject),
        field("Message-ID", message_id(ringing, about.host, about.use)),
        b"" if about.author else field("Auto-Submitted", "auto-generated"),
        b"MIME-Version: 1.0\r\n",
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n',
    ]
    if about.words:
        noted = [about.note] if about.note else []
        words, encoding = seven_bit(paragraphs([*noted, *_words(ringing, facts, pages, about)]))
        out += [b"\r\n--", boundary, CRLF, b"Content-Type: text/plain; charset=utf-8\r\n"]
        out += [b"Content-Transfer-Encoding: ", encoding, CRLF, CRLF, words]
    for name, kind, octets in _files(pages, about):
        out += [b"\r\n--", boundary, CRLF, f"Content-Type: {kind}\r\n".encode()]
        out += [b"Content-Transfer-Encoding: base64\r\n"]
        out += [f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'.encode(), base64_lines(octets)]
    out += [b"\r\n--", boundary, b"--\r\n"]
    return b"".join(out)


def internet_fax(
    tiff: bytes, *, sender: Address, to: Address, subject: str, message_id: str, at: int, receipt: bool
) -> bytes:
    """A fax as a mail to another Internet fax machine (RFC 3965 section 2.2), CRLF line ends, 7-bit.

    :param tiff: Profile S.
    :param at: microseconds UTC.
    :param receipt: ask for a disposition notification at ``sender`` (RFC 2532 section 2.1.2).
    """
    return b"".join(
        (
            field("Date", date_text(at)),
            field("From", f"<{sender}>"),
            field("To", f"<{to}>"),
            text_field("Subject", subject or "Fax"),
            field("Message-ID", message_id),
            field("Disposition-Notification-To", f"<{sender}>") if receipt else b"",
            b"MIME-Version: 1.0\r\n",
            b"Content-Type: image/tiff; application=faxbw\r\n",
            b"Content-Transfer-Encoding: base64\r\n",
            b'Content-Disposition: attachment; filename="fax.tif"\r\n\r\n',
            base64_lines(tiff),
        )
    )


def _files(pages: Sequence[FaxPage], about: FaxLetter) -> list[tuple[str, str, bytes]]:
    out, formats, simple = [], about.formats, about.simple
    as_it_came = "tiff" in formats or ("profile-s" in formats and not simple)
    if about.unread:
        out.append((*_looks_like(about.unread), about.unread))
    if pages and "pdf" in formats:
        out.append(("fax.pdf", "application/pdf", write_pdf(pages)))
    if simple:
        out.append(("fax-s.tif", "image/tiff; application=faxbw", simple))
    if pages and as_it_came:
        out.append(("fax.tif", "image/tiff; application=faxbw", write_tiff(pages)))
    return out


def _looks_like(document: bytes) -> tuple[str, str]:
    """A name and a media type for a document that nobody could read here; some program may all the same."""
    if document.startswith(b"%PDF"):
        return "fax.pdf", "application/pdf"
    if document[:4] in (b"II*\0", b"MM\0*"):
        return "fax.tif", "image/tiff"
    return "fax.bin", "application/octet-stream"


def _words(ringing: Ringing, facts: CallFacts, pages: Sequence[FaxPage], about: FaxLetter) -> list[str]:
    known = {
        "Caller": " ".join(each for each in (ringing.caller, ringing.display) if each),
        "Station": facts.station.strip(),
        "Called number": ringing.called,
        "Subaddress": facts.subaddress,
        "Pages": "" if about.why else str(len(pages)),
        "Seconds": f"{facts.seconds:.0f}" if facts.seconds else "",
        "Line": ringing.line,
    }
    words = ["A fax was received."]
    if about.why:
        there = "It is attached as it came" if about.unread else "There is nothing of it here"
        words = [f"A fax came in, but no pages could be made of it: {about.why}. {there}."]
    elif facts.cause is not FaxCause.OK:
        words = ["A fax was received, but the call broke off: pages may be missing at its end."]
    words += [f"  {name}: {value}" for name, value in known.items() if value]
    bad = [str(number) for number, page in enumerate(pages, 1) if page.bad_rows]
    if bad:
        words.append(f"The line was bad: rows are damaged on page {', '.join(bad)}.")
    return words
