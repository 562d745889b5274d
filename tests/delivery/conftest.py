"""An office in memory: one account, three people, the door, the queue and an agent that does as it is told."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import pytest
from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.values import Account, Event, Origin, Outcome, QueueItem, QueueState, Source, User
from mailshare.delivery.agents import Agents
from mailshare.delivery.intake import Intake
from mailshare.delivery.queue import QueueRunner
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.delivery.submission import Desk
from mailshare.interfaces import IAgent, IBody, ISession
from mailshare.store.memory import MemoryStore

T = TypeVar("T")
MESSAGE = (
    b"From: x@example.net\r\nTo: mail@company.example\r\nSubject: Hi\r\nMessage-ID: <m1@example.net>\r\n\r\nBody\r\n"
)


def finish(work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
    """The result of something that does not really wait."""
    outcome: list[Any] = []
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)  # type: ignore[arg-type]
    deferred.addBoth(outcome.append)
    assert outcome, "it waits"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]  # type: ignore[no-any-return]


Answer = Callable[[Sequence[QueueItem]], Sequence[Outcome]]


@implementer(IAgent)
@define(slots=False)
class ScriptedAgent:
    """Answers each batch with the next of its answers, the last one for ever; ``Deferred`` answers are waited for."""

    clock: Clock
    name: str = "relay"
    answers: list[Any] = field(factory=list)
    batches: list[Sequence[QueueItem]] = field(factory=list)

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Do as told."""
        self.batches.append(batch)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deferred):
            answer = await answer
        at = int(self.clock.seconds() * 1_000_000)
        return [Outcome(item.id, at=at, **answer) for item in batch]


OK = {
    "state": QueueState.DELIVERED,
    "code": 250,
    "status": "2.0.0",
    "reply": "Ok",
    "detail": {"host": "smtp.isp.example"},
}
LATER = {"state": QueueState.QUEUED, "code": 451, "status": "4.7.1", "reply": "Try later"}
NEVER = {"state": QueueState.FAILED, "code": 550, "status": "5.1.1", "reply": "No such user", "detail": {"host": "mx"}}


@implementer(ISession)
@frozen
class FakeSession:
    """A session on the LAN."""

    peer: str = "192.168.1.7"
    helo: str = "laptop.lan"
    secure: bool = True
    trusted: bool = False
    protocol: str = "ESMTPSA"


@define
class Office:
    """All of it."""

    clock: Clock
    store: MemoryStore
    agent: ScriptedAgent
    reports: Reports
    intake: Intake
    runner: QueueRunner
    desk: Desk
    users: dict[str, User] = field(factory=dict)

    def body(self, octets: bytes) -> IBody:
        """A finished body."""
        sink = self.store.new_body(len(octets))
        sink.write(octets)
        return finish(sink.finish())

    def mailbox(self, name: str) -> list[bytes]:
        """All messages of a user."""
        drop = finish(self.store.mailboxes.lock_maildrop(self.users[name].id, "test"))
        uids, _ = finish(drop.snapshot())
        bodies = [finish(drop.body(uid)) for uid in uids]
        drop.release()
        return [finish(body.read(0, body.size)) for body in bodies]

    def send(self, octets: bytes, *recipients: str | Recipient, sender: str = "greg", **envelope: Any) -> str:
        """Hand in a message as a user, or as a device without one; its trace."""
        listed = tuple(r if isinstance(r, Recipient) else Recipient(Address.parse(r)) for r in recipients)
        made = Envelope(Address.parse("whoever@laptop.lan"), listed, **envelope)
        submitter = self.desk.submitter(self.users[sender] if sender else None)
        for recipient in listed:
            finish(submitter.recipient(Envelope(made.sender), recipient, FakeSession()))
        submission = finish(submitter.submit(made, FakeSession()))
        submission.write(octets)
        return finish(submission.finish())

    def flush(self) -> Mapping[str, int]:
        """One run of the relay."""
        return finish(self.runner.flush(1))

    def events(self, *kinds: str) -> list[Event]:
        """The journal."""
        page = finish(self.store.events.page(since=0, until=1 << 62, kinds=kinds))
        return [event for _, event in page]

    def rows(self) -> list[QueueItem]:
        """The whole queue, oldest first."""
        return list(finish(self.store.queue.items(open_only=False)))[::-1]


@pytest.fixture
def office() -> Office:
    """An office with andrew, greg and carolyn."""
    clock = Clock()
    clock.advance(1_795_262_400)
    store = MemoryStore(clock=clock, hostname="mail.office.example")
    finish(store.open())
    finish(store.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
    for name in ("andrew", "greg", "carolyn"):
        finish(store.directory.add_user(User(0, name, accounts=(1,))))
    numbers = itertools.count(1)

    def token(length: int) -> bytes:
        return next(numbers).to_bytes(length, "big")

    agent = ScriptedAgent(clock)
    reports = Reports(store, clock, token)
    intake = Intake(store, Router(), clock, reports)
    runner = QueueRunner(store, Agents([agent]), reports, clock)
    desk = Desk(store, intake, clock, token)
    users = dict(store.directory.current().user_by_name)
    return Office(clock, store, agent, reports, intake, runner, desk, users)


def collected(trace: str = "c0ffee") -> Origin:
    """As the collector hands over."""
    return Origin(Source.COLLECT, trace, account_id=1)
