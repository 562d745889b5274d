"""The weekly look at how a provider marks mail has a clock of its own (rule 3.2)."""

from __future__ import annotations

from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.errors import LoginRefused
from mailshare.core.servers import parse_server
from mailshare.core.values import Account, Directory
from mailshare.isp.probing import Look
from mailshare.isp.weekly_look import WeeklyLook
from mailshare.status import RunStatus
from mailshare.store.memory import MemoryStore

HOUR = 3600


@define
class Provider:
    """Counts the looks and what was judged after them; may be busy, or let nobody in."""

    looks: int = 0
    judged: list[int] = field(factory=list)
    running: bool = False
    refuses: bool = False

    async def look(self, account: Account, directory: Directory) -> Look:
        del account, directory
        self.looks += 1
        if self.refuses:
            raise LoginRefused
        return Look((), 0, by_top=True)

    async def look_again(self, account: Account, lying: Any) -> None:
        del account
        self.judged.append(len(lying))

    def status(self, account_id: int) -> RunStatus:
        del account_id
        return RunStatus(running=self.running)

    def not_before(self, account_id: int) -> int:
        del account_id
        return 0


def started(provider: Provider, clock: Clock) -> tuple[MemoryStore, WeeklyLook]:
    clock.advance(1_795_262_400)
    store = MemoryStore(clock=clock)
    account = Account(0, 0, Address("mail", "company.example"), collect=parse_server("pop3s://mail@pop.isp.example"))
    for work in (store.open(), store.directory.add_account(account)):
        Deferred.fromCoroutine(cast("Any", work)).addErrback(lambda failure: failure.raiseException())
    other = cast("Any", provider)
    weekly = WeeklyLook(store, other, other, other, clock)
    weekly.startService()
    return store, weekly


def test_an_account_without_mail_is_looked_at_each_week() -> None:
    """Within the first hour, then a week later, also when the provider refuses; and not after the stop."""
    clock, provider = Clock(), Provider()
    _, weekly = started(provider, clock)
    clock.pump([HOUR] * 24 * 6)
    assert (provider.looks, provider.judged) == (1, [0])
    provider.refuses = True
    clock.pump([HOUR] * 26)
    assert (provider.looks, provider.judged) == (2, [0, 0])  # what came last is judged all the same
    Deferred.fromCoroutine(weekly.stopService())
    clock.pump([HOUR] * 24 * 8)
    assert provider.looks == 2


def test_a_busy_account_is_looked_at_later() -> None:
    """The provider lets only one session in; the collection goes first."""
    clock, provider = Clock(), Provider(running=True)
    _, weekly = started(provider, clock)
    clock.pump([HOUR] * 3)
    assert provider.looks == 0
    provider.running = False
    clock.advance(HOUR)
    assert provider.looks == 1
    Deferred.fromCoroutine(weekly.stopService())


def test_an_account_that_collects_has_its_look_by_that() -> None:
    """What the collected mail showed counts for a week; accounts that are off have none."""
    clock, provider = Clock(), Provider()
    store, weekly = started(provider, clock)
    (account,) = store.directory.current().accounts
    now = int(clock.seconds()) * 1_000_000
    for work in (
        store.directory.learn(account.id, {"at": now}),
        store.directory.change_account(evolve(account, enabled=True)),
    ):
        Deferred.fromCoroutine(cast("Any", work))
    clock.pump([HOUR] * 24 * 6)
    assert provider.looks == 0
    Deferred.fromCoroutine(cast("Any", store.directory.change_account(evolve(account, enabled=False))))
    clock.pump([HOUR] * 24 * 8)
    assert provider.looks == 0
    Deferred.fromCoroutine(weekly.stopService())
