"""Collecting an account's mail: one run at a time for each, a status in words, a pause where the provider asks for it.

The session itself is in :mod:`mailshare.isp.collection`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import LoginRefused, MailshareError, ProviderBusy, Unavailable
from mailshare.core.quick_looks import Pace
from mailshare.core.report_parts import date_text
from mailshare.core.trace import trace_id
from mailshare.core.values import SECOND, Account, Event
from mailshare.interfaces import ICollecting, IIntake, IStore
from mailshare.isp.arrival import Tally
from mailshare.isp.collection import Collection, FirstLook
from mailshare.isp.notices import Notices
from mailshare.isp.remembered import Remembered
from mailshare.isp.sign_on import Doors
from mailshare.status import RunStatus
from mailshare.wire.pop3_client_replies import POP3Limits

_HOUR = 3600 * SECOND
_DAY = 24 * _HOUR
_MAX_DELAY = _DAY
_RESTS = {"IN-USE": _HOUR, "LOGIN-DELAY": _DAY}
"""How long no quick looks are made after such an answer."""


@define
class _Memory:
    """What is known of an account between runs."""

    status: RunStatus = field(factory=RunStatus)
    past: Remembered = field(factory=Remembered)
    recalled: bool = False
    running: Deferred[None] | None = None
    refusals: int = 0
    refused_until: int = 0
    expire_told: int = -1
    failures: dict[str, int] = field(factory=dict)


@implementer(ICollecting)
class Collector:
    """Collects accounts, each on its own.

    :param doors: reactor, secrets, random source, deadlines.
    :param run_seconds: the longest that one run may take.
    :param refusals: of a login in a row, after which ...
    :param refused_pause: ... a provider is left alone for so many seconds.
    :param limits: of the POP3 engine.
    :param changed: called with the account's id when its status changed.
    :param first_look: is shown what a new account's mailbox holds before the first message is sorted.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        intake: IIntake,
        doors: Doors,
        *,
        run_seconds: float = 3600.0,
        refusals: int = 2,
        refused_pause: float = 3600.0,
        limits: POP3Limits | None = None,
        changed: Callable[[int], None] = lambda _: None,
        first_look: FirstLook | None = None,
    ) -> None:
        self._store = store
        self._first_look = first_look
        self._intake = intake
        self._doors = doors
        self._run_seconds = run_seconds
        self._refusals = refusals
        self._refused_pause = int(refused_pause * SECOND)
        self._limits = limits
        self._changed = changed
        self._accounts: dict[int, _Memory] = {}
        self._notices = Notices(store, intake, doors)
        self.active = 0

    def status(self, account_id: int) -> RunStatus:
        """How the last run went; ``messages`` is what it collected."""
        return self._of(account_id).status

    def not_before(self, account_id: int) -> int:
        """No run may start earlier: the provider's LOGIN-DELAY, or the pause after refused logins. Microseconds UTC."""
        memory, now = self._of(account_id), self._now()
        # Neither lasts longer than it may, so a time further off is one from before the clock was set back.
        floor = memory.past.floor if memory.past.floor <= now + _MAX_DELAY else 0
        refused = memory.refused_until if memory.refused_until <= now + self._refused_pause else 0
        return max(floor, refused)

    def pace(self, account_id: int) -> Pace:
        """How often the provider may be asked between the runs of the timetable; not at all after one that failed."""
        memory, now = self._of(account_id), self._now()
        rest = memory.past.rest_until if memory.past.rest_until <= now + _DAY else 0
        return Pace(memory.past.login_delay * SECOND, now + _DAY if memory.status.error else rest)

    def refused(self, account_id: int) -> bool:
        """Whether the provider refused the last login."""
        return self._of(account_id).refusals > 0

    def reopen(self, account_id: int) -> None:
        """Try a refused login again: the password was changed, or somebody said "now". LOGIN-DELAY holds on."""
        memory = self._of(account_id)
        memory.refused_until = memory.refusals = 0

    async def collect(self, account: Account, cause: str = "") -> Mapping[str, int]:
        """One run; when one is under way already, or it is too early, nothing happens and the result is empty.

        :param cause: why, for the journal.

        A run goes on session after session as long as the account's limits of a session leave something over.
        """
        memory = self._of(account.id)
        await self._recall(account.id, memory)
        now = self._now()
        if account.collect is None or memory.running is not None or now < self.not_before(account.id):
            return {}
        self._set(account.id, memory, evolve(memory.status, last_try=now, running=True))
        tally, run = Tally(), trace_id(now, self._doors.random(3))
        self._doors.steps.begins(account)
        memory.running = Deferred.fromCoroutine(self._sessions(account, memory, tally, run))
        memory.running.addTimeout(self._run_seconds, self._doors.reactor, self._overdue)
        self.active += 1
        error = ""
        try:
            await memory.running
            memory.refusals = 0
        except LoginRefused as refusal:
            error = refusal.public
            await self._refused(account, memory, error)
        except MailshareError as fault:
            error = fault.public
            if isinstance(fault, ProviderBusy):
                rest = _RESTS.get(str(fault.detail.get("code")), _HOUR)
                memory.past = evolve(memory.past, rest_until=self._now() + rest)
        except CancelledError:
            error = "Stopped here"
            raise
        except Exception:  # noqa: BLE001  the outermost frame of a run: one account must never end the others
            self._log.failure("Collecting {address} failed", address=str(account.address))
            error = "An error of this program; see the log"
        finally:
            self.active -= 1
            memory.running = None
            self._finish(account, memory, tally, error)
            if error:
                self._doors.steps.trouble(account, error)
        await self._write(account, memory)
        await self._note(account, tally, error, cause, run)
        await self._expiring(account, memory, tally, run)
        return dict(tally.users)

    async def _sessions(self, account: Account, memory: _Memory, tally: Tally, run: str) -> None:
        """Session after session, each summed up in ``tally`` however it ended."""
        while True:
            session = Collection(
                account, self._store, self._intake, self._doors, memory.failures, self._notices, self._limits,
                self._first_look, trust_top=not memory.past.top_unlike, run=run,
            )  # fmt: skip
            try:
                await session.run()
            finally:
                tally.add(session.tally)
                if session.tally.top_unlike:
                    memory.past = evolve(memory.past, top_unlike=1)
            progress = session.tally.messages or session.tally.deleted
            if not session.tally.more or not progress or session.tally.login_delay:
                return

    def stop(self, account_id: int) -> None:
        """End a run that is under way; what it stored is stored, the rest stays at the provider."""
        running = self._of(account_id).running
        if running is not None:
            running.cancel()

    def _of(self, account_id: int) -> _Memory:
        memory = self._accounts.get(account_id)
        if memory is None:
            memory = self._accounts[account_id] = _Memory()
        return memory

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)

    def _set(self, account_id: int, memory: _Memory, status: RunStatus) -> None:
        memory.status = status
        self._changed(account_id)

    def _finish(self, account: Account, memory: _Memory, tally: Tally, error: str) -> None:
        last_try, past = memory.status.last_try, memory.past
        delay = min(tally.login_delay * SECOND, _MAX_DELAY)
        note = " ".join(tally.notes)[:500]
        status = evolve(memory.status, running=False, error=error, messages=tally.messages, note=note)
        if not error:
            status = evolve(status, last_ok=self._now())
        past = evolve(
            past, last_try=last_try, last_ok=status.last_ok, error=error[:500], note=note, messages=tally.messages
        )
        if tally.listed >= 0:
            past = evolve(
                past, listed=tally.listed, waiting=tally.waiting, expire=tally.expire, login_delay=tally.login_delay,
                floor=last_try + delay if delay else 0,
            )  # fmt: skip
        memory.past = past
        self._set(account.id, memory, status)

    async def _recall(self, account_id: int, memory: _Memory) -> None:
        """Learn, once, what a former life of this program knew."""
        if memory.recalled:
            return
        memory.recalled = True
        try:
            past = await Remembered.of(self._store, account_id)
        except Unavailable as fault:
            self._log.warn("The last run is not known: {fault}", fault=fault.public)
            return
        memory.past = past
        if not memory.status.last_try:
            memory.status = evolve(
                memory.status, last_try=past.last_try, last_ok=past.last_ok, error=past.error, note=past.note
            )

    async def _write(self, account: Account, memory: _Memory) -> None:
        try:
            await memory.past.write(self._store, account.id)
        except Unavailable as fault:
            self._log.warn("The run could not be remembered: {fault}", fault=fault.public)

    async def _refused(self, account: Account, memory: _Memory, error: str) -> None:
        """Refused once too often: leave the provider alone for some time, before it locks the account, and say so."""
        memory.refusals += 1
        if memory.refusals >= self._refusals:
            memory.refused_until = self._now() + self._refused_pause
            await self._notices.tell(
                account,
                "login",
                f"The provider refuses the login of {account.address}",
                f"{error}\r\n\r\nIt is left alone until {date_text(memory.refused_until)}. Is the password right?",
            )

    async def _expiring(self, account: Account, memory: _Memory, tally: Tally, run: str) -> None:
        """Say once that the provider keeps mail for fewer days than the account asks for (RFC 2449 section 6.7)."""
        days, wanted = tally.expire, account.leave_days
        shorter = days >= 0 and (days < wanted or wanted < 0)
        if not shorter or memory.expire_told == days:
            memory.expire_told = memory.expire_told if shorter else -1
            return
        memory.expire_told = days
        text = f"The provider keeps mail for {days} days, not {wanted if wanted >= 0 else 'for ever'}"
        self._log.warn("{address}: {text}", address=str(account.address), text=text)
        event = Event(self._now(), "collect.expire", run, account.id, data={"days": days, "wanted": wanted})
        try:
            await self._store.events.append([event])
        except Unavailable as fault:
            self._log.warn("The warning could not be noted: {fault}", fault=fault.public)
        await self._notices.tell(
            account,
            "expire",
            f"Mail of {account.address} stays at the provider for {days} days only",
            f"{text}.\r\n\r\nWhat was collected is safe here.",
        )

    async def _note(self, account: Account, tally: Tally, error: str, cause: str, run: str) -> None:
        data: dict[str, object] = {"cause": cause} if cause else {}
        data |= {"messages": tally.messages, "users": dict(tally.users)}
        data.update({name: count for name, count in tally.counters().items() if count})
        if error:
            data["error"] = error[:200]
        if error or tally.messages or tally.deleted:
            kind = "collect.failed" if error else "collect.run"
            try:
                await self._store.events.append([Event(self._now(), kind, run, account.id, data=data)])
            except Unavailable as fault:
                self._log.warn("The run could not be noted: {fault}", fault=fault.public)
        self._log.info(
            "Collected {messages} from {address} in run {run}: {users}{error}",
            run=run,
            messages=tally.messages,
            address=str(account.address),
            users=", ".join(f"{name} {count}" for name, count in tally.users.items()) or "-",
            error=f"; {error}" if error else "",
        )

    def _overdue(self, _result: object, seconds: float) -> None:
        raise Unavailable(f"The run took more than {seconds:.0f} s and was stopped; the next one goes on")


def words(counts: Mapping[str, int], messages: int) -> str:
    """The line ``collected 3, andrew 1, greg 1, ADMIN1 1``."""
    return ", ".join([f"collected {messages}", *(f"{name} {count}" for name, count in counts.items())])



