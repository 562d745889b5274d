"""Follows the store's event log and writes what is new into the files of the days.

Nobody waits for the files: a mail is taken, routed and sent whether they can be written or not. What could not be
written is written later, since the log still has it; meanwhile the status says why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, tzinfo
from typing import Protocol, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import Directory
from mailshare.interfaces import IEventLog
from mailshare.journal.days import day_of, line
from mailshare.journal.files import AUDIT, DayFile, JournalFiles

T = TypeVar("T")
_BEAT = 2.0  # seconds between two looks
_BATCH = 500  # lines in memory at once


class Aside(Protocol):
    """Does work in another thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Do it."""
        ...


class Following(Service):
    """Copies events into files, every two seconds and once more at the end.

    :param directory: gives the directory of now, for names.
    :ivar trouble: why the files cannot be written now, or empty.
    """

    name = "journal-files"
    _log = Logger()

    def __init__(
        self,
        log: IEventLog,
        files: JournalFiles,
        directory: Callable[[], Directory],
        clock: IReactorTime,
        zone: tzinfo,
        aside: Aside,
    ) -> None:
        self.trouble = ""
        self._events = log
        self._files = files
        self._directory = directory
        self._zone = zone
        self._aside = aside
        self._written = -1  # id of the last event that is in a file; -1 = not looked up yet
        self._one = DeferredLock()
        self._beat = LoopingCall(self._look)
        self._beat.clock = clock

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._beat.start(_BEAT)

    async def stopService(self) -> None:
        """End, with everything written that can be."""
        super().stopService()
        if self._beat.running:
            self._beat.stop()
        await self.catch_up()

    def _look(self) -> Deferred[None]:
        looking = Deferred.fromCoroutine(self.catch_up())
        looking.addErrback(lambda failure: self._log.failure("the journal's files were not written", failure=failure))
        return looking

    async def catch_up(self) -> None:
        """Write all that is new. Never raises for what disk and store do: that is in :attr:`trouble`."""
        await self._one.acquire()
        try:
            await self._catch_up()
        except OSError as fault:
            self._say(f"{self._files.directory}: {fault.strerror or fault}")
        except MailshareError as fault:
            self._say(fault.public)
        else:
            if self.trouble:
                self._log.info("the journal's files are written again")
            self.trouble = ""
        finally:
            self._one.release()

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self._log.warn("the journal's files cannot be written; mail flows on: {trouble}", trouble=trouble)
        self.trouble = trouble

    async def _catch_up(self) -> None:
        newest = await self._events.newest()
        if self._written < 0:
            # A store that was put back from a copy gives ids again that stand in the files.
            self._written = min(await self._aside(self._files.last_id), newest)
        while self._written < newest:
            page = await self._events.after(self._written, _BATCH)
            if not page:
                self._written = newest  # purged before it was written
                return
            directory = self._directory()
            found: dict[tuple[date, bool], list[str]] = {}
            for event in page:
                file = day_of(event.at, self._zone), event.kind.startswith(AUDIT)
                found.setdefault(file, []).append(line(event, directory, self._zone))
            lines = {DayFile(*file): texts for file, texts in found.items()}
            await self._aside(lambda lines=lines: self._files.append(lines))  # type: ignore[misc]
            self._written = page[-1].id
