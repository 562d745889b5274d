"""From the pages of a call to what this office makes of them: mails, boxes, prints, faxes that are passed on.

Each has a Message-ID that follows from the call, so that it is stored once, whatever stop of the server comes between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.documents import NotConvertible
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError
from mailshare.core.fax_address import format_fax_address
from mailshare.core.fax_routing import FaxRoute, route_fax
from mailshare.core.report_parts import printable
from mailshare.core.trace import trace_id
from mailshare.core.values import Event, Hop, Origin, Source, Step, User, UserKind
from mailshare.core.values.fax import CallFacts, Coding, FaxPage, Ringing
from mailshare.fax.circles import circle, origin_of
from mailshare.fax.destinations import Destinations, destinations
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.pages import Pages
from mailshare.fax.returns import wants_return
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IBody, IIntake, IStore
from mailshare.shell.new_body import new_body
from mailshare.wire.fax_mail import FaxLetter, fax_mail, message_id
from mailshare.wire.tiff_fax import write_tiff

_KEPT_FOR = 10 * 365 * 24 * 3_600_000_000  # microseconds: what waits in a box has no end
_SIMPLE_WIDTHS, _SIMPLE_LINES = (1728,), (98, 100, 196, 200)
_FETCHED = "This fax did not come by itself: it was fetched from that machine (polling)."
_STRANGER = "Whoever called may not send faxes here, or gave no right password. Nobody else got this fax."


@frozen
class Came:
    """One fax: the pages of a call, or those behind a separating barcode.

    :ivar route: the line of the table that fits.
    :ivar note: a paragraph before all others of its mail.
    """

    call: Ringing
    facts: CallFacts
    pages: Sequence[FaxPage]
    route: FaxRoute | None
    note: str = ""


class Arrivals:
    """Stores what came.

    :param rules: gives the rules of now; ``token`` that many random octets.
    :param intake: the one door.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        intake: IIntake,
        rules: Callable[[], FaxRules],
        gateway: FaxGateway,
        pages: Pages,
        clock: IReactorTime,
        token: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._intake = intake
        self._rules = rules
        self._gateway = gateway
        self._pages = pages
        self._clock = clock
        self._token = token

    async def store(self, call: Ringing, facts: CallFacts, pages: Sequence[FaxPage], *, admitted: bool) -> str:
        """Store all that follows from a call; the trace of its first message.

        :param admitted: the caller may send here; else the inbox of faxes alone gets it, with a word about that.
        :raises MailshareError: not now; what was stored already is not stored again.
        """
        traces = [await self._one(came, admitted=admitted) for came in await self._parted(call, facts, pages)]
        return next((each for each in traces if each), "")

    async def store_unread(self, call: Ringing, facts: CallFacts, document: bytes, why: str, *, admitted: bool) -> str:
        """Store a document that came in place of pages and gives none, as it is, for people; the trace of its mail.

        Boxes, printers and other fax machines want pages: where a route leads there alone, the inbox of faxes gets it.

        :raises MailshareError: not now.
        """
        came = Came(call, facts, (), self._route(call, facts, ()))
        rules, directory = self._rules(), self._store.directory.current()
        where = destinations(came.route if admitted else None, rules, self._gateway, directory)
        if not where.mail:
            where = destinations(None, rules, self._gateway, directory)
        letter = self._letter(came, [str(one) for one in where.mail])
        note = "" if admitted else _STRANGER
        return await self._mailed(came, evolve(letter, note=note, formats=(), unread=document, why=why), where)

    async def store_fetched(
        self, call: Ringing, facts: CallFacts, pages: Sequence[FaxPage], to: Sequence[str]
    ) -> str:
        """Store what was fetched from a far machine, for those for whom it was; the trace of its first message."""
        return await self._one(Came(call, facts, pages, FaxRoute(tuple(to)), _FETCHED), admitted=True)

    async def _parted(self, call: Ringing, facts: CallFacts, pages: Sequence[FaxPage]) -> list[Came]:
        """One fax, or one for each page that begins another by its barcode."""
        codes = await self._codes(pages)
        found: list[Came] = []
        for index, page in enumerate(pages):
            own = self._route(call, facts, codes[index]) if self._rules().split and codes[index] else None
            if not found or (own is not None and own.barcode):
                each = call if not found else evolve(call, id=f"{call.id}-{len(found) + 1}")
                found.append(Came(each, facts, (page,), own))
            else:
                found[-1] = evolve(found[-1], pages=(*found[-1].pages, page))
        if len(found) == 1:
            route = self._route(call, facts, [code for page in codes for code in page])
            return [evolve(found[0], route=route)]
        return [one if one.route is not None else evolve(one, route=self._route(call, facts, ())) for one in found]

    async def _codes(self, pages: Sequence[FaxPage]) -> list[list[str]]:
        if not any(one.barcode for one in self._rules().routes):
            return [[] for _ in pages]
        try:
            return await self._pages.barcodes(pages)
        except (NotConvertible, MailshareError) as fault:
            self._log.warn("no barcodes were looked for on a fax: {why}", why=fault.public)
            return [[] for _ in pages]

    def _route(self, call: Ringing, facts: CallFacts, codes: Sequence[str]) -> FaxRoute | None:
        return route_fax(
            self._rules().routes,
            called=call.called,
            subaddress=facts.subaddress,
            station=facts.station,
            caller=call.caller,
            barcodes=codes,
            line=call.line,
        )

    # ------------------------------------------------------------------ one fax

    async def _one(self, came: Came, *, admitted: bool) -> str:
        rules, directory = self._rules(), self._store.directory.current()
        digits = {
            "called": came.call.called,
            "subaddress": came.facts.subaddress,
            "caller": came.call.caller or came.facts.station,
        }
        where = destinations(came.route if admitted else None, rules, self._gateway, directory, digits)
        note = came.note if admitted else _STRANGER
        where, circles = await self._without_circles(came, where)
        note = " ".join([*([note] if note else []), *circles])
        author = self._whose(where)
        traces = []
        if where.mail:
            letter = self._letter(came, [str(one) for one in where.mail])
            traces.append(await self._mailed(came, evolve(letter, note=note), where))
        boxes = [hop.address for hop in where.boxes]
        if boxes:
            letter = evolve(self._letter(came, boxes), use="box", formats=self._in_boxes(where))
            traces.append(await self._queued(came, letter, where, where.boxes, None))
        for number, hop in enumerate(where.printers):
            letter = self._letter(came, [hop.address])
            sender = f"{author.name}@{directory.hostname}" if author is not None else ""
            letter = evolve(letter, use=f"print{number}", author=sender, formats=("pdf",))
            traces.append(await self._queued(came, letter, where, [hop], author))
        if where.onward:
            letter = self._letter(came, [hop.address for hop in where.onward])
            letter = evolve(letter, use="onward", formats=("tiff",), words=False)
            traces.append(await self._queued(came, letter, where, where.onward, author))
        return next((each for each in traces if each), "")

    def _letter(self, came: Came, to: Sequence[str]) -> FaxLetter:
        rules, host = self._rules(), self._store.directory.current().hostname
        sender = Address(format_fax_address(sending(came.call, came.facts)), rules.domains[0])
        return FaxLetter(sender, to, host, self._now(), rules.formats)

    async def _without_circles(self, came: Came, where: Destinations) -> tuple[Destinations, list[str]]:
        """Where it goes, the inbox in place of what would go round; and what its reader is told of that."""
        rules, onward, whys = self._rules(), [], []
        for hop in where.onward:
            why = await circle(hop, came.call, came.facts, rules, self._store, self._now())
            if why:
                whys.append(f"It was not passed on to {hop.params.get('number', '')}: {why}.")
            else:
                origin = {"passed_on": origin_of(came.call, came.facts)}
                onward.append(evolve(hop, params={**hop.params, **origin}))
        where.onward = onward
        if whys:
            inbox = destinations(None, rules, self._gateway, self._store.directory.current())
            where.mail += [one for one in inbox.mail if one not in where.mail]
            admin = self._whose(where)
            if where.nowhere and admin is not None:  # the inbox is a fax machine itself
                where.mail.append(Address(admin.name, self._store.directory.current().hostname))
            where.why += whys
        return where, whys

    def _in_boxes(self, where: Destinations) -> Sequence[str]:
        """What can be polled is kept in the octets that came as well, since it goes out so."""
        rules = self._rules()
        boxes = [rules.box(str(hop.params.get("box", ""))) for hop in where.boxes]
        polled = any(box is not None and box.poll for box in boxes)
        return (*rules.formats, "tiff") if polled and "tiff" not in rules.formats else rules.formats

    def _whose(self, where: Destinations) -> User | None:
        """In whose name something is passed on: whoever hears of it, else the first ADMIN."""
        directory = self._store.directory.current()
        named = directory.user_by_name.get(where.report.casefold())
        return named or next((one for one in directory.users if one.kind is UserKind.ADMIN), None)

    async def _mailed(self, came: Came, letter: FaxLetter, where: Destinations) -> str:
        if await self._known(came, letter):
            return ""
        letter = evolve(letter, simple=await self._simple(came.pages, letter.formats))
        body = await new_body(self._store, fax_mail(came.call, came.facts, came.pages, letter))
        sender = self._bounces_to(came, where)
        envelope = Envelope(sender, tuple(Recipient(one) for one in where.mail), size=body.size)
        origin = self._origin(came, where, "fax-route", None)
        await self._intake.accept(envelope, body, origin)
        return origin.trace

    async def _simple(self, pages: Sequence[FaxPage], formats: Sequence[str]) -> bytes:
        """The pages as TIFF Profile S (RFC 4160 section 4.4), where that is asked for and they are fit for it.

        Empty else; then the octets that came go instead, since a page that is not standard would have to be drawn anew.
        """
        fit = all(page.width in _SIMPLE_WIDTHS and page.y_res in _SIMPLE_LINES for page in pages)
        if "profile-s" not in formats or not fit:
            return b""
        try:
            return write_tiff([await self._pages.recoded(page, Coding.MH) for page in pages])
        except (NotConvertible, MailshareError) as fault:
            self._log.warn("a fax goes out in the octets that came: {why}", why=fault.public)
            return b""

    def _bounces_to(self, came: Came, where: Destinations) -> Address | None:
        """Who hears of a mail that is not delivered (RFC 2532 section 2.1): the office's address, never the caller.

        A report to From would ring a stranger's telephone. Without one a fax that leaves here and is refused elsewhere
        would be lost with nobody knowing. What stays in this house cannot bounce, so its sender is the null one.
        """
        directory = self._store.directory.current()
        account = next(iter(directory.accounts), None)
        leaves = any(one.domain.casefold() != directory.hostname.casefold() for one in where.mail)
        returned = wants_return(self._rules(), sending(came.call, came.facts))
        return account.address if account is not None and (leaves or returned) else None

    async def _queued(
        self, came: Came, letter: FaxLetter, where: Destinations, hops: Sequence[Hop], author: User | None
    ) -> str:
        """A message that no mailbox gets: rows of the queue alone, which the router is not asked about."""
        if await self._known(came, letter):
            return ""
        body = await new_body(self._store, fax_mail(came.call, came.facts, came.pages, letter))
        origin = self._origin(came, where, hops[0].reason, author)
        host = self._store.directory.current().hostname
        # Reports go to whom the route names and nobody else: without one the null sender silences them.
        sender = Address(author.name, host) if author is not None and where.report else None
        await self._store.delivery.deliver(
            Envelope(sender, tuple(Recipient(Address.parse(hop.address)) for hop in hops), size=body.size),
            body,
            origin,
            (),
            hops,
            [self._told(origin, body, letter, hops)],
            at=self._now(),
            expires=self._now() + _KEPT_FOR,
        )
        for agent in {hop.agent for hop in hops}:
            self._store.notifier.wake(agent)
        return origin.trace

    async def _known(self, came: Came, letter: FaxLetter) -> bool:
        """A stop of the server came after this one was stored."""
        return bool(await self._store.find(message_id(came.call, letter.host, letter.use)))

    def _origin(self, came: Came, where: Destinations, code: str, author: User | None) -> Origin:
        why = printable("; ".join(where.why), 200)
        trace = trace_id(self._now(), self._token(3))
        user = author.id if author is not None else None
        return Origin(Source.FAX, trace, user_id=user, peer=came.call.line, steps=(Step(code, why),))

    def _told(self, origin: Origin, body: IBody, letter: FaxLetter, hops: Sequence[Hop]) -> Event:
        """The line of the journal that the door would write."""
        data = {
            "source": origin.source.value,
            "peer": printable(origin.peer, 100),
            "sender": "",
            "recipients": [printable(one, 320) for one in letter.to],
            "size": body.size,
            "steps": [[one.code, one.detail] for one in origin.steps],
            "targets": [],
            "hops": [[hop.agent, printable(hop.address, 320), hop.reason] for hop in hops],
        }
        return Event(self._now(), "route", origin.trace, user_id=origin.user_id, data=data)

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def sending(call: Ringing, facts: CallFacts) -> str:
    """The number to answer to: the caller's, else what the machine says of itself, else none."""
    for text in (call.caller, facts.station):
        digits = "".join(char for char in text if char.isdecimal() and char.isascii())
        if len(digits) > 2:
            return f"+{digits}" if text.strip().startswith("+") else digits
    return "0"
