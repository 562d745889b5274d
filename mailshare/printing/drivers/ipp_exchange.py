"""IPP over HTTP, the client's half: one request, the document behind it as the printer takes it, one answer.

A printer that is out of paper may stop reading in the middle of a document for as long as nobody comes, so that a
document has no deadline but a deadline between two of its octets. Everything else has one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IPolicyForHTTPS
from zope.interface import implementer

from mailshare.core.errors import Doubtful, MailshareError, NotTaken, Unavailable, UntrustedServer
from mailshare.core.values import Server
from mailshare.interfaces import IPrintable
from mailshare.shell.trust import tls_options
from mailshare.wire.ipp_codec import MessageReader, ReaderLimits, encode
from mailshare.wire.ipp_values import Message

CONNECT, ANSWER, STALL = 15.0, 60.0, 1800.0  # seconds
MOST_ANSWER = 4 << 20  # octets
_PIECE = 256 * 1024


@implementer(IPolicyForHTTPS)
class _Trusted(BrowserLikePolicyForHTTPS):
    """The certificate must bear the printer's name; further authorities as an account has them."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        """What TLS asks for; Twisted calls this."""
        del hostname, port
        return tls_options(self._server)


def agent_for(reactor: Any, server: Server) -> IAgent:
    """An agent that speaks with one printer; each request has a connection of its own, so that none is stale."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    agent: IAgent = Agent(reactor, _Trusted(server), connectTimeout=CONNECT, pool=pool)
    return agent


@implementer(IBodyProducer, IPushProducer)
class _Body:
    """The message, then the document.

    :ivar sent: octets of the document that have gone out.
    :ivar length: of all of it.
    """

    def __init__(self, head: bytes, document: IPrintable | None, moved: Callable[[], None]) -> None:
        self._head = head
        self._document = document
        self._moved = moved
        self.sent = 0
        self.length = len(head) + (0 if document is None else document.length)
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._stopped = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Begin; Twisted calls this."""
        return Deferred.fromCoroutine(self._produce(consumer))

    async def _produce(self, consumer: IConsumer) -> None:
        consumer.write(self._head)
        document = self._document
        while document is not None and self.sent < document.length:
            while self._paused:
                self._waiting = Deferred()
                await self._waiting
            piece = await document.read(self.sent, min(_PIECE, document.length - self.sent))
            if not piece:
                raise Unavailable(detail={"why": "a document ends before its size"})
            if self._over():
                return
            self.sent += len(piece)
            consumer.write(piece)
            self._moved()

    def _over(self) -> bool:
        return self._stopped

    def pauseProducing(self) -> None:
        """The printer reads no more just now; Twisted calls this."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads again; Twisted calls this."""
        self._paused = False
        self._moved()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The connection is over; Twisted calls this."""
        self._stopped = True
        self.resumeProducing()


class _Answer(Protocol):
    """Reads one IPP message out of a response."""

    def __init__(self) -> None:
        self._reader = MessageReader(ReaderLimits(octets=MOST_ANSWER))
        self.done: Deferred[Message] = Deferred(self._cut)

    def _cut(self, _: object) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Some of it; Twisted calls this."""
        if self.done.called:
            return
        try:
            self._reader.feed(data)
        except MailshareError as fault:
            self.done.errback(fault)
            self._cut(None)
            return
        if self._reader.message is not None:
            self.done.callback(self._reader.message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All of it, or the connection broke; Twisted calls this."""
        if not self.done.called:
            whole = reason.check(ResponseDone) is not None
            words = "The printer's answer is no IPP" if whole else "The connection broke in the printer's answer"
            self.done.errback(Unavailable(words))


class IPPExchange:
    """Requests to one printer.

    :param url: where they are posted to.
    """

    def __init__(self, agent: IAgent, url: str, clock: IReactorTime) -> None:
        self._agent = agent
        self._url = url.encode("ascii")
        self._clock = clock

    async def ask(self, message: Message, document: IPrintable | None = None) -> Message:
        """One request and its answer, whatever its status is.

        :raises NotTaken: no octet of the document was sent.
        :raises Doubtful: some of the document was sent, and there is no answer.
        :raises Unavailable: there is no answer to a request without a document.
        :cancel: cuts the connection.
        """
        limit: IDelayedCall | None = None
        late = False

        def moved() -> None:
            """Some of it has gone out: wait anew for the next."""
            if limit is not None and limit.active():
                limit.reset(ANSWER if document is None or body.sent == document.length else STALL)

        body = _Body(encode(message), document, moved)
        work = Deferred.fromCoroutine(self._exchanged(body))

        def give_up() -> None:
            """Nothing has moved for too long."""
            nonlocal late
            late = True
            work.cancel()

        limit = self._clock.callLater(CONNECT + ANSWER, give_up)
        try:
            answer = await work
        except CancelledError as error:
            if not late:
                raise
            raise self._judged(document, body, "The printer does not answer", error) from error
        except (UntrustedServer, NotTaken) as error:
            raise self._judged(document, body, error.public, error) from error
        except Exception as error:  # a connection may end in many ways, and each of them means the same here
            words = error.public if isinstance(error, MailshareError) else _words(error)
            raise self._judged(document, body, words, error) from error
        finally:
            if limit.active():
                limit.cancel()
        if answer.request_id != message.request_id:
            raise self._judged(document, body, "The printer answers another question", None)
        return answer

    async def _exchanged(self, body: _Body) -> Message:
        headers = Headers({b"Content-Type": [b"application/ipp"], b"User-Agent": [b"mailshare"]})
        response: Any = await self._agent.request(b"POST", self._url, headers, body)
        if response.code != 200:
            raise NotTaken(f"The printer answers with HTTP status {response.code}")
        if response.length is not UNKNOWN_LENGTH and response.length > MOST_ANSWER:
            raise Unavailable("The printer's answer is larger than any answer is")
        answer = _Answer()
        response.deliverBody(answer)
        return await answer.done

    @staticmethod
    def _judged(document: IPrintable | None, body: _Body, words: str, error: BaseException | None) -> MailshareError:
        if document is not None:
            return Doubtful(words) if body.sent else NotTaken(words, reasons=("connecting-to-device",))
        return error if isinstance(error, UntrustedServer) else Unavailable(words)


def _words(error: BaseException) -> str:
    """What ended a connection, in words."""
    reasons = getattr(error, "reasons", None) if isinstance(error, ResponseFailed) else None
    causes = [one.value for one in reasons or ()]
    for cause in (error, *causes):
        if "certificate verify failed" in repr(cause) or type(cause).__name__ == "VerificationError":
            return "The certificate of the printer is not trusted"
    if any(isinstance(one, ConnectionLost) for one in causes) or causes:
        return "The printer broke off the connection"
    return f"The printer cannot be reached: {error}"[:300]
