"""How long a connection may take for what. Deadlines are absolute: an octet now and then does not move them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mailshare.shell.limits import BODY_AT_ONCE, BODY_FIRST, BODY_WAITS, COMMANDS_AT_ONCE, Goodbye
from mailshare.shell.roles import Session

if TYPE_CHECKING:
    from mailshare.shell.server import EngineFactory

_STALLED = 10.0  # seconds with octets unread, after which a session is told to hold no more than it must


class Deadlines:
    """The part of a connection that looks at the clock, and what it looks at."""

    factory: EngineFactory

    # Most connections end before most of these have changed.
    _session: Session | None = None
    _running = _gone = _closing = _handshaking = _full = _was_receiving = False
    _session_end = _since = _commanded = _body_start = _rate_start = _full_since = 0.0
    _rate_octets = _may_wait = 0
    _socket: Any = None

    @abstractmethod
    def say_goodbye(self, why: Goodbye) -> None:
        """Send the last words for this reason and close."""

    @abstractmethod
    def abort(self) -> None:
        """Cut the connection."""

    def tick(self, now: float) -> None:
        """Look at the deadlines; the factory's ticker calls this."""
        session = self._session
        if self._gone or session is None:
            return
        limits = self.factory.limits
        if self._closing:
            if now - self._since >= limits.linger:
                self.abort()
        elif self._handshaking:
            if now - self._since >= limits.handshake:
                self.abort()
        elif self._full:
            if now - self._full_since >= limits.stall:
                self.abort()
            elif now - self._full_since >= _STALLED:
                session.stalled()
        elif self._running:
            self._rate_start, self._rate_octets = now, 0
        elif now >= self._session_end and not session.receiving:
            self.say_goodbye(Goodbye.TIMEOUT)
        elif session.receiving:
            self._tick_body(now)
        elif now - self._commanded >= session.patience:
            self.say_goodbye(Goodbye.TIMEOUT)

    def _tick_body(self, now: float) -> None:
        limits = self.factory.limits
        if now - self._since >= limits.body_idle:
            self.say_goodbye(Goodbye.TIMEOUT)
        elif now - self._body_start >= limits.body_whole:
            self.say_goodbye(Goodbye.SLOW)
        elif now - self._rate_start >= limits.rate_over:
            if self._rate_octets < limits.rate * (now - self._rate_start):
                self.say_goodbye(Goodbye.SLOW)
            self._rate_start, self._rate_octets = now, 0

    def _renew(self, session: Session, now: float) -> None:
        """Commands or pieces of a body are done: wait anew. While a run goes on no deadline is looked at."""
        if not session.receiving:
            self._commanded = now
            if self._was_receiving:
                self._was_receiving = False
                self._expect_commands()
        elif self._was_receiving:
            self._socket.bufferSize = BODY_AT_ONCE
        else:
            self._was_receiving = True
            self._expect_body()
            self._body_start = self._rate_start = now
            self._rate_octets = 0

    def _expect_commands(self) -> None:
        """Take little at once, and let none wait.

        A socket of Twisted reads ``bufferSize`` octets at once, and calls that many to be sent a full queue.
        """
        self._may_wait = 0
        self._socket.bufferSize = COMMANDS_AT_ONCE

    def _expect_body(self) -> None:
        """Take much at once, and more of a message that is longer."""
        self._may_wait = BODY_WAITS
        self._socket.bufferSize = BODY_FIRST
