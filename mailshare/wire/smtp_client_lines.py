"""MAIL and RCPT lines for what a server offers, and its replies, read without trust.

Sources: RFC 5321 sections 4.1 and 4.2, RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN),
RFC 2034 and 3463 (enhanced codes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import LocalFault, PeerFault
from mailshare.wire.client_engine import Command

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|\Z)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHORT = 200  # octets of a reply that is worth remembering
_NOTIFY = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})


@frozen
class SMTPLimits:
    """Caps on what a server may send.

    :ivar line: octets of a reply line.
    :ivar lines: lines of a reply.
    :ivar window: commands sent ahead of their replies, where the server offers PIPELINING.
    """

    line: int = 4096
    lines: int = 100
    window: int = 500


@frozen(eq=False)
class SMTPReply:
    """What a server answered.

    :ivar code: 200-599.
    :ivar status: enhanced status code such as ``"5.1.1"``, or empty.
    :ivar lines: its words, printable, without codes.
    """

    command: Command
    code: int
    status: str = ""
    lines: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """2yz or 3yz."""
        return self.code < 400

    @property
    def text(self) -> str:
        """All lines in one, at most 500 characters."""
        return " ".join(self.lines)[:500]


def printable(octets: bytes, limit: int = 500) -> str:
    """Octets of a peer as text that may be logged and shown."""
    text = octets[:limit].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def read_line(line: bytes) -> tuple[int, bool, bytes]:
    """Read one reply line.

    :returns: ``(code, more follow, text)``.
    :raises PeerFault: no code from 200 to 599 stands in front.
    """
    match = _LINE.match(line)
    if not match:
        raise PeerFault(f"The server sent no valid reply code: {printable(line, 80)}")
    return int(match[1]), match[2] == b"-", match[3] or b""


def read_reply(command: Command, code: int, texts: list[bytes]) -> SMTPReply:
    """Put the lines of one reply together."""
    short = len(texts) == 1 and len(texts[0]) <= _SHORT
    return SMTPReply(command, code, *(_known_words if short else _words)(code, tuple(texts)))


def _words(code: int, texts: tuple[bytes, ...]) -> tuple[str, tuple[str, ...]]:
    """The enhanced status code of a reply, or nothing, and its lines without it."""
    lines = [printable(text) for text in texts]
    match = _ENHANCED.match(lines[0])
    status = match[1] if match and int(match[1][0]) == code // 100 else ""
    if status:
        lines = [line[len(status) :].lstrip() if line.startswith(status) else line for line in lines]
    return status, tuple(lines)


_known_words = lru_cache(maxsize=64)(_words)  # a server says the same again and again


def read_extensions(reply: SMTPReply) -> dict[str, str]:
    """The extensions of an EHLO reply: keyword in upper case to its parameters."""
    extensions: dict[str, str] = {}
    for line in reply.lines[1:]:
        word, _, rest = line.partition(" ")
        # "AUTH=LOGIN PLAIN" is an old spelling that some servers still add.
        if word.upper().startswith("AUTH="):
            word, rest = "AUTH", f"{word[5:]} {rest}"
        name = word.upper()
        extensions[name] = f"{extensions[name]} {rest}" if name == "AUTH" and name in extensions else rest.strip()
    return extensions


def size_limit(extensions: Mapping[str, str]) -> int:
    """The largest message the server takes, octets; 0 when it does not say (RFC 1870 section 3)."""
    text = extensions.get("SIZE", "").split(" ", maxsplit=1)[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def xtext(text: str) -> str:
    """Encode as RFC 3461 section 4 has it: printable ASCII but ``+`` and ``=``, the rest as ``+XX``."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode()
    )


def path(address: Address | None) -> str:
    """``<local@domain>``; ``<>`` for the null sender.

    :raises LocalFault: it holds a control character, which no line of ours may carry.
    """
    text = f"<{address}>" if address else "<>"
    if _CONTROL.search(text):
        raise LocalFault("An address holds control characters")
    return text


def mail_line(envelope: Envelope, extensions: Mapping[str, str], size: int, *, eight_bit: bool) -> bytes:
    """The MAIL command with the parameters that the server offers.

    :param size: octets of the message.
    :param eight_bit: its content is not ASCII.
    """
    words = [f"MAIL FROM:{path(envelope.sender)}"]
    if "SIZE" in extensions:
        words.append(f"SIZE={size}")
    if eight_bit and "8BITMIME" in extensions:
        words.append("BODY=8BITMIME")
    if "SMTPUTF8" in extensions and needs_utf8(envelope):
        words.append("SMTPUTF8")
    if "DSN" in extensions:
        if envelope.ret in ("FULL", "HDRS"):
            words.append(f"RET={envelope.ret}")
        if envelope.envid:
            words.append(f"ENVID={xtext(envelope.envid)}")
    return _line(words)


def rcpt_line(recipient: Recipient, extensions: Mapping[str, str]) -> bytes:
    """The RCPT command with the parameters that the server offers."""
    words = [f"RCPT TO:{path(recipient.address)}"]
    if "DSN" in extensions:
        notify = recipient.notify & _NOTIFY
        if notify:
            words.append("NOTIFY=NEVER" if "NEVER" in notify else f"NOTIFY={','.join(sorted(notify))}")
        kind, separator, address = recipient.orcpt.partition(";")
        if separator and kind.isascii() and kind.replace("-", "").isalnum():
            words.append(f"ORCPT={kind};{xtext(address)}")
    return _line(words)


def needs_utf8(envelope: Envelope) -> bool:
    """Whether an address of it takes SMTPUTF8, or the client said so."""
    addresses = [recipient.address for recipient in envelope.recipients]
    if envelope.sender:
        addresses.append(envelope.sender)
    return envelope.smtputf8 or not all(address.is_ascii for address in addresses)


def _line(words: list[str]) -> bytes:
    return " ".join(words).encode() + b"\r\n"
