"""Answers, bounces and receipts: which of our own messages a message speaks of."""

from __future__ import annotations

import re

from mailshare.core.headers import Headers, read_message_ids

MAX_LOOKED_AT = 64 * 1024
_MAX_IDS = 50
_REPORT = re.compile(r"\s*multipart/report\b", re.IGNORECASE)
_RETURNED = re.compile(
    rb"^(?:original-)?message-id[ \t]*:([^\n]{0,1000}(?:\n[ \t][^\n]{0,1000})?)", re.IGNORECASE | re.MULTILINE
)
_ROBOTS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "bounce"})


def is_report(headers: Headers) -> bool:
    """The message may be a bounce or a receipt: multipart/report, or sent by a mail server with the null sender.

    Source: RFC 3464, RFC 8098, RFC 3834 section 5; old servers send plain text.
    """
    if _REPORT.match(headers.first("content-type") or ""):
        return True
    if (headers.first("return-path") or "").replace(" ", "") == "<>":
        return True
    return any(box.address.local.casefold() in _ROBOTS for box in headers.mailboxes("from"))


def references(headers: Headers) -> tuple[str, ...]:
    """Message-IDs that this message answers, the likeliest first, each once, with angle brackets.

    First ``In-Reply-To``, then ``References`` from the last to the first (RFC 5322 section 3.6.4).
    """
    ids = (*headers.message_ids("in-reply-to"), *reversed(headers.message_ids("references")))
    return tuple(dict.fromkeys(ids))


def returned_ids(body_start: bytes) -> tuple[str, ...]:
    """Message-IDs of what a bounce or receipt returns.

    :param body_start: what follows the header block; only the first 64 KiB are looked at.
    :returns: values of ``Message-ID`` and ``Original-Message-ID`` lines (RFC 8098 section 3.2.5), in order, each once.
    """
    found: list[str] = []
    for match in _RETURNED.finditer(body_start[:MAX_LOOKED_AT]):
        found.extend(read_message_ids(match[1].decode("ascii", "replace")))
        if len(found) >= _MAX_IDS:
            break
    return tuple(dict.fromkeys(found[:_MAX_IDS]))
