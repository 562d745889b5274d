"""The weekly look at how providers mark mail, for accounts that bring no mail by which it would show.

What is collected is watched as it comes (:mod:`mailshare.isp.provider_watch`). An account whose mail stays away,
perhaps because the provider changed something, has no such moment; so it has a clock (rule 3.2: re-check weekly).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.sightings import Sighting
from mailshare.core.values import SECOND, Account
from mailshare.interfaces import IStore
from mailshare.isp.collect import Collector
from mailshare.isp.probing import Probe
from mailshare.isp.provider_watch import ProviderWatch

_SCOPE = "style-look"
_HOUR = 3600
WEEK = 7 * 24 * _HOUR * SECOND
"""Microseconds between two looks at an account; one that collected meanwhile was looked at by that."""


class WeeklyLook(Service):
    """Asks each hour which accounts were not looked at for a week, one after the other.

    :param collector: an account under way is left for the next hour, and a provider's LOGIN-DELAY is kept.
    :param reactor: IReactorTime.
    """

    _log = Logger()

    def __init__(
        self, store: IStore, probe: Probe, watch: ProviderWatch, collector: Collector, reactor: Any
    ) -> None:
        self._store = store
        self._probe = probe
        self._watch = watch
        self._collector = collector
        self._reactor = reactor
        self._under_way: Deferred[None] | None = None
        self._clock = LoopingCall(self._begin)
        self._clock.clock = reactor

    def startService(self) -> None:
        """Begin; the first question is an hour away."""
        super().startService()
        self._clock.start(_HOUR, now=False)

    async def stopService(self) -> None:
        """Stop the clock, and what is under way."""
        super().stopService()
        if self._clock.running:
            self._clock.stop()
        if self._under_way is not None:
            self._under_way.cancel()

    def _begin(self) -> None:
        if self._under_way is None:
            self._under_way = Deferred.fromCoroutine(self.look())
            self._under_way.addErrback(self._failed)
            self._under_way.addCallback(self._over)

    def _failed(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("The weekly look at the providers failed", failure=failure)

    def _over(self, _: object) -> None:
        self._under_way = None

    async def look(self) -> None:
        """Look at every account whose week is over. What fails is met again in a week: the collector tells of it."""
        for account in self._store.directory.current().accounts:
            try:
                if await self._due(account):
                    await self._store.settings.put(_SCOPE, str(account.id), self._now())
                    await self._watch.look_again(account, await self._lying(account))
            except MailshareError as fault:
                self._log.warn("{address}: no weekly look: {fault}", address=str(account.address), fault=fault.public)

    async def _lying(self, account: Account) -> Sequence[Sighting]:
        """What lies at the provider; nothing when it lets nobody in, which is no reason to forget what came last."""
        try:
            return (await self._probe.look(account, self._store.directory.current())).sightings
        except MailshareError as fault:
            self._log.info("{address}: not looked at: {fault}", address=str(account.address), fault=fault.public)
            return ()

    async def _due(self, account: Account) -> bool:
        if not account.enabled or account.collect is None:
            return False
        now, seen = self._now(), account.found.get("at")
        if self._collector.status(account.id).running or self._collector.not_before(account.id) > now:
            return False
        row = await self._store.settings.get(_SCOPE, str(account.id))
        looked = row[0] if row is not None and isinstance(row[0], int) else 0
        last = max(looked, seen if isinstance(seen, int) else 0)
        return last == 0 or now - last >= WEEK

    def _now(self) -> int:
        return int(self._reactor.seconds() * SECOND)
