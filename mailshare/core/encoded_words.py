"""Text in header fields that is not plain ASCII: encoded words (RFC 2047) and raw octets, read forgivingly.

Senders break every rule here: encoded words inside quotes, cut in the middle of a character, with blanks in them, in
charsets nobody knows. Nothing here raises, and every step is linear in its input.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

_WORD = re.compile(r"=\?([^?\s]{0,60})\?([QqBb])\?([^?]*)\?=")
_CHARSET = re.compile(
    r"(?:us-?ascii|ascii|utf-?8|utf-?7|utf-?16(?:le|be)?|utf-?32(?:le|be)?|iso[-_]?8859[-_]?\d{1,2}(?:[-_][ei])?|latin[-_]?\d{1,2}"
    r"|(?:windows|cp|ibm)[-_]?\d{3,4}|koi8[-_]?[rut]|gb2312|gbk|gb18030|hz(?:-gb-2312)?|big5(?:-?hkscs)?"
    r"|iso-2022-(?:jp(?:-\d)?|kr)|euc[-_]?(?:jp|kr)|shift[-_]?jis|sjis|ks_c_5601-1987|tis-?620|mac[-_]?roman)\Z"
)
_ALSO_KNOWN_AS = {
    "ks_c_5601-1987": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "ascii",
    "gb2312": "gb18030",
}
_Q_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})|_")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")
_MAX_ENCODED = 63  # octets of payload in one encoded word of at most 75 (RFC 2047 section 2)
_PIECE = re.compile(r"\S+\s*|\s+")
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def text_of(octets: bytes, charset: str = "utf-8") -> str:
    """Octets as text: in that charset when it is a known one and fits, else UTF-8, else windows-1252.

    Codecs that are not character sets (``punycode``, ``idna``, ``unicode_escape`` ...) are never looked up: some of
    them take quadratic time.
    """
    name = charset.casefold().partition("*")[0]
    wanted = (_ALSO_KNOWN_AS.get(name, name),) if _CHARSET.match(name) else ()
    for codec in (*wanted, "utf-8"):
        try:
            return octets.decode(codec)
        except (UnicodeError, LookupError):
            continue
    return octets.decode("cp1252", "replace")


def without_controls(text: str) -> str:
    """Control characters and Unicode line ends become blanks, so that a name can never break a line."""
    return text if text.isascii() and text.isprintable() else text.translate(_CONTROL)


def _payload(encoding: str, text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    if encoding in "Qq":
        return _Q_OCTET.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b" ", octets)
    digits = _NOT_BASE64.sub(b"", octets)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def decode(text: str) -> str:
    """Replace every encoded word by what it means.

    White space between two adjacent words is dropped (RFC 2047 section 6.2), and adjacent words of one charset are
    joined before they are read as characters, because senders cut inside characters. The result has no controls.
    """
    if "=?" not in text:
        return without_controls(text)
    out: list[str] = []
    pending: list[bytes] = []
    charset = ""
    position = 0
    for found in _WORD.finditer(text):
        between = text[position : found.start()]
        adjacent = position > 0 and not between.strip()
        if pending and not (adjacent and found[1].casefold() == charset):
            out.append(text_of(b"".join(pending), charset))
            pending = []
        if not adjacent:
            out.append(between)
        charset = found[1].casefold()
        pending.append(_payload(found[2], found[3]))
        position = found.end()
    if pending:
        out.append(text_of(b"".join(pending), charset))
    out.append(text[position:])
    return without_controls("".join(out))


def _q(octets: bytes) -> str:
    return "".join(chr(o) if o in _Q_PLAIN else "_" if o == 0x20 else f"={o:02X}" for o in octets)


def _b(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()


def _packed(text: str, form: Callable[[bytes], str]) -> list[str]:
    """Text cut into pieces that fit one encoded word each: behind a blank where that is possible, else anywhere.

    Some readers put a blank between two encoded words although they must not; behind a blank that does no harm.
    """

    def fits(piece: str) -> bool:
        return len(form(piece.encode("utf-8", "replace"))) <= _MAX_ENCODED

    pieces: list[str] = []
    current = ""
    for word in _PIECE.findall(text):
        if fits(current + word):
            current += word
            continue
        if current:
            pieces.append(current)
        current = ""
        for char in word:
            if not fits(current + char):
                pieces.append(current)
                current = ""
            current += char
    if current:
        pieces.append(current)
    return [form(piece.encode("utf-8", "replace")) for piece in pieces]


def encode(text: str) -> str:
    """A phrase of encoded words in UTF-8, each at most 75 characters, separated by blanks; Q or B, what is shorter.

    Characters are never cut in two. Source: RFC 2047 section 2 and section 5 (3).
    """
    as_q = " ".join(f"=?utf-8?Q?{word}?=" for word in _packed(text, _q))
    as_b = " ".join(f"=?utf-8?B?{word}?=" for word in _packed(text, _b))
    return min(as_q, as_b, key=lambda phrase: (phrase.count(" "), len(phrase)))
