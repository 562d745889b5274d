"""Runs a client engine on a connection: TLS, deadlines, back-pressure, and a wait for each reply.

``connect`` gives a :class:`Conversation`; ``await conversation.ask(engine.stat())`` gives the reply. Every wait ends:
with the reply, with an error of :mod:`mailshare.core.errors` when the server breaks the rules, is too slow or goes
away, or by being cancelled, which cuts the connection, since no protocol here can take a command back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Generic, TypeVar

from attrs import frozen
from OpenSSL.SSL import Error as SSLError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    IStreamClientEndpoint,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Client
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from mailshare.core.errors import LocalFault, MailshareError, PeerFault, Unavailable, UntrustedServer
from mailshare.core.values import Server
from mailshare.shell.replies import Listener, Taker, Waiter
from mailshare.shell.trust import Protection, protection, tls_options
from mailshare.wire.client_engine import Chunk, ClientEngine, Command, Reply, Texts

EngineT = TypeVar("EngineT", bound=ClientEngine)
_READ = 262_144  # octets at once; of four times as many as Twisted reads fewer messages are cut in two


@frozen
class Deadlines:
    """How long the provider's server may take, seconds. Each is absolute: a server that drips gains nothing.

    :ivar rate: octets per second that a message must at least move with, on top of ``message``.
    """

    connect: float = 30.0
    tls: float = 20.0
    greeting: float = 60.0
    command: float = 120.0
    message: float = 60.0
    rate: float = 2048.0

    def allowance(self, command: Command) -> float:
        """Seconds from the moment that its reply is next."""
        if command.name == "greeting":
            return self.greeting
        if not command.size:
            return self.command * command.count
        return max(self.command, self.message) + command.size / self.rate


@implementer(IHandshakeListener, IPushProducer)
class Conversation(Protocol, Generic[EngineT]):
    """One connection with its engine. Made by :func:`connect`.

    :ivar round_trip: seconds that a short question and its answer took, as far as somebody measured it.
    """

    transport: Any

    def __init__(self, engine: EngineT, clock: IReactorTime, deadlines: Deadlines) -> None:
        self.engine = engine
        self.lost = False
        self.round_trip = 0.0
        self.clock = clock
        self._deadlines = deadlines
        self._waiters: dict[Command, Waiter | Listener] = {}
        self._flushing: IDelayedCall | None = None
        self._pumping = False
        self._blocked: Deferred[None] | None = None
        self._blocked_at = 0.0
        self._watched: Command | None = None
        self._deadline = 0.0
        self._timer: IDelayedCall | None = None
        self._handshake: Deferred[None] | None = None
        self._what = ""
        self._writable: list[Deferred[None]] = []
        self._stopped = False
        self._gone: list[Deferred[None]] = []

    # ------------------------------------------------------------------ for those who talk

    def ask(self, command: Command, take: Taker | None = None) -> Deferred[object]:
        """Wait for the reply to a command that the engine has queued.

        :param take: gets each chunk of a long reply; returns an awaitable to have the server wait.
        :raises MailshareError: the connection ended, or ``take`` raised.
        :cancel: cuts the connection.
        """
        waiter = Waiter(Deferred(self._give_up_by), take)
        if self.lost:
            waiter.deferred.errback(Unavailable("The connection to the server is closed"))
            return waiter.deferred
        self._waiters[command] = waiter
        self.flush()
        return waiter.deferred

    def tell(self, command: Command, listener: Listener) -> None:
        """Have the reply to a command that the engine has queued told: for many commands, one behind the other.

        They are sent at the end of this turn of the reactor.
        """
        if self.lost:
            listener.fail(Unavailable("The connection to the server is closed"))
            return
        self._waiters[command] = listener
        if not self._pumping and self._flushing is None:
            self._flushing = self.clock.callLater(0, self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = None
        self.flush()

    def ask_together(self, commands: Sequence[Command], replies: list[Reply]) -> Deferred[object]:
        """Wait for the replies to several commands; fires with the last.

        :param replies: each is added to it as it comes, so that it holds those in front when there is no last.
        :raises MailshareError: the connection ended.
        :cancel: cuts the connection.
        """
        waiter = Waiter(Deferred(self._give_up_by), last=commands[-1], replies=replies)
        if self.lost:
            waiter.deferred.errback(Unavailable("The connection to the server is closed"))
            return waiter.deferred
        self._waiters.update(dict.fromkeys(commands, waiter))
        self.flush()
        return waiter.deferred

    def flush(self) -> None:
        """Send what the engine has to send."""
        if not self.lost and self.transport is not None:
            output = self.engine.take_output()
            if output:
                self.transport.write(output)
            self._watch()

    def push(self) -> None:
        """Have the socket take what was sent now; else it does at the end of this turn of the reactor.

        Replies come in bunches, and what is sent behind each would wait until the last of a bunch was dealt with.
        Inside TLS nothing is hurried. A broken connection shows in the next turn.
        """
        if type(self.transport) is Client and not self.transport.TLS:
            self.transport.doWrite()

    def drained(self) -> Deferred[None]:
        """Wait until the transport takes more, for whoever uploads.

        :raises Unavailable: the connection ended.
        :cancel: cuts the connection.
        """
        waiting: Deferred[None] = Deferred(self._give_up_by)
        if self.lost:
            waiting.errback(Unavailable("The connection to the server is closed"))
        elif self._stopped:
            self._writable.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def start_tls(self, server: Server) -> Deferred[None]:
        """Begin TLS now; fires when the handshake is done and the certificate was found right.

        :raises Unavailable: it failed, or took too long.
        """
        if not ITLSTransport.providedBy(self.transport):
            raise LocalFault("This transport has no TLS")
        options = tls_options(server)
        handshake: Deferred[None] = Deferred(self._give_up_by)
        self._handshake = handshake
        self._limit(self._deadlines.tls, "the TLS handshake")
        self.transport.startTLS(options)
        self.engine.secured()
        return handshake

    @property
    def protection(self) -> Protection | None:
        """What it is encrypted with; ``None`` without TLS."""
        if not ISSLTransport.providedBy(self.transport):
            return None
        return protection(self.transport, self.clock.seconds())

    def close(self) -> Deferred[None]:
        """Close what is still open, at once; fires when it is gone. Nothing may be asked any more."""
        gone: Deferred[None] = Deferred()
        if self.lost:
            gone.callback(None)
        else:
            self._gone.append(gone)
            self.give_up(Unavailable("The connection was closed here"))
        return gone

    def give_up(self, error: MailshareError) -> None:
        """Cut the connection; all who wait get ``error``."""
        if self.lost:
            return
        self._end(error)
        if self.transport is not None:
            self.transport.abortConnection()

    # ------------------------------------------------------------------ Twisted's side

    @override
    def connectionMade(self) -> None:
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)
        if type(self.transport) is Client:
            self.transport.bufferSize = _READ
        self.transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        """TLS is on, and the certificate fits."""
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            self._watched = None
            handshake.callback(None)
            self._watch()

    @override
    def dataReceived(self, data: bytes) -> None:
        if self.lost:
            return
        try:
            self.engine.feed(data)
        except PeerFault as fault:
            self.give_up(fault)
            return
        self._pump()

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        words = reason.getErrorMessage()
        if self._handshake is not None and _about_certificate(reason.value):
            self._end(UntrustedServer(f"The certificate of the server is not trusted: {words}"[:300]))
        self._end(Unavailable(f"The connection to the server ended: {words}"[:300]))
        gone, self._gone = self._gone, []
        for waiting in gone:
            waiting.callback(None)

    def pauseProducing(self) -> None:
        """The transport has enough for now."""
        self._stopped = True

    def resumeProducing(self) -> None:
        """The transport takes more."""
        self._stopped = False
        writable, self._writable = self._writable, []
        for waiting in writable:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The transport is gone; ``connectionLost`` tells why."""
        self._stopped = False

    # ------------------------------------------------------------------ events

    def _pump(self) -> None:
        """Hand out events until there are none, or until a taker asks to wait."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._blocked is None and not self.lost:
                try:
                    event = self.engine.next_event()
                except MailshareError as fault:
                    self._fault(fault)
                    return
                if event is None:
                    break
                if isinstance(event, Chunk):
                    self._chunk(event)
                elif isinstance(event, Texts):
                    self._whole(event)
                else:
                    waiter = self._waiters.pop(event.command, None)
                    self._watched = None
                    if waiter is not None:
                        waiter.hear(event)
        finally:
            self._pumping = False
        self.flush()

    def _fault(self, fault: MailshareError) -> None:
        """The one who waits for this reply hears what was wrong; those behind him only that it is over."""
        head = self.engine.head
        waiter = self._waiters.get(head) if head else None
        self._waiters = {command: each for command, each in self._waiters.items() if each is not waiter}
        self.give_up(fault if waiter is None else Unavailable(f"The connection was given up: {fault.public}"))
        if waiter is not None:
            waiter.fail(fault)

    def _chunk(self, chunk: Chunk) -> None:
        waiter = self._waiters.get(chunk.command)
        if waiter is None or waiter.take is None:
            return
        try:
            wait = waiter.take(chunk.data)
        except MailshareError as fault:
            # The rest of this reply is of no use to anybody, and only cutting the line keeps it from coming.
            del self._waiters[chunk.command]
            self.give_up(Unavailable(f"The connection was given up: {fault.public}"))
            waiter.fail(fault)
            return
        if wait is None:
            return
        waiting: Deferred[None] = Deferred.fromCoroutine(_wait_for(wait))
        waiting.addErrback(self._sink_failed, chunk.command)
        if not waiting.called:
            self.transport.pauseProducing()
            self._blocked, self._blocked_at = waiting, self.clock.seconds()
            waiting.addCallback(self._unblock)

    def _whole(self, event: Texts) -> None:
        self._watched = None
        for command, text in event.texts.items():
            waiter = self._waiters.pop(command, None)
            if isinstance(waiter, Listener):
                waiter.hear_whole(text)

    def _unblock(self, _: object) -> None:
        self._blocked = None
        if self.lost or self.transport is None:
            return
        # The time that we made the server wait is not the server's.
        self._deadline += self.clock.seconds() - self._blocked_at
        self.transport.resumeProducing()
        self._pump()

    def _sink_failed(self, failure: Failure, command: Command) -> None:
        waiter = self._waiters.pop(command, None)
        self.give_up(Unavailable("The connection was given up: a message could not be taken"))
        if waiter is not None:
            waiter.fail(failure.value or LocalFault())

    # ------------------------------------------------------------------ deadlines and the end

    def _watch(self) -> None:
        """Set the deadline anew when another reply is awaited than before."""
        head = self.engine.head
        if head is self._watched or self.lost or self._handshake is not None:
            return
        self._watched = head
        if head is not None:
            self._limit(self._deadlines.allowance(head), head.name)

    def _limit(self, seconds: float, what: str) -> None:
        self._deadline = self.clock.seconds() + seconds
        self._what = f"The server took more than {seconds:.0f} s for {what}"
        if self._timer is None or not self._timer.active():
            self._timer = self.clock.callLater(seconds, self._tick)
        elif self._timer.getTime() > self._deadline:
            self._timer.reset(seconds)

    def _tick(self) -> None:
        if self.lost:
            return
        left = self._deadline - self.clock.seconds()
        if self._blocked is not None:
            self._timer = self.clock.callLater(max(left, 1.0), self._tick)
        elif left > 0:
            self._timer = self.clock.callLater(left, self._tick)
        elif self._watched is not None or self._handshake is not None:
            self.give_up(Unavailable(self._what))

    def _give_up_by(self, _: Deferred[object] | Deferred[None]) -> None:
        self.give_up(Unavailable("Stopped here"))

    def _end(self, error: MailshareError) -> None:
        if self.lost:
            return
        self.lost = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        waiters, self._waiters = list(dict.fromkeys(self._waiters.values())), {}
        writable, self._writable = self._writable, []
        handshake, self._handshake = self._handshake, None
        for waiter in waiters:
            waiter.fail(error)
        for deferred in (*([handshake] if handshake else ()), *writable):
            if not deferred.called:
                deferred.errback(error)


def _about_certificate(error: BaseException | None) -> bool:
    """Whether a handshake failed because of who the other side is, and not because of the line."""
    if isinstance(error, VerificationError):
        return True
    return isinstance(error, SSLError) and "certificate verify failed" in repr(error.args)


async def _wait_for(wait: Awaitable[None]) -> None:
    await wait


async def connect(
    server: Server,
    engine: EngineT,
    greeting: Command,
    reactor: IReactorTime,
    *,
    deadlines: Deadlines | None = None,
    endpoint: IStreamClientEndpoint | None = None,
) -> tuple[Conversation[EngineT], object]:
    """Connect, do the TLS handshake where TLS is implicit, and wait for the greeting.

    :param reactor: also ``IReactorTCP`` and a resolver, unless ``endpoint`` is given.
    :param endpoint: in place of a TCP connection to ``server``, for tests and tunnels.
    :returns: the conversation and the greeting's reply.
    :raises Unavailable, PeerFault: no connection came about.
    :cancel: cuts the connection.
    """
    limits = deadlines or Deadlines()
    if endpoint is None:
        endpoint = HostnameEndpoint(reactor, server.host, server.port, timeout=limits.connect)
    conversation = Conversation(engine, reactor, limits)
    factory = Factory.forProtocol(lambda: conversation)
    factory.noisy = False
    began = reactor.seconds()
    connecting = endpoint.connect(factory)
    connecting.addTimeout(limits.connect, reactor)
    try:
        await connecting
    except ConnectingCancelledError as error:
        # An endpoint says so both when we are cancelled and when the deadline has come.
        if reactor.seconds() - began < limits.connect:
            raise CancelledError from error
        raise Unavailable(f"No connection to {server.host} port {server.port} within {limits.connect:.0f} s") from error
    except (ConnectError, DNSLookupError, OSError, CancelledError) as error:
        if isinstance(error, CancelledError):
            raise
        raise Unavailable(f"No connection to {server.host} port {server.port}: {error}"[:300]) from error
    except TimeoutError as error:
        raise Unavailable(f"No connection to {server.host} port {server.port} within {limits.connect:.0f} s") from error
    hello = conversation.ask(greeting)
    if server.tls == "implicit":
        try:
            await conversation.start_tls(server)
        except MailshareError:
            hello.addErrback(lambda _: None)  # it ended for the same reason
            raise
    return conversation, await hello
