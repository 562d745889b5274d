"""Replies of a POP3 server, read without trust: status lines, listings, capabilities.

Numbers of messages go into dictionaries keyed 1 to the number that STAT gave; whatever does not fit is left out and
counted, so that no line of a server can stop the others (RFC 1939 sections 5 and 7, RFC 2449 section 5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from attrs import frozen

from mailshare.core.errors import PeerFault
from mailshare.wire.client_engine import Command, Overflow

_STATUS = re.compile(rb"(\+OK|-ERR)(?:[ \t]+(.*))?\Z", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"\[([A-Za-z0-9/_\-]{1,64})\]\s*")
# Rows as nearly all servers write them, whole blocks of them at once; the rest is read row by row.
_USUAL_SIZES = re.compile(r"(?:[1-9][0-9]{0,9} [0-9]{1,18}\r\n)+")
_USUAL_SIZE = re.compile(r"([0-9]+) ([0-9]+)")
_USUAL_UIDS = re.compile(r"(?:[1-9][0-9]{0,9} [!-~]{1,70}\r\n)+")
_USUAL_UID = re.compile(r"([0-9]+) ([!-~]+)")
_LONGEST_UID = 70  # octets (RFC 1939 section 7)
_STAT = re.compile(r"\s*([0-9]{1,10})[ \t]+([0-9]{1,18})(?:[ \t].*)?\Z", re.DOTALL)
_LIST_ROW = re.compile(rb"\s*([0-9]{1,10})[ \t]+([0-9]{1,18})(?:[ \t].*)?\Z", re.DOTALL)
_UIDL_ROW = re.compile(rb"\s*([0-9]{1,10})[ \t]+([!-~]+)[ \t]*\Z")

_NOTHING: Mapping[Any, Any] = MappingProxyType({})  # of most replies; nothing is made for each


@frozen
class POP3Limits:
    """Caps on what a server may send. A line inside a message has none of its own: none is ever held whole.

    :ivar status_line: octets of a status line or a row.
    :ivar rows: rows of LIST and UIDL that are kept; rows are read up to STAT's number plus 1,000.
    :ivar uid: octets of a unique-id.
    :ivar message: octets of a message.
    :ivar capabilities: lines of CAPA.
    :ivar window: commands sent ahead of their replies, where the server offers PIPELINING.
    :ivar window_octets: octets of replies asked for ahead.
    """

    status_line: int = 8192
    rows: int = 100_000
    uid: int = 255
    message: int = 100 * 1024 * 1024
    capabilities: int = 100
    window: int = 512
    window_octets: int = 4 * 1024 * 1024


@frozen(eq=False, slots=False)  # made for each message: without slots in two thirds of the time
class POP3Reply:
    """What a server answered.

    :ivar text: its words, made printable, without the code.
    :ivar code: response code in brackets, upper case, e.g. ``IN-USE`` (RFC 2449 section 8, RFC 3206).
    :ivar stat: ``(messages, octets)`` of STAT.
    :ivar sizes: number to octets, of LIST.
    :ivar uids: number to unique-id, of UIDL.
    :ivar ignored: rows that were left out because they made no sense.
    :ivar octets: of the message given out in chunks, dots unstuffed.
    :ivar agreed: whether the server agrees to each of a command that is made of several; ``ok`` says it of all.
    """

    command: Command
    ok: bool
    text: str = ""
    code: str = ""
    stat: tuple[int, int] = (0, 0)
    sizes: Mapping[int, int] = _NOTHING
    uids: Mapping[int, str] = _NOTHING
    ignored: int = 0
    octets: int = 0
    capabilities: Mapping[str, tuple[str, ...]] = _NOTHING
    agreed: tuple[bool, ...] = ()


def printable(octets: bytes, limit: int = 500) -> str:
    """Octets of a peer as text that may be logged and shown."""
    text = octets[:limit].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


@lru_cache(maxsize=64)  # a server says the same again and again
def read_status(line: bytes) -> tuple[bool, str, str]:
    """Read ``+OK text`` or ``-ERR [CODE] text``.

    :returns: ``(ok, code, text)``.
    :raises PeerFault: it is neither.
    """
    match = _STATUS.match(line)
    if not match:
        raise PeerFault(f"The server answered neither +OK nor -ERR: {printable(line, 80)}")
    text = printable(match[2] or b"")
    code = _CODE.match(text)
    if code:
        return match[1].upper() == b"+OK", code[1].upper(), text[code.end() :]
    return match[1].upper() == b"+OK", "", text


def read_stat(text: str) -> tuple[int, int]:
    """Read STAT's two numbers.

    :raises PeerFault: they are not there.
    """
    match = _STAT.match(text)
    if not match:
        raise PeerFault(f"The server's answer to STAT has no numbers: {text[:80]}")
    return int(match[1]), int(match[2])


class Listing:
    """Takes the rows of a LIST, UIDL or CAPA reply as they come; of too many the last stay, the newest.

    :param kind: ``"LIST"``, ``"UIDL"`` or ``"CAPA"``.
    :param count: what STAT gave.
    """

    def __init__(self, kind: str, count: int, limits: POP3Limits) -> None:
        self._kind = kind
        self._count = count
        self._limits = limits
        self._most = limits.capabilities if kind == "CAPA" else min(count, 10 * limits.rows) + 1000
        self._rows = 0
        self.sizes: dict[int, int] = {}
        self.uids: dict[int, str] = {}
        self.capabilities: dict[str, tuple[str, ...]] = {}
        self.ignored = 0

    def _let_go(self, rows: dict[int, int] | dict[int, str]) -> None:
        if len(rows) > self._limits.rows:
            del rows[next(iter(rows))]

    def rows(self, lines: bytes) -> None:
        """Take whole lines.

        :raises Overflow: there are far more than STAT announced, or one is too long.
        """
        if not lines or self._usual(lines):
            return
        for line in lines.split(b"\r\n")[:-1]:
            if len(line) > self._limits.status_line:
                raise Overflow(f"The server sent a line of more than {self._limits.status_line} octets")
            self.row(line.removeprefix(b"."))

    def _usual(self, lines: bytes) -> bool:
        """Take them all, if none needs to be looked at by itself."""
        text = lines.decode("latin-1")
        count = text.count("\n")
        found: dict[int, int] | dict[int, str]
        if self._rows + count > min(self._most, self._limits.rows):
            return False
        if self._kind == "LIST" and _USUAL_SIZES.fullmatch(text):
            numbers, sizes = zip(*_USUAL_SIZE.findall(text), strict=True)
            found = dict(zip(map(int, numbers), map(int, sizes), strict=True))
        elif self._kind == "UIDL" and _USUAL_UIDS.fullmatch(text) and self._limits.uid >= _LONGEST_UID:
            numbers, uids = zip(*_USUAL_UID.findall(text), strict=True)
            found = dict(zip(map(int, numbers), uids, strict=True))
        else:
            return False
        kept: dict[int, Any] = self.sizes if self._kind == "LIST" else self.uids
        if len(found) < count or max(found) > self._count or not found.keys().isdisjoint(kept):
            return False
        self._rows += count
        kept.update(found)
        return True

    def row(self, line: bytes) -> None:
        """Take one row.

        :raises Overflow: there are far more than STAT announced.
        """
        self._rows += 1
        if self._rows > self._most:
            raise Overflow(f"The server's answer to {self._kind} does not end")
        if self._kind == "CAPA":
            words = printable(line).split()
            if words:
                self.capabilities.setdefault(words[0].upper(), tuple(words[1:]))
        elif self._kind == "LIST":
            match = _LIST_ROW.match(line)
            number = int(match[1]) if match else 0
            if match and 1 <= number <= self._count and number not in self.sizes:
                self.sizes[number] = int(match[2])
                self._let_go(self.sizes)
            else:
                self.ignored += 1
        else:
            match = _UIDL_ROW.match(line)
            number = int(match[1]) if match else 0
            fits = match is not None and len(match[2]) <= self._limits.uid
            if match and fits and 1 <= number <= self._count and number not in self.uids:
                self.uids[number] = match[2].decode()
                self._let_go(self.uids)
            else:
                self.ignored += 1
