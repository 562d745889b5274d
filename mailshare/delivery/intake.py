"""The one door: what comes in is read, routed and stored with all that follows from it in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.derived import changed, derived
from mailshare.core.duplicates import duplicate_key
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailboxFull, MailshareError, PolicyRefusal, Unavailable
from mailshare.core.folders import folder_lines
from mailshare.core.forwarding import forward, forwarding
from mailshare.core.headers import Headers, line_above
from mailshare.core.ladder import addressed
from mailshare.core.people import people_of
from mailshare.core.report_parts import printable
from mailshare.core.report_words import mailbox_full, unknown_name
from mailshare.core.retry import STANDARD
from mailshare.core.returned_parts import (
    MAX_LOOKED_AT,
    is_report,
    names_itself_alone,
    references,
    refers,
    returned_ids,
)
from mailshare.core.values import DeliveryResult, Directory, Origin, Receipt, Routing, SentMark, Source, Step, Target
from mailshare.core.values.routing import REPORT
from mailshare.delivery.answers import Answers, absent_users
from mailshare.delivery.events import route_events
from mailshare.delivery.moments import Aside, at_once, micros
from mailshare.delivery.quotas import Bounded, Quotas, bounded_users
from mailshare.delivery.reports import Reports
from mailshare.interfaces import IBody, IForecast, IIntake, IRouter, IStore

_BEGINNING = 2_000  # octets in which it shows whether a message has a header
LONG_HEADER = 16_384  # octets from which on a header is read aside


class _Read(NamedTuple):  # made for each message: a class of attrs takes twice the time
    """What the door has read of a message.

    :ivar origin: with the key of the message.
    """

    headers: Headers
    routing: Routing
    origin: Origin


@frozen
class _Wishes:
    """What some users of a directory want of all their mail; in most offices nobody does.

    :ivar collapsing: the accounts whose users want a list's copy and the direct one to count as one.
    :ivar forwarding: somebody has mail sent on; ``bounded``: has a bound; ``absent``: has told that he is away.
    """

    collapsing: frozenset[int]
    forwarding: bool
    bounded: bool
    absent: bool


@implementer(IIntake, IForecast)
class Intake:
    """Takes messages from every source.

    Whatever goes wrong in reading or routing a collected message, it is stored: whole, in ADMIN's mailbox, with the
    reason. Of what a client hands in, the same trouble is a temporary refusal: the client still has it.

    :param reports: tells local senders what the router has to say to them.
    :param aside: does the reading of long headers elsewhere than on the reactor's thread.
    :param seen: is told of each message that was stored: its id, its header, whence it came.
    :param quotas: bounds of mailboxes; without it there are none.
    :param answers: answers for people who are away; without it nobody does.
    :param forecast: says who would get a message; a router that counts nothing. Without one, ``router`` itself.
    :param give_up_after: microseconds after which queue rows that a message makes are given up.
    :param hurry: is called with an account's id when a priority message waits to leave by it.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        router: IRouter,
        clock: IReactorTime,
        reports: Reports,
        aside: Aside = at_once,
        *,
        forecast: IRouter | None = None,
        give_up_after: int = STANDARD.give_up_after,
        hurry: Callable[[int], None] = lambda _: None,
        seen: Callable[[int, Headers, Origin], None] = lambda _id, _headers, _origin: None,
        quotas: Quotas | None = None,
        answers: Answers | None = None,
    ) -> None:
        self._store = store
        self._router = router
        self._clock = clock
        self._reports = reports
        self._aside = aside
        self._forecast = forecast or router
        self._give_up_after = give_up_after
        self._hurry = hurry
        self._seen = seen
        self._quotas = quotas
        self._answers = answers

    async def accept(
        self, envelope: Envelope, body: IBody, origin: Origin, headers: Headers | None = None
    ) -> Receipt:
        """Route and store in one transaction; fires when durable.

        :raises PolicyRefusal: a rule says no; never for collected mail.
        :raises Unavailable: not now; nothing was stored.
        """
        directory = self._store.directory.current()
        wishes = _wishes(directory)
        read = await self._read(envelope, body, origin, directory, headers)
        kept, result = await self._deliver(envelope, body, read, directory, bounded=wishes.bounded)
        routing, headers = kept.routing, read.headers
        if routing.hops:
            self._wake(routing, fresh=not result.already)
        if not result.already:
            if origin.user_id is not None:
                await self._tell(kept, headers, origin.user_id, origin)
            if wishes.bounded or wishes.absent:
                await self._follow_up(envelope, body, read, routing, result)
            self._seen(result.message_id, headers, origin)
        return Receipt(origin.trace, result.message_id, routing, result.already, result.suppressed)

    async def accept_together(
        self, messages: Sequence[tuple[Envelope, IBody, Origin, Headers | None]]
    ) -> Sequence[Receipt | None]:
        """Route and store usual messages in one transaction; see ``IIntake``."""
        directory = self._store.directory.current()
        receipts: list[Receipt | None] = [None] * len(messages)
        places, taken, ready = [], [], []
        for place, (envelope, body, origin, headers) in enumerate(messages):
            # Whatever has to be waited for would keep the others waiting.
            if origin.source is Source.COLLECT and headers is not None and not refers(headers):
                read = await self._read(envelope, body, origin, directory, headers, refers_to_none=True)
                made = self._made_ready(envelope, body, read, directory)
                if made is not None:
                    places.append(place)
                    taken.append(read)
                    ready.append(made)
        if not ready:
            return receipts
        try:
            results = await self._store.delivery.deliver_together(ready)
        except MailshareError:
            return receipts  # whose fault it is shows when each is handed in alone
        wishes = _wishes(directory)
        for place, read, result in zip(places, taken, results, strict=True):
            envelope, body, origin, _ = messages[place]
            if not result.already:
                if wishes.bounded or wishes.absent:
                    await self._follow_up(envelope, body, read, read.routing, result)
                self._seen(result.message_id, read.headers, origin)
            receipts[place] = Receipt(
                origin.trace, result.message_id, read.routing, result.already, result.suppressed
            )
        return receipts

    def _made_ready(self, envelope: Envelope, body: IBody, read: _Read, directory: Directory) -> object | None:
        """A collected message for the store to take with others: no bound holds it back, and nobody here sent it."""
        headers, routing, origin = read
        at = micros(self._clock)
        return self._store.delivery.ready(
            envelope,
            body,
            origin,
            routing.targets,
            routing.hops,
            route_events(at, envelope, origin, routing, body.size, directory, headers.own_id),
            at=at,
            duplicate_key=origin.key,
            headers=headers if headers.fields else None,
        )

    async def _follow_up(
        self, envelope: Envelope, body: IBody, read: _Read, routing: Routing, result: DeliveryResult
    ) -> None:
        """Tell who has a full mailbox, answer for who is away."""
        wishes = _wishes(self._store.directory.current())
        if wishes.bounded and self._quotas is not None:
            await self._quotas.watch(result.uids, body.size, read.origin)
        if wishes.absent and self._answers is not None:
            await self._answers.answer(self.accept, routing, read.headers, envelope, read.origin)

    def _wake(self, routing: Routing, *, fresh: bool) -> None:
        """Tell those who hand on that rows wait for them."""
        for agent in dict.fromkeys(hop.agent for hop in routing.hops):
            self._store.notifier.wake(agent)
        for account_id in dict.fromkeys(hop.account_id for hop in routing.hops if hop.params.get("urgent")):
            if account_id is not None and fresh:
                self._hurry(account_id)

    async def _deliver(
        self, envelope: Envelope, body: IBody, read: _Read, directory: Directory, *, bounded: bool
    ) -> tuple[Bounded, DeliveryResult]:
        """The transaction, once more without a mailbox that was filled by somebody else at the same moment."""
        headers, routing, origin = read
        at, size = micros(self._clock), body.size
        full: set[int] = set()
        while True:
            if self._quotas is None or not bounded:
                kept = Bounded(routing)
            else:
                kept = await self._quotas.bounded(read.routing, origin, size, directory, full)
                routing = kept.routing
            try:
                return kept, await self._store.delivery.deliver(
                    envelope,
                    body,
                    origin,
                    routing.targets,
                    routing.hops,
                    route_events(at, envelope, origin, routing, size, directory, headers.own_id),
                    at=at,
                    duplicate_key=origin.key,
                    sent=None if origin.user_id is None else _sent_mark(headers, origin.user_id, routing),
                    expires=at + self._give_up_after,
                    bounds=kept.bounds,
                    headers=headers if headers.fields else None,  # none: it could not be read for sorting
                )
            except MailboxFull as fault:
                full.add(fault.user_id)

    async def who_gets(self, envelope: Envelope, header: bytes, origin: Origin) -> Sequence[int]:
        """Ids of the users who would get a collected message with this header; see ``IForecast``."""
        directory = self._store.directory.current()
        headers = await self._aside(lambda: Headers.parse(header))
        ids = references(headers)
        known = await self._store.memory.who_sent(ids) if ids else {}
        routing = await self._aside(lambda: self._forecast.route(envelope, headers, origin, directory, known))
        return [target.user_id for target in routing.targets]

    # ------------------------------------------------------------------ reading and routing

    async def _read(
        self,
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        directory: Directory,
        headers: Headers | None,
        *,
        refers_to_none: bool = False,
    ) -> _Read:
        try:
            if body.header_length > LONG_HEADER:
                return await self._read_aside(envelope, body, origin, directory, headers)
            if headers is None:
                headers = Headers.parse(await body.header())
            wishes = _wishes(directory)
            key = _duplicate_key(headers, body, origin, directory, wishes.collapsing)
            keyed = changed(origin, key=key)
            asked = not refers_to_none and refers(headers)
            known = await known_marks(self._store, headers, body, origin) if asked else {}
            routing = self._router.route(envelope, headers, keyed, directory, known)
            if wishes.forwarding:
                routing = sent_on(routing, headers, envelope, keyed, directory)
            return _Read(headers, routing, keyed)
        except Unavailable:
            raise
        except PolicyRefusal as refusal:
            if origin.source is not Source.COLLECT:
                raise
            return _Read(Headers(), await self._to_admin(body, origin, directory, f"refused: {refusal.public}"), origin)
        except Exception as error:  # whatever a message does to the reader, no collected mail may be lost by it
            self._log.failure("message {trace} could not be read or routed", trace=origin.trace)
            if origin.source is not Source.COLLECT:
                raise Unavailable(detail={"trace": origin.trace}) from error
            why = f"could not be sorted: {type(error).__name__}"
            return _Read(Headers(), await self._to_admin(body, origin, directory, why), origin)

    async def _read_aside(
        self, envelope: Envelope, body: IBody, origin: Origin, directory: Directory, given: Headers | None
    ) -> _Read:
        """The same for a long header, off the reactor's thread."""
        block = await body.header() if given is None else b""
        headers = await self._aside(lambda: _well_read(block, given))
        key = _duplicate_key(headers, body, origin, directory, _wishes(directory).collapsing)
        keyed = changed(origin, key=key)
        known = await known_marks(self._store, headers, body, origin)
        routing = await self._aside(lambda: self._router.route(envelope, headers, keyed, directory, known))
        return _Read(headers, sent_on(routing, headers, envelope, keyed, directory), keyed)

    @staticmethod
    async def _to_admin(body: IBody, origin: Origin, directory: Directory, reason: str) -> Routing:
        account = directory.account_by_id.get(origin.account_id or 0) or next(iter(directory.accounts), None)
        admin = directory.user_by_name.get(account.admin) if account is not None else None
        if admin is None:
            raise Unavailable(detail={"why": "there is no ADMIN to take it", "trace": origin.trace})
        prefix = f"X-Mailshare-Reason: {printable(reason, 200)}\r\n".encode("ascii", "replace")
        prefix += folder_lines(origin.folder, junk=origin.junk) + line_above(await body.header(_BEGINNING))
        return Routing((Target(admin.id, "trouble", prefix),), steps=(Step("trouble", reason[:200]),))

    # ------------------------------------------------------------------ notes

    async def _tell(self, kept: Bounded, headers: Headers, author: int, origin: Origin) -> None:
        """The message is stored already: a note that cannot be stored now must not turn that into a refusal."""
        about = headers.own_id
        notes = [unknown_name(kept.routing.notes)] if kept.routing.notes else []
        notes += [mailbox_full(kept.unsaid)] if kept.unsaid else []
        for subject, words in notes:
            try:
                await self._reports.notify(author, subject, words, about=about, account_id=origin.account_id)
            except MailshareError as fault:
                self._log.warn("a note on {trace} was not stored: {fault}", trace=origin.trace, fault=fault.public)


@derived
def _wishes(directory: Directory) -> _Wishes:
    sharers = people_of(directory).sharers
    return _Wishes(
        frozenset(number for number, each in sharers.items() if each.options.collapse_lists),
        forwarding=bool(forwarding(directory)),
        bounded=bool(bounded_users(directory)),
        absent=bool(absent_users(directory)),
    )


def _duplicate_key(
    headers: Headers, body: IBody, origin: Origin, directory: Directory, collapsing: frozenset[int]
) -> bytes:
    """The key by which a mailbox takes a message once; reports and what could not be read have none."""
    if origin.source is REPORT or not headers.fields:
        return b""
    if not collapsing:
        return duplicate_key(headers, body.content_digest, body.digest)
    author = directory.user_by_id.get(origin.user_id or 0)
    ids = [origin.account_id] if origin.account_id is not None else list(author.accounts if author else ())
    collapse = not collapsing.isdisjoint(ids)
    return duplicate_key(headers, body.content_digest, body.digest, collapse_lists=collapse)


def _well_read(block: bytes, headers: Headers | None) -> Headers:
    """A long header with its addresses read, which fields keep: whoever asks for them later takes no time for it.

    :param headers: the same, when somebody has read it; ``block`` is not looked at then.
    """
    headers = headers or Headers.parse(block)
    if not headers.oversize:
        addressed(headers)
    return headers


def sent_on(
    routing: Routing, headers: Headers, envelope: Envelope, origin: Origin, directory: Directory
) -> Routing:
    """The routing with what users have forwarded to the outside."""
    onward = forward(routing.targets, headers, envelope, origin, directory, came_back=routing.came_back)
    if not onward.steps:
        return routing
    return evolve(
        routing,
        targets=tuple(target for target in routing.targets if target.user_id not in onward.emptied),
        hops=(*routing.hops, *onward.hops),
        steps=(*routing.steps, *onward.steps),
    )


async def known_marks(store: IStore, headers: Headers, body: IBody, origin: Origin) -> Mapping[str, SentMark]:
    """Those of our own messages that this one answers or returns, the likeliest first.

    What a user hands in names itself in its References, put there for the answers to it, and answers nothing by that.
    """
    if origin.user_id is None or origin.source is Source.COLLECT:
        ids = references(headers)
    elif names_itself_alone(headers):
        ids = ()
    else:
        ids = tuple(one for one in references(headers) if one != headers.own_id)
    if is_report(headers):
        ids += returned_ids(await body.read(body.header_length, MAX_LOOKED_AT))
    if not ids:
        return {}
    found = await store.memory.who_sent(ids)
    return {each: found[each] for each in ids if each in found}  # the likeliest first, whatever the store's order


def _sent_mark(headers: Headers, user_id: int, routing: Routing) -> SentMark | None:
    """So that answers and bounces find the sender."""
    if not headers.own_id:
        return None
    account_id = next((hop.account_id for hop in routing.hops if hop.account_id is not None), None)
    return SentMark(headers.own_id, user_id, account_id)
