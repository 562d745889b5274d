"""Answers, bounces and receipts: which of our own messages a message speaks of."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache

from mailshare.core.headers import Headers, read_message_ids

MAX_LOOKED_AT = 64 * 1024
_MAX_IDS = 50
_MAX_PARTS = 20
_REPORT = re.compile(r"\s*multipart/report\b", re.IGNORECASE)
_VALUE = rb"[ \t]*:([^\n]{0,1000}(?:\n[ \t][^\n]{1,1000}){0,60})"
_RETURNED = re.compile(
    rb"^[>| \t]{0,8}(?:x-)?(?:[a-z]{1,20}-)?(?:original-)?message-id" + _VALUE, re.IGNORECASE | re.MULTILINE
)
_REFERRED = re.compile(rb"^[>| \t]{0,8}references" + _VALUE, re.IGNORECASE | re.MULTILINE)
_ENCODED = re.compile(
    rb"^content-transfer-encoding[ \t]*:[ \t]*(base64|quoted-printable)", re.IGNORECASE | re.MULTILINE
)
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_ROBOTS = frozenset(
    {"mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "bounce", "bounces", "mdaemon", "ndr"}
)
_NO_PERSON = _ROBOTS | {""}
_SAYS_SO = re.compile(
    r"(?:undeliver|returned mail|(?:mail |message )?delivery (?:status|failure|report|error|fail|problem|warning|delay)"
    r"|failure (?:notice|delivery)"
    r"|(?:warning: )?(?:your )?(?:(?:e-?)?mail|message) (?:could not be|was not|not|delayed)"
    r"|non-?deliver|unzustellbar|mail (?:system )?error)",
    re.IGNORECASE,
)
_MARKS = frozenset({"x-failed-recipients", "x-ms-embedded-report"})  # Exim and others; Exchange
_RARE = _MARKS | {"return-path"}
# Octets of a Content-Type or a Subject without any of this do not say so, however they are written.
_PERHAPS_REPORT = re.compile(rb"(?i:report)")
_PERHAPS_SAYS_SO = re.compile(
    rb"[^:]*:[ \t\r\n]*(?i:undeliver|returned|delivery|failure|warning|your|non-?deliver|unzustell"
    rb"|(?:(?:e-?)?mail|message)[ \t\r\n]+(?:could|was|not|delay|deliver|system|error))"
    rb"|[^:]*:[^\n]*(?:=\?|[^ -~\t\r\n])|[^\n]*\n[^\n]"
)
# A From field without any of this comes from none of them.
_PERHAPS_ROBOT = re.compile(
    rb"(?i:\b(?:mailer-?daemon|postmaster|mail-daemon|bounces?|mdaemon|ndr)\b)"
    rb"|<>|[^!-'*-\[\]-~ \t\r\n]|:[ \t\r\n<>\"]*\Z"
)
_ANSWER = frozenset({"in-reply-to", "references"})
_SHORT = 200  # octets of a From field that is remembered


def is_report(headers: Headers) -> bool:
    """The message may be a bounce or a receipt: multipart/report, or sent by a mail server with the null sender.

    Also by what servers without standards write into From and Subject. It may be generous: a message counts as a
    report only to look for ids of ours in it. Source: RFC 3464, RFC 8098, RFC 3834 section 5.
    """
    by_name = headers.by_name
    for one in by_name.get("content-type", ()):
        if _PERHAPS_REPORT.search(one.raw) and _REPORT.match(headers.first("content-type") or ""):
            return True
    if headers.has(_RARE) and (
        headers.has(_MARKS) or (headers.first("return-path") or "").replace(" ", "") == "<>"
    ):
        return True
    for one in by_name.get("subject", ()):
        if _PERHAPS_SAYS_SO.match(one.raw) and _SAYS_SO.match(headers.text("subject")):
            return True
    for one in by_name.get("from", ()):
        if _perhaps_robot(one.raw) if len(one.raw) <= _SHORT else _PERHAPS_ROBOT.search(one.raw):
            return _by_robot(headers)
    return False


@lru_cache(maxsize=512)
def _perhaps_robot(raw: bytes) -> bool:
    """Of a From field that may come again."""
    return _PERHAPS_ROBOT.search(raw) is not None


def _by_robot(headers: Headers) -> bool:
    """The From field names no person."""
    sender = headers.first("from") or ""
    if (sender and sender.strip(' <>"').casefold() in _NO_PERSON) or sender.endswith("<>"):
        return True
    return any(box.address.local.casefold() in _ROBOTS for box in headers.mailboxes("from"))


def refers(headers: Headers) -> bool:
    """It may answer or return another message: :func:`references` or :func:`is_report` have something to say."""
    return headers.has(_ANSWER) or is_report(headers)


def names_itself_alone(headers: Headers) -> bool:
    """It answers nothing: its References are what a message gets here on its way out, see ``submission_header``."""
    own, found = headers.own_id, headers.by_name.get("references", ())
    if not own or len(found) != 1 or "in-reply-to" in headers.by_name:
        return False
    return found[0].raw == b"References: %b\r\n" % own.encode()


def references(headers: Headers) -> tuple[str, ...]:
    """Message-IDs that this message answers, the likeliest first, each once, with angle brackets.

    First ``In-Reply-To``, then ``References`` from the last to the first (RFC 5322 section 3.6.4).
    """
    if not headers.has(_ANSWER):
        return ()
    ids = (*headers.message_ids("in-reply-to"), *reversed(headers.message_ids("references")))
    return tuple(dict.fromkeys(ids))


def returned_ids(body_start: bytes) -> tuple[str, ...]:
    """Message-IDs of what a bounce or receipt returns, the likeliest first.

    First ``Message-ID``, ``Original-Message-ID`` (RFC 8098 section 3.2.5) and the fields in which providers that write
    their own Message-ID keep the old one, in order; then the last of each ``References``, for there our own id stands.
    Parts in base64 or quoted-printable are read too, and quoted or indented lines.

    :param body_start: what follows the header block; only the first 64 KiB are looked at.
    """
    looked_at = body_start[:MAX_LOOKED_AT]
    texts = [looked_at, *_decoded(looked_at)]
    found: list[str] = []
    for text in texts:
        for match in _RETURNED.finditer(text):
            found.extend(_ids(match[1]))
            if len(found) >= _MAX_IDS:
                break
    for text in texts:
        found.extend(each for match in _REFERRED.finditer(text) for each in _ids(match[1])[-1:])
    return tuple(dict.fromkeys(found))[:_MAX_IDS]


def _ids(value: bytes) -> list[str]:
    return read_message_ids(value.replace(b"\r", b"").replace(b"\n", b" ").decode("ascii", "replace"))


def _decoded(text: bytes) -> list[bytes]:
    """The encoded parts of a multipart body as plain octets."""
    out: list[bytes] = []
    for found in _ENCODED.finditer(text):
        start = _EMPTY_LINE.search(text, found.end())
        if start is None or len(out) >= _MAX_PARTS:
            break
        end = text.find(b"\n--", start.end())
        part = text[start.end() : end if end >= 0 else len(text)]
        if found[1].lower() == b"base64":
            digits = _NOT_BASE64.sub(b"", part)
            digits = digits[: len(digits) // 4 * 4]
            out.append(binascii.a2b_base64(digits))
        else:
            out.append(binascii.a2b_qp(part))
    return out
