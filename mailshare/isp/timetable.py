"""When accounts do their Send/Receive: by their windows, by what waits in the outbox, or now.

Between these runs mail is only collected: when a held connection tells of news, or by a quick look. Accounts run beside
each other, and so do the two directions of one: a provider that hangs delays nobody else, and a long collection keeps
no mail from leaving. An account is collected only once at a time; a flush that comes while another is under way takes
what came in meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import define, evolve
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from typing_extensions import override

from mailshare.core.errors import MailshareError
from mailshare.core.quick_looks import Pace, Stir
from mailshare.core.schedule import flush_at, next_run
from mailshare.core.values import SECOND, Account, Directory, QueueState
from mailshare.interfaces import ICollecting, IStore
from mailshare.isp.flight import all_of, end_of
from mailshare.isp.stirring import Stirring
from mailshare.status import AccountStatus, NewsStatus, RunStatus

_LOOK = 30.0
_JITTER = 0.1
_RECALLED = 1000  # rows of the outbox looked at when the timetable starts
_NEVER = RunStatus()


class Observed(Protocol):
    """What the timetable asks of a collector or a relay besides its work."""

    def status(self, account_id: int) -> RunStatus:
        """How it went last."""


class Listens(Protocol):
    """What the timetable asks of whoever listens for new mail."""

    def held(self, account_id: int) -> bool:
        """Whether a connection tells of an account's news, so that no quick looks are needed."""

    def status(self, account_id: int) -> NewsStatus:
        """How it goes."""

    def look(self) -> None:
        """The timetable has looked, or will do so no more because of a pause."""


@define
class _Plan:
    """One account's timing.

    :ivar last_start: of the last Send/Receive, which the interval counts from.
    :ivar last_look: start of the last collection, whatever it was for.
    :ivar took: microseconds that it took.
    :ivar reached: when the threshold was found reached, 0 = it is not.
    :ivar urgent: priority mail waits, or mail whose next try has come: no threshold is asked for.
    :ivar running: the Send/Receive that is under way, if it collects.
    """

    last_start: int = 0
    last_look: int = 0
    took: int = 0
    jitter: float = 0.0
    next_at: int = 0
    last_arrival: int = 0
    reached: int = 0
    urgent: bool = False
    running: Deferred[Mapping[str, int]] | None = None
    retry_at: int = 0


class Timetable(Service):
    """Starts the runs.

    :param flush: tries an account's outbox, as :meth:`mailshare.delivery.queue.QueueRunner.flush`.
    :param random: a number from 0 to 1, for the jitter of 10 % that keeps offices from calling at the same second.
    :param relay: whose status :meth:`statuses` shows.
    :param zone: time zone of accounts that name none.
    :param watch: is called before each look, so that a clock that somebody has set is known before it is believed.
    :param listening: hears of new mail between the runs; looks whenever the timetable looks.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        collecting: ICollecting,
        flush: Callable[[int], Awaitable[object]],
        clock: IReactorTime,
        *,
        random: Callable[[], float],
        relay: Observed | None = None,
        zone: tzinfo = UTC,
        watch: Callable[[], object] = lambda: None,
        listening: Listens | None = None,
    ) -> None:
        self.name = "timetable"
        self.paused = False
        self._store = store
        self._collecting = collecting
        self._flush = flush
        self._clock = clock
        self._random = random
        self._relay = relay
        self._zone = zone
        self._watch = watch
        self._listening = listening
        self._stirring = Stirring(store.directory.current, self._pace)
        self._flushes: set[Deferred[object]] = set()
        self._fresh = True
        self._plans: dict[int, _Plan] = {}
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._look_again = False
        self._undo: list[Callable[[], None]] = []

    # ------------------------------------------------------------------ the service

    @override
    def startService(self) -> None:
        super().startService()
        self._undo = [
            self._store.directory.watch(self._changed),
            self._store.notifier.subscribe("relay", self.arrived),
        ]
        self._fresh = True
        self._look()

    @override
    async def stopService(self) -> None:
        """Start nothing more, end what is under way and wait for its end; what was stored is stored."""
        super().stopService()
        for undo in self._undo:
            undo()
        self._undo = []
        self._sleep(None)
        runs: list[Deferred[Any]] = [plan.running for plan in self._plans.values() if plan.running is not None]
        runs += self._flushes
        if self._looking is not None:
            self._looking.cancel()
        ends = [end_of(run) for run in runs]
        for run in runs:
            run.cancel()
        await all_of(ends)

    def pause(self) -> None:
        """Start no runs by time or threshold; "now" still works. Runs under way go on."""
        self.paused = True
        self._sleep(None)
        if self._listening is not None:
            self._listening.look()

    def resume(self) -> None:
        """Go on; a run that was missed is made up for once."""
        self.paused = False
        self._look()

    # ------------------------------------------------------------------ what people ask for

    async def send_receive(self, account_id: int | None = None) -> Mapping[str, int]:
        """Run now, windows or not, one account or all; a run under way is waited for instead.

        What the provider asks for between two logins (``LOGIN-DELAY``) holds all the same: then it only sends.

        :returns: user name to messages collected, all accounts together.
        """
        directory = self._store.directory.current()
        chosen = [a for a in directory.accounts if a.enabled and account_id in (None, a.id)]
        runs = [
            self._run(account, collect=self._allowed(account, self._now()), cause="somebody asked for it")
            for account in chosen
        ]
        totals: dict[str, int] = {}
        for counts in await all_of(runs):
            for name, count in counts.items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def arrived(self, account_id: int | None = None, *, urgent: bool = False) -> None:
        """Something was put into the outbox, of one account or of some.

        :param urgent: it asks to leave at once, whatever the threshold is.
        """
        now = self._now()
        for account in self._store.directory.current().accounts:
            if account_id in (None, account.id):
                plan = self._of(account.id)
                plan.last_arrival = now
                plan.urgent = plan.urgent or urgent
        self._look()

    async def news(self, account_id: int) -> bool:
        """The provider has new mail: collect it, but send nothing. A run that began before may have missed it.

        :returns: whether a run ended well that began after this was called.
        """
        plan = self._of(account_id)
        if plan.running is not None:
            await end_of(plan.running)
        account = self._store.directory.current().account_by_id.get(account_id)
        if not self.running or account is None or not self._allowed(account, self._now()):
            return False
        await self._run(account, collect=True, send=False, cause="the provider told of it")
        return not self._observed(self._collecting, account_id).error

    def stirred(self, account_id: int, stir: Stir) -> None:
        """Mail may be near: look for it before the interval is over."""
        self._stirring.stirred(account_id, stir)
        self._look_later()

    def mailbox_opened(self, user: str, peer: str) -> None:
        """A mail program opened somebody's mailbox here; perhaps he waits for something."""
        if self._stirring.login(user, peer, self._now()):
            self._look_later()

    def clock_jumped(self, jump: int) -> None:
        """Somebody set the clock: what was noted by the old one is moved along, so that waits stay as long as they are.

        :param jump: microseconds the clock was set forward, negative when back.
        """
        for plan in self._plans.values():
            plan.last_start = max(plan.last_start + jump, 1) if plan.last_start else 0
            plan.last_look = max(plan.last_look + jump, 1) if plan.last_look else 0
            plan.last_arrival = max(plan.last_arrival + jump, 0) if plan.last_arrival else 0
            plan.reached = max(plan.reached + jump, 1) if plan.reached else 0
        self._stirring.clock_jumped(jump)
        self._look_later()

    def statuses(self) -> tuple[AccountStatus, ...]:
        """Both directions of every account, as they are now."""
        result = []
        for account in self._store.directory.current().accounts:
            plan = self._of(account.id)
            collect = self._observed(self._collecting, account.id)
            relay = self._observed(self._relay, account.id)
            paused = self.paused or not account.enabled
            result.append(
                AccountStatus(
                    account.id,
                    str(account.address),
                    evolve(collect, next_try=0 if paused else plan.next_at, paused=paused),
                    evolve(relay, next_try=relay.next_try or plan.retry_at, paused=paused or relay.paused),
                    self._listening.status(account.id) if self._listening is not None else NewsStatus(),
                )
            )
        return tuple(result)

    # ------------------------------------------------------------------ deciding

    def _look(self) -> None:
        """See what is due; many calls during one look make one more."""
        if not self.running or self.paused:
            return
        if self._looking is not None:
            self._look_again = True
            return
        self._watch()
        self._sleep(None)
        self._looking = looking = Deferred.fromCoroutine(self._start_due())
        looking.addErrback(self._failed)
        looking.addCallback(self._looked)

    def _looked(self, _: object) -> None:
        self._looking = None
        if self._look_again:
            self._look_again = False
            self._look()
        elif self._timer is None and self.running and not self.paused:
            self._sleep(_LOOK)  # this look failed; the next one may not

    async def _start_due(self) -> None:
        if self._fresh:
            await self._recall()
        now = self._now()
        wake = now + int(_LOOK * SECOND)
        hurried = {account_id for account_id, plan in self._plans.items() if plan.urgent}
        try:
            due = await self._store.queue.due("relay", now)
        except MailshareError as fault:
            self._log.warn("The outbox could not be looked at: {fault}", fault=fault.public)
            due = {}
        seen = self._now()
        for account in self._store.directory.current().accounts:
            if not account.enabled or not self.running:
                continue
            plan = self._of(account.id)
            waiting, later = due.get(account.id, (0, 0))
            if not waiting and account.id in hurried:
                plan.urgent = False  # what was in a hurry has left, or is held
            collect_at = self._collect_at(account, plan, now)
            look_at = self._look_at(account, plan, collect_at, now)
            flush_time = self._flush_at(account, plan, waiting, now)
            plan.next_at = look_at or collect_at or 0
            # What came in while this look was under way is not due yet either, and yet it is no retry.
            plan.retry_at = later if later > seen or later == plan.retry_at else 0
            if collect_at is not None and collect_at <= now and plan.running is None:
                self._start(account, collect=True, cause="the interval is over")
            elif flush_time is not None and flush_time <= now:
                # A flush receives too: one Send/Receive. Unless that is off, or the provider wants to be left alone.
                receives = account.options.get("flush_receives") is not False and plan.running is None
                self._start(account, collect=receives and self._allowed(account, now), cause="mail was to be sent")
            elif look_at is not None and look_at <= now and plan.running is None:
                self._start(account, collect=True, send=False, cause=self._stirring.looked(account.id, now))
            times = [at for at in (collect_at, look_at, flush_time, later) if at and at > now]
            wake = min([wake, *times])
        if self._timer is None:  # else a run has ended meanwhile, and wants another look at once
            self._sleep(max(wake - self._now(), SECOND // 100) / SECOND)
        if self._listening is not None:
            self._listening.look()

    async def _recall(self) -> None:
        """What only a running timetable knows, read from the outbox at the start: priority mail, and tries gone by."""
        self._fresh = False
        try:
            rows = await self._store.queue.items(agent="relay", limit=_RECALLED)
        except MailshareError as fault:
            self._log.warn("The outbox could not be looked at: {fault}", fault=fault.public)
            return
        for row in rows:
            if row.state is QueueState.QUEUED and (row.params.get("urgent") or row.attempts):
                plan = self._of(row.account_id or 0)
                if not row.attempts:
                    plan.urgent = True
                elif row.next_at:
                    plan.retry_at = min(plan.retry_at or row.next_at, row.next_at)

    def _collect_at(self, account: Account, plan: _Plan, now: int) -> int | None:
        if account.collect is None and account.relay is None:
            return None
        at = next_run(account.timetable, self._zone_of(account), plan.last_start, now, jitter=plan.jitter)
        floor = self._not_before(account.id)
        return max(at, floor) if at is not None else None

    def _look_at(self, account: Account, plan: _Plan, due: int | None, now: int) -> int | None:
        """A quick look before the next run is due; none while a connection would tell us."""
        if plan.running is not None or (self._listening is not None and self._listening.held(account.id)):
            return None
        return self._stirring.next_look(
            account, self._zone_of(account), last=plan.last_look, took=plan.took, due=due, now=now
        )

    def _flush_at(self, account: Account, plan: _Plan, waiting: int, now: int) -> int | None:
        """The threshold counts fresh mail; mail that waits for its next try leaves when that time has come."""
        if account.relay is None:
            return None
        if waiting and plan.retry_at and plan.retry_at <= now:
            plan.urgent = True
        over = bool(account.threshold and waiting >= account.threshold)
        plan.reached = (plan.reached or now) if over else 0
        return flush_at(
            waiting=waiting,
            threshold=account.threshold,
            last_arrival=plan.last_arrival,
            now=now,
            reached=plan.reached,
            urgent=plan.urgent,
            hold_outside=account.hold_outside,
            windows=account.timetable,
            zone=self._zone_of(account),
        )

    def _allowed(self, account: Account, now: int) -> bool:
        return account.collect is not None and now >= self._not_before(account.id)

    def _not_before(self, account_id: int) -> int:
        floor = getattr(self._collecting, "not_before", None)
        return int(floor(account_id)) if callable(floor) else 0

    def _pace(self, account_id: int) -> Pace:
        """How often the provider may be asked; not before the next run when the last one failed."""
        pace = getattr(self._collecting, "pace", None)
        found = pace(account_id) if callable(pace) else None
        return found if isinstance(found, Pace) else Pace()

    # ------------------------------------------------------------------ running

    def _start(self, account: Account, *, collect: bool, cause: str, send: bool = True) -> None:
        self._run(account, collect=collect, send=send, cause=cause).addErrback(self._failed)

    def _run(self, account: Account, *, collect: bool, cause: str, send: bool = True) -> Deferred[Mapping[str, int]]:
        """One Send/Receive, or one of both. A collection that is under way is waited for instead of a second one."""
        plan = self._of(account.id)
        if send:
            plan.urgent, plan.reached = False, 0
        flushed = self._flushed(account) if send else succeed(None)
        running = plan.running
        if collect and running is None:
            plan.last_look = self._now()
            if send:
                plan.last_start = plan.last_look
                plan.jitter = (self._random() * 2 - 1) * _JITTER
            running = Deferred.fromCoroutine(self._collected(account, cause))
            plan.running = running
            running.addErrback(self._broken)
            running.addCallback(self._done, account.id, plan)
        mirror: Deferred[Mapping[str, int]] = Deferred()

        def both(counts: Mapping[str, int]) -> Mapping[str, int]:
            flushed.addCallback(lambda _: mirror.callback(counts))
            return counts

        if collect and running is not None:
            running.addCallback(both)
        else:
            both({})
        return mirror

    async def _collected(self, account: Account, cause: str) -> Mapping[str, int]:
        return await self._collecting.collect(account, cause) if account.collect is not None else {}

    def _flushed(self, account: Account) -> Deferred[object]:
        """A flush; fires when it is over, however it went."""
        if account.relay is None:
            return succeed(None)
        flushing: Deferred[object] = Deferred.fromCoroutine(self._flushing(account.id))
        self._flushes.add(flushing)

        def over(result: object) -> object:
            self._flushes.discard(flushing)
            return result

        flushing.addBoth(over)
        # After one that failed it is the next look in its time that starts another; else both would go round and round.
        flushing.addCallbacks(lambda _: self._look_later(), self._failed)
        return end_of(flushing)

    async def _flushing(self, account_id: int) -> object:
        return await self._flush(account_id)

    def _done(self, counts: Mapping[str, int], account_id: int, plan: _Plan) -> Mapping[str, int]:
        plan.running = None
        plan.took = max(self._now() - plan.last_look, 0)
        if counts:
            self._stirring.stirred(account_id, Stir.FOUND)
        self._look_later()
        return counts

    def _broken(self, failure: object) -> Mapping[str, int]:
        self._failed(failure)
        return {}

    def _failed(self, failure: object) -> None:
        if not getattr(failure, "check", lambda *_: None)(CancelledError):
            self._log.error("A run failed: {failure}", log_failure=failure, failure=failure)

    # ------------------------------------------------------------------ small things

    def _changed(self, _: Directory) -> None:
        self._look()

    def _look_later(self) -> None:
        """Look in the next turn: what made a run end may make the next one due."""
        if self.running and not self.paused:
            self._sleep(0.0)

    def _sleep(self, seconds: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None if seconds is None else self._clock.callLater(seconds, self._look)

    def _zone_of(self, account: Account) -> tzinfo:
        return account_zone(account, self._zone)

    def _observed(self, part: object, account_id: int) -> RunStatus:
        status = getattr(part, "status", None)
        found = status(account_id) if callable(status) else _NEVER
        return found if isinstance(found, RunStatus) else _NEVER

    def _of(self, account_id: int) -> _Plan:
        return self._plans.setdefault(account_id, _Plan())

    def _now(self) -> int:
        return int(self._clock.seconds() * SECOND)


def account_zone(account: Account, otherwise: tzinfo) -> tzinfo:
    """The zone that an account names, if the system knows it."""
    try:
        return ZoneInfo(account.zone) if account.zone else otherwise
    except (ZoneInfoNotFoundError, ValueError):
        return otherwise
