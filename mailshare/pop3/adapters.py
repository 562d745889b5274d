"""Twisted's own POP3 avatars (``IMailboxPOP3``) behind mailshare's seams, unchanged.

Their messages may have any line ends and their listings count what is on disk; here every message is read once at
login, so that ``STAT``, ``LIST`` and ``RETR`` agree to the octet (RFC 1939 section 11). Results may be Deferreds.
There is no lock: whoever needs one gives an :class:`~mailshare.interfaces.IMailboxOpener` instead.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import IO, TypeVar, cast

from attrs import field, frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.mail.interfaces import IMailboxPOP3
from zope.interface import implementer

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody, IMailboxOpener, IMaildrop

T = TypeVar("T")
_UIDL = re.compile(r"[!-~]{1,70}\Z")
_CHUNK = 65536
_SLICE = 1_048_576
_MAX_READ = 262_144


def _ask(call: Callable[..., object], *arguments: object) -> Awaitable[object]:
    return maybeDeferred(call, *arguments)


class LineEnds:
    """Makes CRLF of every line end, and one at the end of the text; works chunk by chunk."""

    def __init__(self) -> None:
        self._cr = False
        self._last = b""

    def convert(self, data: bytes) -> bytes:
        """The octets with CRLF line ends; a CR at the end waits for what follows."""
        if self._cr:
            data = b"\r" + data
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
        pairs = data.count(b"\r\n")
        if data.count(b"\n") != pairs or data.count(b"\r") != pairs:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        self._last = data[-1:] or self._last
        return data

    def finish(self) -> bytes:
        """The line end that is still owed."""
        if self._cr or self._last not in {b"", b"\n"}:
            self._cr, self._last = False, b"\n"
            return b"\r\n"
        return b""


@frozen
class _Measure:
    """What reading a message once has shown."""

    size: int
    header_length: int
    digest: bytes = field(repr=False)
    content_digest: bytes = field(repr=False)


class _Reader:
    """Reads a stock message from its start, with CRLF line ends, from one position to the next."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = LineEnds()
        self._ready = b""
        self._over = False
        self.position = 0

    def read(self, length: int) -> bytes:
        """So many octets; fewer only at the end."""
        pieces = [self._ready]
        have = len(self._ready)
        while have < length and not self._over:
            raw = self._file.read(_CHUNK)
            self._over = not raw
            piece = self._ends.convert(raw) if raw else self._ends.finish()
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self._ready = data[length:]
        self.position += min(length, len(data))
        return data[:length]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@implementer(IBody)
class StockBody:
    """A message of a stock mailbox. Reading on is cheap; going back opens it again."""

    def __init__(self, open_again: Callable[[], Awaitable[object]], measure: _Measure) -> None:
        self._open_again = open_again
        self._reader: _Reader | None = None
        self.size = measure.size
        self.header_length = measure.header_length
        self.digest = measure.digest
        self.content_digest = measure.content_digest

    async def header(self, limit: int = 262144) -> bytes:
        """The header block."""
        return await self.read(0, min(limit, self.header_length))

    async def read(self, start: int, length: int) -> bytes:
        """Octets from ``start``."""
        reader = self._reader
        if reader is None or reader.position > start:
            self.close()
            reader = self._reader = _Reader(cast("IO[bytes]", await self._open_again()))
        while reader.position < start:
            if not reader.read(min(_CHUNK, start - reader.position)):
                break
        data = reader.read(min(length, _MAX_READ))
        if reader.position >= self.size:
            self.close()
        return data

    def close(self) -> None:
        """Let go of the file; reading opens it again."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


@implementer(IMaildrop)
class StockMaildrop:
    """An ``IMailboxPOP3`` as a maildrop. The uid of a message is its index there plus one."""

    def __init__(self, mailbox: IMailboxPOP3, measures: dict[int, _Measure], uidls: dict[int, str]) -> None:
        self._mailbox = mailbox
        self._measures = measures
        self._uidls = uidls
        self._open: StockBody | None = None
        self.count = len(measures)
        self.octets = sum(measure.size for measure in measures.values())

    async def snapshot(self) -> tuple[array[int], array[int]]:
        """Uids and sizes."""
        measures = self._measures
        return array("q", measures), array("q", [measure.size for measure in measures.values()])

    def uidl(self, uid: int) -> str:
        """The mailbox's own unique-id, or one made of the octets where that cannot be sent."""
        return self._uidls[uid]

    async def body(self, uid: int) -> StockBody:
        """The message."""
        self._close()
        mailbox = self._mailbox
        self._open = StockBody(lambda: _ask(mailbox.getMessage, uid - 1), self._measures[uid])
        return self._open

    async def commit(self, deleted: Sequence[int], retrieved: Sequence[int] = ()) -> int:
        """Delete, then ``sync``. Marks of retrieval have no place in a stock mailbox."""
        del retrieved
        if not deleted:
            return 0
        try:
            for uid in deleted:
                await _ask(self._mailbox.deleteMessage, uid - 1)
        except BaseException:
            await _ask(self._mailbox.undeleteMessages)
            raise
        await _ask(self._mailbox.sync)
        return len(deleted)

    def release(self) -> None:
        """Close what is open; there is no lock."""
        self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


@implementer(IMailboxOpener)
class StockMailboxOpener:
    """Opens an ``IMailboxPOP3``.

    :param reactor: other connections get their turn between every MiB that is measured.
    """

    def __init__(self, mailbox: IMailboxPOP3, reactor: IReactorTime) -> None:
        self._mailbox = mailbox
        self._reactor = reactor
        self._measured = 0

    async def open(self, owner: str) -> StockMaildrop:
        """Measure every message. Those of size 0 are taken for deleted, as the stock server has it."""
        sizes = cast("Sequence[int]", await _ask(self._mailbox.listMessages))
        measures: dict[int, _Measure] = {}
        uidls: dict[int, str] = {}
        for index, listed in enumerate(sizes):
            if not listed:
                continue
            measure = measures[index + 1] = await self._measure(index, owner)
            uidl = await _ask(self._mailbox.getUidl, index)
            text = uidl.decode("ascii", "replace") if isinstance(uidl, bytes) else str(uidl)
            uidls[index + 1] = text if _UIDL.match(text) else measure.digest.hex()
        return StockMaildrop(self._mailbox, measures, uidls)

    async def _measure(self, index: int, owner: str) -> _Measure:
        file = await _ask(self._mailbox.getMessage, index)
        if not hasattr(file, "read"):
            raise Unavailable("A message cannot be read", detail={"index": index, "owner": owner})
        reader = _Reader(cast("IO[bytes]", file))
        whole, content = hashlib.sha256(), hashlib.sha256()
        size, header, tail, blank = 0, 0, b"\r\n", b""
        try:
            while data := reader.read(_CHUNK):
                whole.update(data)
                body = data
                if not header:
                    found = (tail + data).find(b"\r\n\r\n")
                    if found >= 0:
                        header = size + found + 4 - len(tail)
                        body = data[header - size :]
                    else:
                        body = b""
                    tail = (tail + data)[-3:]
                kept = (blank + body).rstrip()
                content.update(kept)
                blank = (blank + body)[len(kept) :]
                size += len(data)
                self._measured += len(data)
                if self._measured >= _SLICE:
                    self._measured = 0
                    await deferLater(self._reactor, 0, lambda: None)
        finally:
            reader.close()
        return _Measure(size, header or size, whole.digest(), content.digest())
