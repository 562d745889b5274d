"""Content transfer encodings, undone piece by piece and read forgivingly (RFC 2045 section 6).

A decoder takes octets in pieces of any size and gives out what is certain so far. None raises; each holds at most a few
octets, for quoted-printable at most one line of 4 KiB.
"""

from __future__ import annotations

import binascii
import re
from typing import Protocol

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(octet for octet in range(256) if octet not in _BASE64)
_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n)")
_LONGEST_HELD = 4_096


class Decoder(Protocol):
    """Undoes one part's transfer encoding."""

    def feed(self, data: bytes) -> bytes:
        """What these octets add to the decoded body."""

    def end(self) -> bytes:
        """What was held back."""


class Identity:
    """``7bit``, ``8bit``, ``binary``, and encodings nobody knows: the octets as they are."""

    def feed(self, data: bytes) -> bytes:
        """The same octets."""
        return data

    def end(self) -> bytes:
        """Nothing is held."""
        return b""


class Base64:
    """RFC 2045 section 6.8. What is not of the alphabet is passed over; padding ends a run, and another may follow."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Whole groups of four digits as octets; up to three digits wait."""
        digits = self._rest + data.translate(None, _NOT_BASE64)
        *ended, last = digits.split(b"=")
        whole = len(last) - len(last) % 4
        self._rest = last[whole:]
        return b"".join([_run(each) for each in ended if each] + [binascii.a2b_base64(last[:whole])])

    def end(self) -> bytes:
        """The last run, which somebody forgot to pad."""
        rest, self._rest = self._rest, b""
        return _run(rest)


def _run(digits: bytes) -> bytes:
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits make no octet
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


class QuotedPrintable:
    """RFC 2045 section 6.7. A sign of equality that begins nothing stays as it is; blanks before a line end go."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Whole lines decoded; of a line longer than 4 KiB what cannot be part of an escape."""
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        if len(data) - cut > _LONGEST_HELD:
            escape = data.rfind(b"=", len(data) - 3)
            cut = escape if escape >= 0 else len(data)
        self._rest = data[cut:]
        return _quoted(data[:cut])

    def end(self) -> bytes:
        """The last line, without its end."""
        rest, self._rest = self._rest, b""
        return _quoted(rest.rstrip(b" \t"))


def _quoted(lines: bytes) -> bytes:
    return binascii.a2b_qp(_TRAILING_BLANKS.sub(b"", lines))


def decoder(encoding: str | None) -> Decoder:
    """The decoder for a ``Content-Transfer-Encoding`` value; unknown ones leave the octets as they are."""
    word = (encoding or "").partition(";")[0].strip().strip('"').lower()
    if word == "base64":
        return Base64()
    return QuotedPrintable() if word == "quoted-printable" else Identity()
