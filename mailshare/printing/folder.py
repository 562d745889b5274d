"""Prints into a folder: each document becomes a file there, whole or not at all, and a crash leaves no second one."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from zope.interface import implementer

from mailshare.core import print_formats as kinds
from mailshare.core.errors import Unavailable
from mailshare.core.values import Outcome, PrintChange, PrintDocument, PrintJob, PrintState, QueueItem, QueueState
from mailshare.interfaces import IPrintWay
from mailshare.printing.service import PrintService

T = TypeVar("T")
_PIECE = 256 * 1024
_ENDINGS = {
    kinds.PDF: "pdf",
    kinds.POSTSCRIPT: "ps",
    kinds.JPEG: "jpg",
    kinds.PNG: "png",
    kinds.TIFF: "tif",
    kinds.PWG: "pwg",
    kinds.URF: "urf",
    kinds.TEXT: "txt",
    kinds.PCL: "pcl",
}


class Aside(Protocol):
    """Runs a callable in a thread."""

    def __call__(self, act: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""


@implementer(IPrintWay)
class Folder:
    """``dir:/path``.

    :param aside: what touches files runs there.
    :param base: relative folders start here.
    """

    scheme = "dir"

    def __init__(self, service: PrintService, aside: Aside, base: str) -> None:
        self._service = service
        self._aside = aside
        self._base = base

    async def hand_on(self, job: PrintJob, member: str, address: str, item: QueueItem) -> Outcome:
        """Write the job's documents as files."""
        folder = os.path.join(self._base, address.partition(":")[2])
        try:
            for document in job.documents:
                if not document.canceled:
                    await self._write(folder, job, document)
        except OSError as fault:
            words = f"The folder {folder} takes nothing: {fault.strerror or fault}"
            return Outcome(item.id, QueueState.QUEUED, self._service.now(), 451, "4.3.1", words)
        done = PrintChange(member, PrintState.COMPLETED, certainty="accepted", message="")
        await self._service.change(job, done)
        return Outcome(item.id, QueueState.DELIVERED, self._service.now(), 250, "2.0.0", f"Written into {folder}")

    async def call_back(self, job: PrintJob, member: str, address: str) -> None:
        """Files that are there stay there."""

    async def _write(self, folder: str, job: PrintJob, document: PrintDocument) -> None:
        name = file_name(job, document)
        final, unfinished = os.path.join(folder, name), os.path.join(folder, f".{name}.part")
        if await self._aside(lambda: os.path.exists(final)):
            return  # written by an earlier try that did not come to say so
        body, offset = await self._service.store.print_jobs.document(job.id, document.number)
        descriptor = await self._aside(lambda: _create(folder, unfinished))
        try:
            position = offset
            while position < body.size:
                piece = await body.read(position, _PIECE)
                if not piece:
                    raise Unavailable(detail={"why": "a document ends before its size", "job": job.id})
                await self._aside(partial(_write_all, descriptor, piece))
                position += len(piece)
            await self._aside(lambda: os.fsync(descriptor))
        finally:
            os.close(descriptor)
        await self._aside(lambda: _publish(folder, unfinished, final))


def file_name(job: PrintJob, document: PrintDocument) -> str:
    """``0012-1-Report.pdf``: number of the job and document, so that no two are alike, and what it is called."""
    called = re.sub(r"[^\w .()-]+", "_", document.name or job.ticket.name or "document").strip(" .")[:80]
    stem, dot, ending = called.rpartition(".")
    known = _ENDINGS.get(document.format, "bin")
    if dot and ending.lower() == known:
        called = stem
    return f"{job.id:04d}-{document.number}-{called}-{job.ticket.uuid[-6:]}.{known}"


def _create(folder: str, path: str) -> int:
    os.makedirs(folder, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _publish(folder: str, unfinished: str, final: str) -> None:
    os.rename(unfinished, final)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
