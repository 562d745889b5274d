"""Keeps today's journal and so many days before it: purged at start, and at each local midnight of a long life.

The one rule for the log in the store and for the files: a local day stays whole or goes whole.
"""

from __future__ import annotations

from datetime import date, timedelta, tzinfo

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND
from mailshare.interfaces import IEventLog
from mailshare.journal.days import bounds, day_of, next_midnight
from mailshare.journal.files import JournalFiles
from mailshare.journal.following import Aside

AUDIT_DAYS = 365
_LIVED = 7
"""Days among those that are kept of which there must be lines before older ones go; fewer when fewer are kept.

A clock that was set a year ahead makes all of the journal old at once. It goes when the office has lived so many days
by that clock; when it is set right before, nothing was lost.
"""
_AT_MOST = 600.0  # seconds to the next look, which notices a clock that was set and repeats a purge that failed


class Retention(Service):
    """The purge.

    :param files: the day files, purged by the same days; ``None`` when there are none.
    :ivar days: days kept besides today; 0 = today only, -1 = all. Change it with :meth:`keep`.
    """

    name = "journal-retention"
    _log = Logger()

    def __init__(
        self,
        log: IEventLog,
        clock: IReactorTime,
        zone: tzinfo,
        days: int,
        files: JournalFiles | None = None,
        aside: Aside | None = None,
    ) -> None:
        self.days = days
        self._events = log
        self._clock = clock
        self._zone = zone
        self._files = files
        self._aside = aside
        self._purged: date | None = None  # the local day on which all that was due went
        self._next: IDelayedCall | None = None
        self._purging: Deferred[None] | None = None

    def startService(self) -> None:
        """Purge now and at each midnight."""
        super().startService()
        self._look()

    async def stopService(self) -> None:
        """Stop when the purge under way is done."""
        super().stopService()
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._purging is not None:
            await self._purging

    def keep(self, days: int) -> None:
        """Another number of days from now on."""
        if days != self.days:
            self.days, self._purged = days, None
            if self._next is not None and self._next.active():
                self._next.reset(0)

    def _now(self) -> int:
        return int(self._clock.seconds() * SECOND)

    def _look(self) -> None:
        now = self._now()
        until_midnight = (next_midnight(now, self._zone) - now) / SECOND
        self._next = self._clock.callLater(min(max(until_midnight, 1.0), _AT_MOST), self._look)
        if self._purging is None and self._purged != day_of(now, self._zone):
            self._purging = Deferred.fromCoroutine(self._purge())
            self._purging.addErrback(lambda failure: self._log.failure("the journal was not purged", failure=failure))
            self._purging.addBoth(self._done)

    def _done(self, result: None) -> None:
        self._purging = None
        return result

    async def _purge(self) -> None:
        try:
            lines, files = await self.purge()
        except MailshareError as fault:
            self._log.warn("the journal was not purged: {fault}", fault=fault.public)
        except OSError as fault:
            self._log.warn("old files of the journal were not deleted: {fault}", fault=str(fault))
        else:
            if lines or files:
                self._log.info("{lines} old journal lines and {files} files deleted", lines=lines, files=files)

    async def purge(self) -> tuple[int, int]:
        """Delete what is older than the days kept.

        :returns: how many lines of the store's log went, and how many files.
        """
        today, days = day_of(self._now(), self._zone), self.days
        first = _days_before(today, days) if days >= 0 else None
        audit = _days_before(today, max(days, AUDIT_DAYS)) if days >= 0 else None
        lines = files = 0
        if first is not None and not await self._lived(first, today):
            return 0, 0
        if first is not None and audit is not None:
            before, audit_before = (bounds(day, self._zone)[0] for day in (first, audit))
            lines = await self._events.expire(before, audit_before=audit_before)
            if self._files is not None and self._aside is not None:
                kept = self._files
                files = await self._aside(lambda: kept.purge(first, audit))
        if days == self.days:
            self._purged = today
        return lines, files


    async def _lived(self, first: date, today: date) -> bool:
        """Whether there are enough days from ``first`` to today on which something was written, today among them."""
        zone = str(self._zone) if hasattr(self._zone, "key") else ""
        days = {date.fromisoformat(day) for day in await self._events.days(zone)}
        return len({day for day in days if first <= day <= today} | {today}) >= min(self.days + 1, _LIVED)


def _days_before(day: date, days: int) -> date:
    """So many days earlier; the first day of all when there are not so many."""
    return day - timedelta(days=min(days, day.toordinal() - date(1970, 1, 2).toordinal()))
