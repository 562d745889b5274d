"""The fax room whole: what belongs together in one office, over an open store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.documents import NotConvertible
from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.fax_report import FEATURES
from mailshare.core.report import Action, ReportDetails
from mailshare.core.values import QueueItem, User
from mailshare.core.values.fax import Ringing
from mailshare.fax.admission import Admission
from mailshare.fax.arrivals import Arrivals
from mailshare.fax.desk import FaxDesk, Reveal, Tell
from mailshare.fax.fetching import Fetching, Polls
from mailshare.fax.files import Aside, Incoming, Ledgers, Once
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.giving import Giving
from mailshare.fax.learned import Learned
from mailshare.fax.offers import Offers
from mailshare.fax.offramp import FaxAgent
from mailshare.fax.onramp import Onramp
from mailshare.fax.pages import Pages, Perform
from mailshare.fax.pictures import Pictures
from mailshare.fax.pool import LinePool, PooledLine
from mailshare.fax.receipts import FaxReceipts
from mailshare.fax.refusals import FaxRefusals
from mailshare.fax.returns import FaxReturns
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IIntake, IPolledLine, IReportDetails, IStore

_MOST_PAPERS = 8  # transmission reports in one mail
_ACROSS = 620  # pixels of a picture in a report: letters can just be read, and it stays below 100 KB


@implementer(IReportDetails)
class FaxOffice:
    """Gateway, agent, lines, receiver and desk.

    :param directory: of the files of calls under way.
    :param perform: works documents out (:meth:`mailshare.interfaces.IDocuments.perform`).
    :ivar paper: makes the transmission report of a row: its name and octets; without one reports carry none.
    :param key: of the addresses that take answers to reports; without one they hold until the next start.
    """

    _log = Logger()

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
        key: bytes = b"",
    ) -> None:
        self.rules = rules
        self.aside = aside
        self._store = store
        self._reactor = reactor
        self._token = token
        self._zone = zone
        self.pool = LinePool(reactor)
        self.ledgers = Ledgers(f"{directory}/out", aside)
        self.incoming = Incoming(f"{directory}/in", aside)
        self.once = Once(f"{directory}/once", aside)
        self.pages = Pages(perform, lambda: self.rules)
        self.pictures = Pictures(perform, self.pages)
        self.learned = Learned(f"{directory}/numbers", aside)
        self.agent = FaxAgent(
            store,
            reactor,
            lambda: self.rules,
            self.pages,
            self.pool,
            self.ledgers,
            self.once,
            self.learned,
            zone,
            self._fetching,
        )
        self.desk = FaxDesk(store, reactor, lambda: self.rules, key or token(32), self.give_up, token)
        self.gateway = FaxGateway(rules, self.pages, self.desk)
        self.gateway.lacking = self.pool.lacking
        self.giving = Giving(store, self.gateway, reactor, token)
        self.polls = Polls(store, self.gateway, self.pages, reactor, token)
        self.admission = Admission(lambda: self.rules)
        self.receipts = FaxReceipts(store, lambda: self.rules, self.pages, self.desk)
        self.refusals = FaxRefusals(store, self.gateway, self.desk, reactor)
        self.returns = FaxReturns(store, lambda: self.rules, self.gateway, reactor)
        self.onramp: Onramp | None = None
        self.offers = Offers(store, lambda: self.rules, self.desk, self.pages, reactor, self._turned)
        self.paper: Callable[[int], Awaitable[tuple[str, bytes]]] | None = None

    def follow(self, rules: FaxRules) -> None:
        """Take over other rules, for all that begins from now on."""
        self.rules = rules
        self.gateway.follow(rules)

    async def open(self, intake: IIntake, tell: Tell | None = None, reveal: Reveal | None = None) -> None:
        """Receive from now on; what a stop of the server left becomes mail first.

        :param tell: writes notices to people. :param reveal: reads the codes of boxes and callers.
        """
        self.desk.door, self.desk.tell, self.desk.reveal = intake, tell, reveal
        self.giving.door = intake
        self.admission.reveal = self.offers.reveal = reveal
        await self.learned.sweep(self._reactor.seconds())
        await self.agent.sweep()
        arrivals = Arrivals(
            self._store, intake, lambda: self.rules, self.gateway, self.pages, self._reactor, self._token
        )
        self.onramp = Onramp(
            self._store, arrivals, self.incoming, lambda: self.rules, self._reactor, self.admission, self.ledgers
        )
        await self.onramp.open()

    def _fetching(self, item: QueueItem) -> Fetching:
        if self.onramp is None:
            raise Unavailable("The server is starting or stopping")
        return Fetching(item, self.onramp, self.pages, self.rules.most_pages)

    async def _turned(self, call: Ringing) -> None:
        if self.onramp is not None:
            await self.onramp.turned(call)

    async def use(self, lines: Sequence[PooledLine]) -> None:
        """Take these lines in place of those of before."""
        former, self.pool.lines = self.pool.lines, []
        for one in former:
            await one.line.stop()
        for one in lines:
            if self.onramp is not None:
                one.line.set_receiver(self.onramp)
            if IPolledLine.providedBy(one.line):
                one.line.set_offers(self.offers)
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

    async def give_up(self, row: int) -> bool:
        """Stop a fax, under way or not; False when it is over."""
        if await self.agent.cancel(row):
            return True
        return bool(await self._store.queue.steer([row], "cancel", int(self._reactor.seconds() * 1_000_000)))

    async def details(self, items: Sequence[QueueItem], action: Action, reader: User) -> ReportDetails:
        """The first page, what can be faxed, and where to answer STOP or RESEND."""
        address, until = self.desk.answers_to(items, reader)
        day = datetime.fromtimestamp(until / 1_000_000, self._zone).strftime("%d %b %Y %H:%M %Z")
        word = "STOP to give it up" if action is Action.DELAYED else "RESEND to have it sent once more"
        words = (f"Answer this mail with {word}, as the only word of the first line, until {day}.",)
        if items[0].params.get("poll"):
            wish = "Nothing was sent: this was the wish to fetch from that machine."
            return ReportDetails((wish, *words) if action is Action.DELAYED else (wish,), {}, b"", address)
        try:
            picture, _ = await self.pictures.outgoing(await self._store.queue.body(items[0].message_id), 1, _ACROSS)
        except (NotConvertible, MailshareError) as fault:
            self._log.info("a report on {trace} shows no page: {why}", trace=items[0].trace, why=fault.public)
            picture = b""
        papers = []
        if self.rules.report_pdf and self.paper is not None and action in (Action.DELIVERED, Action.FAILED):
            papers = [await self.paper(item.id) for item in items[:_MOST_PAPERS]]
        told = {Action.DELIVERED: self.rules.tell_sent, Action.RELAYED: self.rules.tell_sent}
        copies = self.rules.tell_failed if action is Action.FAILED else told.get(action, ())
        return ReportDetails(words, {"Media-Accept-Features": FEATURES}, picture, address, tuple(papers), copies)

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
                "receiving": [
                    {"caller": each.call.caller, "station": each.call.station, "page": each.page}
                    for each in (self.onramp.coming.values() if self.onramp is not None else ())
                    if each.call.line == one.line.name
                ],
            }
            for one in self.pool.lines
        ]


