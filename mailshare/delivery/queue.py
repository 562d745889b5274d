"""Runs the queue: claims rows that are due, has their agent try them, writes down what came of it, and reports.

Rows that leave by one way out share a lane; each lane has its own room, so that a slow way never holds up another.
A try is: claim with a lease (renewed at half its time) -> the agent -> one transaction with states, attempts, journal
lines and the reports that became due -> the reports. A kill at any point loses nothing: rows under way are claimed
again when their lease has run out (at once when the store opens again), and due reports are found in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.report import Action, wanted
from mailshare.core.retry import MINUTE, STANDARD, RetryRule
from mailshare.core.values import SECOND, Event, Outcome, QueueItem, QueueState
from mailshare.delivery.agents import Agents
from mailshare.delivery.events import outcome_event, report_due
from mailshare.delivery.moments import micros
from mailshare.delivery.reports import Reports, is_forward
from mailshare.interfaces import IAgent, ILaned, ISettled, IStore

LEASE = 5 * MINUTE
POLL = 30.0  # seconds; the truth behind the wake-ups
_CLAIM = 100
_MOST = 1000  # rows of one flush that are under way or wait for room in their lane
_TOLD = "delay_told"
_Lane = tuple[str, int | None, str, str]


@frozen
class QueueRules:
    """Figures of the runner.

    :ivar at_once: batches under way at the same time in one lane; more where the agent has use for more.
    """

    retry: RetryRule = STANDARD
    at_once: int = 4


@define
class _Run:
    """One flush of one agent.

    :ivar started: rows due by then belong to it.
    :ivar ids: of rows that it has claimed and not settled yet; their leases are renewed.
    :ivar tries: under way; errors are kept for the end.
    :ivar whole: all that was due is claimed, as far as is known; asked once more when the last try has ended.
    """

    agent: IAgent
    started: int
    cancelled: bool = False
    whole: bool = False
    ids: set[int] = field(factory=set)
    tries: set[Deferred[Any]] = field(factory=set)
    waiting: Deferred[None] | None = None
    errors: list[Any] = field(factory=list)
    totals: dict[str, int] = field(factory=dict)

    def count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            word = outcome.state.word(1)
            self.totals[word] = self.totals.get(word, 0) + 1


class QueueRunner(Service):
    """The service that empties the queue.

    Agents that are paced (the relay) act only in :meth:`flush`; the others as soon as a row is due.
    """

    name = "queue"
    _log = Logger()

    def __init__(
        self, store: IStore, agents: Agents, reports: Reports, clock: IReactorTime, rules: QueueRules | None = None
    ) -> None:
        self._store = store
        self._agents = agents
        self._reports = reports
        self._clock = clock
        self._rules = rules or QueueRules()
        self._rooms: dict[_Lane, DeferredSemaphore] = {}
        self._busy: set[Deferred[Sequence[Outcome]]] = set()  # agents at work
        self._runs: set[Deferred[Any]] = set()  # all that has to be written down before a stop
        self._unsubscribe: list[Callable[[], None]] = []
        self._poll = LoopingCall(self._look)
        self._poll.clock = clock
        self._soon: IDelayedCall | None = None
        self._ending = False

    # ------------------------------------------------------------------ the service

    def startService(self) -> None:
        """Send what reports are due from before, look at the queue, and again at each wake-up and every 30 seconds."""
        super().startService()
        self._ending = False
        subscribe = self._store.notifier.subscribe
        self._unsubscribe = [subscribe(name, self.wake) for name in self._agents if not self._agents.paced(name)]
        self._track(Deferred.fromCoroutine(self._begin()))

    async def stopService(self) -> None:
        """Take nothing more, ask agents to stop, and wait until what they did is written down."""
        super().stopService()
        self._ending = True
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        if self._poll.running:
            self._poll.stop()
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        for each in list(self._busy):
            each.cancel()
        while self._runs:
            await DeferredList([_echo(each) for each in self._runs])

    async def _begin(self) -> None:
        try:
            await self._reports.recover()
        except MailshareError as fault:
            self._log.warn("reports of before could not be looked up: {fault}", fault=fault.public)
        if not self._ending:
            self._poll.start(POLL)

    def wake(self) -> None:
        """Something may be due: look at it in the next turn of the reactor. Many calls make one look."""
        if self.running:
            self._look_in(0)

    def _look(self) -> None:
        if not self._ending:
            self._track(Deferred.fromCoroutine(self._run_due()))

    async def _run_due(self) -> None:
        try:
            await self._reports.send_owed()
            for name in self._agents:
                if not self._agents.paced(name):
                    await self.flush(agent=name)
                    await self._sleep_until_due(name)
        except MailshareError as fault:
            self._log.warn("the queue could not be looked at: {fault}", fault=fault.public)

    async def _sleep_until_due(self, name: str) -> None:
        """Look again when the next row of an agent is due, if that is before the next poll."""
        now = micros(self._clock)
        due = await self._store.queue.due(name, now)
        later = min((following for _, following in due.values() if following), default=0)
        seconds = max(later - now, SECOND) / SECOND
        if later and seconds < POLL and not self._ending:
            self._look_in(seconds)

    def _look_in(self, seconds: float) -> None:
        """Look at the queue then, or earlier when that was meant to be already."""
        if self._soon is None or not self._soon.active():
            self._soon = self._clock.callLater(seconds, self._look)
        elif self._soon.getTime() > self._clock.seconds() + seconds:
            self._soon.reset(seconds)

    def _track(self, deferred: Deferred[None]) -> None:
        _keep(self._runs, deferred)
        deferred.addErrback(lambda failure: self._log.failure("the queue runner failed", failure=failure))

    # ------------------------------------------------------------------ one run

    async def flush(self, account_id: int | None = None, *, agent: str = "relay") -> Mapping[str, int]:
        """Try every row of an agent that is due now, of one account or of all.

        Several may run at the same time: each takes only rows that no other has taken, so what came in meanwhile does
        not wait for a slow way out.

        :returns: how many rows were ``delivered``, ``failed``, ``expired``, ``deferred`` and ``held``.
        :cancel: agents are asked to stop; what they finished is written down, the rest stays queued.
        """
        run = Deferred.fromCoroutine(self._flush(self._agents.get(agent), account_id))
        _keep(self._runs, run)
        return await run

    async def _flush(self, agent: IAgent, account_id: int | None) -> Mapping[str, int]:
        run = _Run(agent, micros(self._clock))
        renewing = LoopingCall(self._renew, run)
        renewing.clock = self._clock
        renewing.start(LEASE / SECOND / 2, now=False)
        try:
            await self._try_all(run, account_id)
        finally:
            # An error of the store ends the run, but not what it has under way.
            DeferredList([_echo(each) for each in run.tries]).addBoth(lambda _: renewing.stop())
        if run.errors:
            run.errors[0].raiseException()
        await self._reports.send_owed()
        return run.totals

    async def _try_all(self, run: _Run, account_id: int | None) -> None:
        """Claim and try until nothing is left that was due when the run began."""
        while True:
            go_on = not (self._ending or run.cancelled or run.errors)
            if go_on and len(run.ids) < _MOST and (not run.whole or not run.tries):
                # Rows that come back in this run are due after its start, so that the run comes to an end.
                rows = await self._store.queue.claim(run.agent.name, _CLAIM, run.started, LEASE, account_id=account_id)
                run.whole = len(rows) < _CLAIM
                for batch in _batches(rows, run.agent):
                    self._start(run, batch)
                if rows:
                    continue
            if not run.tries:
                return
            await self._one_ends(run)

    @staticmethod
    async def _one_ends(run: _Run) -> None:
        """Wait for the end of a try, or of all when no more is to be claimed; a cancelled run asks all to end."""
        run.waiting = Deferred()
        try:
            await run.waiting
        except CancelledError:
            run.cancelled = True
            for each in list(run.tries):
                each.cancel()

    def _start(self, run: _Run, batch: Sequence[QueueItem]) -> None:
        """Begin to try a batch; its end is counted, an error of the store is kept for the end of the run."""
        ids = [item.id for item in batch]
        run.ids.update(ids)
        attempt = Deferred.fromCoroutine(self._try(run, batch))
        run.tries.add(attempt)

        def ended(result: Any) -> Any:
            run.ids.difference_update(ids)
            run.tries.discard(attempt)
            waiting = run.waiting
            if waiting is not None and not waiting.called and not (run.whole and run.tries):
                run.waiting = None
                waiting.callback(None)
            return result

        attempt.addCallbacks(run.count, run.errors.append)
        attempt.addBoth(ended)
        _keep(self._runs, attempt)

    async def _try(self, run: _Run, batch: Sequence[QueueItem]) -> Sequence[Outcome]:
        outcomes = await self._in_lane(run, batch)
        judged = await self._settle(batch, outcomes)
        over = [one.item_id for one in judged if one.state is not QueueState.QUEUED]
        if over and ISettled.providedBy(run.agent):
            await run.agent.settled(over)
        return judged

    async def _in_lane(self, run: _Run, batch: Sequence[QueueItem]) -> Sequence[Outcome]:
        """Ask the agent as soon as there is room in the batch's lane; none when it is cancelled before."""
        room = self._room(batch[0], run.agent)
        try:
            place = room.acquire()
            if not place.called:
                await place
        except CancelledError:
            run.cancelled = True
            return []
        try:
            return await self._asked(run, batch)
        finally:
            room.release()

    def _room(self, item: QueueItem, agent: IAgent) -> DeferredSemaphore:
        """The room of a row's lane; another one when its size was changed."""
        size = max(agent.room(item), self._rules.at_once) if ILaned.providedBy(agent) else self._rules.at_once
        lane = _lane(item, agent)
        room = self._rooms.get(lane)
        if room is None or room.limit != size:
            room = self._rooms[lane] = DeferredSemaphore(size)
        return room

    async def _asked(self, run: _Run, batch: Sequence[QueueItem]) -> Sequence[Outcome]:
        """The agent's outcomes; none when it was stopped, so that the rows go back as they were."""
        if self._ending or run.cancelled:
            return []
        progress: dict[int, Mapping[str, object]] = {}
        work = Deferred.fromCoroutine(_awaited(run.agent, batch, progress))
        _keep(self._busy, work)
        at = micros(self._clock)
        try:
            outcomes = await work
        except CancelledError:
            run.cancelled = True
            return [_untried(item, micros(self._clock), progress.get(item.id)) for item in batch]
        except Exception:  # noqa: BLE001 - an agent must not raise; if it does, its mail waits and other mail goes on
            self._log.failure("agent {agent} failed on {trace}", agent=run.agent.name, trace=batch[0].trace)
            words = "Internal error of this server"
            return [Outcome(item.id, QueueState.QUEUED, at, 451, "4.3.0", words) for item in batch]
        return [
            evolve(each, progress=progress[each.item_id])
            if each.progress is None and each.item_id in progress
            else each
            for each in outcomes
        ]

    async def _renew(self, run: _Run) -> None:
        if not run.ids:
            return
        try:
            await self._store.queue.renew(sorted(run.ids), micros(self._clock) + LEASE)
        except MailshareError as fault:
            self._log.warn("leases could not be renewed: {fault}", fault=fault.public)

    # ------------------------------------------------------------------ what came of it

    async def _settle(self, batch: Sequence[QueueItem], outcomes: Iterable[Outcome]) -> Sequence[Outcome]:
        """Write outcomes, journal lines and due reports in one transaction."""
        found = {outcome.item_id: outcome for outcome in outcomes}
        at = micros(self._clock)
        judged: list[Outcome] = []
        events: list[Event] = []
        told: dict[Action, list[QueueItem]] = {}
        for item in batch:
            outcome = self._judged(item, found.get(item.id) or _untried(item, at))
            action = self._to_tell(item, outcome)
            if action is not None:
                told.setdefault(action, []).append(item)
            if action is Action.DELAYED:
                outcome = evolve(outcome, progress={**item.progress, **(outcome.progress or {}), _TOLD: at})
            judged.append(outcome)
            if outcome.counts or outcome.state is not QueueState.QUEUED:
                events.append(outcome_event(item, outcome))
        due = [report_due(action.value, items, at) for action, items in told.items()]
        await self._store.queue.settle(judged, [*events, *due])
        for each in due:
            self._reports.owe(each)
        return judged

    def _judged(self, item: QueueItem, outcome: Outcome) -> Outcome:
        """Give a deferred row its next time, or give it up."""
        if outcome.progress is not None and _TOLD in item.progress:
            outcome = evolve(outcome, progress={**outcome.progress, _TOLD: item.progress[_TOLD]})
        if outcome.state is not QueueState.QUEUED:
            return outcome
        if outcome.detail.get("scheduled"):
            return outcome  # its sender wants it later: nothing is late
        if not outcome.counts:
            following = outcome.next_at if outcome.next_at > outcome.at else outcome.at + MINUTE
            if _TOLD not in item.progress:
                following = self._rules.retry.before_notice(following, item.queued, outcome.at)
            return evolve(outcome, next_at=following)
        later = self._rules.retry.next_try(item.attempts + 1, item.queued, item.expires, outcome.at)
        if later is None and not (outcome.next_at and outcome.detail.get("medium") == "fax"):  # they have own deadlines
            return evolve(outcome, state=QueueState.EXPIRED, next_at=0)
        return outcome if outcome.next_at else evolve(outcome, next_at=later or 0)

    def _to_tell(self, item: QueueItem, outcome: Outcome) -> Action | None:
        """Which report this outcome calls for, if the sender wants it."""
        notify = item.params.get("notify", ())
        asked = tuple(str(each) for each in notify) if isinstance(notify, (list, tuple)) else ()
        action: Action | None = None
        if outcome.state in {QueueState.FAILED, QueueState.EXPIRED}:
            action = Action.FAILED
        elif outcome.state is QueueState.DELIVERED and not outcome.detail.get("dsn"):
            passed_on = item.agent == "relay" or bool(outcome.detail.get("relayed"))
            action = Action.RELAYED if passed_on else Action.DELIVERED
        elif outcome.state is QueueState.QUEUED and _TOLD not in item.progress and not outcome.detail.get("scheduled"):
            due = self._rules.retry.delay_due(item.queued, outcome.at)
            action = Action.DELAYED if due and item.submitter_id is not None else None
        told = item.sender is not None or is_forward(item)
        return action if action is not None and told and wanted(action, asked) else None


async def _awaited(
    agent: IAgent, batch: Sequence[QueueItem], progress: dict[int, Mapping[str, object]]
) -> Sequence[Outcome]:
    return await agent.deliver(batch, progress.__setitem__)


def _untried(item: QueueItem, at: int, progress: Mapping[str, object] | None = None) -> Outcome:
    """Back to the queue as it was."""
    return Outcome(
        item.id,
        QueueState.QUEUED,
        at,
        item.code,
        item.status,
        item.reply,
        next_at=max(item.next_at, at + 1),
        counts=False,
        progress=progress,
    )


def _lane(item: QueueItem, agent: IAgent) -> _Lane:
    """What keeps rows from waiting for one another."""
    return agent.name, item.account_id, item.device, agent.lane(item) if ILaned.providedBy(agent) else ""


def _batches(rows: Iterable[QueueItem], agent: IAgent) -> list[list[QueueItem]]:
    """Rows of one submission and one lane together, in the order they came."""
    groups: dict[tuple[int, _Lane], list[QueueItem]] = {}
    for row in rows:
        groups.setdefault((row.submission_id, _lane(row, agent)), []).append(row)
    return list(groups.values())


def _keep(among: set[Deferred[Any]] | set[Deferred[Sequence[Outcome]]], deferred: Deferred[Any]) -> None:
    """Remember something under way until it is over."""
    among.add(deferred)

    def done(result: Any) -> Any:
        among.discard(deferred)
        return result

    deferred.addBoth(done)


def _echo(deferred: Deferred[Any]) -> Deferred[None]:
    """Fires when that one does, and leaves its result alone."""
    mirror: Deferred[None] = Deferred()

    def fire(result: Any) -> Any:
        mirror.callback(None)
        return result

    deferred.addBoth(fire)
    return mirror
