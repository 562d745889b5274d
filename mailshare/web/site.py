"""The manager's HTTP server: connections are counted, bodies are bounded before they are read, nothing is logged twice.

Only HTTP/1.1 is spoken, inside TLS as well. Source: RFC 9110, RFC 9112.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.resource import IResource
from typing_extensions import override

from mailshare.shell.http_connections import CountedChannel, OpenConnections
from mailshare.shell.limits import ConnectionLimits

MOST_BODY = 1 << 20
"""Octets of a body that somebody may send who is logged in or shows a token."""
MOST_UNKNOWN = 1 << 14
"""Octets that anybody else may send: a form to log in is small."""
PATIENCE = 60
"""Seconds for the head of a request, and as many again for its body besides what :data:`PACE` gives."""
PACE = 1 << 14
"""Octets of a body that have to come each second, or whoever dribbles would hold connections for ever."""
_TOO_LARGE = "The request is too large"
_TOO_SLOW = "The request came too slowly"
_DISCARDED = 1 << 21  # octets after the refusal that are read and forgotten, so that the client hears it
_SERVER = (b"Server", [b"mailshare"])
_HEADERS = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Permissions-Policy", b"camera=(), geolocation=(), microphone=()"),
    (
        b"Content-Security-Policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            b"font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
)
OF_PICTURES = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""The policy (CSP) of a picture that is shown alone."""
Refusal = tuple[int, str] | None
"""Status and a sentence; ``None`` when nothing is wrong."""


@frozen
class Room:
    """Where the body of one request goes that is larger than others.

    :ivar content: a file to write to; closing it takes it away.
    :ivar most: octets.
    :ivar closed: the request is over.
    """

    content: Any
    most: int
    closed: Callable[[], None] = lambda: None


class ManagerRequest(server.Request):
    """One request. What the site refuses never reaches a page."""

    channel: Any
    site: Any
    content: Any
    _refused = False
    _taken = 0
    _most = MOST_UNKNOWN

    @override
    def gotLength(self, length: int | None) -> None:
        """The headers are there; Twisted calls this before it reads the body."""
        self.content = BytesIO()
        known = self.getHeader(b"Cookie") or self.getHeader(b"Authorization")
        self._most = MOST_BODY if known else MOST_UNKNOWN
        room = self.channel.factory.room(self, self.channel.command, self.channel.way)
        if isinstance(room, Room):
            self.content, self._most = room.content, room.most
            self.notifyFinish().addBoth(lambda _: room.closed())
        elif room is not None:
            self._stop(*room)
        self.channel.wait(PATIENCE + min(self._most if length is None else length, self._most) / PACE)
        if length is not None and length > self._most:
            self._stop(413, _TOO_LARGE)

    @override
    def handleContentChunk(self, data: bytes) -> None:
        """Some octets of the body; Twisted calls this."""
        self._taken += len(data)
        if self._refused:
            if self._taken > _DISCARDED:
                self.channel.transport.abortConnection()
            return
        if self._taken > self._most:
            self._stop(413, _TOO_LARGE)
            return
        try:
            self.content.write(data)
        except OSError as fault:
            self._stop(507, f"The document cannot be kept here: {fault.strerror}")

    def _stop(self, status: int, text: str) -> None:
        """Say so at once, without reading what follows."""
        if self._refused:
            return
        self._refused = True
        self.content.close()
        self.content = BytesIO()
        self.channel.transport.write(_refusal(status, text))
        if self.requestHeaders.hasHeader(b"Expect"):  # the client waits for a word before it sends anything: this is it
            self.requestHeaders.removeHeader(b"Expect")
            self.channel.loseConnection()

    @override
    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it has come; Twisted calls this."""
        self.channel.wait(0)
        if self._refused:
            self.channel.loseConnection()
            return
        super().requestReceived(command, self._origin_form(path), version)

    def _origin_form(self, path: bytes) -> bytes:
        """The path of an address that came whole, as through a proxy; its host counts then (RFC 9112 section 3.2.2)."""
        scheme, mark, rest = path.partition(b"://")
        if not mark or scheme.lower() not in (b"http", b"https"):
            return path
        host, _, way = rest.partition(b"/")
        self.requestHeaders.setRawHeaders(b"Host", [host])
        return b"/" + way

    @override
    def getHeader(self, key: Any) -> Any:
        """One field of the head; octets that are no UTF-8 are marked as such, where Twisted would fail."""
        if isinstance(key, bytes):
            return super().getHeader(key)
        found = super().getHeader(key.encode("ascii"))
        return None if found is None else found.decode("utf-8", "replace")

    @override
    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """The status of the answer, with its usual words, of which Twisted knows some."""
        super().setResponseCode(code, message or HTTPStatus(code).phrase.encode())

    @override
    def render(self, resrc: Any) -> None:
        """What answers is found; Twisted has written its own name and version into the head by now."""
        self.responseHeaders.setRawHeaders(*_SERVER)
        super().render(resrc)

    @override
    def process(self) -> None:
        """Look at what holds for every page before one is chosen; Twisted calls this."""
        for name, value in _HEADERS:
            self.responseHeaders.setRawHeaders(name, [value])
        refusal = (400, "Name a page") if self.path == b"*" else self.channel.factory.refusal(self)
        if refusal is None:
            super().process()
            return
        status, words = refusal
        self.responseHeaders.setRawHeaders(*_SERVER)
        self.setResponseCode(status)
        self.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        self.setHeader(b"Cache-Control", b"no-store")
        self.write(words.encode() + b"\n")
        self.finish()


def _refusal(status: int, text: str) -> bytes:
    """A whole answer, after which nothing more is read."""
    words = f"{text}\n".encode()
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Connection: close\r\nContent-Length: {len(words)}\r\n\r\n"
    ).encode() + words


class ManagerChannel(CountedChannel):
    """One connection."""

    requestFactory = ManagerRequest
    site: Any
    _command: bytes
    _path: bytes
    _answering = False
    _due: IDelayedCall | None = None

    @override
    def dataReceived(self, data: bytes) -> None:
        """Some octets; Twisted calls this. With the first ones of a request its time begins."""
        if self._due is None and not self._answering:
            self.wait(PATIENCE)
        super().dataReceived(data)

    def wait(self, seconds: float) -> None:
        """What comes next has to be here within so many seconds; 0 = it is here."""
        self._answering = not seconds
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = self.factory.reactor.callLater(seconds, self._too_slow) if seconds else None

    def _too_slow(self) -> None:
        self.transport.write(_refusal(408, _TOO_SLOW))
        self.loseConnection()

    @override
    def requestDone(self, request: Any) -> None:
        """It is answered; Twisted calls this."""
        self._answering = False
        super().requestDone(request)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone; Twisted calls this."""
        self.wait(0)
        super().connectionLost(reason)

    @property
    def command(self) -> str:
        """The method of the request whose headers came last."""
        return self._command.decode("ascii", "replace")

    @property
    def way(self) -> str:
        """Its path, without the query."""
        return self._path.partition(b"?")[0].decode("ascii", "replace")


class ManagerSite(server.Site):
    """The factory for ``web`` listeners.

    :param refusal: looks at each request before any page does.
    :param room: room for the body of a request, by method and path; a refusal; or ``None`` for a body like others.
    :param leaving: ends what would stay open for ever, when the listener goes.
    """

    noisy = False
    displayTracebacks = False
    protocol: Any = ManagerChannel

    def __init__(
        self,
        resource: IResource,
        reactor: Any,
        limits: ConnectionLimits,
        refusal: Callable[[Any], Refusal],
        leaving: Callable[[], None],
        room: Callable[[Any, str, str], Room | Refusal],
    ) -> None:
        # Pages read their forms themselves: Twisted's reader would take a whole document into memory.
        super().__init__(
            resource, requestFactory=ManagerRequest, timeout=60, reactor=reactor, parsePOSTFormSubmission=False
        )
        self.refusal = refusal
        self.room = room
        self._leaving = leaving
        self.connections = OpenConnections(limits, reactor)

    @override
    def log(self, request: Any) -> None:
        """Say nothing: what requests do is in the journal."""

    async def drain(self, grace: float = 30) -> None:
        """Let requests under way end within ``grace`` seconds; idle connections and event streams go at once."""
        self._leaving()
        await self.connections.drain(grace)
