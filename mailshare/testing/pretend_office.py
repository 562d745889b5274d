"""An office in memory: one account, two people, a store, a door, and a provider that a test makes up."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.servers import parse_server
from mailshare.core.trace import trace_id
from mailshare.core.values import SECOND, Account, Hop, Origin, QueueItem, Receipt, Routing, Source, Target, User
from mailshare.interfaces import IBody, IIntake, ISecrets
from mailshare.isp.sign_on import Doors
from mailshare.store.memory import MemoryStore
from mailshare.testing.liars import PASSWORD
from mailshare.testing.memory_wire import MemoryEndpoint

MESSAGE = b"Subject: x\r\n\r\n.\r\n..two\r\n\r\nend\r\n"
"""A small message with dots where they hurt."""
T = TypeVar("T")
START = 1_800_000_000


@implementer(IIntake)
class Door:
    """Everything goes to one user, in the real transaction of the store; trouble on demand."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.origins: list[Origin] = []
        self.trouble: list[Exception] = []

    async def accept(
        self, envelope: Envelope, body: IBody, origin: Origin, headers: Headers | None = None
    ) -> Receipt:
        """Deliver to andrew, notices to admin1."""
        if self.trouble:
            raise self.trouble.pop(0)
        target = self._taken(envelope, origin)
        result = await self.office.store.delivery.deliver(
            envelope, body, origin, [target], at=self.office.now(), headers=headers
        )
        return Receipt(origin.trace, result.message_id, Routing((target,)), result.already)

    async def accept_together(
        self, messages: Sequence[tuple[Envelope, IBody, Origin, Headers | None]]
    ) -> Sequence[Receipt | None]:
        """All of them in one transaction, or none."""
        delivery, at = self.office.store.delivery, self.office.now()
        targets = [Target(self.office.user("andrew").id, "test")] * len(messages)
        ready = [
            delivery.ready(envelope, body, origin, [target], at=at, headers=headers)
            for (envelope, body, origin, headers), target in zip(messages, targets, strict=True)
        ]
        if self.trouble or None in ready:
            return [None] * len(messages)
        results = await delivery.deliver_together(ready)
        for envelope, _, origin, _ in messages:
            self._taken(envelope, origin)
        return [
            Receipt(origin.trace, result.message_id, Routing((target,)), result.already)
            for (_, _, origin, _), target, result in zip(messages, targets, results, strict=True)
        ]

    def _taken(self, envelope: Envelope, origin: Origin) -> Target:
        self.origins.append(origin)
        self.envelope = envelope
        name = "admin1" if origin.source is Source.REPORT else "andrew"
        return Target(self.office.user(name).id, "test")


@implementer(ISecrets)
class Password:
    """Always the same."""

    async def password(self, account: Account, purpose: str) -> str:
        """The doubles' own."""
        del account, purpose
        return PASSWORD


class Office:
    """What a test needs."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.store = MemoryStore(clock=self.clock)
        self.wait(self.store.open())
        account = Account(0, 1, Address.parse("mail@company.example"), collect=parse_server("pop3s://mail@pop.example"),
                          relay=parse_server("submissions://mail@smtp.example"))  # fmt: skip
        self.account = self.wait(self.store.directory.add_account(account))
        self.wait(self.store.directory.add_user(User(0, "andrew", accounts=(self.account.id,))))
        self.door = Door(self)
        self.endpoint = MemoryEndpoint(self.clock, None)
        self.doors = Doors(
            self.clock, Password(), self.random, endpoint=lambda _: self.endpoint
        )  # fmt: skip
        self._count = 0

    def random(self, count: int) -> bytes:
        """Never twice the same."""
        self._count += 1
        return self._count.to_bytes(count, "big")

    def provider(self, double: object) -> None:
        """Who answers from now on."""
        self.endpoint = MemoryEndpoint(self.clock, double)  # type: ignore[arg-type]

    def change(self, **changes: Any) -> Account:
        """Another setting of the account."""
        self.account = self.wait(self.store.directory.change_account(evolve(self.account, **changes)))
        return self.account

    def user(self, name: str) -> User:
        """By login."""
        return self.store.directory.current().user_by_name[name]

    def now(self) -> int:
        """Microseconds."""
        return int(self.clock.seconds() * SECOND)

    def wait(self, awaitable: Awaitable[T]) -> T:
        """The result of something that fires without time passing."""
        results = self.begin(awaitable)
        assert results, "still waiting"
        if isinstance(results[0], BaseException):
            raise results[0]
        return results[0]  # type: ignore[return-value]

    def begin(self, awaitable: Awaitable[T]) -> list[object]:
        """Start; the list gets the result or the error."""

        async def all_of_it() -> T:
            return await awaitable

        results: list[object] = []
        deferred = Deferred.fromCoroutine(all_of_it())
        deferred.addCallbacks(results.append, lambda failure: results.append(failure.value))
        self.deferred = deferred
        return results

    def run(self, awaitable: Awaitable[T], seconds: float = 8000.0) -> T:
        """The result of something that takes time, at most so much of it."""
        results = self.begin(awaitable)
        ends = self.clock.seconds() + seconds
        while not results and self.clock.seconds() < ends:
            self.turn()
        assert results, f"still waiting after {seconds} s"
        if isinstance(results[0], BaseException):
            raise results[0]
        return results[0]  # type: ignore[return-value]

    def turn(self) -> None:
        """On to the next thing that is due."""
        calls = self.clock.getDelayedCalls()
        if not calls:
            self.clock.advance(1)
            return
        self.clock.advance(max(min(call.getTime() for call in calls) - self.clock.seconds(), 0))

    def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(10_000):
            due = [c for c in self.clock.getDelayedCalls() if c.getTime() <= self.clock.seconds()]
            if not due:
                return
            self.clock.advance(0)

    def mail_of(self, name: str) -> list[bytes]:
        """All messages of a mailbox, whole."""
        drop = self.wait(self.store.mailboxes.lock_maildrop(self.user(name).id, "test"))
        uids, _ = self.wait(drop.snapshot())
        bodies = [self.wait(drop.body(uid)) for uid in uids]
        drop.release()
        return [self._whole(body) for body in bodies]

    def _whole(self, body: IBody) -> bytes:
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < body.size:
            pieces.append(self.wait(body.read(sum(map(len, pieces)), 65_536)))
        return b"".join(pieces)


def letters(names: Sequence[str] = ("a", "b", "c")) -> dict[str, bytes]:
    """Messages by unique-id; dots and empty lines where they hurt."""
    text = b"Return-Path: <boss@out.example>\r\nSubject: %b\r\n\r\n.\r\n..dots %b\r\n\r\n.end\r\n"
    return {name: text % (name.encode(), name.encode()) for name in names}


def submit(
    office: Office, recipients: Sequence[str] = ("a@out.example",), message: bytes = MESSAGE, **params: object
) -> list[QueueItem]:
    """Put a message into the outbox and claim its rows."""
    sink = office.store.new_body(len(message))
    waiting = sink.write(message)
    if waiting is not None:
        office.wait(waiting)
    hops = [Hop("relay", address, "outside", office.account.id, params=params) for address in recipients]
    envelope = Envelope(Address.parse("mail@company.example"), ret="HDRS", envid="id+1")
    origin = Origin(Source.SMTP, trace_id(office.now(), office.random(3)))
    office.wait(office.store.delivery.deliver(
        envelope, office.wait(sink.finish()), origin, [], hops, at=office.now(), expires=office.now() + 10**12,
    ))  # fmt: skip
    return list(office.wait(office.store.queue.claim("relay", 100, office.now(), 10**9)))


def ignore(_item: int, _progress: object) -> None:
    """No progress is kept."""
