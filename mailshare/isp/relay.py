"""The agent that hands mail on to the provider's smarthost.

Each account is a route with a few connections, kept for some seconds so that a whole outbox leaves over one login. A
route that cannot be used (no connection, login refused) is left alone for a while and its mail stays queued; nobody's
mail bounces because a password expired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import ConfigFault, LoginRefused, MailshareError
from mailshare.core.retry import HOUR, STANDARD
from mailshare.core.values import SECOND, Account, Outcome, QueueItem, QueueState
from mailshare.interfaces import IAgent, IIntake, IStore
from mailshare.isp.notices import Notices
from mailshare.isp.outcomes import judge, route_refusal
from mailshare.isp.outgoing import Outgoing, trace_line
from mailshare.isp.relay_session import Answers, Parcel, RelaySession, scan
from mailshare.isp.sign_on import Doors, open_smtp
from mailshare.status import RunStatus

_REFUSED_PAUSES = (900 * SECOND, 3600 * SECOND)
_CONNECTIONS = 2


@define
class _Route:
    """One account's way out."""

    status: RunStatus = field(factory=RunStatus)
    sessions: list[RelaySession] = field(factory=list)
    opening: list[Deferred[RelaySession]] = field(factory=list)
    waiting: list[Deferred[None]] = field(factory=list)
    idle: dict[RelaySession, IDelayedCall] = field(factory=dict)
    failures: int = 0
    refusals: int = 0
    closed_until: int = 0
    reason: str = ""


class _Closed(Exception):
    """The route is left alone for now."""


@implementer(IAgent)
class Relay:
    """Sends rows of the agent ``relay``.

    :param idle_seconds: how long a connection without work is kept.
    :param changed: called with the account's id when its status changed.
    """

    name = "relay"
    _log = Logger()

    def __init__(
        self,
        store: IStore,
        intake: IIntake,
        doors: Doors,
        *,
        idle_seconds: float = 5.0,
        changed: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._doors = doors
        self._idle_seconds = idle_seconds
        self._changed = changed
        self._routes: dict[int, _Route] = {}
        self._notices = Notices(store, intake, doors)

    def status(self, account_id: int) -> RunStatus:
        """How sending by an account went last; ``messages`` counts those handed on since the start."""
        return self._of(account_id).status

    @property
    def active(self) -> int:
        """Connections that are open or being opened."""
        return sum(len(route.sessions) + len(route.opening) for route in self._routes.values())

    def reopen(self, account_id: int) -> None:
        """Use a route again at once: the account was changed, or somebody said "now"."""
        route = self._of(account_id)
        route.closed_until = route.failures = route.refusals = 0

    def close(self) -> None:
        """Cut all connections; rows under way go back to the queue."""
        for route in self._routes.values():
            for timer in route.idle.values():
                if timer.active():
                    timer.cancel()
            route.idle.clear()
            for opening in list(route.opening):
                opening.cancel()
            for session in route.sessions:
                session.close()
            route.sessions.clear()

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Try the rows of one submission on their account's smarthost.

        There is nothing to resume within a message, so ``progress`` is not called.
        """
        del progress
        directory = self._store.directory.current()
        account = directory.account_by_id.get(batch[0].account_id or 0)
        if account is None or account.relay is None:
            return [_later(item, self._now(), "This account has no server to send by", counts=True) for item in batch]
        good, outcomes = _readable(batch, self._now())
        if not good:
            return outcomes
        route = self._of(account.id)
        self._set(account.id, route, evolve(route.status, last_try=self._now(), running=True))
        try:
            return [*outcomes, *await self._try(account, route, good)]
        finally:
            self._set(account.id, route, evolve(route.status, running=any(s.load for s in route.sessions)))

    async def _try(self, account: Account, route: _Route, batch: Sequence[QueueItem]) -> list[Outcome]:
        try:
            stored = await self._store.queue.body(batch[0].message_id)
            body = Outgoing(stored, trace_line(self._store.directory.current().instance, batch[0].trace))
            parcel = Parcel(build_envelope(batch), body, await scan(body))
        except MailshareError as fault:
            return [_later(item, self._now(), fault.public, counts=True) for item in batch]
        try:
            answers = await self._send(account, route, parcel)
        except _Closed:
            return [self._wait_for_route(item, route) for item in batch]
        except (LoginRefused, ConfigFault) as refusal:
            await self._refused(account, route, refusal.public)
            return [self._wait_for_route(item, route) for item in batch]
        except MailshareError as fault:
            self._failed(account, route, fault.public)
            return [evolve(self._wait_for_route(item, route), counts=True) for item in batch]
        refusal_reply = route_refusal(answers)
        if refusal_reply is not None:
            text = f"The server wants another login: {refusal_reply.code} {refusal_reply.status} {refusal_reply.text}"
            await self._refused(account, route, text)
            return [self._wait_for_route(item, route) for item in batch]
        outcomes = judge(batch, answers, self._now())
        self._note(account, route, answers, outcomes)
        return outcomes

    async def _send(self, account: Account, route: _Route, parcel: Parcel) -> Answers:
        """Send on some connection; once more on a new one when a kept one turned out to be dead."""
        session = await self._session(account, route)
        fresh = not session.used
        answers = await self._on(route, session, parcel)
        if answers.fault is not None and answers.mail is None and not fresh:
            session = await self._session(account, route)
            answers = await self._on(route, session, parcel)
        return answers

    async def _on(self, route: _Route, session: RelaySession, parcel: Parcel) -> Answers:
        timer = route.idle.pop(session, None)
        if timer is not None and timer.active():
            timer.cancel()
        try:
            return await session.send(parcel)
        finally:
            if not session.usable:
                session.close()
                if session in route.sessions:
                    route.sessions.remove(session)
            elif not session.load and session in route.sessions:
                route.idle[session] = self._doors.reactor.callLater(self._idle_seconds, self._retire, route, session)

    def _retire(self, route: _Route, session: RelaySession) -> None:
        route.idle.pop(session, None)
        if session in route.sessions:
            route.sessions.remove(session)
        leaving = Deferred.fromCoroutine(session.quit())
        leaving.addErrback(lambda failure: self._log.failure("Leaving a smarthost failed", failure))

    async def _session(self, account: Account, route: _Route) -> RelaySession:
        """A connection: one without work, else a new one while more are allowed, else the one with the least work."""
        assert account.relay is not None
        most = int(account.relay.options.get("connections", _CONNECTIONS))
        while True:
            if self._now() < route.closed_until:
                raise _Closed
            route.sessions = [session for session in route.sessions if session.usable]
            free = [session for session in route.sessions if not session.load]
            if free:
                return free[0]
            if len(route.sessions) + len(route.opening) < most:
                return await self._opened(account, route)
            if route.sessions:
                return min(route.sessions, key=lambda session: session.load)
            waiting: Deferred[None] = Deferred()
            route.waiting.append(waiting)
            await waiting

    async def _opened(self, account: Account, route: _Route) -> RelaySession:
        """A new connection; those who wait for one go on with it, or hear why there is none."""
        opening = Deferred.fromCoroutine(self._open(account, route))
        route.opening.append(opening)
        error: Exception | None = None
        try:
            return await opening
        except MailshareError as fault:
            error = fault
            raise
        finally:
            route.opening.remove(opening)
            waiters, route.waiting = route.waiting, []
            for waiter in waiters:
                if error is None:
                    waiter.callback(None)
                else:
                    waiter.errback(error)

    async def _open(self, account: Account, route: _Route) -> RelaySession:
        assert account.relay is not None
        session = RelaySession(await open_smtp(self._doors, account, account.relay))
        route.sessions.append(session)
        route.failures = route.refusals = 0
        return session

    # ------------------------------------------------------------------ what becomes of the route

    def _failed(self, account: Account, route: _Route, text: str) -> None:
        """No connection: leave the provider alone for a while, longer each time."""
        now = self._now()
        if now >= route.closed_until:
            route.failures += 1
        route.closed_until = max(route.closed_until, now + min(STANDARD.wait(route.failures), HOUR))
        route.reason = text
        self._set(account.id, route, evolve(route.status, error=text, next_try=route.closed_until))

    async def _refused(self, account: Account, route: _Route, text: str) -> None:
        """The login is refused: pause, and tell ADMIN."""
        now = self._now()
        if now < route.closed_until:
            return
        route.closed_until = now + _REFUSED_PAUSES[min(route.refusals, len(_REFUSED_PAUSES) - 1)]
        route.refusals += 1
        route.reason = text
        for session in route.sessions:
            session.close()
        route.sessions.clear()
        self._set(account.id, route, evolve(route.status, error=text, next_try=route.closed_until))
        await self._notices.tell(
            account,
            "relay",
            f"Mail of {account.address} cannot be sent",
            f"{text}\r\n\r\nThe mail waits in the outbox; it is tried again from time to time. Is the password right?",
        )

    def _wait_for_route(self, item: QueueItem, route: _Route) -> Outcome:
        return Outcome(
            item.id, QueueState.QUEUED, self._now(), 451, "4.4.1", route.reason,
            next_at=max(route.closed_until, self._now() + SECOND), counts=False,
        )  # fmt: skip

    def _note(self, account: Account, route: _Route, answers: Answers, outcomes: Sequence[Outcome]) -> None:
        error = answers.fault.public if answers.fault else ""
        status = evolve(route.status, error=error)
        if not error:
            status = evolve(status, last_ok=self._now())
        if any(outcome.state is QueueState.DELIVERED for outcome in outcomes):
            status = evolve(status, messages=status.messages + 1)
        self._set(account.id, route, status)

    def _set(self, account_id: int, route: _Route, status: RunStatus) -> None:
        route.status = status
        self._changed(account_id)

    def _of(self, account_id: int) -> _Route:
        return self._routes.setdefault(account_id, _Route())

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)


def _later(item: QueueItem, at: int, text: str, *, counts: bool) -> Outcome:
    return Outcome(item.id, QueueState.QUEUED, at, 451, "4.4.4", text, counts=counts)


def _readable(batch: Sequence[QueueItem], at: int) -> tuple[list[QueueItem], list[Outcome]]:
    """Part rows whose address can go on the wire from those whose address cannot."""
    good, bad = [], []
    for item in batch:
        try:
            Address.parse(item.address)
            good.append(item)
        except MailshareError as fault:
            bad.append(Outcome(item.id, QueueState.FAILED, at, fault.code, fault.status, fault.public))
    return good, bad


def build_envelope(batch: Sequence[QueueItem]) -> Envelope:
    """The envelope of rows of one submission, from what each row keeps in ``params``.

    ``notify`` (list of words), ``orcpt``, ``ret``, ``envid``, ``smtputf8``; the last three are equal in all rows.
    """
    recipients = []
    for item in batch:
        notify = item.params.get("notify", ())
        words = frozenset(str(word) for word in notify) if isinstance(notify, (list, tuple)) else frozenset()
        recipients.append(Recipient(Address.parse(item.address), words, str(item.params.get("orcpt", "") or "")))
    params = batch[0].params
    return Envelope(
        batch[0].sender,
        tuple(recipients),
        smtputf8=bool(params.get("smtputf8", False)),
        ret=str(params.get("ret", "") or ""),
        envid=str(params.get("envid", "") or ""),
    )
