"""Takes a message apart while it streams by: parts, their headers, their decoded octets (RFC 2045, RFC 2046).

Messages come from strangers: nothing here raises, the time is proportional to the input, and a message of any size
costs one piece of memory. A part that nobody closed ends with the message; a message that is cut is given as far as it
goes.
"""

from __future__ import annotations

from enum import Enum

from attrs import define, field, frozen

from mailshare.core.bounds import BOUNDS
from mailshare.core.headers import MAX_BLOCK, Headers
from mailshare.core.media_type import MediaType, file_name
from mailshare.wire.transfer_encoding import Decoder, Identity, decoder

_AROUND_BOUNDARY = 2 + 2 + 100  # octets of a delimiter: its hyphens, and blanks behind it
_NESTED = frozenset({"message/rfc822", "message/global", "message/news"})
_PLAIN = frozenset({"", "7bit", "8bit", "binary"})


@frozen
class EntityBegun:
    """A part begins; the message itself is the first.

    :ivar path: position in the tree: ``()`` is the message, ``(2, 1)`` the first part of its second part.
    :ivar headers: the part's own header fields.
    :ivar media: its type; of a part without ``Content-Type`` the default of where it stands.
    :ivar name: file name, safe, or empty.
    :ivar container: it holds parts and has no octets of its own.
    :ivar offset: octets of the message before the part's body.
    """

    path: tuple[int, ...]
    headers: Headers
    media: MediaType
    name: str
    container: bool
    offset: int


@frozen
class EntityData:
    """Some decoded octets of a part."""

    path: tuple[int, ...]
    data: bytes


@frozen
class EntityEnded:
    """A part is over.

    :ivar whole: the closing line of its parent was seen; False when the message ended before.
    :ivar offset: octets of the message up to the end of the part's body, without the line end before a delimiter.
    """

    path: tuple[int, ...]
    whole: bool
    offset: int


@frozen
class TooManyParts:
    """More than 1,000 parts: the rest of the message is passed over."""


MIMEEvent = EntityBegun | EntityData | EntityEnded | TooManyParts


class _State(Enum):
    HEADER = "header"
    LEAF = "leaf"
    AROUND = "around"  # a multipart: text before its first part
    CLOSED = "closed"  # a multipart: text behind its closing line


@define
class _Entity:
    path: tuple[int, ...]
    default: str
    state: _State = _State.HEADER
    head: bytearray = field(factory=bytearray)
    boundary: bytes = b""
    decoder: Decoder = field(factory=Identity)
    children: int = 0


class MIMEReader:
    """The engine: feed it octets, get events.

    Line ends may be CRLF or LF. A header of more than 256 KiB is cut, its part goes on.
    """

    def __init__(self) -> None:
        self._max_depth = BOUNDS.mime_depth
        self._parts_left = BOUNDS.mime_parts
        self._max_boundary = BOUNDS.mime_boundary
        self._max_delimiter = BOUNDS.mime_boundary + _AROUND_BOUNDARY
        self._buffer = b""
        self._position = 0
        self._before = 0  # octets of the message that have left the buffer
        self._line_begins = True
        self._blank = True  # the header line that is being read has had no character yet
        self._line_end = b""  # held back: it belongs to the delimiter when one follows
        self._open = [_Entity((), "text/plain")]
        self._boundaries: frozenset[bytes] = frozenset()  # of the multiparts that are open
        self._events: list[MIMEEvent] = []

    def feed(self, data: bytes) -> list[MIMEEvent]:
        """The next octets of the message."""
        if not self._open:
            return []
        self._before += self._position
        self._buffer = self._buffer[self._position :] + data
        self._position = 0
        while self._open and self._step(final=False):
            pass
        return self._told()

    def end(self) -> list[MIMEEvent]:
        """No more octets."""
        while self._open and self._step(final=True):
            pass
        if self._open:
            self._give_line_end()
            self._close(0, whole=False)
        return self._told()

    def _told(self) -> list[MIMEEvent]:
        events, self._events = self._events, []
        return events

    # ------------------------------------------------------------------ lines

    def _step(self, *, final: bool) -> bool:
        """Take something off the buffer; False when more octets are needed first."""
        if self._position == len(self._buffer):
            return False
        if self._line_begins:
            taken = self._delimiter_line(final=final)
            if taken is not None:
                return taken
            self._line_begins = False
        if self._open[-1].state is _State.HEADER:
            self._header_piece()
            return True
        return self._body_piece(final=final)

    def _delimiter_line(self, *, final: bool) -> bool | None:
        """True: a delimiter was taken. False: it may become one. ``None``: this line is none."""
        buffer, start = self._buffer, self._position
        if not buffer.startswith(b"--", start):
            return False if not final and buffer[start:] == b"-" else None
        end = buffer.find(b"\n", start, start + self._max_delimiter)
        if end < 0:
            if not final:
                return False if len(buffer) - start < self._max_delimiter else None
            end = len(buffer)
        if not self._delimits(buffer[start:end].rstrip(b" \t\r\n")):
            return None
        self._position = min(end + 1, len(buffer))
        self._line_end = b""
        self._line_begins = self._blank = True
        return True

    def _delimits(self, line: bytes) -> bool:
        # Nearly no line does; so what each line costs does not grow with the depth.
        if line[2:] not in self._boundaries and line[2:-2] not in self._boundaries:
            return False
        for index in range(len(self._open) - 1, -1, -1):
            entity = self._open[index]
            if not entity.boundary or entity.state is _State.CLOSED or not line.startswith(entity.boundary, 2):
                continue
            rest = line[2 + len(entity.boundary) :]
            if rest not in {b"", b"--"}:
                continue
            self._close(index + 1, whole=True)
            if rest:
                entity.state = _State.CLOSED
                self._look_for()
            else:
                self._next_part(entity)
            return True
        return False

    def _header_piece(self) -> None:
        entity, start = self._open[-1], self._position
        end = self._buffer.find(b"\n", start) + 1
        piece = self._buffer[start:end] if end else self._buffer[start:]
        self._position = end or len(self._buffer)
        self._blank = self._blank and not piece.strip(b"\r\n")
        entity.head += piece[: max(0, MAX_BLOCK + 1 - len(entity.head))]
        if not end:
            return
        self._line_begins = True
        if self._blank:
            self._begin_body(entity)
        self._blank = True

    def _body_piece(self, *, final: bool) -> bool:
        buffer, start = self._buffer, self._position
        found = buffer.find(b"\n--", start)
        if found >= 0:
            end = self._position = found + 1
            self._line_begins = True
        elif final:
            end = self._position = len(buffer)
        else:
            end = len(buffer) - next(
                (len(tail) for tail in (b"\r\n-", b"\n-", b"\r\n", b"\n", b"\r") if buffer.endswith(tail)), 0
            )
            if end <= start:
                return False
            self._position = end
        self._give_line_end()
        stop = end
        if found >= 0:
            stop -= 2 if buffer[max(start, end - 2) : end] == b"\r\n" else 1
            self._line_end = buffer[stop:end]
        self._give(buffer[start:stop])
        return True

    def _give_line_end(self) -> None:
        if self._line_end:
            held, self._line_end = self._line_end, b""
            self._give(held)

    def _give(self, data: bytes) -> None:
        entity = self._open[-1]
        if entity.state is _State.LEAF and (decoded := entity.decoder.feed(data)):
            self._events.append(EntityData(entity.path, decoded))

    # ------------------------------------------------------------------ the tree

    def _begin_body(self, entity: _Entity) -> None:
        headers = Headers.parse(bytes(entity.head))
        entity.head = bytearray()
        media = MediaType.parse(headers.first("content-type"), entity.default)
        encoding = headers.first("content-transfer-encoding")
        boundary = media.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        deep = len(self._open) > self._max_depth
        parted = media.major == "multipart" and 0 < len(boundary) <= self._max_boundary and not deep
        nested = media.name in _NESTED and (encoding or "").strip().lower() in _PLAIN and not deep
        name = file_name(headers.first("content-disposition"), media)
        offset = self._before + self._position
        self._events.append(EntityBegun(entity.path, headers, media, name, parted or nested, offset))
        if parted:
            entity.state, entity.boundary = _State.AROUND, boundary
            entity.default = "message/rfc822" if media.name == "multipart/digest" else "text/plain"
            self._look_for()
        elif nested:
            entity.state = _State.AROUND
            self._push(_Entity((*entity.path, 1), "text/plain"))
        else:
            entity.state, entity.decoder = _State.LEAF, decoder(encoding)

    def _next_part(self, parent: _Entity) -> None:
        parent.children += 1
        self._push(_Entity((*parent.path, parent.children), parent.default))

    def _push(self, entity: _Entity) -> None:
        if self._parts_left == 0:
            self._events.append(TooManyParts())
            self._close(0, whole=False)
            return
        self._parts_left -= 1
        self._open.append(entity)

    def _close(self, keep: int, *, whole: bool) -> None:
        """End all entities above that many, the innermost first."""
        end = self._before + self._position - len(self._line_end)
        while len(self._open) > keep:
            entity = self._open[-1]
            if entity.state is _State.HEADER:
                self._begin_body(entity)
                continue
            if entity.state is _State.LEAF and (rest := entity.decoder.end()):
                self._events.append(EntityData(entity.path, rest))
            self._open.pop()
            self._events.append(EntityEnded(entity.path, whole, end))
        self._look_for()

    def _look_for(self) -> None:
        self._boundaries = frozenset(one.boundary for one in self._open if one.state is _State.AROUND and one.boundary)
