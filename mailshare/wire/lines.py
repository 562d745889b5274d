"""Cuts a stream of octets into lines that end in CRLF, without ever holding more than one line's worth.

Only CRLF ends a line (RFC 5321 section 2.3.8); a bare CR or LF stays inside the line for the engine to refuse.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Overlong(Enum):
    """What :meth:`LineBuffer.next_line` gives in place of a line that was longer than allowed."""

    OVERLONG = "overlong"


OVERLONG: Final = Overlong.OVERLONG


class LineBuffer:
    """A buffer of octets that gives out lines.

    It remembers how far it has searched, so that a line that drips in octet by octet is searched once. What lies
    beyond ``max_line`` is dropped as it comes; the line shows up as one :data:`OVERLONG` as soon as that is certain,
    and the rest of it up to its CRLF is eaten.

    :param max_line: octets of the longest line, CRLF included; may be changed at any time.
    """

    __slots__ = ("_buffer", "_eating", "_searched", "_start", "max_line")

    def __init__(self, max_line: int = 2048) -> None:
        self.max_line = max_line
        self._buffer = b""
        self._start = 0
        self._searched = 0
        self._eating = False

    def __len__(self) -> int:
        """Octets waiting."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes) -> None:
        """Add octets at the end."""
        start = self._start
        if start:
            rest = self._buffer[start:]
            self._buffer = rest + data if rest else data
            self._searched -= start
            self._start = 0
        else:
            self._buffer = self._buffer + data if self._buffer else data

    def only_line(self, data: bytes) -> bytes | None:
        """These octets without their CRLF, if nothing waits and they are one whole line; else they are to be fed."""
        end = data.find(b"\r\n")
        if end < 0 or end + 2 != len(data) or len(data) > self.max_line or self._eating:
            return None
        return data[:end] if self._start >= len(self._buffer) else None

    def next_line(self) -> bytes | Overlong | None:
        """The next line without its CRLF.

        :returns: :data:`OVERLONG` once for each line that is too long; ``None`` to wait for more octets.
        """
        buffer, searched = self._buffer, self._searched
        if searched >= len(buffer):
            return None
        end = buffer.find(b"\r\n", searched)
        if end < 0:
            return self._unfinished()
        start = self._start
        self._start = self._searched = end + 2
        if self._eating:
            self._eating = False
            return self.next_line()
        if end + 2 - start > self.max_line:
            return OVERLONG
        return buffer[start:end]

    def take(self, most: int) -> bytes:
        """Raw octets, for a part of the protocol that is not made of lines; at most ``most``, perhaps none."""
        end = min(self._start + most, len(self._buffer))
        taken = self._buffer[self._start : end] if self._start or end < len(self._buffer) else self._buffer
        self._start = self._searched = end
        return taken

    def all_ending(self, end: bytes, most: int) -> bytes | None:
        """All octets that wait, if they end so and are no more than ``most``; they stay. Else ``None``."""
        buffer = self._buffer
        if not buffer.endswith(end) or self._eating:
            return None
        waiting = buffer[self._start :] if self._start else buffer
        return waiting if len(waiting) <= most else None

    def give_back(self, data: bytes) -> None:
        """Put octets back in front, which :meth:`take` gave and nobody used."""
        if data:
            self._buffer = data + self._buffer[self._start :]
            self._start = self._searched = 0

    def clear(self) -> None:
        """Forget everything that waits."""
        self._buffer = b""
        self._start = self._searched = 0
        self._eating = False

    def _unfinished(self) -> Overlong | None:
        """No CRLF in sight: note how far was searched, and give up on a line that cannot end in time."""
        size = len(self._buffer)
        half = self._buffer.endswith(b"\r") and size > self._start
        if self._eating or size - self._start + (not half) >= self.max_line:
            first = not self._eating
            self._eating = True
            self._buffer = b"\r" if half else b""
            self._start = self._searched = 0
            return OVERLONG if first else None
        self._searched = size - 1 if half else size
        return None
