"""Documents as drivers read them: as they came, or as they were made for the device."""

from __future__ import annotations

from collections.abc import AsyncIterator

from attrs import evolve
from zope.interface import implementer

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values import Capabilities, Conversion, PrintDocument, PrinterTask, PrintJob
from mailshare.interfaces import IBody, IDocuments, IMadeDocument, IPrintable, IStore

_PIECE = 256 * 1024
_HERE = frozenset({"page-ranges", "number-up", "copies"})
"""Options that are done to the document where the device cannot do them."""


@implementer(IPrintable)
class StoredDocument:
    """A document of a job as it lies in the store."""

    def __init__(self, document: PrintDocument, body: IBody, offset: int) -> None:
        self.format = document.format
        self.length = document.length
        self.digest = document.digest
        self._body = body
        self._offset = offset

    async def read(self, position: int, length: int) -> bytes:
        """Octets from there."""
        return await self._body.read(self._offset + position, min(length, self.length - position))


@implementer(IPrintable)
class MadeDocument:
    """What was made of a document."""

    def __init__(self, made: IMadeDocument) -> None:
        self.format = made.format
        self.length = made.size
        self.digest = made.digest
        self._made = made

    async def read(self, position: int, length: int) -> bytes:
        """Octets from there."""
        return await self._made.read(position, min(length, self.length - position))

    def release(self) -> None:
        """Take the file away."""
        self._made.release()


async def stored(store: IStore, job: PrintJob, document: PrintDocument) -> StoredDocument:
    """A document of a job.

    :raises Unavailable: it is not kept any more.
    """
    body, offset = await store.print_jobs.document(job.id, document.number)
    return StoredDocument(document, body, offset)


async def fitting(
    document: StoredDocument, able: Capabilities, task: PrinterTask, documents: IDocuments | None
) -> StoredDocument | MadeDocument:
    """The document as the device takes it: as it came where that will do, else converted.

    Where only an option is not fulfilled, and cannot be here, it goes as it came, unless it is to be exactly so.

    :raises NotConvertible: nothing here makes of it what the device takes.
    :raises Unavailable: not now.
    """
    options = dict(task.options)
    undone = {name for name in _HERE & set(options) if able.options is not None and name not in able.options}
    undone -= {"copies"} if options.get("copies") == 1 else set()
    taken = not able.formats or document.format in able.formats
    if taken and not undone:
        return document
    if documents is None:
        if taken:
            return document
        raise NotConvertible(Hindrance.NOT_TAKEN, f"The printer does not take {document.format}")
    wanted = Conversion(
        able.formats or (document.format,),
        options,
        done_there=frozenset(options) - undone if able.options is None else able.options,
        sheet_back=able.sheet_back,
    )
    if able.resolutions:
        wanted = evolve(wanted, resolutions=able.resolutions)
    if able.raster_types:
        wanted = evolve(wanted, raster_types=able.raster_types)
    try:
        return MadeDocument(await documents.convert(_pieces(document), wanted, document.format))
    except NotConvertible:
        if taken and not task.fidelity:
            return document
        raise


async def _pieces(document: StoredDocument) -> AsyncIterator[bytes]:
    position = 0
    while piece := await document.read(position, _PIECE):
        position += len(piece)
        yield piece
