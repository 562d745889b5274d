"""Messages to send: each with a number that is found again, and a text that trips careless programs."""

from __future__ import annotations

import hashlib
import re

DOTS = "plain\r\n.\r\n..\r\n.dot first\r\nFrom the beginning of a line\r\n\r\nlast line, after an empty one\r\n"
SERIAL = re.compile(rb"(?mi)^X-Serial: (\S+)\r?$")


def letter(
    serial: str,
    *,
    to: str = "mail@company.example",
    sender: str = "Friend <friend@outside.example>",
    text: str = DOTS,
    more: str = "",
) -> bytes:
    """A message with CRLF line ends. ``serial`` is its Message-ID's left side and stands in ``X-Serial``."""
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: letter {serial}\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
        f"Message-ID: <{serial}@letters.example>\r\nX-Serial: {serial}\r\n{more}\r\n{text}"
    ).encode()


def big_letter(serial: str, octets: int, *, to: str = "mail@company.example") -> bytes:
    """A message of about that many octets: lines of 76 characters, some of which begin with a dot."""
    line = bytearray(hashlib.sha256(serial.encode()).hexdigest().encode() + b"0123456789\r\n")
    rows = bytearray()
    for number in range(1000):
        line[:8] = b".%07d" % number if number % 64 == 0 else b"%08d" % number
        rows += line
    head = letter(serial, to=to, text="")
    whole, rest = divmod(octets - len(head), len(rows))
    return head + bytes(rows) * whole + bytes(rows[: rest - rest % len(line)])


def serial(message: bytes) -> str:
    """The number of a message, empty when it has none."""
    found = SERIAL.search(message)
    return found[1].decode() if found else ""


def body(message: bytes) -> bytes:
    """What follows the header block, with single line feeds and no blank end."""
    return message.replace(b"\r\n", b"\n").partition(b"\n\n")[2].rstrip(b"\n") + b"\n"
