"""Names of mailboxes as IMAP writes them: modified UTF-7 (RFC 3501 section 5.1.3), and the quoting of arguments.

Reading never fails: a name that is not written properly stays as it came, so that it can still be selected.
"""

from __future__ import annotations

import binascii
import re

from mailshare.core.errors import LocalFault

_PLAIN = re.compile(r"[\x20-\x25\x27-\x7e]+|&")
_SHIFTED = re.compile(rb"&([^-]*)-")
_UNQUOTABLE = re.compile(r"[\x00\r\n]")
_ESCAPED = re.compile(rb'(["\\])')


def encode_name(name: str) -> bytes:
    """A mailbox name for the wire: printable ASCII as it is, ``&`` as ``&-``, the rest in base64 of UTF-16."""
    pieces: list[bytes] = []
    start = 0
    for plain in _PLAIN.finditer(name):
        if plain.start() > start:
            pieces.append(_shifted(name[start : plain.start()]))
        pieces.append(plain[0].encode().replace(b"&", b"&-"))
        start = plain.end()
    if start < len(name):
        pieces.append(_shifted(name[start:]))
    return b"".join(pieces)


def decode_name(wire: bytes) -> str:
    """A mailbox name for people; what is not modified UTF-7 is read as UTF-8, and failing that octet by octet."""
    try:
        return _SHIFTED.sub(_unshifted, wire).decode()
    except (UnicodeError, binascii.Error):
        return wire.decode("utf-8", "backslashreplace")


def quoted(text: bytes) -> bytes | None:
    """An argument in quotes; ``None`` when it must go as a literal: octets above ASCII, or a line end."""
    if not text.isascii() or any(octet in text for octet in (b"\r", b"\n", b"\0")):
        return None
    return b'"' + _ESCAPED.sub(rb"\\\1", text) + b'"'


def checked(text: str) -> bytes:
    """A name or password that can be sent at all.

    :raises LocalFault: it holds a line end or NUL, which no form of argument may.
    """
    if _UNQUOTABLE.search(text):
        raise LocalFault("A name or password holds control characters")
    return text.encode()


def _shifted(text: str) -> bytes:
    octets = text.encode("utf-16-be", "surrogatepass")
    return b"&" + binascii.b2a_base64(octets, newline=False).rstrip(b"=").replace(b"/", b",") + b"-"


def _unshifted(found: re.Match[bytes]) -> bytes:
    text = found[1].replace(b",", b"/")
    if not text:
        return b"&"
    octets = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    return octets.decode("utf-16-be").encode()
