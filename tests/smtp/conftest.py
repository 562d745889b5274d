"""An office of one for the SMTP server: a realm, a login, a memory of what was handed in, a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import define, field
from twisted.cred.checkers import ANONYMOUS, AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from zope.interface import implementer

from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NoSuchUser, PolicyRefusal
from mailshare.interfaces import ISession, ISubmission, ISubmitter
from mailshare.shell.connection import Connection
from mailshare.smtp.factory import SMTPFactory


@define
class Book:
    """What the realm was told, and how it shall behave.

    :ivar hold: a Deferred that the next answer waits for.
    """

    taken: list[tuple[str, Envelope, bytes]] = field(factory=list)
    aborted: int = 0
    logins: list[str] = field(factory=list)
    logouts: list[str] = field(factory=list)
    lights: list[int] = field(factory=list)
    hold: Deferred[None] | None = None
    write_hold: Deferred[None] | None = None
    write_error: Exception | None = None
    finish_error: Exception | None = None
    sender_error: Exception | None = None


@implementer(ISubmission)
class MemorySubmission:
    """Keeps a message."""

    def __init__(self, book: Book, user: str, envelope: Envelope) -> None:
        self.book, self.user, self.envelope, self.body = book, user, envelope, b""

    def write(self, data: bytes) -> Deferred[None] | None:
        if self.book.write_error is not None:
            raise self.book.write_error
        self.body += data
        return self.book.write_hold

    async def finish(self) -> str:
        if self.book.hold is not None:
            await self.book.hold
        if self.book.finish_error is not None:
            raise self.book.finish_error
        self.book.taken.append((self.user, self.envelope, self.body))
        return f"{len(self.book.taken):016x}"

    def abort(self) -> None:
        self.book.aborted += 1


@implementer(ISubmitter)
class MemorySubmitter:
    """Takes mail for joe from anybody, and for the outside from those who logged in."""

    def __init__(self, book: Book, user: str) -> None:
        self.book, self.user = book, user

    async def sender(self, envelope: Envelope, session: ISession) -> None:
        if self.book.sender_error is not None:
            raise self.book.sender_error
        if self.book.hold is not None:
            await self.book.hold

    async def recipient(self, envelope: Envelope, recipient: Recipient, session: ISession) -> None:
        local, domain = recipient.address.key
        if domain == "outside.test" and not self.user:
            raise PolicyRefusal("No relaying")
        if domain == "test.local" and local != "joe":
            raise NoSuchUser

    async def submit(self, envelope: Envelope, session: ISession) -> ISubmission:
        return MemorySubmission(self.book, self.user, envelope)


@implementer(IRealm)
class MemoryRealm:
    """Gives submitters."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> tuple[object, object, object]:
        name = "" if avatarId is ANONYMOUS else avatarId.decode()  # type: ignore[attr-defined]
        self.book.logins.append(name)
        return ISubmitter, MemorySubmitter(self.book, name), lambda: self.book.logouts.append(name)


@pytest.fixture
def book() -> Book:
    """What the realm was told."""
    return Book()


@pytest.fixture
def clock() -> Clock:
    """The server's only clock."""
    return Clock()


@pytest.fixture
def portal(book: Book) -> Portal:
    """Knows joe, whose password is secret, and lets nobody in as nobody."""
    portal = Portal(MemoryRealm(book))
    portal.registerChecker(InMemoryUsernamePasswordDatabaseDontUse(joe=b"secret"))
    portal.registerChecker(AllowAnonymousAccess())
    return portal


@pytest.fixture
def make_factory(book: Book, clock: Clock, portal: Portal) -> Callable[..., SMTPFactory]:
    """Give a function that builds a factory with some options changed."""

    def make(**options: object) -> SMTPFactory:
        options.setdefault("reactor", clock)
        return SMTPFactory(portal, hostname="mail.test", observe=lambda step, _: book.lights.append(step), **options)

    return make


class Client:
    """A peer on a memory transport."""

    def __init__(self, factory: SMTPFactory, host: str = "192.0.2.7") -> None:
        self.protocol: Connection = factory.buildProtocol(IPv4Address("TCP", host, 12345))
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    @property
    def gone(self) -> bool:
        return not self.transport.connected

    def read(self) -> list[str]:
        lines = self.transport.value().decode().splitlines()
        self.transport.clear()
        return lines

    def say(self, *octets: bytes) -> list[str]:
        for some in octets:
            if not self.gone:
                self.protocol.dataReceived(some)
        return self.read()

    def codes(self, *lines: bytes) -> list[str]:
        return [line[:3] for line in self.say(*(line + b"\r\n" for line in lines)) if line[3:4] == " "]


@pytest.fixture
def connect(make_factory: Callable[..., SMTPFactory]) -> Callable[..., Client]:
    """Give a function that connects a client to a factory, a plain one when none is given."""

    def make(factory: SMTPFactory | None = None, host: str = "192.0.2.7") -> Client:
        return Client(factory or make_factory(), host)

    return make
