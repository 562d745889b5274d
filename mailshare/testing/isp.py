"""A pretend provider: a mailbox or some over POP3, a smarthost over SMTP, in this process.

It is made of mailshare's own server factories with another realm behind them, so it also shows how little a program
needs to serve mail with them. Mail from outside comes in by itself every few seconds; what is handed to the smarthost
is remembered, and comes back when it is addressed to the mailbox.
"""

from __future__ import annotations

import hashlib
import hmac
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import Interface, implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import LoginRefused, MailboxInUse, Unavailable
from mailshare.interfaces import IBody, IMailboxOpener, IMaildrop, ISession, ISubmission, ISubmitter
from mailshare.pop3.factory import POP3Factory
from mailshare.smtp.factory import SMTPFactory

_PIECE = 262_144


@implementer(IBody)
class Letter:
    """A message in memory.

    :param octets: with CRLF line ends.
    """

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        end = octets.find(b"\r\n\r\n")
        self.size = len(octets)
        self.header_length = end + 4 if end >= 0 else len(octets)
        self.digest = hashlib.sha256(octets).digest()
        self.content_digest = hashlib.sha256(octets[self.header_length :].rstrip()).digest()

    async def header(self, limit: int = _PIECE) -> bytes:
        """The header block."""
        return self._octets[: min(self.header_length, limit)]

    async def read(self, start: int, length: int) -> bytes:
        """Octets from ``start``."""
        return self._octets[start : start + min(length, _PIECE)]


@define
class Box:
    """A mailbox."""

    letters: dict[int, tuple[str, Letter]] = field(factory=dict)
    locked: bool = False
    last: int = 0

    def put(self, octets: bytes, uidl: str) -> None:
        """A message came in."""
        self.last += 1
        self.letters[self.last] = (uidl, Letter(octets))


@implementer(IMaildrop)
class Drop:
    """One session with the box: what came later is not seen."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._seen = dict(box.letters)
        self.count = len(self._seen)
        self.octets = sum(letter.size for _, letter in self._seen.values())

    async def snapshot(self) -> tuple[array[int], array[int]]:
        """Uids and sizes."""
        return array("q", self._seen), array("q", [letter.size for _, letter in self._seen.values()])

    def uidl(self, uid: int) -> str:
        """The unique-id."""
        return self._seen[uid][0]

    async def body(self, uid: int) -> IBody:
        """The message."""
        if uid not in self._box.letters:
            raise Unavailable
        return self._seen[uid][1]

    async def commit(self, deleted: Sequence[int], retrieved: Sequence[int] = ()) -> int:
        """Take messages away."""
        del retrieved
        return sum(self._box.letters.pop(uid, None) is not None for uid in deleted)

    def release(self) -> None:
        """Let others in."""
        self._box.locked = False


@implementer(IMailboxOpener)
@frozen
class Opener:
    """The POP3 avatar."""

    box: Box

    async def open(self, owner: str) -> IMaildrop:
        """Lock the box."""
        del owner
        if self.box.locked:
            raise MailboxInUse
        self.box.locked = True
        return Drop(self.box)


@implementer(ISubmission)
class Parcel:
    """One message being handed in."""

    def __init__(self, envelope: Envelope, taken: Callable[[Envelope, bytes], str]) -> None:
        self._envelope = envelope
        self._taken = taken
        self._octets = bytearray()

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Keep some octets."""
        self._octets += data
        return None

    async def finish(self) -> str:
        """All is there."""
        return self._taken(self._envelope, bytes(self._octets))

    def abort(self) -> None:
        """Forget it."""
        self._octets.clear()


@implementer(ISubmitter)
@frozen
class Smarthost:
    """The SMTP avatar: whoever has logged in may send anywhere."""

    taken: Callable[[Envelope, bytes], str]

    async def sender(self, envelope: Envelope, session: ISession) -> None:
        """Anybody."""

    async def recipient(self, envelope: Envelope, recipient: Recipient, session: ISession) -> None:
        """Anywhere."""

    async def submit(self, envelope: Envelope, session: ISession) -> ISubmission:
        """Give a place for the message."""
        del session
        return Parcel(envelope, self.taken)


@implementer(IRealm, ICredentialsChecker)
@frozen
class Customers:
    """The provider's whole list of customers: its checker and its realm.

    :ivar avatars: by login. :ivar password: of all of them.
    """

    password: str
    avatars: Mapping[str, Mapping[type[Interface], object]]
    credentialInterfaces: Sequence[type[Interface]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """The login, if the password is right."""
        given, password = _octets(credentials.username), _octets(credentials.password)
        if given.decode("utf-8", "replace") in self.avatars and hmac.compare_digest(password, self.password.encode()):
            return succeed(given)
        return fail(LoginRefused())

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: type[Interface]) -> Any:
        """The first kind of avatar that is known here."""
        del mind
        own = self.avatars.get(avatarId.decode() if isinstance(avatarId, bytes) else "", {})
        for interface in interfaces:
            if interface in own:
                return succeed((interface, own[interface], lambda: None))
        return fail(LoginRefused())


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


@frozen
class Relayed:
    """A message that the smarthost took."""

    envelope: Envelope
    octets: bytes


class PretendISP(Service):
    """The provider as a service.

    :param reactor: IReactorTCP and IReactorTime.
    :param random: gives that many random octets, for unique-ids.
    :param others: further mailboxes; the login of each is what stands before the @, the password is the same.
    :param every: seconds between mails from outside; 0 = none come by themselves.
    :ivar box: the mailbox of ``address``; ``boxes`` all of them.
    :param tell: is told in plain words what happens.
    :param pop3, smtp: ports on 127.0.0.1; 0 = any free one, see :meth:`ports`.
    """

    name = "pretend-isp"

    def __init__(
        self,
        reactor: Any,
        random: Callable[[int], bytes],
        *,
        address: str = "mail@company.example",
        login: str = "mail",
        password: str = "isp",  # noqa: S107 - a pretend password for a pretend provider
        others: Sequence[str] = (),
        people: Sequence[str] = ("Andrew", "Greg", "Carolyn"),
        every: float = 0,
        pop3: int = 0,
        smtp: int = 0,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.address = Address.parse(address)
        self.box = Box()
        self.relayed: list[Relayed] = []
        self._reactor = reactor
        self._random = random
        self._people = tuple(people)
        self._wanted = (pop3, smtp)
        self._tell = tell
        self._listening: list[IListeningPort] = []
        self._count = 0
        self._every = every
        self._arrivals = LoopingCall(self._arrive)
        self._arrivals.clock = reactor
        self.boxes = {self.address.key: self.box}
        avatars = {login: self._avatars(self.box)}
        for other in others:
            parsed = Address.parse(other)
            box = self.boxes[parsed.key] = Box()
            avatars[parsed.local] = self._avatars(box)
        customers = Customers(password, avatars)
        portal = Portal(customers, [customers])
        common: dict[str, Any] = {
            "reactor": IReactorTime(reactor),
            "hostname": "isp.example",
            "trusted_networks": ("127.0.0.0/8",),
        }
        self.pop3_factory = POP3Factory(portal, **common)
        self.smtp_factory = SMTPFactory(portal, anonymous=False, **common)

    def _avatars(self, box: Box) -> Mapping[type[Interface], object]:
        return {IMailboxOpener: Opener(box), ISubmitter: Smarthost(self.take)}

    def startService(self) -> None:
        """Listen, and let mail come in."""
        super().startService()
        tcp = IReactorTCP(self._reactor)
        for port, factory in zip(self._wanted, (self.pop3_factory, self.smtp_factory), strict=True):
            self._listening.append(tcp.listenTCP(port, factory, interface="127.0.0.1"))
        if self._every:
            self._arrivals.start(self._every, now=True)

    async def stopService(self) -> None:
        """Close the ports and cut what is open."""
        super().stopService()
        if self._arrivals.running:
            self._arrivals.stop()
        ports, self._listening = self._listening, []
        for port in ports:
            done = port.stopListening()
            if done is not None:
                await done
        for factory in (self.pop3_factory, self.smtp_factory):
            await factory.drain(1)

    def ports(self) -> tuple[int, int]:
        """``(POP3, SMTP)`` as bound."""
        pop3, smtp = (port.getHost().port for port in self._listening)  # type: ignore[attr-defined]
        return pop3, smtp

    # ------------------------------------------------------------------ mail

    def arrive(self, to: str, subject: str, text: str, *, sender: str = "Alice Outside <alice@far.example>") -> None:
        """A message comes in from outside.

        :param to: the To field as written, e.g. ``"Andrew" <mail@company.example>``.
        """
        now = self._reactor.seconds()
        token = self._random(8).hex()
        lines = [
            f"Received: from mx.far.example by mx.isp.example with ESMTPS id {token}; {formatdate(now)}",
            f"From: {sender}",
            f"To: {to}",
            f"Subject: {subject}",
            f"Date: {formatdate(now)}",
            f"Message-ID: <{token}@far.example>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "",
            *text.splitlines(),
            "",
        ]
        self.box.put("\r\n".join(lines).encode("utf-8"), token)

    def _arrive(self) -> None:
        """The next of the letters that keep coming."""
        number, self._count = self._count, self._count + 1
        round_, kind = divmod(number, 3)
        plain = str(self.address)
        person = self._people[(round_ + kind) % len(self._people)]
        to = (
            f'"{person}" <{plain}>',
            f"{self.address.local}+{person.lower()}@{self.address.domain}",
            plain,
        )[kind]
        word = ("named", "tagged", "unnamed")[kind]
        self.arrive(to, f"Letter {number + 1} ({word})", f"This letter is {word}.\nIts To field is: {to}\n")
        self._tell(f"outside:  a letter to {to} reaches the provider")

    def take(self, envelope: Envelope, octets: bytes) -> str:
        """The smarthost took a message: remember it, and put what is for the mailbox into it."""
        self.relayed.append(Relayed(envelope, octets))
        token = self._random(8).hex()
        outside: list[str] = []
        for recipient in envelope.recipients:
            address = recipient.address
            mailbox = address.local.partition("+")[0].casefold(), address.domain.casefold()
            box = self.boxes.get(mailbox)
            if box is not None:
                box.put(f"Delivered-To: {address}\r\n".encode() + octets, f"{token}{box.last}")
            if box is not self.box:
                outside.append(str(address))
        self._tell(f"provider: took mail from {envelope.sender} for {', '.join(outside) or 'the mailbox itself'}")
        return token
