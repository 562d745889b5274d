"""One connection of a server: octets into the engine, its events to the session one at a time, its replies out.

Back-pressure works in both directions. While the session is busy, or the peer does not read, no event is taken out of
the engine, and the transport is paused when some octets wait for it; so neither a flood nor a peer that never reads
costs memory. The deadlines of a connection stand in :mod:`mailshare.shell.deadlines`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailshare.core.errors import LocalFault
from mailshare.shell.deadlines import Deadlines
from mailshare.shell.limits import Goodbye
from mailshare.shell.outlet import Outlet, lowest
from mailshare.shell.prompt_socket import PromptSocket
from mailshare.shell.roles import ConnectionGone, ServerEngine, Session
from mailshare.wire.replies import ANSWERED, START_TLS

if TYPE_CHECKING:
    from mailshare.shell.server import EngineFactory

__all__ = ["Connection", "ConnectionGone", "ServerEngine", "Session"]

_FLUSH_EVERY = 64
_LOOKS = 4  # turns of the reactor: those who left are heard of in the next one, those who were greeted then two later
_UNANSWERED = "An event was left without its answer"


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Connection(Deadlines, TwistedProtocol):
    """One connection.

    :ivar peer: the peer's address, e.g. ``192.0.2.7``; empty for a socket without one.
    :ivar at_once: set by a session that has answers ready. It is shown what comes while nothing is under way, no body
        either, and says ``(what to send, what to feed)``.
    """

    log = Logger()
    transport: Any  # ITransport and IConsumer, and more where the socket can do more

    # Most connections end before most of these have changed.
    _unparsed = _faults = 0
    _paused = _ended = _stopping = False
    _alone = True
    at_once: Callable[[bytes], tuple[bytes, bytes]] | None = None
    _receive: Callable[[bytes], object | None]

    def __init__(self, factory: EngineFactory, peer: str) -> None:
        self.factory: EngineFactory = factory
        self.peer = peer
        self._outlet: Outlet | None = None
        self._input: deque[bytes] = deque()
        self._waiters: list[Deferred[None]] = []

    @property
    def secure(self) -> bool:
        """Inside TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    # ------------------------------------------------------------------ for sessions

    @property
    def unread(self) -> int:
        """Octets that came and that the engine has not been given."""
        return self._unparsed

    @property
    def full(self) -> bool:
        """Octets wait for the peer to read: make no more before :meth:`drain`."""
        return self._full

    def flush(self) -> None:
        """Send what the engine has queued, in one write."""
        if self._session is None or self._gone or self._closing:
            return
        data = self._session.engine.take_output()
        if data and self._outlet is not None:
            self._outlet.write(data, queued=self._full)

    async def drain(self) -> None:
        """Send what the engine has queued; go on when the peer has read enough of it.

        :raises ConnectionGone: the peer left meanwhile.
        """
        self.flush()
        while self._full and not self._gone:
            waiter: Deferred[None] = Deferred()
            self._waiters.append(waiter)
            await waiter
        if self._gone:
            raise ConnectionGone

    def open_again(self) -> int | None:
        """The socket once more, for a part of the output that the system sends by itself; for the caller to close.

        Drain before each such part, and call :meth:`await_room` when the socket takes no more.

        :returns: a descriptor; ``None`` inside TLS and where there is no socket.
        """
        return None if self._outlet is None or self._gone else self._outlet.open_again()

    def await_room(self) -> None:
        """The socket is full: :meth:`drain` fires when the peer has read."""
        if self._outlet is not None and not self._gone:
            self._outlet.await_room()
            self.outlet_full()

    def tick(self, now: float) -> None:
        """Look at the deadlines; and whoever has stayed until the first look is read for with the others."""
        super().tick(now)
        if self._alone and not (self._paused or self._ended or self._gone or self._closing or self.secure):
            self._alone = False
            self.factory.reader.take_over(self.transport)

    def say_goodbye(self, why: Goodbye) -> None:
        """Send the last words for this reason and close."""
        if not (self._gone or self._closing):
            self.flush()
            if self._outlet is not None:
                self._outlet.write(self.factory.last_words(why), queued=self._full)
            self._close()

    def stop(self) -> None:
        """The server stops: close now, or when the message or command under way is done."""
        self._stopping = True
        if self._session is not None and not self._running and not self._session.receiving:
            self.say_goodbye(Goodbye.SHUTDOWN)

    def abort(self) -> None:
        """Cut the connection."""
        abort = getattr(self.transport, "abortConnection", None) or self.transport.loseConnection
        abort()

    # ------------------------------------------------------------------ called by the transport

    def connectionMade(self) -> None:
        """Count the peer, then greet it."""
        transport = self._socket = self.transport
        if type(transport) is not PromptSocket:
            if ITCPTransport.providedBy(transport):
                transport.setTcpNoDelay(True)
            self._socket = lowest(transport)
        self._arrive(_LOOKS)

    def _arrive(self, looks: int) -> None:
        """Begin, if there is room; or look again when the reactor has heard of those who left meanwhile.

        Whoever opens connections and resets them at once, as scanners do, would else be counted for as long as the
        reactor only accepts; and the next one from there would be turned away because of connections that are no more.
        """
        if self._gone:
            return
        refusal = self.factory.arrived(self)
        if looks and refusal in (Goodbye.FULL, Goodbye.FULL_FOR_PEER):
            self.factory.reactor.callLater(0, self._arrive, looks - 1)
        elif refusal is not None:
            self.transport.write(self.factory.last_words(refusal))
            self.transport.loseConnection()
        else:
            self._begin()

    def _begin(self) -> None:
        now = self.factory.reactor.seconds()
        self._handshaking = self.secure
        self._session_end = now + self.factory.limits.session
        self._since = self._commanded = now
        self._session = session = self.factory.build_session(self)
        self._receive = session.engine.receive
        self._expect_commands()
        self._outlet = Outlet(self.transport, self, secure=self._handshaking)
        self.factory.ticker.add(self)
        try:
            self._running = True
            rest = session.begin()
            if rest is not None:
                self._advance(None, rest, self._answered)
            elif self._input or self._gone:
                self._start()
            else:
                self._running = False
                self._finish(session)
        except Exception:  # noqa: BLE001 - the one net under all sessions, see _failed
            self._failed(Failure())
            self._stopped()

    def dataReceived(self, data: bytes) -> None:
        """Take octets."""
        session = self._session
        if self._running or self._full or self._closing or session is None:
            self._keep(session, data)
            return
        ready = None if self._was_receiving else self.at_once
        if ready is not None and not (data := self._answer_at_once(session, ready, data)):
            return
        self._handshaking = False
        self._rate_octets += len(data)
        self._since = self.factory.reactor.seconds()
        self._take(session, data)

    def _keep(self, session: Session | None, data: bytes) -> None:
        """Octets came that nobody can look at now."""
        if session is None:
            # It is not known yet whether it may stay: no more than one piece of what it says is kept.
            if not self._gone and not self.transport.disconnecting:
                self._queue(data, most=-1)
        elif not self._closing:
            self._handshaking = False
            self._rate_octets += len(data)
            self._since = self.factory.reactor.seconds()
            if self._running:
                self._queue(data, self._may_wait)
            else:
                self._take(session, data)

    def _queue(self, data: bytes, most: int) -> None:
        """Keep it for later; no more comes when more octets than that wait."""
        self._input.append(data)
        self._unparsed += len(data)
        if not self._paused and self._unparsed > most:
            self._paused = True
            self.transport.pauseProducing()

    def handshakeCompleted(self) -> None:
        """TLS stands."""
        self._handshaking = False
        self._commanded = self.factory.reactor.seconds()

    def readConnectionLost(self) -> None:
        """The peer sends no more: answer what it sent, then close."""
        self._ended = True
        if self._session is None:
            return
        if getattr(self._session.engine, "wants_end", False) and not self._closing:
            self._input.append(b"")
            if not self._running:
                self._start()
        elif not self._running:
            self._close()

    def writeConnectionLost(self) -> None:
        """We send no more; that is our own doing."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - Twisted passes it
        """The peer is gone; the session hears of it when it has finished what it does."""
        self._gone = True
        if self._session is None:
            return
        self.factory.ticker.remove(self)
        self._release()
        if not self._running:
            self._lost()

    def outlet_full(self) -> None:
        """The transport has enough to send for now."""
        self._full = True
        self._full_since = self.factory.reactor.seconds()

    def outlet_free(self) -> None:
        """The transport has sent everything."""
        if self._full:
            self._full = False
            self._release()

    # ------------------------------------------------------------------ inside

    def _answer_at_once(self, session: Session, answer: Callable[[bytes], tuple[bytes, bytes]], data: bytes) -> bytes:
        """Send what the session has ready: nothing else is under way. The octets that are left come back."""
        try:
            replies, data = answer(data)
            if replies and self._outlet is not None:
                self._outlet.write(replies, queued=False)
                self._since = self._commanded = self.factory.reactor.seconds()
                if session.receiving:
                    self._renew(session, self._since)
        except Exception:  # noqa: BLE001 - the one net under all sessions, see _failed
            self._failed(Failure())
            return b""
        return data

    def _take(self, session: Session, data: bytes) -> None:
        """Octets came while nothing was under way. What needs no wait is answered without any coroutine."""
        engine, event = session.engine, None
        try:
            if self._full:
                engine.feed(data)
            else:
                event = first = self._receive(data)
                if event is not None and event is not ANSWERED and event is not START_TLS:
                    self._running = True
                    rest = session.handle(event)
                    if rest is not None:
                        self._advance(None, rest, self._answered)
                        return
                    self._running = False
                    if engine.waiting:
                        raise LocalFault(_UNANSWERED)
                    event = ANSWERED
                if event is ANSWERED and engine.errors == self._faults:
                    event = None if engine.spent else engine.next_event()
                if event is None and not (self._gone or self._input):
                    if first is not None:
                        self._renew(session, self._since)
                    self._finish(session)
                    return
        except Exception:  # noqa: BLE001 - the one net under all sessions, see _failed
            self._failed(Failure())
            self._stopped()
            return
        self._start(event)

    def _answered(self) -> None:
        """What the first event left to be done is done; mostly nothing came meanwhile."""
        session = self._session
        assert session is not None
        engine, more = session.engine, self._input or self._full or self._gone
        if engine.spent and engine.errors == self._faults and not (more or engine.waiting):
            self._running = False
            self._renew(session, self.factory.reactor.seconds())
            self._finish(session)
        else:
            self._start(ANSWERED)

    def _start(self, event: object | None = None) -> None:
        self._running = True
        self._advance(None, self._run(event), self._stopped)

    def _advance(self, result: object, run: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
        """Let a run go on until it waits again; what it waits for calls this. Nothing escapes from here.

        ``Deferred.fromCoroutine`` would do it for several times the steps, and make a Deferred that nobody waits for.

        :param result: of what it waited for; ``None`` at first.
        :param ended: called when it has come to its end.
        """
        fault = result.value if isinstance(result, Failure) else None
        try:
            try:
                awaited = run.send(None) if fault is None else run.throw(fault)
            except StopIteration:
                ended()
                return
            self.flush()
        except Exception:  # noqa: BLE001 - the one net under all sessions, see _failed
            self._failed(Failure())
            self._stopped()
        else:
            awaited.addBoth(self._advance, run, ended)

    async def _run(self, event: object | None) -> None:
        """Handle events until more input is needed.

        :param event: the first one, if it is known; ``ANSWERED`` for one that was handled already.
        """
        session = self._session
        assert session is not None
        engine = session.engine
        handled = 0
        while not (self._gone or self._closing):
            if event is None:
                if self._full:
                    await self.drain()
                event = None if engine.spent else engine.next_event()
            if event is None:
                if engine.closing or not self._input:
                    break
                self._feed(engine)
                continue
            if event is START_TLS:
                self._start_tls(engine)
            elif event is not ANSWERED:
                rest = session.handle(event)
                if rest is not None:
                    if handled:
                        self._renew(session, self.factory.reactor.seconds())
                    await rest
            if engine.waiting:
                raise LocalFault(_UNANSWERED)
            event = None
            if engine.errors > self._faults:
                await self._punish(engine.errors)
            handled += 1
            if handled % _FLUSH_EVERY == 0:
                self.flush()
            if self._stopping and not session.receiving:
                break
        if handled:  # octets that make no command move no deadline
            self._renew(session, self.factory.reactor.seconds())
        self._finish(session)

    def _finish(self, session: Session) -> None:
        """The engine is idle: send, and close if it is time."""
        if self._gone or self._closing:
            return
        engine = session.engine
        data, closing = engine.take_output(), engine.closing
        if data and self._outlet is not None:
            self._outlet.write(data, queued=self._full, last=closing)
        if closing:
            self._close()
        elif self._stopping and not session.receiving:
            self.say_goodbye(Goodbye.SHUTDOWN)
        elif self._ended:
            self._close()

    def _feed(self, engine: ServerEngine) -> None:
        data = self._input.popleft()
        self._unparsed -= len(data)
        if self._paused and self._unparsed <= self._may_wait // 2:
            self._paused = False
            self._rate_start, self._rate_octets = self.factory.reactor.seconds(), 0
            self.transport.resumeProducing()
        engine.feed(data)

    def _start_tls(self, engine: ServerEngine) -> None:
        """Send the go-ahead and start TLS; octets that came in the clear behind the command end the connection."""
        if self._input or self.factory.tls is None:
            self._close()
            return
        self.flush()
        if self._outlet is not None:
            self._outlet.use_queue()
        self._handshaking = True
        self._since = self.factory.reactor.seconds()
        self.transport.startTLS(self.factory.tls)
        engine.secured()

    async def _punish(self, errors: int) -> None:
        """A fault was met: take it slowly from some number on, and end it at another."""
        limits = self.factory.limits
        self._faults = errors
        if errors >= limits.faults:
            self.say_goodbye(Goodbye.FAULTS)
        elif errors >= limits.slow_from:
            self.flush()
            pause: Deferred[None] = Deferred()
            self._waiters.append(pause)
            wake = self.factory.reactor.callLater(limits.penalty, self._wake, pause)
            await pause
            if wake.active():
                wake.cancel()

    def _wake(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            waiter.callback(None)

    def _release(self) -> None:
        """Let those go on who wait; the loops they are in look again whether they may."""
        waiting, self._waiters = self._waiters, []
        for waiter in waiting:
            waiter.callback(None)

    def _failed(self, failure: Failure) -> None:
        """The one net under all sessions: whatever escapes is logged once, and the peer is told."""
        if failure.check(ConnectionGone):
            return
        self.log.failure("A session with {peer} failed", failure, peer=self.peer)
        self.say_goodbye(Goodbye.BROKEN)

    def _stopped(self) -> None:
        self._running = False
        if self._gone:
            self._lost()
        elif self._input and not self._closing:
            self._start()

    def _lost(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._input.clear()
            session.lost()
            self.factory.left(self)

    def _close(self) -> None:
        if self._closing or self._gone:
            return
        self._closing = True
        self.at_once = None
        self._since = self.factory.reactor.seconds()
        self._input.clear()
        if self._outlet is not None:
            self._outlet.close(queued=self._full)
