"""Sends faxes: the agent of the queue for rows whose recipient is a number.

A row is one number. Before a number is dialled, and before its last page goes out, the page ledger is on the disk: a
stop of the server at any moment sends no page twice that is known to have arrived, and loses none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.documents import NotConvertible
from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.fax_causes import ELSEWHERE, SHAKEN
from mailshare.core.fax_dialling import Toll
from mailshare.core.fax_ledger import PageLedger
from mailshare.core.fax_needs import FaxNeeds
from mailshare.core.fax_profiles import NumberProfile
from mailshare.core.fax_times import FARTHEST, begins
from mailshare.core.report_parts import printable
from mailshare.core.values import Event, Outcome, QueueItem, QueueState
from mailshare.core.values.fax import CallEvent, FaxCause, FaxJob, FaxOutcome
from mailshare.fax.fetching import Fetching
from mailshare.fax.files import Ledgers, Once
from mailshare.fax.gateway import AGENT
from mailshare.fax.learned import Learned
from mailshare.fax.pages import FaxFile, Pages
from mailshare.fax.pool import LinePool, PooledLine
from mailshare.fax.queue_rows import haste_of, instant
from mailshare.fax.recipient_pages import RecipientPages
from mailshare.fax.rules import FaxRules
from mailshare.fax.verdicts import deferred, given_up, put_back, put_off, sent
from mailshare.interfaces import IAgent, IFaxCall, ILaned, ISettled, IStore

_WEEK = 7 * 86_400_000_000  # microseconds: the longest that cheap hours may be away
_OVER = frozenset({QueueState.DELIVERED, QueueState.FAILED, QueueState.EXPIRED, QueueState.CANCELLED})
_AT_ONCE = 2  # faxes whose pages are made; the others wait, and find the same document made already
Errand = FaxFile | Fetching
"""What a call is made for: pages that are sent, or pages that are fetched."""
_COPY = "Another copy of the same message made this fax already"
_UNHEARD = "The last page was sent, and nobody heard whether it arrived; the far machine may have all of it"
_DOUBT = "The server was stopped while the last page was on its way; the far machine may have all of it"


@define(eq=False)
class Attempt:
    """A row that is being tried.

    :ivar state: for people: ``preparing``, ``waiting for a line``, ``dialing``, ``sending``.
    :ivar since: when it got its line, microseconds UTC; 0 = it has none yet.
    :ivar earlier: pages that a call before has fetched.
    """

    item: QueueItem
    ledger: PageLedger = field(factory=PageLedger)
    state: str = "preparing"
    line: PooledLine | None = None
    call: IFaxCall | None = None
    waiting: Deferred[PooledLine | None] | None = None
    cancelled: bool = False
    subject: str = ""
    since: int = 0
    profile: NumberProfile = field(factory=NumberProfile)
    job: FaxJob | None = None
    earlier: int = 0


@implementer(ILaned, ISettled, IAgent)
class FaxAgent:
    """Tries rows whose agent is ``fax``.

    :param rules: gives the rules of now.
    :param zone: of the times in head lines.
    :param fetching: takes the pages of a row that polls.
    """

    name = AGENT
    _log = Logger()

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        rules: Callable[[], FaxRules],
        pages: Pages,
        pool: LinePool,
        ledgers: Ledgers,
        once: Once,
        learned: Learned,
        zone: tzinfo = UTC,
        fetching: Callable[[QueueItem], Fetching] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._pages = pages
        self._pool = pool
        self._ledgers = ledgers
        self._once = once
        self._learned = learned
        self._zone = zone
        self._fetching = fetching
        self._dressed = RecipientPages(store, rules, pages, zone)
        self._numbers: dict[str, DeferredLock] = {}
        self._making = DeferredSemaphore(_AT_ONCE)
        self.attempts: dict[int, Attempt] = {}

    def lane(self, item: QueueItem) -> str:
        """Numbers do not wait for one another."""
        return str(item.params.get("number", ""))

    def room(self, item: QueueItem) -> int:
        """One call at a time to a number, however many rows there are."""
        del item
        return 1

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Try rows of one message to one number, one call after the other."""
        del progress  # the ledgers keep more, and keep it earlier
        return [await self._try(item) for item in batch]

    async def cancel(self, row: int) -> bool:
        """End a row that is under way; False when it is not, as far as this server knows."""
        attempt = self.attempts.get(row)
        if attempt is None:
            await self._take_back(row)
            return False
        attempt.cancelled = True
        if attempt.waiting is not None:
            attempt.waiting.cancel()
        elif attempt.line is not None and attempt.call is not None:
            await attempt.line.line.cancel(attempt.call.id)
        return True

    async def _take_back(self, row: int) -> None:
        """What a line's own machine has of a row that nobody tries just now, as after a start, is ended there."""
        ledger = await self._ledgers.read(row)
        line = next((one.line for one in self._pool.lines if one.line.name == ledger.line), None)
        if line is None or not (ledger.calling and ledger.native):
            return
        call = line.find(ledger.native, FaxJob(f"{row}-taken-back", "", "", ledger.total, ledger.confirmed))
        if call is not None:
            await line.cancel(call.id)

    # ------------------------------------------------------------------ one row

    async def _try(self, item: QueueItem) -> Outcome:
        number = self.lane(item)
        lock = self._numbers.setdefault(number, DeferredLock())
        await lock.acquire()
        attempt = self.attempts[item.id] = Attempt(item)
        try:
            outcome = await self._called(attempt)
        except NotConvertible as fault:
            outcome = self._given_up(attempt, FaxCause.BAD_DOCUMENT, fault.public)
        except MailshareError as fault:
            outcome = self._deferred(attempt, FaxCause.INTERNAL, fault.public)
        finally:
            self.attempts.pop(item.id, None)
            lock.release()
            if not lock.locked and not lock.waiting:
                self._numbers.pop(number, None)
        return outcome

    async def settled(self, rows: Sequence[int]) -> None:
        """What became of them is written down, so nobody dials again for want of their ledgers."""
        for row in rows:
            await self._ledgers.forget(row)

    async def sweep(self) -> None:
        """Forget the ledgers of rows that are over: a stop came before they could be."""
        for row in await self._ledgers.rows():
            item = await self._store.queue.item(row)
            if item is None or item.state in _OVER:
                await self._ledgers.forget(row)

    async def _called(self, attempt: Attempt) -> Outcome:
        item = attempt.item
        ledger = attempt.ledger = await self._ledgers.read(item.id)
        if ledger.whole:
            return sent(item, ledger, FaxOutcome(FaxCause.OK), self._now())
        polls = bool(item.params.get("poll"))
        if ledger.in_doubt and not ledger.native and not polls:
            return self._given_up(attempt, FaxCause.TIMEOUT, _DOUBT)
        elsewhere = ledger.calling and ledger.native  # a machine of the line's own is at it
        unfit = None if elsewhere else await self._unfit(attempt)
        if unfit is not None:
            return unfit
        if polls and self._fetching is not None:
            attempt.earlier = ledger.confirmed
            attempt.ledger = ledger if elsewhere else ledger.anew(self._now())
            return await self._on_lines(attempt, self._fetching(item))
        await self._making.acquire()
        try:
            made = await self._dressed.made(item, attempt.ledger, self._now())
        finally:
            self._making.release()
        pages, attempt.ledger, attempt.subject = made
        if item.params.get("once"):  # from a provider's mailbox: nobody could be told before that it is too dear
            try:
                self._pages.affordable(pages.sizes, self.lane(item), Toll(item.params.get("toll", "unknown")))
            except PolicyRefusal as fault:
                return self._given_up(attempt, FaxCause.NOT_ALLOWED, fault.public)
        return await self._on_lines(attempt, pages)

    async def _on_lines(self, attempt: Attempt, pages: Errand) -> Outcome:
        """Over one line after the other, until a call says something of the far end."""
        without: set[str] = set()
        last: FaxOutcome | None = None
        attempt.profile = await self._learned.read(self.lane(attempt.item))
        while True:
            line = None if attempt.cancelled else await self._line(attempt, pages, without)
            if attempt.cancelled:  # while its pages were made, or while it waited
                await self._take_back(attempt.item.id)
                return self._given_up(attempt, FaxCause.CANCELLED, "")
            if line is None:
                return self._without_line(attempt, pages, last)
            last = await self._call(attempt, line, pages)
            if last.left and not attempt.cancelled:
                return put_back(attempt.item, self._now())
            if attempt.cancelled or last.end_sent or last.cause not in ELSEWHERE:
                return self._after(attempt, last)
            without.add(line.line.name)

    async def _call(self, attempt: Attempt, line: PooledLine, pages: Errand) -> FaxOutcome:
        """One call, and what it came to on the disk."""
        first, began = attempt.ledger.confirmed, self._now()
        outcome = await self._on_line(attempt, line, pages)
        if outcome.left and not attempt.cancelled:
            return outcome
        attempt.ledger = attempt.ledger.ended(outcome, first)
        if pages.polls and outcome.cause is FaxCause.OK:
            attempt.ledger = attempt.ledger.fetched()
        await self._ledgers.write(attempt.item.id, attempt.ledger)
        await pages.settled()
        if attempt.call is not None:
            await attempt.call.settled()
        self._pool.ended(line, outcome.cause, outcome.pages_confirmed, outcome.native)
        await self._learn(attempt, outcome, began)
        await self._note(attempt, outcome, began, pages.measured(first, attempt.ledger.confirmed))
        return outcome

    async def _learn(self, attempt: Attempt, outcome: FaxOutcome, began: int) -> None:
        """Remember of the number what this call has shown."""
        if attempt.job is None:
            return
        line, hour = attempt.ledger.line, self._hour(began)
        steered = attempt.line is None or attempt.line.line.capabilities.steered
        attempt.profile = attempt.profile.learned(
            attempt.job, outcome, line, hour=hour, now=self._now(), steered=steered
        )
        try:
            await self._learned.write(self.lane(attempt.item), attempt.profile)
        except MailshareError as fault:
            self._log.warn("what a call has shown is not remembered: {why}", why=fault.public)

    def _hour(self, at: int) -> int:
        return datetime.fromtimestamp(at / 1_000_000, self._zone).hour

    def _without_line(self, attempt: Attempt, pages: Errand, last: FaxOutcome | None) -> Outcome:
        """No line can make the call: never, not now, or not before its time is over."""
        if last is not None:
            return self._after(attempt, last)
        if attempt.ledger.calling and attempt.ledger.native:
            why = f"the line {attempt.ledger.line}, which may have sent it, is not there any more"
            return self._after(attempt, FaxOutcome(FaxCause.LINE_DOWN, native=why))
        missing = self._pool.lacking(self.lane(attempt.item), self._needs(attempt, pages))
        if missing is not None:
            return self._given_up(attempt, *missing)
        meant = [one for one in self._pool.lines if one.takes(self.lane(attempt.item))]
        troubles = "; ".join(f"{one.line.name}: {one.trouble}" for one in meant if one.trouble)
        words = troubles or ("no line was free in time" if meant else "no line here is meant for this number")
        return self._after(attempt, FaxOutcome(FaxCause.LINE_DOWN, native=words))

    @staticmethod
    def _needs(attempt: Attempt, pages: Errand) -> FaxNeeds:
        left = pages.count - attempt.ledger.confirmed
        params = attempt.item.params
        asked = {"subaddress": bool(params.get("sub")), "password": bool(params.get("password"))}
        return FaxNeeds(left, pages.width, polls=pages.polls, **asked)

    async def _note(
        self, attempt: Attempt, outcome: FaxOutcome, began: int, measured: Mapping[str, object]
    ) -> None:
        """The line of the log for a call (RFC 4161 section 2.6); whose fax it is, the trace tells."""
        item, ledger = attempt.item, attempt.ledger
        data = {
            "item": item.id,
            "number": item.params.get("number", ""),
            "line": ledger.line,
            "cause": outcome.cause.value,
            "began": began,
            "ended": self._now(),
            "pages": outcome.pages_confirmed,
            **measured,
            "first": ledger.confirmed - outcome.pages_confirmed + 1,
            "rate": outcome.rate,
            "ecm": outcome.ecm,
            "remote": printable(outcome.remote_id, 20),
            "seconds": round(outcome.seconds, 1),
            "cost": outcome.cost,
            "tries": ledger.tries,
            "error": printable(outcome.native, 200),
        }
        event = Event(
            self._now(), "fax.called", item.trace, item.account_id, item.submitter_id, item.message_id, data
        )
        try:
            await self._store.events.append([event])
        except MailshareError as fault:
            self._log.warn("the journal does not tell of a call: {why}", why=fault.public)

    async def _unfit(self, attempt: Attempt) -> Outcome | None:
        """What becomes of a fax that may not be called now; ``None`` when it may."""
        item = attempt.item
        if await self._is_copy(item):
            return self._given_up(attempt, FaxCause.CANCELLED, _COPY)
        deadline, begins = self.deadline(item), self._begins(item)
        if self._now() >= deadline:  # why the calls before failed says more than that time is over (RFC 3463 3.5)
            return self._given_up(attempt, attempt.ledger.last_cause or FaxCause.TIMEOUT, "")
        if begins >= deadline:
            return self._given_up(attempt, FaxCause.TIMEOUT, "There are no hours before its deadline to send it in")
        return put_off(item, begins, self._dressed.moment(begins), self._now()) if begins > self._now() else None

    async def _is_copy(self, item: QueueItem) -> bool:
        """Whether an earlier copy of a message from a provider's mailbox made this fax already."""
        message = str(item.params.get("once", ""))
        if not message:
            return False
        number = f"{message}/{self.lane(item)}/{item.params.get('sub', '')}"
        key = hashlib.sha256(number.encode()).hexdigest()
        return not await self._once.is_first(key, item.id, self._clock.seconds())

    async def _line(self, attempt: Attempt, pages: Errand, without: set[str]) -> PooledLine | None:
        """A line for it; the one whose own machine has the job already where there is one."""
        ledger, item = attempt.ledger, attempt.item
        if ledger.calling and ledger.native:
            return next((one for one in self._pool.lines if one.line.name == ledger.line), None)
        attempt.state = "waiting for a line"
        last = {ledger.line} if ledger.last in {one.value for one in SHAKEN} else set()
        if attempt.profile.is_special:  # a line that cannot be told how to begin would fail as others did before
            last |= {one.line.name for one in self._pool.lines if not one.line.capabilities.steered}
        attempt.waiting = Deferred.fromCoroutine(
            self._pool.take(
                self.lane(item),
                haste=haste_of(item),
                order=item.id,
                needs=self._needs(attempt, pages),
                without=without,
                after=last,
                until=self.deadline(item) / 1_000_000,
            )
        )
        try:
            return await attempt.waiting
        except CancelledError:
            if not attempt.cancelled:
                raise
            return None
        finally:
            attempt.waiting = None

    async def _on_line(self, attempt: Attempt, line: PooledLine, pages: Errand) -> FaxOutcome:
        attempt.line, attempt.state, attempt.since = line, "dialing", self._now()
        job = attempt.job = self._job(attempt, pages)
        ledger = attempt.ledger
        if ledger.calling and ledger.native:
            call = pages.find(line.line, ledger.native, job)
            if call is None:
                return FaxOutcome(FaxCause.TIMEOUT, native=_DOUBT)
        else:
            # Nothing is waited for between the choice of the line and the call: the line counts as taken only by it.
            attempt.ledger = ledger.dialled(line.line.name)
            call = pages.begin(line.line, job)
        attempt.call = call
        call.observe(lambda event: self._happened(attempt, event))
        try:
            return await call.when_done()
        except CancelledError:
            # The server stops. A machine of the line's own goes on with what it has, and is asked at the next start;
            # else what the far end has confirmed so far is written down.
            if attempt.ledger.native:
                return FaxOutcome(FaxCause.CANCELLED, left=True)
            await line.line.cancel(job.id)
            return await call.when_done()

    def _sender(self, item: QueueItem) -> Address:
        """The mail address of whoever sends it: what is passed on by a route bears that of nobody."""
        directory = self._store.directory.current()
        user = directory.user_by_id.get(item.submitter_id or 0)
        return item.sender or Address(user.name if user is not None else "postmaster", directory.hostname)

    def _job(self, attempt: Attempt, pages: Errand) -> FaxJob:
        item, params = attempt.item, attempt.item.params
        max_rate, ecm = attempt.profile.settings(attempt.ledger, self._now())
        return FaxJob(
            id=f"{item.trace}-{item.id}-{attempt.ledger.tries + 1}",
            number=str(params.get("number", "")),
            dial=str(params.get("dial", "")),
            total=pages.count,
            first_page=attempt.ledger.confirmed,
            subaddress=str(params.get("sub", "")),
            password=str(params.get("password", "")),
            ident=self._rules().station[:20],
            ecm=ecm,
            max_rate=max_rate,
            deadline=self.deadline(item),
            sender=str(self._sender(item)),
            submitter=item.submitter_id or 0,
            subject=attempt.subject,
        )

    def _happened(self, attempt: Attempt, event: CallEvent) -> Awaitable[None] | None:
        """Write down what a stop of the server must not forget, before the line goes on."""
        before = attempt.ledger
        if event.kind == "dialing":
            return self._ledgers.write(attempt.item.id, before)
        attempt.state = {"begun": "sending", "ringing": "ringing", "answered": "answered"}.get(
            event.kind, attempt.state
        )
        if event.kind == "submitted":
            attempt.ledger = before.submitted(str(event.facts.get("native", "")))
        elif event.kind == "begun" and not attempt.item.params.get("poll"):
            attempt.ledger = before.page_begun(event.page)
        elif event.kind == "page":
            attempt.ledger = before.page_confirmed(event.page)
        return None if attempt.ledger is before else self._ledgers.write(attempt.item.id, attempt.ledger)

    # ------------------------------------------------------------------ what came of it

    def _after(self, attempt: Attempt, outcome: FaxOutcome) -> Outcome:
        item, ledger = attempt.item, attempt.ledger
        if ledger.whole and outcome.cause is FaxCause.OK:
            return sent(item, ledger, outcome, self._now())
        if attempt.cancelled:
            return self._given_up(attempt, FaxCause.CANCELLED, "")
        if outcome.cause is FaxCause.CANCELLED:  # the server stops, and nobody gave the fax up
            return put_back(item, self._now())
        if outcome.end_sent and outcome.cause is not FaxCause.OK:
            return self._given_up(attempt, outcome.cause, outcome.native or _UNHEARD)
        # Where the line says done, and not every page is confirmed: never report more than is known.
        cause = FaxCause.DROPPED if outcome.cause is FaxCause.OK else outcome.cause
        native = outcome.native
        if cause is FaxCause.POLL_REFUSED and attempt.earlier:
            native = native or f"the {attempt.earlier} pages that a call before has brought are in the mailbox"
        return self._deferred(attempt, cause, native)

    def _deferred(self, attempt: Attempt, cause: FaxCause, native: str) -> Outcome:
        item, rules, deadline = attempt.item, self._rules(), self.deadline(attempt.item)
        most, own, now = rules.tries, rules.retries.get(cause), self._now()
        outcome = deferred(item, attempt.ledger, cause, native, now=now, most=most, deadline=deadline, own=own)
        following = outcome.next_at + (outcome.next_at - now)
        mostly = cause is FaxCause.BUSY and attempt.profile.is_busy_at(self._hour(outcome.next_at or now))
        return evolve(outcome, next_at=following) if mostly and outcome.next_at and following <= deadline else outcome

    def _given_up(self, attempt: Attempt, cause: FaxCause, native: str) -> Outcome:
        return given_up(attempt.item, attempt.ledger, cause, native, self._now())

    def _begins(self, item: QueueItem) -> int:
        """When its next call may begin."""
        return begins(
            self._now(),
            not_before=instant(item.params.get("not_before")),
            queued=item.queued,
            cheap=self._rules().cheap if self._rules().waits_for_cheap(item.params) else (),
            zone=self._zone,
        )

    def deadline(self, item: QueueItem) -> int:
        """When no call begins any more, microseconds UTC: what its sender said; else the office's, from its time on.

        Cheap hours may come a week later.
        """
        asked = instant(item.params.get("not_after"))
        if asked:
            return min(asked, item.queued + FARTHEST + self._rules().lifetime)
        from_then = max(item.queued, min(instant(item.params.get("not_before")), item.queued + FARTHEST))
        waits = self._rules().cheap and self._rules().waits_for_cheap(item.params)
        return from_then + (_WEEK if waits else 0) + self._rules().lifetime

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)
