"""Bodies of messages and the sinks that take them while they arrive."""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Attribute, Interface


class IBody(Interface):
    """A whole message, octets exactly as RETR sends them before dot-stuffing: CRLF line ends.

    Immutable. Reading never holds a transaction open, however slow the reader is.
    """

    size: int = Attribute("octets")
    header_length: int = Attribute("octets of the header block with its empty line; equal to size when there is none")
    digest: bytes = Attribute("SHA-256 of all octets, 32 bytes")
    content_digest: bytes = Attribute("SHA-256 of what follows the header block, without trailing white space")

    def header(limit: int = 262144) -> Awaitable[bytes]:
        """The header block, with the empty line; cut at ``limit`` octets."""

    def read(start: int, length: int) -> Awaitable[bytes]:
        """Octets from ``start``; fewer than ``length`` only at the end; never more than 256 KiB at once.

        :raises Unavailable: when the disk does not give them.
        """


class IReadyBody(IBody):
    """A body of which no line begins with a dot, and whose last line is ended: it goes on a POP3 wire as it is."""

    at_hand: int = Attribute("octets at its start for which no disk is asked; equal to size when there is no file")

    def send_to(descriptor: int, start: int) -> Awaitable[int]:
        """Have the system send octets from ``start``, which lies behind those at hand, without reading them here.

        :param descriptor: of a socket that does not block; it stays open until this fires.
        :returns: how many the socket took, 1 MiB at most; 0 when it takes none now.
        :raises Unavailable: when the disk does not give them.
        :raises OSError: the connection is broken.
        """


class IBodySink(Interface):
    """Takes the octets of one message while they arrive."""

    size: int = Attribute("octets written so far")

    def write(data: bytes) -> Awaitable[None] | None:
        """Take some octets.

        :returns: ``None`` to go on; an awaitable when the disk is behind: write no more until it fires.
        :raises StorageFull: no room; call :meth:`abort`.
        """

    def finish() -> Awaitable[IBody]:
        """No more comes. The body of a file is on stable storage when this fires; a small one is in memory until its
        delivery commits. The sink is spent."""

    def abort() -> None:
        """Forget all of it. May be called at any time, also twice."""
