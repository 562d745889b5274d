"""Cuts what an IMAP server sends into responses: lines, and literals between them.

The octets of a message are given out as they come and never gathered; everything else of a response is gathered up to
a limit. Source: RFC 3501 sections 2.2.2 and 4.3.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from attrs import field, frozen

from mailshare.wire.client_engine import LineBuffer, Overflow
from mailshare.wire.imap_tokens import Literal, without_announcement

_ANNOUNCED = re.compile(rb"~?\{([0-9]{1,20})\+?\}\Z")
_WORDS_ONLY = re.compile(rb"(?:\+|\* (?:OK|NO|BAD|BYE|PREAUTH)\b|[^*+ ]+ (?:OK|NO|BAD)\b)", re.IGNORECASE)
_MESSAGE = re.compile(rb"[ (](?:BODY\[(?:HEADER)?\](?:<[0-9]+>)?|RFC822(?:\.HEADER)?) ~?\{[0-9]+\+?\}\Z", re.IGNORECASE)
_FETCH = re.compile(rb"\* [0-9]+ FETCH \(", re.IGNORECASE)
_PIECE = 65_536
_MOST_PARTS = 64


@frozen(eq=False)
class Begun:
    """The octets of a message begin.

    :ivar parts: the response before them.
    """

    parts: list[bytes | Literal] = field(repr=False)
    size: int


@frozen(eq=False)
class Piece:
    """Some of the octets."""

    data: bytes = field(repr=False)


@frozen(eq=False)
class Response:
    """A whole response."""

    parts: list[bytes | Literal] = field(repr=False)


Event: TypeAlias = "Begun | Piece | Response"


class ResponseReader:
    """Octets in, responses out.

    :param limit: octets of one response that are gathered.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = LineBuffer(limit)
        self._parts: list[bytes | Literal] = []
        self._gathered = 0
        self._left = 0  # octets that the literal under way still owes
        self._literal: bytearray | None = None

    def __len__(self) -> int:
        """Octets that wait."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add octets."""
        self._buffer.feed(data)

    def next(self) -> Event | None:
        """The next event, ``None`` until more octets come.

        :raises Overflow: the response is too long.
        """
        while True:
            if self._literal is not None:
                if not self._gather(self._literal):
                    return None
            elif self._left:
                data = self._buffer.take(min(self._left, _PIECE))
                self._left -= len(data)
                return Piece(data) if data else None
            line = self._buffer.line()
            if line is None:
                return None
            event = self._line(line)
            if event is not None:
                return event

    def _line(self, line: bytes) -> Event | None:
        self._count(len(line))
        announced = _ANNOUNCED.search(line) if line.endswith(b"}") else None
        if announced is None or (not self._parts and _WORDS_ONLY.match(line)):
            parts, self._parts, self._gathered = [*self._parts, line], [], 0
            return Response(parts)
        if len(self._parts) >= _MOST_PARTS:
            raise Overflow("The server sent a response of more literals than any response has")
        size = int(announced[1])
        self._parts.append(without_announcement(line))
        first = self._parts[0]
        if _MESSAGE.search(line) and isinstance(first, bytes) and _FETCH.match(first):
            begun = Begun(list(self._parts), size)
            self._parts.append(Literal(size))
            self._left = size
            return begun
        self._count(size)
        self._left = size
        self._literal = bytearray()
        return None

    def _gather(self, octets: bytearray) -> bool:
        """Take octets of a literal that is kept; whether it is whole."""
        octets += self._buffer.take(self._left - len(octets))
        if len(octets) < self._left:
            return False
        self._parts.append(Literal(self._left, bytes(octets)))
        self._literal, self._left = None, 0
        return True

    def _count(self, octets: int) -> None:
        self._gathered += octets
        if self._gathered > self._limit:
            raise Overflow(f"The server sent a response of more than {self._limit} octets")
