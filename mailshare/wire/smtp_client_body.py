"""A message on its way into DATA: line ends put right first, then dots doubled, with a state that survives every cut.

Only so can no octet of a message end the data early (RFC 5321 section 4.5.2); a bare CR or LF never leaves here.
"""

from __future__ import annotations

import re

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class BodyWriter:
    """Turns the chunks of one message into what follows the 354."""

    def __init__(self) -> None:
        self._at_start = True  # of a line
        self._cr = False  # the last octet was a CR, held back until the next chunk tells what it is

    def write(self, data: bytes) -> bytes:
        """Encode a chunk."""
        if not data:
            return b""
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
            if not data:
                return b""
        if data.count(b"\r") != data.count(b"\n") or data.count(b"\r\n") != data.count(b"\n"):
            data = _BARE.sub(b"\r\n", data)
        stuffed = data.replace(b"\n.", b"\n..")
        if self._at_start and data.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_start = data.endswith(b"\n")
        return stuffed

    def finish(self) -> bytes:
        """What ends the data: the last line's end where it lacks one, and the dot."""
        end = b".\r\n" if self._at_start and not self._cr else b"\r\n.\r\n"
        self._at_start = True
        self._cr = False
        return end


class BodyScan:
    """What has to be known of a message before it is offered, gathered chunk by chunk.

    :ivar eight_bit: it holds octets above 127.
    :ivar clean: all line ends are CRLF, the last line has one, and there is no NUL.
    :ivar size: octets.
    """

    def __init__(self) -> None:
        self.eight_bit = False
        self.size = 0
        self._bare = False
        self._last = b""

    def feed(self, data: bytes) -> None:
        """Take a chunk."""
        self.size += len(data)
        if not self.eight_bit and not data.isascii():
            self.eight_bit = True
        joined = self._last + data
        self._last = joined[-1:] if joined.endswith(b"\r") else b""
        body = joined[: len(joined) - len(self._last)]
        pairs = body.count(b"\r\n")
        if body.count(b"\r") != pairs or body.count(b"\n") != pairs or b"\0" in body:
            self._bare = True
        self._ends = body.endswith(b"\r\n") and not self._last

    _ends = False

    @property
    def clean(self) -> bool:
        """Fit for BDAT, where nothing is put right on the way."""
        return self._ends and not self._bare
