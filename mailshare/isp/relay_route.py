"""One way out: its connections, kept for some seconds so that a whole outbox leaves over one login, and whether it is
used now.

A way that leads nowhere (no connection, a refused login, a limit used up) is closed for a while and its mail waits.
"""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.retry import HOUR, STANDARD
from mailshare.core.values import SECOND
from mailshare.core.ways_out import Way
from mailshare.isp.relay_session import Answers, Parcel, RelaySession
from mailshare.isp.sign_on import Doors, open_smtp

_CONNECTIONS = 2
_CLOSING = 421
_WINDOW = 16
_FAR = 0.005  # seconds; a server that answers sooner gains next to nothing by several messages under way


class RouteClosed(Exception):
    """The route is left alone for now."""


@define(eq=False)
class Route:
    """A way out and what is known of it.

    :ivar closed_until: microseconds UTC; not used before. ``closed_at`` is when that was decided, ``reason`` why.
    :ivar failures: connections in a row that did not come about; ``refusals``: logins in a row that were refused.
    :ivar paused: closed because of us (login, certificate, limit used up), not because the server is away.
    :ivar careful: a connection broke with messages under way: one at a time until one ended well.
    :ivar secret_mark: tells whether the login is still the one that was refused.
    """

    way: Way
    doors: Doors
    idle_seconds: float = 5.0
    sessions: list[RelaySession] = field(factory=list)
    opening: list[Deferred[RelaySession]] = field(factory=list)
    waiting: list[Deferred[None]] = field(factory=list)
    idle: dict[RelaySession, IDelayedCall] = field(factory=dict)
    closed_until: int = 0
    closed_at: int = 0
    reason: str = ""
    failures: int = 0
    refusals: int = 0
    paused: bool = False
    secret_mark: bytes = b""
    offered: int = 0
    careful: bool = False

    _log = Logger()

    @property
    def active(self) -> int:
        """Connections that are open or being opened."""
        return len(self.sessions) + len(self.opening)

    @property
    def loaded(self) -> bool:
        """Something is being sent."""
        return any(session.load for session in self.sessions)

    def closed(self, now: int) -> bool:
        """Not to be used now."""
        return now < self.closed_until

    def reopen(self) -> None:
        """Use it again at once."""
        self.closed_until = self.failures = self.refusals = 0
        self.paused = False
        self.reason = ""

    def failed(self, text: str, now: int) -> None:
        """No connection: leave the server alone for a while, longer each time, an hour at most."""
        if now >= self.closed_until:
            self.failures += 1
            self.closed_at = now
        self.closed_until = max(self.closed_until, now + min(STANDARD.wait(self.failures), HOUR))
        self.reason, self.paused = text, False

    def refused(self, text: str, now: int, pause: int) -> None:
        """Pause: nothing is sent, what is open is closed."""
        self.closed_until, self.closed_at = now + pause, now
        self.refusals += 1
        self.reason, self.paused = text, True
        self.close_sessions()

    def close_sessions(self) -> None:
        """Cut what is open."""
        for timer in self.idle.values():
            if timer.active():
                timer.cancel()
        self.idle.clear()
        for session in self.sessions:
            session.close()
        self.sessions.clear()
        self._wake(None)

    def close(self) -> None:
        """Cut all, also what is being opened; rows under way go back to the queue."""
        for opening in list(self.opening):
            opening.cancel()
        self.close_sessions()

    async def send(self, parcel: Parcel) -> Answers:
        """Send on some connection; once more on a new one when a kept one turned out to be closed.

        :raises RouteClosed: it was closed meanwhile.
        :raises LoginRefused, ConfigFault, Unavailable, PeerFault: no connection came about.
        """
        session = await self._session()
        alone = not session.load
        answers = await self._on(session, parcel)
        # What went out behind other mail may have been taken before the connection broke.
        if session.answered and _left(answers) and (alone or not answers.whole):
            answers = await self._on(await self._session(), parcel)
        return answers

    async def _on(self, session: RelaySession, parcel: Parcel) -> Answers:
        timer = self.idle.pop(session, None)
        if timer is not None and timer.active():
            timer.cancel()
        try:
            return await session.send(parcel)
        finally:
            if not session.usable:
                self.careful = self.careful or bool(session.load)
                session.close()
                self._forget(session)
            else:
                if not session.load and session in self.sessions:
                    seconds = 0.0 if self._full(session) else self.idle_seconds
                    self.idle[session] = self.doors.reactor.callLater(seconds, self._retire, session)
                self._wake_one()

    def _full(self, session: RelaySession) -> bool:
        return session.taken >= ProviderOptions.of(self.way.account).messages_per_connection

    def _retire(self, session: RelaySession) -> None:
        self.idle.pop(session, None)
        leaving = Deferred.fromCoroutine(session.quit())
        leaving.addErrback(lambda failure: self._log.failure("Leaving a smarthost failed", failure))
        leaving.addCallback(lambda _: self._retired(session))

    def _retired(self, session: RelaySession) -> None:
        self.careful = False
        self._forget(session)

    def _forget(self, session: RelaySession) -> None:
        if session in self.sessions:
            self.sessions.remove(session)
        self._wake(None)

    def _wake(self, error: Exception | None) -> None:
        """Let those who wait for a connection look again, or hear why there is none."""
        waiters, self.waiting = self.waiting, []
        for waiter in waiters:
            if waiter.called:
                continue
            if error is None:
                waiter.callback(None)
            else:
                waiter.errback(error)

    def _wake_one(self) -> None:
        """Let the first who waits for a connection look again, if there is one."""
        while self.waiting:
            waiter = self.waiting.pop(0)
            if not waiter.called:
                waiter.callback(None)
                return

    def _wake_some(self) -> None:
        for _ in range(self.sessions[-1].room if self.sessions else len(self.waiting)):
            self._wake_one()

    @property
    def connections(self) -> int:
        """How many are allowed at the same time."""
        return int(self.way.server.options.get("connections", _CONNECTIONS))

    @property
    def room(self) -> int:
        """Parcels of which it has use at the same time, as far as is known before a connection is made.

        As many again as can be under way are made ready meanwhile, so that one follows as soon as another is answered.
        """
        return self.connections * int(self.way.server.options.get("window", _WINDOW)) * 2

    async def _session(self) -> RelaySession:
        """A connection: one without work, else a new one while more are allowed, else the one with the least work.

        After a refusal one connection alone tries the login, since providers count tries.
        """
        most = 1 if self.refusals else self.connections
        while True:
            if self.closed(int(self.doors.reactor.seconds() * SECOND)):
                raise RouteClosed
            self.sessions = [session for session in self.sessions if session.usable]
            enough = ProviderOptions.of(self.way.account).messages_per_connection
            ready = [session for session in self.sessions if session.taken < enough]
            free = [session for session in ready if not session.load]
            if free:
                return free[0]
            if self.active < most:
                return await self._opened()
            roomy = [session for session in ready if session.load < session.room]
            if roomy:
                return min(roomy, key=lambda session: session.load)
            waiting: Deferred[None] = Deferred()
            self.waiting.append(waiting)
            await waiting

    async def _opened(self) -> RelaySession:
        """A new connection; those who wait for one go on with it, or hear why there is none."""
        opening = Deferred.fromCoroutine(self._open())
        self.opening.append(opening)
        error: Exception | None = None
        try:
            return await opening
        except MailshareError as fault:
            error = fault
            raise
        finally:
            self.opening.remove(opening)
            if error is None:
                # The one who opened it comes first: others in the next turn, as many as it has room for.
                self.doors.reactor.callLater(0, self._wake_some)
            else:
                self._wake(error)

    async def _open(self) -> RelaySession:
        talk = await open_smtp(self.doors, self.way.account, self.way.server)
        window = int(self.way.server.options.get("window", _WINDOW if talk.round_trip >= _FAR else 1))
        session = RelaySession(talk, self.way.server.host, 0 if self.careful else window)
        self.sessions.append(session)
        self.offered = session.size_limit
        self.reopen()
        return session


def _left(answers: Answers) -> bool:
    """A kept connection was closed by the other side before our mail came to it."""
    if answers.mail is not None:
        return answers.mail.code == _CLOSING
    return answers.fault is not None
