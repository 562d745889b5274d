"""Measure a message while it passes: its size, where the header ends, and its two digests; without keeping it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from mailshare.core.dotted import has_dotted_lines
from mailshare.store.bodies import BodyFacts

if TYPE_CHECKING:
    from _hashlib import HASH

HEADER_CAPTURE = 256 * 1024
_END = b"\r\n\r\n"
_WHITE = b" \t\r\n\x0b\x0c"
_ALOUD = 65_536  # octets from which on other threads may run while a digest is computed
_PIECE = 2_047  # hashlib lets other threads run for anything longer
_PIECES = [slice(start, start + _PIECE) for start in range(0, _ALOUD, _PIECE)]


class Measure:
    """Takes a message piece by piece, gives its facts.

    The memory it needs is bounded by :data:`HEADER_CAPTURE`, whatever the message holds. The header ends at the first
    empty line; a message that begins with one has an empty header (RFC 5322 section 2.1).
    """

    def __init__(self) -> None:
        self.size = 0
        self.captured = bytearray()
        self._header_length: int | None = None
        self._tail = b""
        self._whole = sha256()
        self._content = sha256()
        # The content's digest up to the last octet that is not white space: what follows may yet be trailing.
        self._settled = self._content.copy()
        self._dotted = False
        self._last = b"\r\n"

    def feed(self, data: bytes) -> None:
        """Take the next octets."""
        _update(self._whole, data)
        self._look_for_dots(data)
        before = self.size
        self.size += len(data)
        if self._header_length is not None:
            self._feed_content(data)
            return
        room = HEADER_CAPTURE - len(self.captured)
        if room > 0:
            self.captured += data[:room]
        window = self._tail + data
        offset = before - len(self._tail)
        if offset == 0 and window.startswith(b"\r\n"):
            end = 2
        else:
            found = window.find(_END)
            if found < 0:
                self._tail = window[-3:]
                return
            end = offset + found + len(_END)
        self._header_length = end
        self._tail = b""
        del self.captured[end:]
        if end < self.size:
            self._feed_content(data[end - before :])

    def _feed_content(self, data: bytes) -> None:
        solid = data.rstrip(_WHITE)
        if not solid:
            _update(self._content, data)
            return
        _update(self._content, solid)
        self._settled = self._content.copy()
        _update(self._content, data[len(solid) :])

    def _look_for_dots(self, data: bytes) -> None:
        if not self._dotted and (has_dotted_lines(self._last + data[:2]) or has_dotted_lines(data)):
            self._dotted = True
        self._last = (self._last + data[-2:])[-2:]

    def facts(self, key: str = "") -> BodyFacts:
        """What was measured; ``key`` names the content file, if there is one."""
        header = self.size if self._header_length is None else self._header_length
        ready = not self._dotted and self._last == b"\r\n"
        return BodyFacts(self.size, header, self._whole.digest(), self._settled.digest(), key, ready)


def _update(digest: HASH, data: bytes) -> None:
    """Digest the next octets; a few at once without giving the interpreter away.

    Some KiB take microseconds, but whoever lets the writer's thread run meanwhile waits for up to a switch interval to
    go on: half a millisecond a message where many arrive.
    """
    if len(data) >= _ALOUD:
        digest.update(data)
        return
    # No step of ours for each piece: update gives None, so all of them are taken.
    any(map(digest.update, map(data.__getitem__, _PIECES[: len(data) // _PIECE + 1])))


def measured(data: bytes) -> BodyFacts:
    """What :class:`Measure` finds, for a message that is at hand whole."""
    size = len(data)
    header = 2 if data[:2] == b"\r\n" else data.find(_END) + 4
    if header == 3:
        header = size
    whole, content = sha256(data).digest(), sha256(data[header:].rstrip(_WHITE)).digest()
    ready = data[-2:] == b"\r\n" and data[:1] != b"." and not has_dotted_lines(data)
    return BodyFacts(size, header, whole, content, "", ready or not data)
