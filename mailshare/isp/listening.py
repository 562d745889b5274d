"""Connections that are held to hear of new mail: one for each IMAP account, as long as its window is open (rule 3.9).

The held connection only listens; what it tells of is collected over a connection of its own, as ever. So nothing that
arrives during a collection is missed, and a collection that fails leaves the listening alone. The runs of the timetable
go on: they find what lies in other folders, and what a line that died in silence did not tell. docs/why/collecting.md
has the reasons.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import tzinfo

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from typing_extensions import override

from mailshare.core.errors import MailshareError
from mailshare.core.schedule import inside, open_until
from mailshare.core.values import SECOND, Account, Directory, Event
from mailshare.interfaces import IStore, IWatching
from mailshare.isp.flight import all_of
from mailshare.isp.vigil import Surroundings, Vigil
from mailshare.status import NewsStatus, RunStatus

_STOPPING = 10.0  # seconds that logging out may take


class Listening(Service):
    """Decides who is listened to.

    :param watching: opens connections.
    :param collect: collects an account because of news; whether a run ended well that began after the call.
    :param run: how an account's last run went.
    :param refused: whether its login was refused.
    :param not_before: no login at an account's provider before; microseconds UTC.
    :param paused: whether the timetable is.
    :param zone: of an account's windows.
    :param random: a number from 0 to 1, so that twenty accounts do not come back in the same second.
    :param changed: called with an account's id when :meth:`status` changed.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        watching: IWatching,
        clock: IReactorTime,
        *,
        collect: Callable[[int], Awaitable[bool]],
        run: Callable[[int], RunStatus],
        refused: Callable[[int], bool],
        not_before: Callable[[int], int],
        paused: Callable[[], bool],
        zone: Callable[[Account], tzinfo],
        random: Callable[[], float],
        changed: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.name = "listening"
        self._store = store
        self._watching = watching
        self._clock = clock
        self._not_before = not_before
        self._paused = paused
        self._zone = zone
        self._around = Surroundings(
            watching, clock, collect=collect, run=run, refused=refused, left=self._left, random=random,
            changed=changed, over=self._over, note=self._note,
        )  # fmt: skip
        self._vigils: dict[int, Vigil] = {}
        self._timer: IDelayedCall | None = None
        self._undo: Callable[[], None] = lambda: None

    # ------------------------------------------------------------------ the service

    @override
    def startService(self) -> None:
        super().startService()
        self._undo = self._store.directory.watch(self._directory_changed)
        self.look()

    @override
    async def stopService(self) -> None:
        """Log out everywhere; whoever does not answer within seconds is cut off."""
        super().stopService()
        self._undo()
        self._sleep(None)
        ends = [end for vigil in self._vigils.values() if (end := vigil.end()) is not None]
        cut = self._clock.callLater(_STOPPING, self._cut)
        try:
            await all_of(ends)
        finally:
            if cut.active():
                cut.cancel()

    def _cut(self) -> None:
        for vigil in self._vigils.values():
            vigil.cut()

    # ------------------------------------------------------------------ what others ask

    def held(self, account_id: int) -> bool:
        """Whether a connection tells of the account's news now."""
        vigil = self._vigils.get(account_id)
        return vigil is not None and vigil.held

    def status(self, account_id: int) -> NewsStatus:
        """How listening goes; outside the windows nothing is missing."""
        account = self._store.directory.current().account_by_id.get(account_id)
        vigil = self._vigils.get(account_id)
        wanted = account is not None and self._wanted(account)
        return vigil.status if vigil is not None and (wanted or vigil.held) else NewsStatus()

    def hurry(self, account_id: int) -> None:
        """Somebody said "now": try also what was given up for a day, after the run that he gets."""
        vigil = self._vigils.get(account_id)
        if vigil is not None:
            vigil.hurry()

    def clock_jumped(self, jump: int) -> None:
        """Somebody set the clock, by microseconds."""
        for vigil in self._vigils.values():
            vigil.clock_jumped(jump)

    # ------------------------------------------------------------------ deciding

    def look(self) -> None:
        """Begin and end what is to be. The timetable calls this whenever it looks, so every half minute at least."""
        if not self.running:
            return
        directory = self._store.directory.current()
        for number, vigil in list(self._vigils.items()):
            if not _same(vigil.account, directory.account_by_id.get(number)):
                vigil.end()
                if not vigil.under_way:
                    del self._vigils[number]
        for account in directory.accounts:
            wanted, known = self._wanted(account), self._vigils.get(account.id)
            if known is not None and not wanted:
                known.end()
            elif wanted and self._not_before(account.id) <= self._now():
                vigil = known or self._vigils.setdefault(account.id, Vigil(account, self._around))
                if vigil.ready():
                    vigil.begin()
        self._sleep_until_next()

    def _directory_changed(self, _: Directory) -> None:
        self.look()

    def _over(self, _: int) -> None:
        """A connection has ended: perhaps another shall begin, now or after its pause."""
        self._sleep(0.0)

    def _wanted(self, account: Account) -> bool:
        return (
            account.enabled
            and not self._paused()
            and self._watching.can_watch(account)
            and inside(account.timetable, self._zone(account), self._now())
        )

    def _left(self, account_id: int) -> float:
        account = self._store.directory.current().account_by_id.get(account_id)
        if account is None:
            return 0.0
        now = self._now()
        return (open_until(account.timetable, self._zone(account), now) - now) / SECOND

    def _sleep_until_next(self) -> None:
        """Pauses may be shorter than the half minute after which the timetable looks."""
        now = self._now()
        times = [at - now for vigil in self._vigils.values() if (at := vigil.status.next_try)]
        self._sleep(min(times) / SECOND if times else None)

    def _sleep(self, seconds: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        wanted = seconds is not None and self.running
        self._timer = self._clock.callLater(seconds or 0.0, self.look) if wanted else None

    def _note(self, account_id: int, kind: str, error: str) -> None:
        event = Event(self._now(), kind, account_id=account_id, data={"error": error[:200]} if error else {})
        writing = Deferred.fromCoroutine(self._append(event))
        writing.addErrback(lambda failure: self._log.failure("A line was not written", failure=failure))

    async def _append(self, event: Event) -> None:
        try:
            await self._store.events.append([event])
        except MailshareError as fault:
            self._log.warn("A line of the journal was not written: {fault}", fault=fault.public)

    def _now(self) -> int:
        return int(self._clock.seconds() * SECOND)


def _same(before: Account, now: Account | None) -> bool:
    """Whether a connection that was opened for the one account is right for the other."""
    if now is None:
        return False
    return (before.address, before.collect, before.options) == (now.address, now.collect, now.options)
