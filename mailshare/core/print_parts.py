"""A job in parts: how a document is cut for mail, and what to do while parts come in, in any order or not at all."""

from __future__ import annotations

import re
from collections.abc import Collection

from attrs import frozen

from mailshare.core.errors import PolicyRefusal
from mailshare.core.print_manifest import MAX_PARTS, PrintManifest

USUAL_PART = 7_000_000  # octets: 9.58 MB as base64, under the limit of 10,240,000 that Postfix ships with
LEAST_PART = 64 * 1024
OVERHEAD = 16 * 1024  # octets of header, text and MIME around a chunk; the manifest comes on top
GAP = 15 * 60 * 1_000_000
MAX_REQUESTS = 3
_LINE_RAW, _LINE_ENCODED = 57, 78  # base64 with CRLF (RFC 2045 section 6.8)
_OTHER_552 = ("5.2.2", "5.7.")  # a mailbox that is full; contents that are not wanted
_TOO_LARGE = re.compile(
    rb"\b(?:5\.3\.4|5\.2\.3|552\b(?![.\d]|[ \-]5\.(?:2\.2|7\.)))|(?:message|mail)[^\r\n]{0,40} too (?:large|big)\b"
)


class TooManyPrintParts(PolicyRefusal):
    """The document would need more than 999 mails."""

    default_code = 552
    default_enhanced = (5, 3, 4)


def encoded(octets: int) -> int:
    """Octets of base64 with its line ends."""
    lines, rest = divmod(octets, _LINE_RAW)
    return lines * _LINE_ENCODED + (-(-rest // 3) * 4 + 2 if rest else 0)


def part_for_limit(limit: int, manifest: int = 0) -> int:
    """The largest chunk whose mail fits a server's limit (RFC 1870), at least 64 KiB; 7,000,000 when it told none.

    :param limit: octets, 0 = none told.
    :param manifest: octets of the signed manifest.
    """
    if not limit:
        return USUAL_PART
    room = limit - OVERHEAD - encoded(manifest)
    return max(LEAST_PART, room // _LINE_ENCODED * _LINE_RAW)


def too_large(code: int, status: str) -> bool:
    """A refusal is about the size of the mail (RFC 1870 section 6.1, RFC 3463 section 3.4).

    :param code: of the reply, 0 = not known. :param status: enhanced code, or empty.
    """
    return status in ("5.3.4", "5.2.3") or (code == 552 and not status.startswith(_OTHER_552))


def says_too_large(text: bytes) -> bool:
    """The same of a bounce that tells it in words alone, in the ways of the usual servers."""
    return _TOO_LARGE.search(text.lower()) is not None


def smaller_part(size: int) -> int:
    """The chunk to try after a mail was refused for its size: half, in whole lines."""
    return max(LEAST_PART, size // 2 // _LINE_RAW * _LINE_RAW)


def cut(size: int, part: int) -> tuple[int, ...]:
    """Sizes of the chunks: all equal but the last.

    :raises TooManyPrintParts: more than 999.
    """
    count = max(1, -(-size // part))
    if count > MAX_PARTS:
        needs = f"A document of {size} octets needs {count} mails of {part} octets"
        raise TooManyPrintParts(f"{needs}; {MAX_PARTS} are allowed")
    return (*[part] * (count - 1), size - part * (count - 1))


def missing(manifest: PrintManifest, have: Collection[int]) -> tuple[int, ...]:
    """Numbers of the parts that have not come."""
    return tuple(chunk.number for chunk in manifest.chunks if chunk.number not in have)


@frozen
class Wait:
    """Nothing to do before ``until``, microseconds UTC, unless a part comes."""

    until: int


@frozen
class AskAgain:
    """Ask the sender for these parts."""

    missing: tuple[int, ...]


@frozen
class GiveUp:
    """Its time is over; these parts never came."""

    missing: tuple[int, ...]


@frozen
class Complete:
    """All parts are here."""


def next_step(
    manifest: PrintManifest, have: Collection[int], *, now: int, last: int, requests: int, gap: int = GAP
) -> Wait | AskAgain | GiveUp | Complete:
    """What to do about a job that is being collected.

    :param last: when the last part came or the last request went out, microseconds UTC.
    :param requests: how many requests went out; three at most do.
    """
    absent = missing(manifest, have)
    if not absent:
        return Complete()
    if now >= manifest.expires:
        return GiveUp(absent)
    due = last + gap
    if requests >= MAX_REQUESTS:
        return Wait(manifest.expires)
    return AskAgain(absent) if now >= due else Wait(min(due, manifest.expires))
