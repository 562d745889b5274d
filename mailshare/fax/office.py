"""The fax room whole: what belongs together in one office, over an open store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any

from mailshare.fax.files import Aside, Incoming, Ledgers
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.offramp import FaxAgent
from mailshare.fax.onramp import Onramp
from mailshare.fax.pages import Pages, Perform
from mailshare.fax.pictures import Pictures
from mailshare.fax.pool import LinePool, PooledLine
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IIntake, IStore


class FaxOffice:
    """Gateway, agent, lines and receiver.

    :param directory: of the files of calls under way.
    :param perform: works documents out (:meth:`mailshare.interfaces.IDocuments.perform`).
    """

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        rules: FaxRules,
        *,
        directory: str,
        aside: Aside,
        perform: Perform,
        zone: tzinfo,
        token: Callable[[int], bytes],
    ) -> None:
        self.rules = rules
        self.aside = aside
        self._store = store
        self._reactor = reactor
        self._token = token
        self.pool = LinePool(reactor)
        self.ledgers = Ledgers(f"{directory}/out", aside)
        self.incoming = Incoming(f"{directory}/in", aside)
        self.pages = Pages(perform, lambda: self.rules)
        self.pictures = Pictures(perform, self.pages)
        self.gateway = FaxGateway(rules, self.pages)
        self.agent = FaxAgent(store, reactor, lambda: self.rules, self.pages, self.pool, self.ledgers, zone)
        self.onramp: Onramp | None = None

    def follow(self, rules: FaxRules) -> None:
        """Take over other rules, for all that begins from now on."""
        self.rules = rules
        self.gateway.follow(rules)

    async def open(self, intake: IIntake) -> None:
        """Receive from now on; what a stop of the server left becomes mail first."""
        self.onramp = Onramp(
            self._store, intake, self.incoming, lambda: self.rules, self._reactor, self._token
        )
        await self.onramp.open()

    async def use(self, lines: Sequence[PooledLine]) -> None:
        """Take these lines in place of those of before."""
        former, self.pool.lines = self.pool.lines, []
        for one in former:
            await one.line.stop()
        for one in lines:
            if self.onramp is not None:
                one.line.set_receiver(self.onramp)
            one.line.start()
        self.pool.lines = list(lines)
        self.pool.look()

    async def close(self) -> None:
        """Hang up; what was confirmed is written down."""
        lines, self.pool.lines = self.pool.lines, []
        for one in lines:
            await one.line.stop()
        self.pool.close()
        if self.onramp is not None:
            self.onramp.close()

    def facts(self) -> list[dict[str, object]]:
        """The lines, for people: what each can do and what was seen of it."""
        return [
            {
                "name": one.line.name,
                "free": one.line.free_channels(),
                "sends": one.line.capabilities.send,
                "receives": one.line.capabilities.receive,
                "calls": one.calls,
                "pages": one.pages,
                "trouble": one.trouble,
            }
            for one in self.pool.lines
        ]


