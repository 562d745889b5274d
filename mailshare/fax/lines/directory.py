"""A line that is a folder: other software sends what lies in ``out`` and leaves what it received in ``in``.

A job is ``out/ID.tif`` and, put there after it, ``out/ID.json``. Whoever has made the call writes ``done/ID.json``:
``{"cause": "busy"}``, or ``{"cause": "ok", "pages": 3}``. A fax that came in is ``in/NAME.tif``, with
``in/NAME.json`` beside it where something is known of the call. docs/reference/fax.md has all keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import asdict
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.documents import NotConvertible
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.values.fax import CallFacts, FaxCapabilities, FaxCause, FaxJob, FaxOutcome, FaxPage, Ringing
from mailshare.fax.files import Aside, write_durably
from mailshare.fax.lines.calling import Call, Calls
from mailshare.interfaces import IFaxLine, IFaxPages, IFaxReceiver
from mailshare.wire.tiff_fax import read_tiff

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_JOB = re.compile(r"([0-9a-f]{16}-[0-9]+-[0-9]+)\.(?:tif|json|prepared)(?:\.new)?\Z")  # a file of ours in out
_MOST_TOLD = 65_536  # octets of a file that tells of a call
_MOST_SECONDS = 1_000_000
ToPages = Callable[[bytes], Awaitable[Sequence[FaxPage]]]


@implementer(IFaxLine)
class DirectoryLine:
    """Hands jobs over by files.

    :param folder: has ``out``, ``done`` and ``in``, made where they are missing.
    :param aside: what touches files runs there.
    :param poll: seconds between two looks.
    :param to_pages: the pages of a document; without it only those of what fax machines write are found.
    :param under_way: gives the jobs that are written down as handed over and have not ended; without it, whatever lies
        in the folder at the start stays there.
    """

    capabilities = FaxCapabilities(receive=True, codings=(), reports_pages=False, password=True)
    trouble = ""
    _log = Logger()

    def __init__(
        self,
        name: str,
        folder: str,
        clock: IReactorTime,
        aside: Aside,
        *,
        poll: float = 5.0,
        channels: int = 1,
        under_way: Callable[[], Collection[str]] | None = None,
        to_pages: ToPages | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._aside = aside
        self._poll = poll
        self._under_way = under_way
        self._to_pages = to_pages
        self._channels = channels
        self._calls = Calls()
        self._waiting: dict[str, Deferred[Mapping[str, Any]]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._stuck: dict[str, str] = {}  # files that cannot be taken now, and why: each is told of once
        self._receiver: IFaxReceiver | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._up = False
        self._clock = clock

    def start(self) -> None:
        """Look into the folders from now on."""
        self._up = True
        for each in ("out", "done", "in"):
            os.makedirs(os.path.join(self._folder, each), exist_ok=True)
        try:
            self._sweep()
        except (OSError, MailshareError) as fault:
            self._log.warn("the line {line} leaves old jobs where they are: {why}", line=self.name, why=str(fault))
        self._looking.start(self._poll)

    def _sweep(self) -> None:
        """Take away what a stop of the server left of jobs that nobody waits for.

        Jobs that were prepared and never put out (another sends their fax), and those whose end was written down:
        nobody has begun with the former, and the latter are over. A job that somebody may be at stays.
        """
        if self._under_way is None:
            return
        wanted = self._under_way()
        names = [name for folder in ("out", "done") for name in os.listdir(self._path(folder, ""))]
        lying = {found[1] for name in names if (found := _JOB.match(name))}
        for job in lying - frozenset(wanted):
            put_out = os.path.exists(self._path("out", f"{job}.json"))
            if not put_out or os.path.exists(self._path("done", f"{job}.json")):
                self._drop(job)

    async def stop(self) -> None:
        """Look no more. Jobs stay where they are: whoever makes the calls goes on, and so do we at the next start."""
        self._up = False
        if self._looking.running:
            self._looking.stop()
        await self._calls.end_all()

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Who takes what came in."""
        self._receiver = receiver

    def free_channels(self) -> int:
        """As many jobs as may lie there."""
        return self._channels - len(self._calls.by_id) if self._up else 0

    def send(self, job: FaxJob, pages: IFaxPages) -> Call:
        """Write the job."""
        return self._calls.begin(
            Call(job, lambda call: self._handed_over(call, pages), forget=lambda: self._forgotten(job.id))
        )

    def find(self, native: str, job: FaxJob) -> Call | None:
        """Wait for the end of a job that was written before a restart."""
        return self._calls.begin(
            Call(job, lambda _: self._found(native, job), native, lambda: self._forgotten(native))
        )

    async def cancel(self, call_id: str) -> bool:
        """Take the job back; whoever has begun with it may not notice."""
        if self._up:
            await self._aside(lambda: self._take_back(call_id))
        return self._calls.cancel(call_id)

    # ------------------------------------------------------------------ out

    async def _handed_over(self, call: Call, pages: IFaxPages) -> FaxOutcome:
        job = call.job
        await deferLater(self._clock, 0.0)  # whoever observes the call is told of its beginning
        tiff = await pages.document(job.first_page)
        await call.tell("dialing")
        told = json.dumps(asdict(job)).encode()

        def write() -> None:
            write_durably(self._path("out", f"{job.id}.tif"), tiff)
            write_durably(self._prepared(job.id), told)

        # Everything is here before the ledger says so, and nobody sees it before: a stop of the server in between
        # leaves a job that is put out at the next start, or one that nobody has begun with.
        await self._aside(write)
        await call.tell("submitted", native=job.id)
        await self._aside(lambda: self._put_out(job.id))
        return await self._end_of(job.id, job)

    async def _found(self, native: str, job: FaxJob) -> FaxOutcome:
        await self._aside(lambda: self._put_out(native))
        return await self._end_of(native, job)

    def _prepared(self, name: str) -> str:
        return self._path("out", f"{name}.prepared")

    def _put_out(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._prepared(name), self._path("out", f"{name}.json"))

    async def _forgotten(self, name: str) -> None:
        await self._aside(lambda: self._drop(name))

    def _drop(self, name: str) -> None:
        self._take_back(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path("done", f"{name}.json"))

    async def _end_of(self, native: str, job: FaxJob) -> FaxOutcome:
        done: Deferred[Mapping[str, Any]] = Deferred()
        self._waiting[native] = done
        try:
            told = await done
        finally:
            self._waiting.pop(native, None)
        try:
            cause = FaxCause(str(told.get("cause", "")))
        except ValueError:
            cause = FaxCause.INTERNAL
        if cause is FaxCause.CANCELLED:  # over there, and not by us: whoever did that does not want it called again
            cause = FaxCause.NOT_ALLOWED
        left = job.total - job.first_page
        pages = told.get("pages", left if cause is FaxCause.OK else 0)
        counted = pages if isinstance(pages, int) and not isinstance(pages, bool) else 0
        confirmed = min(max(counted, 0), left)
        return FaxOutcome(
            cause,
            confirmed,
            remote_id=str(told.get("remote_id", ""))[:20],
            seconds=_seconds(told.get("seconds")),
            native=str(told.get("words", ""))[:200],
        )

    def _take_back(self, name: str) -> None:
        for end in ("prepared", "json", "tif", "prepared.new", "tif.new"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path("out", f"{name}.{end}"))

    # ------------------------------------------------------------------ both directions

    async def _look(self) -> None:
        try:
            for native in list(self._waiting):
                told = await self._aside(partial(self._done, native))
                waiting = self._waiting.get(native)
                if told is not None and waiting is not None and not waiting.called:
                    waiting.callback(told)
            for name in await self._aside(self._come):
                await self._taken(name)
        except (OSError, MailshareError) as fault:
            self._log.warn("the line {line} cannot use its folder: {why}", line=self.name, why=str(fault))

    def _done(self, native: str) -> Mapping[str, Any] | None:
        return _told(self._path("done", f"{native}.json"))

    def _come(self) -> list[str]:
        """Files in ``in`` that have not grown since the last look."""
        ready, sizes = [], {}
        for name in sorted(os.listdir(self._path("in", ""))):
            if name.lower().endswith((".tif", ".tiff", ".pdf")) and not name.startswith("."):
                found = os.stat(self._path("in", name))
                sizes[name] = (found.st_size, found.st_mtime_ns)
                if self._sizes.get(name) == sizes[name]:
                    ready.append(name)
        self._sizes = sizes
        return ready

    async def _taken(self, name: str) -> None:
        """Take one fax; what is wrong with it keeps no other waiting."""
        try:
            await self._take(name)
        except (OSError, MailshareError) as fault:
            why = str(getattr(fault, "public", "") or fault)
            if self._stuck.get(name) != why:
                self._log.warn("{line}: the fax {name} has to wait: {why}", line=self.name, name=name, why=why)
            self._stuck[name] = why
        else:
            self._stuck.pop(name, None)

    async def _take(self, name: str) -> None:
        """Give one fax to the receiver, then take its files away."""
        path = self._path("in", name)
        beside = f"{path.rpartition('.')[0]}.json"
        if self._receiver is None:
            return
        octets: bytes = await self._aside(lambda: _octets(path))
        told: Mapping[str, Any] = await self._aside(lambda: _told(beside)) or {}
        # The id follows from the octets: a stop of the server before the file is gone makes no second mail.
        number = hashlib.sha256(octets).hexdigest()[:16]
        call = Ringing(
            f"{_UNSAFE.sub('_', self.name)}-{_UNSAFE.sub('_', name.rpartition('.')[0])[:40]}-{number}",
            self.name,
            *(str(told.get(key, ""))[:60] for key in ("caller", "called", "display")),
        )
        if await self._receiver.screen(call) is FaxCause.OK:
            station, sub = (str(told.get(key, ""))[:20] for key in ("station", "subaddress"))
            facts = CallFacts(FaxCause.OK, station, sub, password=str(told.get("password", ""))[:40])
            try:
                pages = await self._pages_of(octets)
            except (PeerFault, NotConvertible) as fault:
                await self._receiver.unreadable(call, facts, octets, fault.public)
            else:
                for index, page in enumerate(pages):
                    await self._receiver.page_received(call, index, page)
                await self._receiver.finished(call, facts)

        def drop() -> None:
            os.unlink(path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)

        await self._aside(drop)

    async def _pages_of(self, octets: bytes) -> Sequence[FaxPage]:
        """In the octets that came where each page is one strip, else drawn anew.

        :raises PeerFault, NotConvertible: they give no pages.
        """
        if self._to_pages is not None:
            return await self._to_pages(octets)
        pages = [one.page for one in read_tiff(octets)]
        whole = [one for one in pages if one is not None]
        if len(whole) != len(pages):
            raise PeerFault("This is no fax of one strip a page")
        return whole

    def _path(self, *parts: str) -> str:
        return os.path.join(self._folder, *parts)


def _octets(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _seconds(told: object) -> float:
    """Of a call, as other software says; 0 where that is no length of time."""
    known = isinstance(told, (int, float)) and 0 <= told < _MOST_SECONDS  # NaN is not
    return float(told) if known and isinstance(told, (int, float)) else 0.0


def _told(path: str) -> Mapping[str, Any] | None:
    """What a file tells of a call; ``None`` while it is not there or not whole."""
    try:
        with open(path, "rb") as stream:
            value = json.loads(stream.read(_MOST_TOLD))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
