"""A maildrop in memory whose answers come when the test says, and a POP3 server on memory transports."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import pytest
from attrs import define, field
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from mailshare.core.errors import MailboxInUse
from mailshare.interfaces import IBody, IMailboxOpener, IMaildrop, IVerifierSource
from mailshare.pop3.factory import POP3Factory
from mailshare.shell.logins import IVerifiedLogin
from mailshare.wire.sasl.scram import make_verifier

MESSAGES = [
    b"Subject: one\r\n\r\nfirst\r\n.dot\r\n",
    b"Subject: two\r\n\r\n" + b"0123456789abcdef" * 4 + b"\r\n",
    b"Subject: three\r\n\r\nthird\r\n",
]


@implementer(IBody)
class MemoryBody:
    """A body of octets at hand."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.size = len(octets)
        self.header_length = octets.find(b"\r\n\r\n") + 4
        self.digest = self.content_digest = b""
        self.reads: list[tuple[int, int]] = []

    async def header(self, limit: int = 262144) -> bytes:
        return self._octets[: min(limit, self.header_length)]

    async def read(self, start: int, length: int) -> bytes:
        self.reads.append((start, length))
        return self._octets[start : start + min(length, 262144)]


@define(eq=False)
class Box:
    """What the maildrop of the tests holds, and what was done to it.

    ``broken`` names a method that raises; ``gates`` holds Deferreds that a method waits for.
    """

    messages: dict[int, bytes] = field(factory=lambda: dict(enumerate(MESSAGES, 11)))
    locked: bool = False
    log: list[tuple[object, ...]] = field(factory=list)
    broken: dict[str, Exception] = field(factory=dict)
    gates: dict[str, Deferred[None]] = field(factory=dict)
    bodies: list[MemoryBody] = field(factory=list)
    make_body: Callable[[bytes], MemoryBody] = MemoryBody

    async def gate(self, method: str) -> None:
        if method in self.gates:
            await self.gates[method]
        if method in self.broken:
            raise self.broken[method]


@implementer(IMaildrop)
class MemoryMaildrop:
    """A maildrop on a :class:`Box`."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._uids = array("q", box.messages)
        self.count = len(box.messages)
        self.octets = sum(map(len, box.messages.values()))

    async def snapshot(self) -> tuple[array[int], array[int]]:
        await self._box.gate("snapshot")
        return self._uids, array("q", map(len, self._box.messages.values()))

    def uidl(self, uid: int) -> str:
        return f"u{uid}"

    async def body(self, uid: int) -> MemoryBody:
        await self._box.gate("body")
        body = self._box.make_body(self._box.messages[uid])
        self._box.bodies.append(body)
        return body

    async def commit(self, deleted: Sequence[int], retrieved: Sequence[int] = ()) -> int:
        await self._box.gate("commit")
        self._box.log.append(("commit", tuple(deleted), tuple(retrieved)))
        for uid in deleted:
            del self._box.messages[uid]
        return len(deleted)

    def release(self) -> None:
        self._box.log.append(("release",))
        self._box.locked = False


@implementer(IMailboxOpener)
class MemoryOpener:
    """Opens the box, once at a time."""

    def __init__(self, box: Box) -> None:
        self._box = box

    async def open(self, owner: str) -> MemoryMaildrop:
        await self._box.gate("open")
        if self._box.locked:
            raise MailboxInUse
        self._box.locked = True
        self._box.log.append(("open", owner))
        return MemoryMaildrop(self._box)


@implementer(IRealm)
class Realm:
    """Gives everybody the same avatar."""

    def __init__(self, interface: object, avatar: object, log: list[tuple[object, ...]]) -> None:
        self._answer = interface, avatar, lambda: log.append(("logout",))

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> Deferred[object]:
        assert self._answer[0] in interfaces
        return succeed(self._answer)


@implementer(ICredentialsChecker)
class Checker:
    """Lets joe in with secret, or with whatever ``raises`` says instead of a refusal."""

    credentialInterfaces = (IUsernamePassword, IVerifiedLogin)

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.raises: Exception = UnauthorizedLogin()
        self.gate: Deferred[None] = succeed(None)

    def requestAvatarId(self, credentials: object) -> Deferred[object]:
        self.asked.append(credentials)
        if IVerifiedLogin.providedBy(credentials):
            return succeed(credentials.username)
        good = credentials.username == b"joe" and credentials.checkPassword(b"secret")
        result = succeed(b"joe") if good else fail(self.raises)
        return self.gate.addCallback(lambda _: result) if not self.gate.called else result


@implementer(IVerifierSource)
class Verifiers:
    """The verifier of joe's password."""

    async def verifier(self, name: str) -> str:
        if name == "broken":
            raise RuntimeError("the source is out of order")
        return make_verifier("secret", b"0123456789abcdef", 4096)


class Office:
    """A server with one box, its clock, and connections to it."""

    def __init__(self, interface: object = IMailboxOpener, avatar: object = None, **options: object) -> None:
        self.clock = Clock()
        self.box = Box()
        self.checker = Checker()
        self.seen: list[object] = []
        realm = Realm(interface, avatar or MemoryOpener(self.box), self.box.log)
        arguments = {"trusted_networks": ("192.0.2.0/24",), "verifier": Verifiers()} | options
        self.factory = POP3Factory(
            Portal(realm, [self.checker]),
            reactor=self.clock,
            hostname="pop.example",
            observe=self.seen.append,
            **arguments,
        )

    def connect(self, peer: str = "192.0.2.7") -> Client:
        return Client(self, peer)

    def close(self) -> None:
        for connection in list(self.factory._connections):
            connection.transport.connected and connection.connectionLost()


class Client:
    """One connection, seen from the client."""

    def __init__(self, office: Office, peer: str) -> None:
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", peer, 50000))
        self.protocol = office.factory.buildProtocol(self.transport.getPeer())
        self.writes: list[bytes] = []
        write = self.transport.write
        self.transport.write = lambda data: (self.writes.append(data), write(data))[1]
        self.protocol.makeConnection(self.transport)
        self.greeting = self.read()

    def read(self) -> bytes:
        said = self.transport.value()
        self.transport.clear()
        return said

    def say(self, *lines: bytes) -> bytes:
        """Send lines in one segment; what came back at once."""
        self.protocol.dataReceived(b"".join(line + b"\r\n" for line in lines))
        return self.read()

    def log_in(self) -> bytes:
        return self.say(b"USER joe", b"PASS secret")

    def drop(self) -> None:
        """The line breaks."""
        self.transport.connected = False
        self.protocol.connectionLost()

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting


@pytest.fixture
def build_office():
    """Makes offices; their connections are dropped at the end, so that no timer stays."""
    offices: list[Office] = []

    def build(*arguments: object, **options: object) -> Office:
        office = Office(*arguments, **options)
        offices.append(office)
        return office

    yield build
    for office in offices:
        office.close()


@pytest.fixture
def office(build_office):
    """An office with the usual settings."""
    return build_office()


@pytest.fixture
def pop3_kit():
    """The realm's class, an opener on a box of its own, and a checker, for servers on real sockets."""
    return Realm, MemoryOpener(Box()), Checker()
