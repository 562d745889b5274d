"""Collecting an account's mail: one run at a time for each, a status in words, a pause where the provider asks for it.

The session itself is in :mod:`mailshare.isp.collection`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.errors import ConfigFault, LoginRefused, MailshareError, Unavailable
from mailshare.core.values import SECOND, Account, Event
from mailshare.interfaces import ICollecting, IIntake, IStore
from mailshare.isp.collection import Collection, Tally
from mailshare.isp.notices import Notices
from mailshare.isp.sign_on import Doors
from mailshare.status import RunStatus

_REFUSALS = 2
_REFUSED_PAUSE = 3600 * SECOND
_MAX_DELAY = 24 * 3600 * SECOND


@define
class _Memory:
    """What is known of an account between runs."""

    status: RunStatus = field(factory=RunStatus)
    running: Deferred[Tally] | None = None
    refusals: int = 0
    not_before: int = 0
    failures: dict[str, int] = field(factory=dict)


@implementer(ICollecting)
class Collector:
    """Collects accounts, each on its own.

    :param doors: reactor, secrets, random source, deadlines.
    :param run_seconds: the longest that one run may take.
    :param changed: called with the account's id when its status changed.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        intake: IIntake,
        doors: Doors,
        *,
        run_seconds: float = 3600.0,
        changed: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._intake = intake
        self._doors = doors
        self._run_seconds = run_seconds
        self._changed = changed
        self._accounts: dict[int, _Memory] = {}
        self._notices = Notices(store, intake, doors)
        self.active = 0

    def status(self, account_id: int) -> RunStatus:
        """How the last run went; ``messages`` is what it collected."""
        return self._of(account_id).status

    def not_before(self, account_id: int) -> int:
        """No run may start earlier: the provider's LOGIN-DELAY, or the pause after refused logins. Microseconds UTC."""
        return self._of(account_id).not_before

    async def collect(self, account: Account) -> Mapping[str, int]:
        """One run; when one is under way already, or it is too early, nothing happens and the result is empty."""
        memory = self._of(account.id)
        now = self._now()
        if account.collect is None or memory.running is not None or now < memory.not_before:
            return {}
        self._set(account.id, memory, evolve(memory.status, last_try=now, running=True))
        collection = Collection(account, self._store, self._intake, self._doors, memory.failures, self._notices)
        memory.running = Deferred.fromCoroutine(collection.run())
        memory.running.addTimeout(self._run_seconds, self._doors.reactor, self._overdue)
        self.active += 1
        error = ""
        try:
            await memory.running
            memory.refusals = 0
        except LoginRefused as refusal:
            error = refusal.public
            await self._refused(account, memory, error)
        except ConfigFault as fault:
            error = fault.public
        except MailshareError as fault:
            error = fault.public
        except CancelledError:
            error = "Stopped here"
            raise
        except Exception:  # noqa: BLE001  the outermost frame of a run: one account must never end the others
            self._log.failure("Collecting {address} failed", address=str(account.address))
            error = "An error of this program; see the log"
        finally:
            self.active -= 1
            memory.running = None
            self._finish(account, memory, collection.tally, error)
        await self._note(account, collection.tally, error)
        return dict(collection.tally.users)

    def stop(self, account_id: int) -> None:
        """End a run that is under way; what it stored is stored, the rest stays at the provider."""
        running = self._of(account_id).running
        if running is not None:
            running.cancel()

    def _of(self, account_id: int) -> _Memory:
        return self._accounts.setdefault(account_id, _Memory())

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)

    def _set(self, account_id: int, memory: _Memory, status: RunStatus) -> None:
        memory.status = status
        self._changed(account_id)

    def _finish(self, account: Account, memory: _Memory, tally: Tally, error: str) -> None:
        delay = min(tally.login_delay * SECOND, _MAX_DELAY)
        if delay:
            memory.not_before = max(memory.not_before, memory.status.last_try + delay)
        status = evolve(memory.status, running=False, error=error, messages=tally.messages)
        if not error:
            status = evolve(status, last_ok=self._now())
        self._set(account.id, memory, status)

    async def _refused(self, account: Account, memory: _Memory, error: str) -> None:
        """Twice refused in a row: leave the provider alone for an hour, before it locks the account, and say so."""
        memory.refusals += 1
        if memory.refusals >= _REFUSALS:
            memory.not_before = self._now() + _REFUSED_PAUSE
            await self._notices.tell(
                account,
                "login",
                f"The provider refuses the login of {account.address}",
                f"{error}\r\n\r\nIt is tried again once an hour. Is the password right?",
            )

    async def _note(self, account: Account, tally: Tally, error: str) -> None:
        data: dict[str, object] = {"messages": tally.messages, "users": dict(tally.users)}
        data.update({name: count for name, count in tally.counters().items() if count})
        if error:
            data["error"] = error[:200]
        if error or tally.messages or tally.deleted:
            kind = "collect.failed" if error else "collect.run"
            try:
                await self._store.events.append([Event(self._now(), kind, account_id=account.id, data=data)])
            except Unavailable as fault:
                self._log.warn("The run could not be noted: {fault}", fault=fault.public)
        self._log.info(
            "Collected {messages} from {address}: {users}{error}",
            messages=tally.messages,
            address=str(account.address),
            users=", ".join(f"{name} {count}" for name, count in tally.users.items()) or "-",
            error=f"; {error}" if error else "",
        )

    def _overdue(self, _result: object, seconds: float) -> Tally:
        raise Unavailable(f"The run took more than {seconds:.0f} s and was stopped; the next one goes on")


def words(counts: Mapping[str, int], messages: int) -> str:
    """The line ``collected 3, andrew 1, greg 1, ADMIN1 1``."""
    return ", ".join([f"collected {messages}", *(f"{name} {count}" for name, count in counts.items())])



