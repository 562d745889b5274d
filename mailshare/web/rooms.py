"""What the pages share: the office, who may log in, the templates, and the lines that wait to be shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO

from attrs import define, field, frozen

from mailshare.core.errors import Unavailable
from mailshare.core.values import Administrator, WebSession
from mailshare.interfaces import (
    IAdministration,
    IAdministrators,
    IApiTokens,
    IFirstRun,
    IHandoutLinks,
    IHandouts,
    ISetupCode,
    IWebSessions,
)
from mailshare.shell.limits import ConnectionLimits
from mailshare.web.events import EventStream
from mailshare.web.rendering import Rendering
from mailshare.web.static_files import StaticFiles
from mailshare.web.uploads import NewFile

MOST_STREAMS = 200
MOST_OF_ONE = 20
MOST_OF_BROWSER = 3
"""Streams that one browser holds open: it makes six connections to a server, and pages need some (RFC 9112 9.4)."""
_MOST_LINES = 500


@frozen
class Undo:
    """A button that takes back what was just done.

    :ivar way: where it posts to, with ``fields``.
    :ivar seconds: after which that is too late; 0 = never.
    """

    way: str
    fields: Mapping[str, str]
    seconds: int = 0


@frozen
class Line:
    """What the next page of a browser tells."""

    text: str = ""
    bad: bool = False
    undo: Undo | None = None


@frozen
class Reader:
    """Whose an event stream is.

    :ivar name: of the administrator. ``peer``: the address. ``browser``: the id of its session; empty for programs.
    """

    name: str
    peer: str
    browser: str = ""


async def _no_copy() -> BinaryIO:
    raise Unavailable("No copy can be made here")


@define
class Rooms:
    """Everything that a page may need.

    :ivar hosts: names of this server, casefolded.
    :ivar reactor: IReactorTime.
    :ivar version: of the program.
    :ivar password: makes up a password that people can type.
    :ivar new_file: for a document that is sent here; gone when it is closed.
    :ivar copy: a copy of everything, packed; at its beginning.
    :ivar streams: of events, with who reads them; see :meth:`bound`.
    :ivar free: octets that a document may have for which the disk has room, unpacked as well.
    """

    office: IAdministration
    administrators: IAdministrators
    sessions: IWebSessions
    tokens: IApiTokens
    setup_code: ISetupCode
    rendering: Rendering
    static: StaticFiles
    reactor: Any
    hosts: Callable[[], Collection[str]]
    first_run: IFirstRun
    handouts: IHandouts
    links: IHandoutLinks
    version: str = ""
    password: Callable[[], str] = str
    new_file: NewFile = BytesIO
    copy: Callable[[], Awaitable[BinaryIO]] = _no_copy
    free: Callable[[], int] = lambda: 1 << 40
    streams: dict[EventStream, Reader] = field(factory=dict)
    most_streams: int = MOST_STREAMS
    most_of_peer: int = MOST_OF_ONE
    _lines: dict[str, Line] = field(factory=dict)

    @staticmethod
    def moment(at: int) -> str:
        """Microseconds UTC as the text that templates take; empty for 0."""
        return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""

    def say(self, session: WebSession, line: Line) -> None:
        """Show a line on the next page of a browser."""
        self._lines[session.id] = line
        while len(self._lines) > _MOST_LINES:
            del self._lines[next(iter(self._lines))]

    def said(self, session: WebSession | None) -> Line:
        """The line that waits for a browser, once."""
        return self._lines.pop(session.id, Line()) if session is not None else Line()

    def visitor(self, request: Any) -> tuple[Administrator | None, WebSession | None]:
        """Who the cookie of a request belongs to; a locked session has nobody."""
        session = self.sessions.find(_cookie(request))
        if session is None:
            return None, None
        return self.administrators.find(session.name), session

    def bound(self, limits: ConnectionLimits) -> None:
        """Leave some of a listener's connections to pages, in all and for each address: streams are there for long."""
        self.most_streams = min(MOST_STREAMS, max(limits.total * 3 // 4, 1))
        self.most_of_peer = max(limits.per_peer * 3 // 4, 1)

    def admit(self, request: Any, name: str) -> None:
        """See that there is room for one more event stream; else the connection ends with the answer.

        :raises Unavailable: too many are open, of this administrator, from this address or in all.
        """
        readers, peer = list(self.streams.values()), _peer(request)
        mine = sum(one.name == name for one in readers)
        near = sum(one.peer == peer for one in readers)
        if len(readers) >= self.most_streams or mine >= MOST_OF_ONE or near >= self.most_of_peer:
            last_answer(request)
            raise Unavailable("Too many pages or event streams are open at the same time; close some")

    def crowded(self, browser: str) -> bool:
        """Whether a browser has so many streams open that further ones would leave it no connection for pages."""
        return sum(one.browser == browser for one in self.streams.values()) >= MOST_OF_BROWSER

    def keep(self, stream: EventStream, request: Any, name: str, browser: str = "") -> None:
        """Count a stream, and end it with the listener.

        :param browser: the id of its session.
        """
        self.streams[stream] = Reader(name, _peer(request), browser)
        stream.done.addBoth(lambda _: self.streams.pop(stream, None))

    def look_again(self) -> None:
        """Somebody left or was locked out: end the streams that he had open."""
        for stream in list(self.streams):
            stream.still_allowed()

    def end_streams(self, of: Sequence[str] | None = None) -> None:
        """End event streams, of these people or all."""
        for stream, reader in list(self.streams.items()):
            if of is None or reader.name in of:
                stream.end()


def last_answer(request: Any) -> None:
    """End the connection with the answer, so that it is free for others."""
    request.setHeader("Connection", "close")
    request.channel.persistent = False


def _peer(request: Any) -> str:
    return str(getattr(request.getClientAddress(), "host", ""))


def cookie_name(request: Any) -> bytes:
    """Inside TLS the name that browsers keep for this host and path alone (RFC 6265bis section 4.1.3.2)."""
    return b"__Host-ms" if request.isSecure() else b"ms"


def _cookie(request: Any) -> str:
    value: bytes = request.received_cookies.get(cookie_name(request), b"")
    return value.decode("ascii", "replace")


def set_cookie(request: Any, secret: str) -> None:
    """Give a browser its secret; an empty one takes it away."""
    request.addCookie(
        cookie_name(request),
        secret,
        path="/",
        httpOnly=True,
        secure=request.isSecure(),
        sameSite="lax",
        max_age=None if secret else "0",
    )
