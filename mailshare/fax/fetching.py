"""Faxes that this office fetches from other machines (polling): who may, the row that does it, and its pages.

A poll is a row of the queue like any fax: tolls, hours, tries, lines and the ledger hold for it. Its pages come in as
those of any call: each is on the disk before the far machine hears that it came. A call that breaks off leaves a
mail with what it brought, since the far machine may count that as taken; the next try fetches all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP

from attrs import evolve
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NoSuchUser, NotPossible, PeerFault, Unavailable
from mailshare.core.fax_dialling import Toll
from mailshare.core.report_parts import date_text
from mailshare.core.retry import STANDARD
from mailshare.core.trace import trace_id
from mailshare.core.values import Event, Hop, Origin, QueueItem, Source, Step, User
from mailshare.core.values.fax import CallFacts, FaxCause, FaxJob, FaxPage, Ringing
from mailshare.fax.gateway import AGENT, FaxGateway
from mailshare.fax.onramp import Onramp
from mailshare.fax.pages import Pages
from mailshare.interfaces import IFaxCall, IFaxLine, IFaxReceiver, IPollingLine, IStore
from mailshare.shell.new_body import new_body

_LEAST = 1_000  # octets: the cheapest page there may be, to see whether a call is too dear from the start


@implementer(IFaxReceiver)
class Fetching:
    """The pages of one poll; for the agent what :class:`mailshare.fax.pages.FaxFile` is of a fax that is sent.

    :param onramp: keeps pages.
    :param pages: knows what a fax may cost.
    :param most_pages: of the longest fax.
    """

    polls = True
    count = 0
    width = 0

    def __init__(self, item: QueueItem, onramp: Onramp, pages: Pages, most_pages: int) -> None:
        self._item = item
        self._onramp = onramp
        self._pages = pages
        self._most = most_pages
        self._call: Ringing | None = None
        self._facts = CallFacts(FaxCause.DROPPED)
        self._sizes: list[int] = []

    def begin(self, line: IFaxLine, job: FaxJob) -> IFaxCall:
        """Call."""
        return IPollingLine(line).poll(job, self)

    def find(self, line: IFaxLine, native: str, job: FaxJob) -> IFaxCall | None:
        """The call that the line's own machine may be making."""
        return IPollingLine(line).find_poll(native, job, self)

    def measured(self, first: int, end: int) -> Mapping[str, object]:
        """For the log."""
        return {"octets": sum(self._sizes[first:end]), "polled": True}

    async def settled(self) -> None:
        """The end of the call is written down: make its pages a mail."""
        if self._call is not None:
            await self._onramp.fetched(self._call, self._facts, self._told())

    def _told(self) -> Mapping[str, object]:
        return {"row": self._item.id, "to": self._item.params.get("to", ())}

    # ------------------------------------------------------------------ what the line tells

    async def screen(self, call: Ringing) -> FaxCause:
        """The far machine has something for us."""
        self._call = call
        await self._onramp.fetching(call, self._told())
        return FaxCause.OK

    async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
        """Keep it, unless it is one more than may be, or than may be paid for."""
        sizes, params = [*self._sizes, len(page.data)], self._item.params
        if number >= self._most:
            raise NotPossible(f"A fax here has at most {self._most} pages")
        self._pages.affordable(sizes, str(params.get("number", "")), Toll(params.get("toll", "unknown")))
        await self._onramp.page_received(call, number, page)
        self._sizes = sizes

    async def finished(self, call: Ringing, facts: CallFacts) -> None:
        """It is over; see :meth:`settled`."""
        del call
        self._facts = facts

    async def unreadable(self, call: Ringing, facts: CallFacts, document: bytes, why: str) -> None:
        """What came gives no pages; it becomes a mail as it is."""
        await self._onramp.unreadable(call, facts, document, why)


class Polls:
    """Takes the wish to fetch from a machine.

    :param token: that many random octets.
    """

    def __init__(
        self,
        store: IStore,
        gateway: FaxGateway,
        pages: Pages,
        clock: IReactorTime,
        token: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._pages = pages
        self._clock = clock
        self._token = token

    async def order(
        self,
        number: Address,
        user: User,
        to: Sequence[str],
        *,
        selector: str = "",
        password: str = "",
        wishes: Mapping[str, object],
    ) -> tuple[str, int]:
        """Make the row of a poll; its trace and number.

        :param number: as a fax address; :param user: in whose name, who hears when it fails.
        :param to: login names, and ``box:NAME``.
        :param selector: of the far machine's box (ITU-T T.30 SEP), digits; ``password`` (PWD) that opens it.
        :param wishes: when, until when, in what haste: parameters of the row.
        :raises PolicyRefusal: he may not, or the number may not be called, or is too dear.
        :raises NoSuchUser: there is nobody, and no box, of such a name.
        """
        takers = [self._taker(one) for one in to]
        if not takers:
            raise NotPossible("Say whose mailbox gets what is fetched")
        hop = self._gateway.poll(number, user, selector=selector, password=password)
        params = hop.params
        self._pages.affordable([_LEAST], str(params["number"]), Toll(params["toll"]))
        hop = evolve(hop, params={**params, **wishes, "poll": True, "to": takers})
        at = int(self._clock.seconds() * 1_000_000)
        trace = trace_id(at, self._token(3))
        row = await self._queued(hop, user, takers, trace, at)
        return trace, row

    async def _queued(self, hop: Hop, user: User, takers: Sequence[str], trace: str, at: int) -> int:
        directory = self._store.directory.current()
        sender = Address(user.name, directory.hostname)
        message = EmailMessage()
        message["From"], message["To"] = str(sender), hop.address
        message["Subject"] = f"Fetching from {hop.params['number']}"
        message["Date"], message["Message-ID"] = date_text(at), f"<{trace}@{directory.hostname}>"
        message.set_content(f"What the fax machine {hop.params['number']} offers is for {', '.join(takers)}.\n")
        octets = message.as_bytes(policy=SMTP)
        steps = (Step("fax-poll", f"asked for by {user.name}"),)
        receipt = await self._store.delivery.deliver(
            Envelope(sender, (Recipient(Address.parse(hop.address)),), size=len(octets)),
            await new_body(self._store, octets),
            Origin(Source.WEB, trace, user_id=user.id, steps=steps),
            (),
            [hop],
            [self._told(hop, user, takers, trace, at)],
            at=at,
            expires=at + STANDARD.give_up_after,
        )
        self._store.notifier.wake(AGENT)
        rows = await self._store.queue.items(agent=AGENT, message_id=receipt.message_id, open_only=False)
        if not rows:
            raise Unavailable
        return rows[0].id

    @staticmethod
    def _told(hop: Hop, user: User, takers: Sequence[str], trace: str, at: int) -> Event:
        """The line of the journal: who had this number called, and for whom."""
        data = {"number": hop.params["number"], "toll": hop.params["toll"], "to": list(takers), "by": user.name}
        return Event(at, "fax.poll", trace, user_id=user.id, data=data)

    def _taker(self, name: str) -> str:
        box = self._gateway.rules.box(name[4:]) if name.startswith("box:") else None
        if box is not None and box.kind != "relay":
            return f"box:{box.name}"
        directory = self._store.directory.current()
        try:
            address = Address.parse(name)
        except PeerFault:
            address = Address("", "")
        near = not address.domain or address.domain.casefold() == directory.hostname.casefold()
        user = directory.user_by_name.get(address.local.casefold()) if near else None
        if user is None or not user.enabled:
            raise NoSuchUser(f"There is no mailbox {name[:64]} here, and no box box:NAME of that name")
        return user.name
