"""The documents of an office: each is written into a folder of its own and worked out there by a confined process."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from functools import partial
from io import BufferedReader
from typing import Any, Protocol, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from zope.interface import implementer

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import StorageFull, Unavailable
from mailshare.core.values import Conversion, DocumentFacts
from mailshare.documents.bounds import Bounds
from mailshare.documents.operations import RESULT, WORK
from mailshare.documents.routes import Tools, route
from mailshare.interfaces import IDocuments, IMadeDocument
from mailshare.shell.child_process import Ended
from mailshare.shell.stem_process import Split, Stem, start_stem

T = TypeVar("T")
AT_ONCE, WAITING = 2, 200  # processes that run, and documents that wait for one
_PIECE = 256 * 1024
_MOST_TOLD = 4 << 20  # octets of result.json
_GRACE = 5.0  # seconds a process has to start and to end besides its time
# glibc keeps what a page took for the next one: to be given each of them anew takes as long as to draw it.
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 29), "MALLOC_TRIM_THRESHOLD_": str(1 << 29)}
_IDLE = 120.0  # seconds without a document after which nothing is kept ready for the next
_ENTRY = "import sys; p = sys.argv[1]; p in sys.path or sys.path.insert(0, p); "
_ENTRY += "from mailshare.documents.stem import main; main()"
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Aside(Protocol):
    """Runs a callable in a thread."""

    def __call__(self, act: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""


@implementer(IMadeDocument)
@attrs.define(eq=False)
class MadeDocument:
    """A file in a folder that goes away when it is released."""

    format: str
    pages: int | None
    size: int
    digest: bytes
    facts: Mapping[str, object]
    _path: str
    _aside: Aside
    _forget: Callable[[], None]

    async def read(self, start: int, length: int) -> bytes:
        """Some octets."""
        return await self._aside(partial(_read, self._path, start, min(length, _PIECE)))

    def release(self) -> None:
        """Take the file away."""
        forget, self._forget = self._forget, _nothing
        forget()


@implementer(IDocuments)
class Documents:
    """Takes documents apart in processes of their own.

    :param folder: where they lie meanwhile; what is in it at first is left over from before, and goes.
    :param aside: what touches files runs there.
    :param note: told of processes that crashed or ran too long: a line for the log.
    """

    def __init__(
        self, reactor: Any, folder: str, aside: Aside, bounds: Bounds, note: Callable[[str], None]
    ) -> None:
        self._reactor = reactor
        self._folder = folder
        self._aside = aside
        self._note = note
        self._turn = DeferredSemaphore(AT_ONCE)
        self._waiting = 0
        self._open = True
        self._run_of_server = secrets.token_hex(8)
        self._fresh = False  # what a killed server left in the folder is gone
        self._folders: set[str] = set()
        self._running: set[Split] = set()
        self._stem: Stem | None = None
        self.bounds = bounds
        self.tools = Tools.found(bounds.tools)

    def follow(self, bounds: Bounds) -> None:
        """Take over other bounds, for the documents to come."""
        self.bounds, self.tools = bounds, Tools.found(bounds.tools)

    async def stop(self) -> None:
        """End all processes, and forget all that was made."""
        self._open = False
        running = list(self._running)
        for child in running:
            child.end()
        for child in running:
            await child.gone
        if self._stem is not None:
            self._stem.stop()
            await self._stem.gone
        self._folders.clear()
        await self._aside(partial(shutil.rmtree, self._folder, ignore_errors=True))

    # ------------------------------------------------------------------ what is asked for

    async def facts(self, octets: AsyncIterable[bytes], declared: str = "") -> DocumentFacts:
        """What it is and how many pages it has."""
        made = await self.perform("facts", octets, {}, declared)
        made.release()
        told = made.facts
        size = told.get("size")
        return DocumentFacts(
            format=made.format,
            octets=int(str(told.get("octets", 0))),
            pages=made.pages,
            size=(int(size[0]), int(size[1])) if isinstance(size, list) else None,
            encrypted=told.get("encrypted") is True,
            active=tuple(str(one) for one in _listed(told.get("active"))),
        )

    def makes(self, source: str, formats: Sequence[str]) -> str:
        """Which of the formats a document of that kind would become."""
        return route(source, formats, self.tools)

    async def convert(
        self, octets: AsyncIterable[bytes], wanted: Conversion, declared: str = ""
    ) -> IMadeDocument:
        """Make of it what a device takes."""
        options = attrs.asdict(wanted)
        options["done_there"] = sorted(wanted.done_there)
        return await self.perform("convert", octets, options, declared)

    async def preview(self, octets: AsyncIterable[bytes], declared: str = "", width: int = 600) -> bytes:
        """Its first page as JPEG."""
        made = await self.perform("preview", octets, {"width": width}, declared)
        try:
            return b"".join([await made.read(start, _PIECE) for start in range(0, made.size, _PIECE)])
        finally:
            made.release()

    async def perform(
        self, operation: str, octets: AsyncIterable[bytes], options: Mapping[str, object], declared: str = ""
    ) -> MadeDocument:
        """An operation by its name."""
        if not self._open or self._waiting >= WAITING:
            raise Unavailable("Documents cannot be looked at just now; please try again later")
        fresh, self._fresh = self._fresh, True
        folder = await self._on_disk(partial(_new_folder, self._folder, self._run_of_server, fresh=fresh))
        self._folders.add(folder)
        try:
            await self._fill(folder, octets)
            work = {"operation": operation, "declared": declared, "options": options}
            result = await self._in_turn(folder, {**work, "bounds": attrs.asdict(self.bounds)})
            return await self._made(folder, result)
        except BaseException:
            self._drop(folder)
            raise

    # ------------------------------------------------------------------ how it is done

    async def _fill(self, folder: str, octets: AsyncIterable[bytes]) -> None:
        size, path = 0, os.path.join(folder, "source")
        async for piece in octets:
            size += len(piece)
            if size > self.bounds.size:
                raise NotConvertible(Hindrance.TOO_LARGE)
            await self._on_disk(partial(_append, path, piece))
        if not size:
            raise NotConvertible(Hindrance.EMPTY, "The document is empty")

    async def _on_disk(self, act: Callable[[], T]) -> T:
        try:
            return await self._aside(act)
        except OSError as fault:
            if not self._open:  # the folder has gone with the service
                raise Unavailable from fault
            raise StorageFull(detail={"why": str(fault)}) from fault

    async def _in_turn(self, folder: str, work: Mapping[str, object]) -> Mapping[str, Any]:
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._on_disk(partial(_append, os.path.join(folder, WORK), json.dumps(work).encode()))
            return await self._run(folder, str(work["operation"]))
        finally:
            self._turn.release()

    async def _run(self, folder: str, operation: str) -> Mapping[str, Any]:
        seconds = self.bounds.seconds
        ended = await self._ended(folder, operation)
        if ended.orphaned and self._open:  # perhaps by no fault of this document
            self._note(_crash(ended))
            await self._on_disk(partial(_clear, folder))
            ended = await self._ended(folder, operation)
        if not self._open:
            raise Unavailable
        if ended.late or ended.signal == signal.SIGXCPU:
            self._note(f"A document took longer than {seconds} seconds to work out; its process was ended")
            raise NotConvertible(Hindrance.TOO_LONG)
        if ended.status != 0:
            self._note(_crash(ended))
            raise NotConvertible(Hindrance.CRASHED)
        return await self._aside(partial(_result, os.path.join(folder, RESULT)))

    async def _ended(self, folder: str, operation: str) -> Ended:
        child = self._ready().split_off({"folder": folder, "operation": operation}, self.bounds.seconds + _GRACE)
        self._running.add(child)
        try:
            return await child.done
        except CancelledError:
            await child.gone
            raise
        finally:
            self._running.discard(child)

    def _ready(self) -> Stem:
        """The process that others are split off; it is started with the first document, and after a pause."""
        if not self._open:
            raise Unavailable
        if self._stem is None or not self._stem.takes:
            argv = [sys.executable, "-I", "-c", _ENTRY, _ROOT]
            env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **_KEPT_MEMORY}
            self._stem = start_stem(self._reactor, argv, idle=_IDLE, env=env)
        return self._stem

    async def _made(self, folder: str, result: Mapping[str, Any]) -> MadeDocument:
        facts = result.get("facts")
        if not isinstance(facts, dict):
            known = {one.value: one for one in Hindrance}
            cause = known.get(str(result.get("cause")), Hindrance.DAMAGED)
            raise NotConvertible(cause, str(result.get("words", ""))[:500], detail={"why": str(result.get("why", ""))})
        path = os.path.join(folder, "target")
        size, digest = await self._aside(partial(_measured, path))
        pages = facts.get("pages")
        return MadeDocument(
            format=str(facts.get("format", ""))[:100],
            pages=pages if isinstance(pages, int) and pages >= 0 else None,
            size=size,
            digest=digest,
            facts=facts,
            path=path,
            aside=self._aside,
            forget=partial(self._drop, folder),
        )

    def _drop(self, folder: str) -> None:
        if folder in self._folders:
            self._folders.discard(folder)
            _in_background(self._aside, partial(shutil.rmtree, folder, ignore_errors=True))


def _in_background(aside: Aside, act: Callable[[], None]) -> None:
    async def work() -> None:
        await aside(act)

    Deferred.fromCoroutine(work())


def _nothing() -> None:
    """It is released already."""


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _crash(ended: Ended) -> str:
    how = f"by signal {ended.signal}" if ended.signal else f"with status {ended.status}"
    last = ended.said.decode("ascii", "replace").strip().splitlines()[-1:]
    told = "".join(char if char.isprintable() else "?" for char in "".join(last))[:200]
    return f"The process for a document ended {how}: {told}"


# ---------------------------------------------------------------------- in threads


def _new_folder(parent: str, run: str, *, fresh: bool) -> str:
    """A folder among those of this run; those of other runs go, once."""
    own = os.path.join(parent, run)
    os.makedirs(own, mode=0o700, exist_ok=True)
    for name in () if fresh else os.listdir(parent):
        if name != run:
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
    return tempfile.mkdtemp(dir=own)


def _clear(folder: str) -> None:
    """Take away what a process has left that was ended in the middle."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name not in ("source", WORK):
            os.unlink(entry.path)


def _append(path: str, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def _opened(path: str) -> BufferedReader:
    """What a process wrote: a file of its own, not a link to somebody else's and nothing that waits."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("no file")
    return os.fdopen(descriptor, "rb")


def _read(path: str, start: int, length: int) -> bytes:
    try:
        with _opened(path) as file:
            file.seek(start)
            return file.read(length)
    except OSError as fault:
        raise Unavailable(detail={"why": str(fault)}) from fault


def _result(path: str) -> Mapping[str, Any]:
    """What the process tells; it is believed no more than the document is."""
    try:
        with _opened(path) as file:
            value = json.loads(file.read(_MOST_TOLD))
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NotConvertible(Hindrance.CRASHED)
    return value


def _measured(path: str) -> tuple[int, bytes]:
    """Octets of what was made, and their digest; of nothing, if nothing was."""
    try:
        with _opened(path) as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return file.tell(), digest
    except FileNotFoundError:
        return 0, hashlib.sha256().digest()
    except OSError as fault:
        raise NotConvertible(Hindrance.CRASHED, detail={"why": str(fault)}) from fault
