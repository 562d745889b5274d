"""What the POP3 and the SMTP client engine have in common: commands in order, events, and the seam to the shell.

An engine does no I/O: octets go in by ``feed``, events come out of ``next_event``, octets to send out of
``take_output``. Each command object gets exactly one :class:`Reply`, in the order of the commands; long replies come
in :class:`Chunk` pieces first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from attrs import define, field, frozen

from mailshare.core.errors import PeerFault

_AGREED = re.compile(rb"(?:\+OK(?: [!-~ ]{0,80})?\r\n){1,64}")  # a lot of deletions
_OK = (b"+OK ", b"+OK\r")
_DOT = b".\r\n"
_DOTTED = b"\r\n."
_END = b"\r\n.\r\n"


@define(eq=False)
class Command:
    """One command, from its making to its reply.

    :ivar name: for deadlines and logs, e.g. ``RETR``; never with arguments that may be secret.
    :ivar line: octets as sent, with CRLF.
    :ivar size: octets that the reply or the upload may take, for the deadline; 0 for a short one.
    :ivar last: nothing is sent behind it before its reply is there.
    :ivar count: commands that it is made of, each with a short reply; the engine sums them up in one.
    :ivar whole: a long reply that is there whole comes in :class:`Texts`.
    """

    name: str
    line: bytes = field(default=b"", repr=False)
    size: int = 0
    last: bool = False
    count: int = 1
    whole: bool = False


@frozen(eq=False, slots=False)  # made for each message: without slots in two thirds of the time
class Chunk:
    """A piece of the long reply to a command."""

    command: Command
    data: bytes = field(repr=False)


@frozen(eq=False)
class Texts:
    """Long replies that are there whole, one behind the other: in place of a chunk and a reply for each.

    :ivar texts: by command; each has as many octets as its command expects.
    """

    texts: Mapping[Command, bytes] = field(repr=False)


class Reply(Protocol):
    """The end of a command; each protocol has its own with more in it."""

    @property
    def command(self) -> Command:
        """What it answers."""


class Overflow(PeerFault):
    """The peer sent more than a limit allows, and the connection is of no more use."""

    default_public = "The server sent more than is allowed"


class ClientEngine(Protocol):
    """What the shell needs of an engine."""

    @property
    def head(self) -> Command | None:
        """The command whose reply comes next, once it was sent."""

    @property
    def closing(self) -> bool:
        """Nothing more will come of this connection."""

    def feed(self, data: bytes) -> None:
        """Take octets from the peer.

        :raises PeerFault: they must not come now.
        """

    def next_event(self) -> Chunk | Reply | Texts | None:
        """The next event, or ``None`` until more octets come.

        :raises PeerFault: the peer broke the protocol: close, the engine is spent.
        """

    def take_output(self) -> bytes:
        """Everything that may be sent now."""

    def secured(self) -> None:
        """The connection is inside TLS from now on."""


class LineBuffer:
    """Octets of the peer, taken out line by line, each line capped; searching never starts over.

    :param limit: octets of a line without its CRLF.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._octets = bytearray()
        self._seen = 0

    def __len__(self) -> int:
        return len(self._octets)

    def feed(self, data: bytes) -> None:
        """Add octets."""
        self._octets += data

    def line(self) -> bytes | None:
        """The next line without its CRLF, or ``None``.

        :raises Overflow: the line is too long.
        """
        end = self._octets.find(b"\r\n", max(self._seen - 1, 0))
        if end > self._limit or (end < 0 and len(self._octets) > self._limit + 1):
            self._octets.clear()
            raise Overflow(f"The server sent a line of more than {self._limit} octets")
        if end < 0:
            self._seen = len(self._octets)
            return None
        line = bytes(self._octets[:end])
        del self._octets[: end + 2]
        self._seen = 0
        return line

    def take(self, most: int) -> bytes:
        """Octets that are no lines, taken out: at most so many, perhaps none."""
        octets = self.first(most)
        del self._octets[:most]
        self._seen = 0
        return octets

    def first(self, most: int) -> bytes:
        """The next octets, ``most`` of them at most; they stay until :meth:`drop`."""
        return self.piece(0, most)

    def piece(self, start: int, stop: int) -> bytes:
        """Some of the octets; all of them stay."""
        with memoryview(self._octets) as view:
            return bytes(view[start:stop])

    def drop(self, count: int) -> None:
        """Let go of so many octets at the beginning."""
        del self._octets[:count]
        self._seen = 0

    def whole_text(self, most: int) -> tuple[bytes, bool] | None:
        """A text up to the dot on a line of its own that ends it, both taken out, and whether some line is dotted.

        ``None`` when with its end it is longer than ``most``, or not all there.
        """
        octets = self._octets
        if octets.startswith(_DOT):
            self.drop(len(_DOT))
            return b"", False
        # The first dot that begins a line is nearly always the one that ends the text.
        first = end = octets.find(_DOTTED, 0, most)
        if first >= 0 and octets[first : first + len(_END)] != _END:
            end = octets.find(_END, first, most)
        if not 0 <= end <= most - len(_END):
            return None
        text = self.first(end + 2)
        self.drop(end + len(_END))
        return text, end > first or text.startswith(b".")

    def answer(self, start: int, most: int) -> tuple[int, int, bool] | None:
        """Where a text stands that follows a ``+OK``, and whether some line of it is dotted; all of it stays.

        :param start: of the status line. :param most: octets of the text with the dot that ends it.
        :returns: as for a slice; the dot's line follows. ``None`` when there is no such status line or no such end.
        """
        octets = self._octets
        line = octets.find(b"\r\n", start, start + self._limit)
        if line < 0 or octets[start : start + 4] not in _OK:
            return None
        stop = line + 2 + most
        first = end = octets.find(_DOTTED, line, stop)
        if first >= 0 and octets[first : first + len(_END)] != _END:
            end = octets.find(_END, first, stop)
        return (line + 2, end + 2, end > first) if end >= 0 else None

    def agreed(self, most: int) -> int:
        """How many of the next lines, at most so many, say no more than ``+OK`` and a few words; they are taken out."""
        found = _AGREED.match(self._octets)
        if found is None or most < 1:
            return 0
        lines = found[0].splitlines(keepends=True)[:most]
        if max(map(len, lines)) > self._limit + 2:
            return 0
        del self._octets[: sum(map(len, lines))]
        self._seen = 0
        return len(lines)

    def whole_lines(self) -> bytes:
        """All lines that are there with their CRLF, taken out, as far as the first that is a dot alone."""
        if self._octets.startswith(_DOT):
            return b""
        end = self._octets.find(_END)
        if end < 0:
            end = self._octets.rfind(b"\r\n")
        return self.take(end + 2) if end >= 0 else b""

    def rest(self) -> bytes:
        """Everything, taken out."""
        octets = bytes(self._octets)
        self._octets.clear()
        self._seen = 0
        return octets
