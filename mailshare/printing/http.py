"""IPP over HTTP: what comes is read, looked at and stored while it arrives. Source: RFC 8010 section 4.

Twisted's HTTP does the rest of it: chunks, ``Expect: 100-continue``, keep-alive.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from typing_extensions import override
from zope.interface import implementer

from mailshare.core.errors import LocalFault, MailshareError, PeerFault
from mailshare.printing.access import Access
from mailshare.printing.asking import ASKING
from mailshare.printing.basic_login import CHALLENGE, Check, logged_in
from mailshare.printing.creating import CREATING
from mailshare.printing.documents import Inflation
from mailshare.printing.exchange import AUTHORITY, Begin, Caller, Exchange
from mailshare.printing.operating import OPERATING
from mailshare.printing.pages import Pages
from mailshare.printing.service import PrintService
from mailshare.printing.steering import STEERING
from mailshare.printing.subscribing import SUBSCRIBING
from mailshare.shell.http_connections import CountedChannel, OpenConnections
from mailshare.shell.limits import ConnectionLimits
from mailshare.wire.ipp_asked import answer
from mailshare.wire.ipp_codec import IPPFault, MessageReader, encode
from mailshare.wire.ipp_codes import Status

OPERATIONS: Mapping[int, Begin] = {**CREATING, **ASKING, **STEERING, **OPERATING, **SUBSCRIBING}
IPP_TYPE = b"application/ipp"
_BEYOND = 1 << 24  # octets after which a client that sends more than is taken is cut off
_WORTH_PACKING = 2_048
_HANDSHAKE = 30  # seconds
_METHODS = ("GET", "HEAD", "OPTIONS", "POST")
_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n\r\n"


class PrintRequest(http.Request):
    """One HTTP request."""

    _said = Logger()
    channel: Any
    _feeding: Feeding | None = None
    _held: list[bytes] | None = None  # what comes of the body while the login is looked at
    _whole: tuple[bytes, bytes, bytes] | None = None
    _stranger = False

    @override
    def gotLength(self, length: int | None) -> None:
        """The headers are there; Twisted calls this. Nothing of the body is kept by Twisted."""
        self.content = BytesIO()
        site: PrintSite = self.channel.factory
        if not site.asks_logins or not site.access.prints(self.channel.peer):
            self._open("")
            return
        self._held = []
        self.channel.transport.pauseProducing()
        work = Deferred.fromCoroutine(site.login(self._header("Authorization"), self.channel.peer))
        work.addErrback(lambda failure: self._said.failure("a login could not be looked at", failure=failure))
        work.addCallback(self._known)

    def _known(self, user: str | None) -> None:
        """Who asks is known now, or nobody: go on with what came meanwhile."""
        held, self._held = self._held or [], None
        if self._disconnected:
            return
        transport = self.channel.transport
        if user:
            self._open(user)
        self._stranger = not user
        for data in held:
            self.handleContentChunk(data)
        if self._whole is not None:
            self.requestReceived(*self._whole)
        transport.resumeProducing()

    def _open(self, user: str) -> None:
        if self._header("Content-Type").partition(";")[0].strip().lower() == IPP_TYPE.decode():
            self._feeding = self.channel.factory.feeding(self, user)

    def _header(self, name: str) -> str:
        return self.getHeader(name) or ""

    @override
    def handleContentChunk(self, data: bytes) -> None:
        """Some octets of the body; Twisted calls this."""
        if self._held is not None:
            self._held.append(data)
            return
        if self._feeding is None:
            return
        try:
            wait = self._feeding.feed(data)
        except PeerFault:
            self.channel.forceAbortClient()
            return
        if wait is not None:
            transport = self.channel.transport
            transport.pauseProducing()
            done = Deferred.fromCoroutine(_finished(wait))
            done.addErrback(lambda _: None)  # the intake keeps what went wrong for its end
            done.addCallback(lambda _: transport.resumeProducing())

    @override
    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it has come; Twisted calls this."""
        if self._held is not None:
            self._whole = (command, path, version)
            return
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.split(b"?", 1)[0]
        self.client = self.channel.getPeer()
        self.host = self.channel.getHost()
        site: PrintSite = self.channel.factory
        if not site.access.prints(self.channel.peer):
            self._plain(403, b"Printing is not allowed from here\n")
        elif self._wants_tls(site):
            self.channel.into_tls(site.tls, lambda: self.requestReceived(command, path, version))
        elif command == b"OPTIONS":
            self.setHeader("Allow", ", ".join(_METHODS))
            self._plain(200, b"")
        elif self._stranger:
            self.setHeader("WWW-Authenticate", CHALLENGE)
            self._plain(401, b"A name and a password of this office are asked for\n")
        elif command == b"POST" and self._feeding is not None:
            work = Deferred.fromCoroutine(self._feeding.finish())
            work.addCallback(self._ipp)
            work.addErrback(self._failed)
        elif command in (b"GET", b"HEAD"):
            self._page(site)
        else:
            self._plain(415 if command == b"POST" else 405, b"Here application/ipp is spoken, by POST\n")

    def _wants_tls(self, site: PrintSite) -> bool:
        """The client asks to go on inside TLS (RFC 2817 section 3), before it sends anything that matters."""
        asked = {word.strip().lower() for word in self._header("Connection").split(",")}
        offered = {word.strip().partition("/")[0].upper() for word in self._header("Upgrade").split(",")}
        bare = self._header("Content-Length") in ("", "0") and not self._header("Transfer-Encoding")
        possible = site.tls is not None and not self.isSecure() and self.clientproto == b"HTTP/1.1"
        return possible and bare and "upgrade" in asked and "TLS" in offered

    def _ipp(self, data: bytes) -> None:
        if self._disconnected:
            return
        self.setHeader("Content-Type", IPP_TYPE)
        self.setHeader("Cache-Control", "no-cache")
        if len(data) >= _WORTH_PACKING and "gzip" in self._header("Accept-Encoding"):
            packer = zlib.compressobj(wbits=31)
            data = packer.compress(data) + packer.flush()
            self.setHeader("Content-Encoding", b"gzip")
        self._send(data)

    def _page(self, site: PrintSite) -> None:
        found = site.pages.page(self.path.decode("latin-1"), authority_of(self), secure=self.isSecure())
        if found is None:
            self._plain(404, b"There is nothing here\n")
            return
        kind, data = found
        self.setHeader("Content-Type", kind)
        self._send(data)

    def _plain(self, status: int, words: bytes) -> None:
        self.setResponseCode(status)
        self.setHeader("Content-Type", b"text/plain; charset=utf-8")
        self._send(words)

    def _send(self, data: bytes) -> None:
        self.setHeader("Content-Length", str(len(data)).encode())
        self.write(b"" if self.method == b"HEAD" else data)
        self.finish()

    def _failed(self, failure: Failure) -> None:
        self._said.failure("an answer could not be made", failure=failure)
        if not self._disconnected:
            self._plain(500, b"Something went wrong here\n")

    @override
    def connectionLost(self, reason: Failure) -> None:
        """The client is gone; Twisted calls this."""
        if self._feeding is not None:
            self._feeding.abort()
        super().connectionLost(reason)


def authority_of(request: http.Request) -> str:
    """``host:port`` as the client calls us, if it is one; else our address."""
    asked = (request.getHeader("Host") or "").strip()
    if AUTHORITY.match(asked):
        return asked
    host: Any = request.channel.getHost()
    name = getattr(host, "host", "localhost")
    return f"[{name}]:{host.port}" if ":" in name else f"{name}:{getattr(host, 'port', 631)}"


class Feeding:
    """The octets of one request's body: attributes, then a document.

    :param most: octets of the body that are listened to.
    """

    _log = Logger()

    def __init__(self, begin: Callable[[Any], Exchange], most: int, encoding: str) -> None:
        self._begin = begin
        self._most = most
        self._taken = 0
        self._reader = MessageReader()
        self._fault: IPPFault | None = None
        self._exchange: Exchange | None = None
        self._inflation = Inflation(encoding) if encoding in ("gzip", "deflate") else None

    def feed(self, data: bytes) -> Awaitable[None] | None:
        """Take the next octets.

        :returns: to wait for, when the disk is behind.
        :raises PeerFault: there are far more of them than are taken.
        """
        self._taken += len(data)
        if self._taken > self._most:
            self.abort()
            raise PeerFault("The request is larger than this server takes")
        wait = None
        try:
            pieces = [data] if self._inflation is None else self._inflation.feed(data)
            for piece in pieces:
                wait = self._feed(piece) or wait
        except MailshareError as fault:
            self._fault = fault if isinstance(fault, IPPFault) else IPPFault(fault.public)
            self.abort()
        return wait

    def _feed(self, data: bytes) -> Awaitable[None] | None:
        if self._fault is not None:
            return None
        rest = data if self._exchange is not None else self._reader.feed(data)
        if self._exchange is None and self._reader.message is not None:
            self._exchange = self._begin(self._reader.message)
        return self._exchange.write(rest) if self._exchange is not None and rest else None

    async def finish(self) -> bytes:
        """The octets of the answer."""
        if self._exchange is None or self._fault is not None:
            fault = self._fault or IPPFault("The request ends before its attributes do")
            return encode(answer(self._reader.head, fault.ipp_status, fault.public))
        message = await self._exchange.finish()
        try:
            return encode(message)
        except LocalFault:
            self._log.failure("an answer cannot be written")
            return encode(answer(self._reader.head, Status.INTERNAL_ERROR, "Something went wrong here"))

    def abort(self) -> None:
        """The client is gone."""
        if self._exchange is not None:
            self._exchange.abort()


@implementer(IHandshakeListener)
class PrintChannel(CountedChannel):
    """One connection."""

    requestFactory = PrintRequest
    _inside: Callable[[], None] | None = None  # what waits for the handshake

    def into_tls(self, context: Any, then: Callable[[], None]) -> None:
        """Go on inside TLS.

        What the client has said in the clear behind its request is not taken as if it had come inside: it is cut off.

        :param then: answers the request, once the handshake is done: what is written before stops all reading.
        """
        if self.clearLineBuffer() or self._dataBuffer:
            self.forceAbortClient()
            return
        self._inside = then
        self.setTimeout(_HANDSHAKE)
        self.transport.write(_SWITCHING)
        self.transport.startTLS(context)

    def handshakeCompleted(self) -> None:
        """TLS stands; Twisted calls this."""
        then, self._inside = self._inside, None
        if then is not None:
            self.setTimeout(None)
            then()


class PrintSite(http.HTTPFactory):
    """The factory for ``ipp`` and ``ipps``.

    :param secure: connections are inside TLS, whatever the transport says.
    :param check: knows logins, for rules that ask for one.
    :ivar tls: with what a connection that came in the clear goes on inside TLS if the client wants it; ``None``: it
        does not.
    """

    noisy = False
    protocol: Any = PrintChannel

    def __init__(
        self,
        service: PrintService,
        access: Access,
        limits: ConnectionLimits,
        *,
        secure: bool,
        check: Check | None = None,
        tls: Any = None,
    ) -> None:
        super().__init__(timeout=60, reactor=service.reactor)
        self.service = service
        self.access = access
        self.pages = Pages(service)
        self._secure = secure
        self._check = check
        self.tls = tls
        self.connections = OpenConnections(limits, service.reactor)

    @override
    def log(self, request: Any) -> None:
        """Say nothing: what requests do is in the journal."""

    @property
    def asks_logins(self) -> bool:
        """Nobody prints without a name and a password."""
        return self.service.rules.login

    async def login(self, header: str, peer: str) -> str:
        """The login of an ``Authorization`` field, or nothing."""
        return "" if self._check is None else await logged_in(header, peer, self._check)

    def feeding(self, request: PrintRequest, user: str = "") -> Feeding | None:
        """What takes the body of a request; ``None`` from where printing is not allowed."""
        peer = request.channel.peer
        if not self.access.prints(peer):
            return None
        caller = Caller(
            peer,
            authority_of(request),
            secure=self._secure,
            operator=self.access.operates(peer),
            ports=self.access.ports,
            user=user,
        )
        encoding = (request.getHeader("Content-Encoding") or "").strip().lower()
        most = self.service.rules.most_octets + _BEYOND
        return Feeding(lambda message: Exchange(self.service, OPERATIONS, message, caller), most, encoding)

    async def drain(self, grace: float = 30) -> None:
        """Let requests under way end within ``grace`` seconds; idle connections go at once."""
        await self.connections.drain(grace)


async def _finished(wait: Awaitable[None]) -> None:
    await wait
