"""Stored messages as they are read: in memory, from a content file, and with the header lines of one copy in front."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from attrs import field, frozen
from zope.interface import implementer

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody

PIECE = 256 * 1024
T = TypeVar("T")


class InThread(Protocol):
    """Runs a callable in a thread."""

    async def __call__(self, act: Callable[[], T]) -> T:
        """Run it; fires on the reactor thread with its result or its error."""


INLINE, FILE, SEGMENT = 0, 1, 2  # where a body lies: see mailshare.store.segments for the last


class BodyFacts(NamedTuple):  # made for each message: a class of attrs takes twice the time
    """What is known of a message's octets without reading them; the columns of ``message``.

    :ivar key: name of the content file relative to ``blobs/``; empty when the body is in the database.
    :ivar ready: no line begins with a dot and the last one is ended; known while the message comes in.
    """

    size: int
    header_length: int
    digest: bytes
    content_digest: bytes
    key: str = ""
    ready: bool = False


@implementer(IBody)
@frozen(slots=False)  # made for each message: without slots in two thirds of the time
class MemoryBody:
    """A body held whole; for messages up to the inline limit."""

    facts: BodyFacts
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Octets."""
        return self.facts.size

    @property
    def header_length(self) -> int:
        """Octets of the header block with its empty line."""
        return self.facts.header_length

    @property
    def digest(self) -> bytes:
        """SHA-256 of all octets."""
        return self.facts.digest

    @property
    def content_digest(self) -> bytes:
        """SHA-256 of the content without trailing white space."""
        return self.facts.content_digest

    async def header(self, limit: int = 262144) -> bytes:
        """The header block, cut at ``limit``."""
        return self.data[: min(limit, self.facts.header_length)]

    async def read(self, start: int, length: int) -> bytes:
        """A slice."""
        return self.data[start : start + min(length, PIECE)]


@implementer(IBody)
@frozen
class FileBody:
    """A body in its own content file; each piece is one short read in a thread.

    :ivar captured: the beginning of the header as it was seen while the file was written; empty later on.
    """

    facts: BodyFacts
    path: str
    in_thread: InThread = field(repr=False, eq=False)
    captured: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        """Octets."""
        return self.facts.size

    @property
    def header_length(self) -> int:
        """Octets of the header block with its empty line."""
        return self.facts.header_length

    @property
    def digest(self) -> bytes:
        """SHA-256 of all octets."""
        return self.facts.digest

    @property
    def content_digest(self) -> bytes:
        """SHA-256 of the content without trailing white space."""
        return self.facts.content_digest

    async def header(self, limit: int = 262144) -> bytes:
        """The header block, cut at ``limit``."""
        wanted = min(limit, self.facts.header_length)
        if wanted <= len(self.captured):
            return self.captured[:wanted]
        pieces: list[bytes] = []
        position = 0
        while position < wanted:
            pieces.append(await self.read(position, wanted - position))
            position += len(pieces[-1])
        return b"".join(pieces)

    async def read(self, start: int, length: int) -> bytes:
        """One piece of the file."""
        wanted = max(0, min(length, PIECE, self.facts.size - start))
        if not wanted:
            return b""

        def piece() -> bytes:
            return read_exactly(self.path, start, wanted)

        return await self.in_thread(piece)


def read_exactly(path: str, start: int, length: int) -> bytes:
    """Octets of a content file, all of those asked for.

    :raises Unavailable: the file is missing, shorter than its row says, or the disk fails.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, length, start)
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise Unavailable(detail={"file": path, "why": str(fault)}) from fault
    if len(data) != length:
        raise Unavailable(detail={"file": path, "why": "the content file is shorter than its row says"})
    return data


@implementer(IBody)
@frozen
class PrefixedBody:
    """A stored body with the header lines of one mailbox entry in front.

    ``digest`` and ``content_digest`` are those of the stored body: it is shared, the prefix is not.
    """

    prefix: bytes
    body: IBody

    @property
    def size(self) -> int:
        """Octets of both."""
        return len(self.prefix) + self.body.size

    @property
    def header_length(self) -> int:
        """Octets of the header block with the prefix."""
        return len(self.prefix) + self.body.header_length

    @property
    def digest(self) -> bytes:
        """SHA-256 of the shared body."""
        return self.body.digest

    @property
    def content_digest(self) -> bytes:
        """SHA-256 of the content without trailing white space."""
        return self.body.content_digest

    async def header(self, limit: int = 262144) -> bytes:
        """Prefix and header block, cut at ``limit``."""
        rest = limit - len(self.prefix)
        return self.prefix[:limit] + (await self.body.header(rest) if rest > 0 else b"")

    async def read(self, start: int, length: int) -> bytes:
        """One piece of both, as if they were one."""
        length = min(length, PIECE)
        own = self.prefix[start : start + length]
        if len(own) == length:
            return own
        return own + await self.body.read(max(0, start - len(self.prefix)), length - len(own))
