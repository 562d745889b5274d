"""Listening to one account: a held connection, the collections that its news cause, and the way back when it is lost.

The connection is opened first and a collection made then, so what came before it listened is not missed either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from mailshare.core.errors import LoginRefused, MailshareError, Unavailable
from mailshare.core.values import SECOND, Account
from mailshare.interfaces import IWatch, IWatching
from mailshare.isp.flight import end_of
from mailshare.status import NewsStatus, RunStatus

RENEW = 14 * 60
"""Seconds after which listening is begun anew on the same connection.

RFC 2177 section 3 allows 29 minutes; routers in homes forget a silent connection sooner.
"""
LASTED = 300
"""Seconds after which a connection counts as a good one: the next one is tried at once again."""
FIRST_PAUSE = 5.0
"""Seconds until a lost connection is opened anew; doubled for each one that did not last."""
LONGEST_PAUSE = 1800.0
REFUSED_PAUSE = 3600.0
HOPELESS = 24 * 3600.0
"""Seconds until a server that cannot be listened to is asked whether it can now."""
TRY_AGAIN = 30.0
"""Seconds after which news that could not be collected are tried once more."""
BREATH = 5.0
"""Seconds between two collections because of news; doubled for each that brings nothing."""
LONGEST_BREATH = 300.0
_SPREAD = 0.25  # of a pause, so that twenty accounts do not come back in the same second

HELD, LOST = "news.held", "news.lost"


class _Hopeless(Unavailable):
    """This server cannot be listened to, whatever we do; the timetable is all there is."""


@frozen
class Surroundings:
    """What listening needs.

    :ivar watching: opens connections.
    :ivar collect: collects an account because of news; whether a run ended well that began after the call.
    :ivar run: how an account's last run went.
    :ivar refused: whether its login was refused.
    :ivar left: seconds until its windows close.
    :ivar random: a number from 0 to 1.
    :ivar changed: is told that :meth:`Vigil.status` changed.
    :ivar over: is told that a connection has ended.
    :ivar note: ``(account id, kind, error)`` for the journal.
    """

    watching: IWatching
    clock: IReactorTime
    collect: Callable[[int], Awaitable[bool]]
    run: Callable[[int], RunStatus]
    refused: Callable[[int], bool]
    left: Callable[[int], float]
    random: Callable[[], float]
    changed: Callable[[int], object]
    over: Callable[[int], object]
    note: Callable[[int, str, str], object]


class Vigil:
    """One account.

    :ivar account: as it was when the vigil was made.
    """

    _log = Logger()

    def __init__(self, account: Account, around: Surroundings) -> None:
        self.account = account
        self._around = around
        self._since = 0
        self._error = ""
        self._retry_at = 0
        self._wants_run = 0
        self._failures = 0
        self._breath = BREATH
        self._fetched_at = 0.0
        self._crowded = 0
        self._watch: IWatch | None = None
        self._waiting = False
        self._ending = False
        self._running: Deferred[None] | None = None
        self._told = ""

    # ------------------------------------------------------------------ from outside

    @property
    def held(self) -> bool:
        """The connection is up, and would tell."""
        return self._since > 0

    @property
    def under_way(self) -> bool:
        """Begun and not ended yet."""
        return self._running is not None

    @property
    def status(self) -> NewsStatus:
        """For people."""
        later = self._retry_at if not self.under_way and self._retry_at > self._now() else 0
        return NewsStatus(self._since, self._error, later)

    def ready(self) -> bool:
        """It may begin: the pause is over, and a run has shown that the provider lets us in.

        Name and password are tried by the runs alone, and their pauses hold.
        """
        if self.under_way or self._retry_at > self._now() or self._around.refused(self.account.id):
            return False
        run = self._around.run(self.account.id)
        return run.last_ok > 0 and run.last_ok >= self._wants_run and not run.running

    def begin(self) -> None:
        """Open the connection and hold it until it is lost or :meth:`end` is called."""
        self._ending = False
        running = Deferred.fromCoroutine(self._keep())
        if running.called:
            running.addErrback(self._failed)
            self._over(None)
            return
        self._running = running
        running.addErrback(self._failed)
        running.addCallback(self._over)

    def end(self) -> Deferred[object] | None:
        """Log out where that is possible, else cut the connection; fires when it is gone."""
        if self._running is None:
            return None
        gone = end_of(self._running)
        if not self._ending:
            self._ending = True
            if self._waiting and self._watch is not None:
                Deferred.fromCoroutine(_close(self._watch)).addErrback(self._failed)
            else:
                self.cut()
        return gone

    def cut(self) -> None:
        """End without a word."""
        if self._running is not None:
            self._running.cancel()

    def hurry(self) -> None:
        """Somebody said "now": begin after the run that he gets, whatever pause there was."""
        if self._retry_at > self._now() or self._wants_run:
            self._retry_at, self._wants_run = 0, self._now()
        self._failures = 0

    def clock_jumped(self, jump: int) -> None:
        """Somebody set the clock by so many microseconds: waits stay as long as they are."""
        self._since = max(self._since + jump, 1) if self._since else 0
        self._retry_at = max(self._retry_at + jump, 0)
        self._wants_run = max(self._wants_run + jump, 0)

    # ------------------------------------------------------------------ the connection

    async def _keep(self) -> None:
        """Hold one connection; how it ended says when there is another."""
        error, pause = "", 0.0
        began = self._now()
        try:
            await self._hold()
        except CancelledError:
            self._ending = True
        except LoginRefused as refusal:
            # It is the runs that try passwords: one more wrong one from here may lock the account.
            error, pause, self._wants_run = refusal.public, REFUSED_PAUSE, self._now() + 1
        except _Hopeless as fault:
            error, pause = fault.public, HOPELESS
        except MailshareError as fault:
            error = fault.public
        except Exception:  # noqa: BLE001  the outermost frame: one account must never end the others' listening
            self._log.failure("Listening to {address} failed", address=str(self.account.address))
            error = "An error of this program; see the log"
        finally:
            self._since, self._waiting = 0, False
            watch, self._watch = self._watch, None
        if watch is not None:
            await watch.close()
        self._ended("" if self._ending else error, pause, self._now() - began)

    def _ended(self, error: str, pause: float, lasted: int) -> None:
        self._error = error
        if not error:
            self._failures = self._retry_at = 0
            return
        self._failures = 1 if lasted >= LASTED * SECOND else self._failures + 1
        pause = pause or min(FIRST_PAUSE * 2 ** min(self._failures - 1, 20), LONGEST_PAUSE)
        pause *= 1 + _SPREAD * self._around.random()
        self._retry_at = self._now() + int(pause * SECOND)
        self._log.info(
            "Not listening to {address} for {pause:.0f} s: {error}",
            address=str(self.account.address), pause=pause, error=error,
        )  # fmt: skip
        # One that is lost and comes back at once is nothing to write home about.
        if self._told != LOST and (self._failures > 1 or pause >= REFUSED_PAUSE):
            self._note(LOST, error)

    async def _hold(self) -> None:
        number = self.account.id
        watch = self._watch = await self._around.watching.watch(self.account)
        self._must_push(watch)
        self._since, self._error = self._now(), ""
        self._around.changed(number)
        await self._fetch(watch)
        while (left := self._around.left(number)) > 0:
            self._tell_held()
            self._waiting = True
            news = await watch.wait(min(RENEW, left))
            self._waiting = False
            self._must_push(watch)
            if news:
                await self._breathe()
                await self._fetch(watch)
                brought = self._around.run(number).messages
                self._breath = BREATH if brought else min(2 * self._breath, LONGEST_BREATH)

    def _tell_held(self) -> None:
        """A line for the journal; after connections that did not last, when one has."""
        if self._told != HELD and (self._failures < 2 or self._now() - self._since >= LASTED * SECOND):
            self._note(HELD, "")

    def _must_push(self, watch: IWatch) -> None:
        """The timetable with its looks asks as often as NOOP would, and it is one connection less."""
        if not watch.pushes:
            raise _Hopeless("The server has no IDLE; its mail is collected by the timetable")

    async def _breathe(self) -> None:
        """A server that cries wolf is not asked without end."""
        clock = self._around.clock
        left = self._fetched_at + self._breath - clock.seconds()
        await deferLater(clock, min(max(left, 0.0), self._breath))  # longer only if the clock was set back
        self._fetched_at = clock.seconds()

    async def _fetch(self, watch: IWatch) -> None:
        """Collect what there is news of.

        :raises Unavailable: it could not be collected, at least not while the connection was held.
        :raises _Hopeless: that was so twice.
        """
        number = self.account.id
        for pause in (0.0, TRY_AGAIN):
            await deferLater(self._around.clock, pause)
            if await self._around.collect(number):
                self._crowded = 0
                return
            if self._around.refused(number):
                break
        error = self._around.run(number).error or "the provider wants to be left alone"
        self._since = 0
        await watch.close()
        if not self._around.refused(number) and await self._around.collect(number):
            self._crowded += 1
            if self._crowded > 1:
                raise _Hopeless("The provider does not let us listen and collect at once; the timetable collects")
        raise Unavailable(f"News could not be collected: {error}")

    # ------------------------------------------------------------------ small things

    def _over(self, _: object) -> None:
        self._running = None
        self._around.changed(self.account.id)
        self._around.over(self.account.id)

    def _note(self, kind: str, error: str) -> None:
        self._told = kind
        self._around.note(self.account.id, kind, error)

    def _failed(self, failure: object) -> None:
        if not getattr(failure, "check", lambda *_: None)(CancelledError):
            self._log.error("Listening failed: {failure}", log_failure=failure, failure=failure)

    def _now(self) -> int:
        return int(self._around.clock.seconds() * SECOND)


async def _close(watch: IWatch) -> None:
    await watch.close()
