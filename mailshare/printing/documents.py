"""A document on its way in: inflated if it comes compressed, looked at, and written into the store as it arrives."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable
from email.utils import formatdate
from hashlib import sha256

from attrs import frozen

from mailshare.core.encoded_words import encode
from mailshare.core.errors import MailshareError, PolicyRefusal, Unavailable
from mailshare.core.print_formats import LOOKED_AT, format_of
from mailshare.core.values import PrintDocument, PrintTicket
from mailshare.interfaces import IBody, IBodySink, IStore

_PIECE = 256 * 1024
_MOST_RATIO = 1_000  # inflated octets for each that came, beyond the first megabyte
_FREE = 1 << 20


class TooLarge(PolicyRefusal):
    """The document is larger than this printer takes."""

    default_public = "The document is larger than this printer takes"


class FormatRefused(PolicyRefusal):
    """The document is of a kind that this printer does not take."""


class CompressionWrong(PolicyRefusal):
    """The document cannot be inflated as it says."""

    default_public = "The document is not compressed as was said"


class Inflation:
    """Inflates ``gzip`` (RFC 1952) and ``deflate``, which comes with a zlib header (RFC 1950) or bare (RFC 1951)."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._inflater = zlib.decompressobj(31) if kind == "gzip" else None
        self._came = 0
        self._gave = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The inflated octets, in pieces.

        :raises CompressionWrong: they are not compressed so, or blow up beyond all measure.
        """
        self._came += len(data)
        if self._inflater is None:
            if not data:
                return []
            # A zlib header: method 8, and both octets together a multiple of 31 (RFC 1950 section 2.2).
            bare = len(data) < 2 or data[0] & 15 != 8 or int.from_bytes(data[:2]) % 31
            self._inflater = zlib.decompressobj(-15 if bare else 15)
        elif self._inflater.eof:
            data = self._next_member(data)
        out = []
        try:
            while data:
                piece = self._inflater.decompress(data, _PIECE)
                data = self._inflater.unconsumed_tail
                if piece:
                    out.append(piece)
                    self._gave += len(piece)
                    self._check()
                if self._inflater.eof:
                    data = self._next_member(self._inflater.unused_data)
        except zlib.error as error:
            raise CompressionWrong from error
        return out

    def _next_member(self, rest: bytes) -> bytes:
        """What follows the end: another member of a gzip file (RFC 1952 section 2.2), or nothing that counts."""
        if self._kind == "gzip" and rest[:2] == b"\x1f\x8b":
            self._inflater = zlib.decompressobj(31)
            return rest
        return b""

    def _check(self) -> None:
        if self._gave > _FREE + _MOST_RATIO * self._came:
            raise CompressionWrong("The document grows beyond all measure when it is inflated")

    def finish(self) -> None:
        """No more comes.

        :raises CompressionWrong: the end is missing.
        """
        if self._came and (self._inflater is None or not self._inflater.eof):
            raise CompressionWrong("The compressed document is cut off")


@frozen
class Said:
    """What the sender says of a document.

    :ivar compression: ``none``, ``gzip`` or ``deflate``.
    :ivar declared: media type, or empty.
    """

    compression: str = "none"
    declared: str = ""
    name: str = ""
    language: str = ""


class DocumentIntake:
    """Takes one document.

    :param ticket: of its job; with ``hostname`` it makes the header lines in front of the document.
    :param number: of the document in its job.
    :param most: octets that it may have, inflated.
    """

    def __init__(
        self,
        store: IStore,
        ticket: PrintTicket,
        hostname: str,
        *,
        now: float,
        most: int,
        said: Said,
        number: int = 1,
        size_hint: int = 0,
    ) -> None:
        self.length = 0
        self.fault: MailshareError | None = None
        self._ticket = ticket
        self._hostname = hostname
        self._now = now
        self._most = most
        self._number = number
        self._said = said
        self._inflation = Inflation(said.compression) if said.compression in ("gzip", "deflate") else None
        self._head = b""
        self._format = ""
        self._digest = sha256()
        self._waiting: list[Awaitable[None]] = []
        self._sink: IBodySink | None = store.new_body(size_hint)

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Take the next octets; an awaitable when the disk is behind. :meth:`finish` tells what could not be taken."""
        if self.fault is not None or self._sink is None:
            return None
        try:
            pieces = [data] if self._inflation is None else self._inflation.feed(data)
            wait = None
            for piece in pieces:
                wait = self._take(piece) or wait
        except MailshareError as fault:
            self._refuse(fault)
            return None
        return wait

    def _refuse(self, fault: MailshareError) -> None:
        self.fault = fault
        self.abort()

    def _take(self, data: bytes) -> Awaitable[None] | None:
        self.length += len(data)
        if self.length > self._most:
            raise TooLarge
        self._digest.update(data)
        if not self._format:
            self._head += data
            return self._decide() if len(self._head) >= LOOKED_AT else None
        assert self._sink is not None
        return self._sink.write(data)

    def _decide(self) -> Awaitable[None] | None:
        """Enough is there to tell what it is: write the header lines, then what has come so far."""
        assert self._sink is not None
        self._format = format_of(self._head, self._said.declared)
        head, self._head = self._head, b""
        lines = header_lines(self._ticket, self._number, self._format, self._hostname, self._now)
        return self._sink.write(lines + head)

    async def finish(self) -> tuple[PrintDocument, IBody]:
        """All is there; the body is on stable storage, or small and in memory.

        :raises MailshareError: it is too large, not compressed as it says, or there is no room for it.
        """
        if self.fault is None and self._inflation is not None:
            try:
                self._inflation.finish()
            except MailshareError as fault:
                self._refuse(fault)
        if self.fault is not None:
            raise self.fault
        sink = self._sink
        if sink is None:
            raise Unavailable
        if not self._format:
            self._decide()
        self._sink = None
        try:
            body = await sink.finish()
        except BaseException:
            sink.abort()
            raise
        document = PrintDocument(
            self._number,
            self._format,
            self.length,
            self._digest.digest(),
            name=self._said.name,
            declared=self._said.declared,
            language=self._said.language,
        )
        return document, body

    def abort(self) -> None:
        """Forget it. May be called at any time, also twice."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()


def header_lines(ticket: PrintTicket, number: int, kind: str, hostname: str, now: float) -> bytes:
    """The header of the message that a document is stored as.

    The lines make of it what every message is, so that it is found, kept and dropped as all others; the document
    stands behind them as it came.
    """
    name = ticket.name or "Untitled"
    subject = name if name.isascii() and name.isprintable() else encode(name)
    media_type = kind if "/" in kind and kind.isascii() and kind.isprintable() else "application/octet-stream"
    lines = (
        f"Date: {formatdate(now)}",
        f"Message-ID: <{ticket.uuid}.{number}@{hostname}>",
        f"Subject: {subject}",
        "MIME-Version: 1.0",
        f"Content-Type: {media_type}",
        "Content-Transfer-Encoding: binary",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii", "replace")
