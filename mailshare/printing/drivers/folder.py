"""``dir:FOLDER``: each document becomes a file there, whole or not at all, and a crash leaves no second one.

With ``?ticket=yes`` a file of the same name and ``.json`` says what was asked for; it is there before the document is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from zope.interface import implementer

from mailshare.core import print_formats as kinds
from mailshare.core.device_uri import read_folder, yes
from mailshare.core.errors import NotTaken, Unavailable
from mailshare.core.values import (
    Capabilities,
    Certainty,
    DeviceJob,
    DeviceRef,
    PrinterState,
    PrinterStatus,
    PrinterTask,
    PrintState,
)
from mailshare.interfaces import IPrintable, IPrinterDriver, IPrinterKind
from mailshare.printing.drivers.looking import never

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


@implementer(IPrinterKind)
class FolderKind:
    """Makes drivers for ``dir:``.

    :param aside: what touches files runs there.
    :param base: relative folders start here.
    """

    scheme = "dir"

    def __init__(self, aside: Aside, base: str) -> None:
        self._aside = aside
        self._base = base

    def driver(self, name: str, uri: str) -> FolderDriver:
        """The driver of one folder."""
        return FolderDriver(name, uri, self._aside, self._base)


@implementer(IPrinterDriver)
class FolderDriver:
    """One folder."""

    certainty = Certainty.ACCEPTED
    at_once = 4

    def __init__(self, name: str, uri: str, aside: Aside, base: str) -> None:
        address = read_folder(uri)
        self.name = name
        self.uri = uri
        self._folder = os.path.join(base, address.path)
        self._tickets = yes(address.options.get("ticket"))
        self._aside = aside

    async def capabilities(self) -> Capabilities:
        """A file is a file."""
        return Capabilities()

    async def status(self) -> PrinterStatus:
        """Whether files can be made there."""
        where = self._folder

        def look() -> str:
            """Why nothing can be written, or nothing."""
            try:
                os.makedirs(where, exist_ok=True)
            except OSError as fault:
                return f"The folder {where} cannot be made: {fault.strerror}"
            return "" if os.access(where, os.W_OK | os.X_OK) else f"Nothing can be written into the folder {where}"

        words = await self._aside(look)
        if words:
            return PrinterStatus(PrinterState.STOPPED, ("spool-area-full-report",), words, accepting=False)
        return PrinterStatus(PrinterState.IDLE, message=f"Files go into {where}")

    async def submit(
        self, task: PrinterTask, document: IPrintable, named: Callable[[DeviceRef], Awaitable[None]]
    ) -> DeviceRef:
        """Write it beside its place, and rename it once it is on stable storage."""
        del named  # its name follows from the task
        name = file_name(task, document.format)
        final, unfinished = os.path.join(self._folder, name), os.path.join(self._folder, f".{name}.part")
        try:
            if await self._aside(lambda: os.path.exists(final)):
                return DeviceRef(name)  # written by an earlier try that did not come to say so
            descriptor = await self._aside(lambda: _create(self._folder, unfinished))
            try:
                await self._write(descriptor, document)
            finally:
                os.close(descriptor)
            if self._tickets:
                await self._aside(lambda: _write_ticket(final, ticket_text(task, document)))
            await self._aside(lambda: _publish(self._folder, unfinished, final))
        except OSError as fault:
            words = f"The folder {self._folder} takes nothing: {fault.strerror or fault}"
            raise NotTaken(words, reasons=("spool-area-full-report",)) from fault
        return DeviceRef(name)

    async def _write(self, descriptor: int, document: IPrintable) -> None:
        position = 0
        while position < document.length:
            piece = await document.read(position, _PIECE)
            if not piece:
                raise Unavailable(detail={"why": "a document ends before its size"})
            await self._aside(partial(_write_all, descriptor, piece))
            position += len(piece)
        await self._aside(lambda: os.fsync(descriptor))

    async def find(self, task: PrinterTask) -> DeviceRef | None:
        """Its file is there, or it was never whole."""
        mark = _mark(task)

        def look() -> str:
            """The name of its file, or nothing."""
            try:
                names = os.listdir(self._folder)
            except FileNotFoundError:
                return ""
            return next((one for one in names if mark in one and not one.endswith((".part", ".json"))), "")

        try:
            found = await self._aside(look)
        except OSError as fault:
            raise Unavailable(f"The folder {self._folder} cannot be read: {fault.strerror or fault}") from fault
        return DeviceRef(found) if found else None

    async def poll(self, ref: DeviceRef) -> DeviceJob:
        """It is written; whoever empties the folder may have it already."""
        del ref
        words = f"Written into {self._folder}"
        return DeviceJob(PrintState.COMPLETED, message=words, certainty=Certainty.ACCEPTED)

    async def cancel(self, ref: DeviceRef) -> None:
        """Files that are there stay there."""

    def watch(self, ref: DeviceRef, look: Callable[[], None]) -> Callable[[], None]:
        """Nothing ever changes."""
        del ref, look
        return never


def _mark(task: PrinterTask) -> str:
    return f"-{task.uuid.replace('-', '')[-12:]}."


def file_name(task: PrinterTask, kind: str) -> str:
    """``0012-1-Report-1f0e2d3c4b5a.pdf``: numbers of job and document, what it is called, and what makes it unique."""
    called = re.sub(r"[^\w .()-]+", "_", task.name or "document").strip(" .")[:80]
    stem, dot, ending = called.rpartition(".")
    known = _ENDINGS.get(kind, "bin")
    if dot and ending.lower() == known:
        called = stem
    return f"{task.job:04d}-{task.document}-{called}{_mark(task)}{known}"


def ticket_text(task: PrinterTask, document: IPrintable) -> bytes:
    """What was asked for, as JSON."""
    facts = {
        "job": task.job,
        "document": task.document,
        "uuid": task.uuid,
        "name": task.name,
        "user": task.user,
        "format": document.format,
        "size": document.length,
        "sha256": document.digest.hex(),
        "options": dict(task.options),
    }
    return json.dumps(facts, ensure_ascii=False, indent=2).encode() + b"\n"


def _create(folder: str, path: str) -> int:
    os.makedirs(folder, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_ticket(document: str, text: bytes) -> None:
    path = f"{document.rpartition('.')[0]}.json"
    unfinished = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        _write_all(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(unfinished, path)


def _publish(folder: str, unfinished: str, final: str) -> None:
    os.rename(unfinished, final)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
