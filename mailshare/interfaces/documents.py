"""Documents: finding out what they are, and making others of them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Mapping, Sequence

from zope.interface import Attribute, Interface

from mailshare.core.values import Conversion, DocumentFacts


class IMadeDocument(Interface):
    """What came out of a conversion: a file that nobody else sees, there until it is released."""

    format: str = Attribute("media type")
    pages: int | None = Attribute("impressions; None where nobody knows (a document that passed as it came)")
    size: int = Attribute("octets")
    digest: bytes = Attribute("SHA-256 of these, 32 bytes")
    facts: Mapping[str, object] = Attribute("what the operation tells besides, JSON values; its own words for them")

    def read(start: int, length: int) -> Awaitable[bytes]:
        """Octets from ``start``; fewer than ``length`` only at the end; never more than 256 KiB at once."""

    def release() -> None:
        """Take the file away. May be called at any time, also twice; stopping the service does it, too."""


class IDocuments(Interface):
    """Looks at documents that strangers sent, each in a process of its own that can do next to nothing else.

    ``octets`` is the document in pieces of any size, e.g. :func:`mailshare.shell.body_pieces.pieces` of a stored one.
    Cancelling the Deferred of a call ends its process. All raise :class:`~mailshare.core.documents.NotConvertible`
    with the cause, and :class:`~mailshare.core.errors.Unavailable` while the service is stopped or overrun.
    """

    def facts(octets: AsyncIterable[bytes], declared: str = "") -> Awaitable[DocumentFacts]:
        """What it is and how many pages it has.

        An encrypted PDF is told of and not refused. More pages or pixels than are taken are refused.

        :param declared: the media type that the sender tells; it counts where the octets tell nothing.
        """

    def makes(source: str, formats: Sequence[str]) -> str:
        """Which of the formats a document of that kind would become; empty when none of them. Asks no process.

        :param source: media type, as in :class:`~mailshare.core.values.DocumentFacts`.
        :param formats: as in :class:`~mailshare.core.values.Conversion`.
        """

    def convert(octets: AsyncIterable[bytes], wanted: Conversion, declared: str = "") -> Awaitable[IMadeDocument]:
        """Make of it what a device takes. Release the result."""

    def preview(octets: AsyncIterable[bytes], declared: str = "", width: int = 600) -> Awaitable[bytes]:
        """Its first page as JPEG, that many pixels wide, about 40 KB."""

    def perform(
        operation: str, octets: AsyncIterable[bytes], options: Mapping[str, object], declared: str = ""
    ) -> Awaitable[IMadeDocument]:
        """An operation by its name in :mod:`mailshare.documents.operations`, with options that are JSON values.

        The seam for what other rooms have done in such a process, e.g. the pages of a fax.
        """
