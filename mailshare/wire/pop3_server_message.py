"""Sending one message: dots stuffed, and for ``TOP`` cut behind the asked number of lines.

Source: RFC 1939 sections 3 (multi-line responses), 5 (RETR) and 7 (TOP).
"""

from __future__ import annotations

from mailshare.wire.dots import DotEncoder


class LineLimit:
    """Cuts a message behind its header, the empty line, and so many lines.

    :param header_length: octets of the header with its empty line.
    :param lines: lines of the body wanted.
    """

    def __init__(self, header_length: int, lines: int) -> None:
        self._header = header_length
        self._lines = lines
        self._half = False
        self.done = header_length == 0 and lines == 0

    def cut(self, data: bytes) -> bytes:
        """The part of these octets that is wanted; :attr:`done` tells when no more is."""
        body = min(self._header, len(data))
        self._header -= body
        if self._header:
            return data
        position = body
        while self._lines and position < len(data):
            if self._half and position == body and data.startswith(b"\n", position):
                position += 1
                self._lines -= 1
            else:
                found = data.find(b"\r\n", position)
                if found < 0:
                    position = len(data)
                else:
                    position = found + 2
                    self._lines -= 1
            self._half = False
        self._half = bool(self._lines) and data.endswith(b"\r")
        self.done = not self._lines
        return data[:position]


class MessageReply:
    """Makes the lines of the answer to ``RETR`` or ``TOP`` from the octets of the message, chunk by chunk.

    :param ready: no line of the message begins with a dot and the last one is ended.
    """

    def __init__(self, header_length: int, lines: int | None, *, ready: bool = False) -> None:
        self._unchanged = ready and lines is None
        self._dots = DotEncoder()
        self._limit = None if lines is None else LineLimit(header_length, lines)

    @property
    def complete(self) -> bool:
        """``TOP`` has what it wants."""
        return self._limit is not None and self._limit.done

    def encode(self, data: bytes) -> bytes:
        """The octets to send for these octets of the message."""
        if self._unchanged:
            return data
        return self._dots.encode(self._limit.cut(data) if self._limit else data)

    def finish(self) -> bytes:
        """The line end, if the message lacks it, and the dot."""
        return self._dots.finish()
