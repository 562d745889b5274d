"""Reports about what became of a message: delivery status (RFC 3464), disposition (RFC 8098) and plain notices.

Pure functions from values to octets with CRLF line ends. They are for local senders and are laid into local mailboxes;
their envelope sender is always the null sender, and nothing here is ever made for mail that came from outside.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from attrs import field as attribute
from attrs import frozen

from mailshare.core.fax_causes import fax_advice
from mailshare.core.fax_report import fax_subject, fax_words
from mailshare.core.report_parts import (
    CRLF,
    date_text,
    field,
    paragraphs,
    part,
    printable,
    report_message,
    seven_bit,
    text_field,
    text_part,
)
from mailshare.core.report_words import advice, span
from mailshare.core.values import Outcome, QueueItem, QueueState

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\Z")
MAX_RETURNED = 262144  # octets of a whole message that RET=FULL sends back; a larger one comes back as its header


class Action(Enum):
    """The ``Action`` field (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


@frozen
class Fate:
    """What became of one recipient.

    :ivar orcpt: as the client gave it, ``rfc822;name@host``, decoded; or empty.
    :ivar status: enhanced code; a fitting general one is put where it is missing or contradicts the action.
    :ivar code: the peer's reply code, 0 when it never answered; ``reply`` its text.
    :ivar remote: host that answered, or empty.
    :ivar tried: time of the last try, microseconds UTC, 0 = never.
    :ivar until: when it is given up, for delays.
    :ivar medium: ``fax`` when it was no mail that went; ``cause`` the word for what came of the call, and ``fields``
        further fields for programs, e.g. ``X-Fax-Pages``.
    """

    address: str
    orcpt: str = ""
    status: str = ""
    code: int = 0
    reply: str = ""
    remote: str = ""
    tried: int = 0
    until: int = 0
    medium: str = ""
    cause: str = ""
    fields: Mapping[str, str] = attribute(factory=dict, hash=False)


@frozen
class ReportDetails:
    """What an agent adds to a report about its rows.

    :ivar words: paragraphs for people.
    :ivar fields: for programs, in the block of each recipient, e.g. ``Media-Accept-Features`` (RFC 2530).
    :ivar picture: of what was sent, PNG; empty = none.
    :ivar reply_to: address that takes answers; empty = the author's.
    :ivar copies: login names of others here who get the same report.
    :ivar papers: name and octets of PDF files that go with it.
    """

    words: tuple[str, ...] = ()
    fields: Mapping[str, str] = attribute(factory=dict, hash=False)
    picture: bytes = attribute(default=b"", repr=False)
    reply_to: str = ""
    papers: tuple[tuple[str, bytes], ...] = attribute(default=(), repr=False)
    copies: tuple[str, ...] = ()


@frozen
class Letterhead:
    """What the mail around a report needs to know.

    :ivar hostname: of this server.
    :ivar author: address the report comes from, e.g. ``admin1@mail.office.example``.
    :ivar to: address of the reader.
    :ivar message_id: with angle brackets.
    :ivar boundary: ASCII, 1 to 60 characters of RFC 2046's set; random.
    :ivar details: what the agent of the rows adds.
    """

    hostname: str
    author: str
    to: str
    at: int
    message_id: str
    boundary: str = "report"
    details: ReportDetails = ReportDetails()


@frozen
class Returned:
    """The message reported on.

    :ivar header: its header block.
    :ivar whole: the whole message when RET=FULL asks for it and it is small enough, else ``None``.
    :ivar subject: for the text, may be empty.
    :ivar arrived: when it was taken, microseconds UTC.
    :ivar asks_disposition: it has the field ``Disposition-Notification-To`` (RFC 8098 section 2.1).
    """

    header: bytes
    trace: str
    arrived: int
    whole: bytes | None = None
    subject: str = ""
    envid: str = ""
    message_id: str = ""
    asks_disposition: bool = False


def wanted(action: Action, notify: Iterable[str]) -> bool:
    """Whether a sender who gave this NOTIFY list is told (RFC 3461 section 4.1; without a list: failure and delay)."""
    asked = frozenset(notify)
    if "NEVER" in asked:
        return False
    if action is Action.FAILED:
        return not asked or "FAILURE" in asked
    if action is Action.DELAYED:
        return not asked or "DELAY" in asked
    return "SUCCESS" in asked


def fate_of(item: QueueItem, outcome: Outcome) -> Fate:
    """The fate of a queue row after this outcome; RFC 3463's 4.4.7 marks one that was given up after all its tries."""
    expired = outcome.state is QueueState.EXPIRED
    return Fate(
        address=item.address,
        orcpt=str(item.params.get("orcpt", "")),
        status="4.4.7" if expired else outcome.status,
        code=outcome.code or (item.code if expired else 0),
        reply=outcome.reply or (item.reply if expired else ""),
        remote=str(outcome.detail.get("host", "")),
        tried=outcome.at,
        until=until if isinstance(until := outcome.detail.get("until"), int) else item.expires,
        medium=str(outcome.detail.get("medium", "")),
        cause=str(outcome.detail.get("cause", "")),
        fields=_texts(outcome.detail.get("fields")),
    )


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}


def delivery_report(action: Action, fates: Sequence[Fate], about: Returned, head: Letterhead) -> bytes:
    """A delivery status notification (RFC 3464, with RFC 6533 where an address or the header is not ASCII)."""
    subject = {
        Action.FAILED: "Not delivered: ",
        Action.DELAYED: "Delayed, still trying: ",
        Action.DELIVERED: "Delivered: ",
        Action.RELAYED: "Passed on: ",
    }[action]
    if any(fate.medium == "fax" for fate in fates):
        subject = fax_subject(action.value, "DSN")
    header = _header(head, subject + (about.subject or "your message"), about.message_id, "auto-replied")
    ascii_only = all(fate.address.isascii() and fate.orcpt.isascii() for fate in fates)
    status_type = "message/delivery-status" if ascii_only else "message/global-delivery-status"
    parts = (
        _words_part(_delivery_words(action, fates, about, head), head),
        part(status_type, _status_fields(action, fates, about, head), description="Delivery report"),
        _returned_part(about),
    )
    return report_message(header, "delivery-status", head.boundary, parts)


def plain_report(action: Action, fates: Sequence[Fate], about: Returned, head: Letterhead) -> bytes:
    """The words of a report for people, without the parts for programs."""
    subject = fax_subject(action.value, "") + (about.subject or "your message")
    return notice(subject, _delivery_words(action, fates, about, head), head, about=about.message_id)


def disposition_report(
    about: Returned, head: Letterhead, *, recipient: str, disposition: str, words: Sequence[str], orcpt: str = "",
    subject: str = "About: ", fields: Mapping[str, str] | None = None
) -> bytes:
    """A disposition notification (RFC 8098): what a reader, a printer or a fax line did with a message.

    :param disposition: e.g. ``automatic-action/MDN-sent-automatically; processed``.
    :param words: paragraphs for people.
    :param subject: what stands before that of the message.
    :param fields: further fields for programs, e.g. ``Error`` (RFC 8098 section 3.2.7).
    """
    header = _header(head, subject + (about.subject or "your message"), about.message_id, "auto-replied")
    out = field("Reporting-UA", f"{head.hostname}; mailshare")
    if orcpt:
        out += field("Original-Recipient", orcpt)
    out += field("Final-Recipient", _typed(recipient))
    if about.message_id:
        out += field("Original-Message-ID", about.message_id)
    out += field("Disposition", disposition)
    out += b"".join(field(name, text) for name, text in {**(fields or {}), **head.details.fields}.items())
    ascii_only = out.isascii()
    kind = "message/disposition-notification" if ascii_only else "message/global-disposition-notification"
    parts = (_words_part([*words, *head.details.words], head), part(kind, out), _returned_part(about))
    return report_message(header, "disposition-notification", head.boundary, parts)


def notice(subject: str, words: Sequence[str], head: Letterhead, *, about: str = "") -> bytes:
    """A plain mail from the server to a local reader.

    :param about: Message-ID that it is an answer to, with angle brackets, or empty.
    """
    header = _header(head, subject, about, "auto-generated" if not about else "auto-replied")
    body = paragraphs(words)
    encoding = b"7bit" if body.isascii() else b"8bit"
    mime = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    return header + mime + encoding + CRLF + CRLF + body


def usage_report(subject: str, words: Sequence[str], table: str, name: str, head: Letterhead) -> bytes:
    """A notice with a table for spreadsheets.

    :param table: lines ended by CRLF; ``name`` of its file.
    """
    header = _header(head, subject, "", "auto-generated")
    mark = head.boundary.encode("ascii")
    text, how = seven_bit(paragraphs(words))
    rows, coded = seven_bit(table.encode())
    kind = f'text/csv; charset=utf-8; header=present\r\nContent-Disposition: attachment; filename="{name}"'.encode()
    parts = [(b"text/plain; charset=utf-8", how, text), (kind, coded, rows)]
    out = [header, b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="', mark, b'"\r\n\r\n']
    for content, encoding, body in parts:
        out += [b"--", mark, CRLF, b"Content-Type: ", content, b"\r\nContent-Transfer-Encoding: ", encoding]
        out += [CRLF, CRLF, body, CRLF]
    return b"".join([*out, b"--", mark, b"--\r\n"])


def _header(head: Letterhead, subject: str, about: str, auto: str) -> bytes:
    lines = [
        field("Date", date_text(head.at)),
        field("From", f"Mail server <{head.author}>"),
        field("To", f"<{head.to}>"),
        text_field("Subject", subject),
        field("Message-ID", head.message_id),
    ]
    if head.details.reply_to:
        lines.append(field("Reply-To", f"<{head.details.reply_to}>"))
    if about:
        lines += [field("In-Reply-To", about), field("References", about)]
    lines.append(field("Auto-Submitted", auto))
    return b"".join(lines)


def _delivery_words(action: Action, fates: Sequence[Fate], about: Returned, head: Letterhead) -> list[str]:
    """The part for people."""
    opening = {
        Action.FAILED: "Your message could not be delivered to the recipients below. It will not be tried again.",
        Action.DELAYED: "Your message has not reached the recipients below yet. It is tried again without you.",
        Action.DELIVERED: "Your message was delivered to the recipients below.",
        Action.RELAYED: "Your message was passed on for the recipients below; nothing more will be heard of it.",
    }[action]
    if action is Action.RELAYED and any(fate.medium == "fax" for fate in fates):
        opening = "Your fax was passed on for the recipients below. What becomes of it, only the next gateway knows."
    words = [opening]
    if about.subject:
        words.append(f"Subject: {about.subject}")
    for fate in fates:
        words.append(f"  <{fate.address}>")
        if fate.medium == "fax":
            words += fax_words(fate.reply, fate.fields)
        elif fate.reply or fate.code:
            words += [f"The answer of {fate.remote or 'the other server'} was:", f"  {_diagnostic(fate)}"]
        elif action in {Action.FAILED, Action.DELAYED}:
            words.append("No server answered for it.")
        if action is Action.FAILED:
            words.append(fax_advice(fate.cause) or advice(_status(action, fate.status)))
        elif action is Action.DELAYED and fate.until > head.at:
            words.append(f"It is tried for another {span(fate.until - head.at)}; you will be told if it fails.")
    words += head.details.words
    words.append(f"This is message {about.trace} in the log of {head.hostname}.")
    return words


def _status_fields(action: Action, fates: Sequence[Fate], about: Returned, head: Letterhead) -> bytes:
    """The part for programs: fields for the message, then a block for each recipient."""
    out = [field("Reporting-MTA", f"dns; {head.hostname}")]
    if about.envid:
        out.append(field("Original-Envelope-Id", about.envid))
    out.append(field("Arrival-Date", date_text(about.arrived)))
    for fate in fates:
        out.append(CRLF)
        if fate.orcpt:
            out.append(field("Original-Recipient", fate.orcpt))
        out.append(field("Final-Recipient", _typed(fate.address)))
        out.append(field("Action", action.value))
        out.append(field("Status", _status(action, fate.status)))
        if fate.remote:
            out.append(field("Remote-MTA", f"dns; {fate.remote}"))
        if fate.medium == "fax":
            out.append(field("Diagnostic-Code", f"X-FAX; {fate.cause} ({printable(fate.reply)})"))
            out += [field(name, text) for name, text in {**fate.fields, **head.details.fields}.items()]
        elif fate.code or fate.reply:
            out.append(field("Diagnostic-Code", f"smtp; {_diagnostic(fate)}"))
        if fate.tried:
            out.append(field("Last-Attempt-Date", date_text(fate.tried)))
        out.append(field("Final-Log-ID", about.trace))
        if action is Action.DELAYED and fate.until:
            out.append(field("Will-Retry-Until", date_text(fate.until)))
    return b"".join(out)


def _words_part(words: Sequence[str], head: Letterhead) -> bytes:
    """The part for people, with the picture of what was sent beside it (RFC 6522: it may be of any kind)."""
    text = text_part(paragraphs(words))
    if not head.details.picture and not head.details.papers:
        return text
    mark = b"words-" + head.boundary.strip("=_").encode("ascii")
    parts = [text]
    if head.details.picture:
        picture = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
        picture += b'Content-Description: First page\r\nContent-Disposition: inline; filename="page1.png"\r\n\r\n'
        parts.append(picture + base64.encodebytes(head.details.picture).replace(b"\n", CRLF))
    for name, octets in head.details.papers:
        paper = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        paper += f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'.encode("ascii")
        parts.append(paper + base64.encodebytes(octets).replace(b"\n", CRLF))
    start = b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\nContent-Description: Notification\r\n'
    between = b"\r\n--" + mark + CRLF
    return start + between + between.join(parts) + b"\r\n--" + mark + b"--" + CRLF


def _diagnostic(fate: Fate) -> str:
    code = f"{fate.code} " if fate.code else ""
    status = f"{fate.status} " if fate.code and fate.status and not fate.reply.startswith(fate.status) else ""
    return printable(f"{code}{status}{fate.reply}".strip() or "no text")


def _status(action: Action, status: str) -> str:
    """The status code, or a general one where it is missing or does not fit the action (RFC 3464 section 2.3.4)."""
    fitting = {Action.FAILED: "54", Action.DELAYED: "4", Action.DELIVERED: "2", Action.RELAYED: "2"}[action]
    if _STATUS.match(status) and status[0] in fitting:
        return status
    return f"{fitting[0]}.0.0"


def _typed(address: str) -> str:
    return f"{'rfc822' if address.isascii() else 'utf-8'}; {address}"


def _returned_part(about: Returned) -> bytes:
    """The message reported on: whole, or its header (RFC 6522 section 3; RFC 6533 section 4 for raw UTF-8)."""
    header_ascii = about.header.isascii()
    if about.whole is not None and len(about.whole) <= MAX_RETURNED:
        kind = "message/rfc822" if header_ascii else "message/global"
        return part(kind, about.whole, description="Your message")
    kind = "text/rfc822-headers" if header_ascii else "message/global-headers"
    return part(kind, about.header.rstrip(b"\r\n") + CRLF, description="The header of your message")
