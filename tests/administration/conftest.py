"""An office in memory with a regular and a domain account, its door, and what its administrator may do."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable
from datetime import UTC
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.assembly.acts import Acts
from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.values import SECOND, Account, AccountMode, Origin, Receipt, Source, User
from mailshare.delivery.intake import Intake
from mailshare.delivery.public_rate import PublicRate
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.store.memory import MemoryStore


def finish(work: Awaitable[Any]) -> Any:
    """The result of something that does not really wait."""

    async def whole() -> Any:
        return await work

    outcome: list[Any] = []
    Deferred.fromCoroutine(whole()).addBoth(outcome.append)
    assert outcome, "it waits"
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


async def _hasher(password: str, _like: str = "") -> tuple[str, str]:
    return password, ""


class Office:
    """The regular account mail@company.example, the domain firm.example, andrew and greg in both."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.numbers = itertools.count(1)
        self.clock.advance(1_795_262_400)
        self.store = MemoryStore(clock=self.clock, hostname="mail.office.example")
        finish(self.store.open())
        finish(self.store.directory.add_account(Account(0, 0, Address("mail", "company.example"))))
        domain = Account(0, 0, Address("box", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",))
        finish(self.store.directory.add_account(domain))
        for name in ("andrew", "greg"):
            finish(self.store.directory.add_user(User(0, name, accounts=(1, 2))))
        rate = PublicRate(lambda: int(self.clock.seconds() * SECOND))
        self.reports = Reports(self.store, self.clock, self.token)
        self.intake = Intake(self.store, Router(rate), self.clock, self.reports)
        self.acts = Acts(
            self.store,
            zone=UTC,
            hasher=_hasher,
            seal=lambda text: text,
            clock=lambda: int(self.clock.seconds() * SECOND),
        )

    def token(self, length: int) -> bytes:
        return next(self.numbers).to_bytes(length, "big")

    def arrive(self, to: str, *, sender: str = "Ann <ann@out.example>", more: str = "", account: int = 1) -> str:
        """A message is collected; gives its trace."""
        number = next(self.numbers)
        text = f"From: {sender}\r\nTo: {to}\r\nSubject: Letter {number}\r\n{more}\r\nText {number}\r\n".encode()
        sink = self.store.new_body(len(text))
        sink.write(text)
        origin = Origin(Source.COLLECT, f"{number:016x}", account_id=account)
        receipt: Receipt = finish(self.intake.accept(Envelope(None), finish(sink.finish()), origin))
        return receipt.trace

    def box(self, name: str) -> list[str]:
        """Traces in a mailbox, oldest first."""
        user = self.store.directory.current().user_by_name[name]
        return [one.message.trace for one in finish(self.store.mailboxes.entries(user.id))][::-1]

    def octets(self, name: str) -> bytes:
        """The newest message of a mailbox, whole."""
        user = self.store.directory.current().user_by_name[name]
        newest = finish(self.store.mailboxes.entries(user.id, limit=1))[0]
        drop = finish(self.store.mailboxes.lock_maildrop(user.id, "test"))
        body = finish(drop.body(newest.uid))
        drop.release()
        whole: bytes = finish(body.read(0, body.size))
        return whole

    def events(self, trace: str) -> list[Any]:
        """The journal of a message."""
        return [event for _, event in finish(self.store.events.page(since=0, until=1 << 62, trace=trace))]


@pytest.fixture
def office() -> Office:
    """A fresh one."""
    return Office()
