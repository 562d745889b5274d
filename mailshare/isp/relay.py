"""The agent that hands mail on to the provider's smarthost.

For each message the ways out are asked in order: the account's own server, its fallback, or what its routes say. A way
that cannot be used is left alone for a while and its mail stays queued; nobody's mail bounces because a password
expired. docs/reference/outbox.md tells the rules.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import lru_cache

from attrs import define, evolve, field
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.derived import changed
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import ConfigFault, Damaged, LoginRefused, MailshareError, UntrustedServer
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.report_parts import date_text
from mailshare.core.report_words import certificate_refused, quota_used_up, route_paused
from mailshare.core.retry import HOUR, MINUTE
from mailshare.core.values import SECOND, Account, Directory, Event, Outcome, QueueItem, QueueState
from mailshare.core.ways_out import Way, ways_out
from mailshare.interfaces import IIntake, ILaned, IStore
from mailshare.isp.notices import Notices
from mailshare.isp.outcomes import judge, quota_refusal, refused_for_size, route_refusal
from mailshare.isp.outgoing import Outgoing, top_lines
from mailshare.isp.relay_memory import RelayMemory
from mailshare.isp.relay_route import Route, RouteClosed
from mailshare.isp.relay_session import Answers, Parcel, scan
from mailshare.isp.sign_on import Doors
from mailshare.status import RunStatus

_FIRST_PAUSE = 15 * MINUTE
_QUOTA_PAUSE = HOUR
_REMEMBERED = 30 * MINUTE  # how long a fallback that worked is asked before the account's own server again
_MOST_WAYS = 10_000  # that are remembered: one for each domain written to
_NOTHING_YET = RunStatus()
_WORDS = {"login": route_paused, "certificate": certificate_refused, "quota": quota_used_up}


@define
class _Journey:
    """One transaction to be: rows of one submission for one way.

    :ivar closed: ways that were not to be used; ``tried``: at least one of them was tried now.
    :ivar barred: what a way said of a message that it cannot take at all.
    """

    account: Account
    ways: Sequence[Way]
    batch: Sequence[QueueItem]
    parcel: Parcel
    closed: list[Route] = field(factory=list)
    tried: bool = False
    barred: Answers | None = None


@implementer(ILaned)
class Relay:
    """Sends rows of the agent ``relay``.

    :param idle_seconds: how long a connection without work is kept.
    :param refusals: of a login in a row, after which ...
    :param refused_pause: ... a way is left alone for so many seconds; before, for a quarter of an hour.
    :param zone: of accounts that name none, for the day of their caps.
    :param changed: called with the account's id when its status changed.
    :param reopened: called with the account's id when a way that was paused is used again.
    """

    name = "relay"
    _log = Logger()

    def __init__(
        self,
        store: IStore,
        intake: IIntake,
        doors: Doors,
        *,
        idle_seconds: float = 5.0,
        refusals: int = 2,
        refused_pause: float = 3600.0,
        zone: Callable[[Account], tzinfo] = lambda _: UTC,
        changed: Callable[[int], None] = lambda _: None,
        reopened: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._doors = doors
        self._idle_seconds = idle_seconds
        self._refusals = refusals
        self._refused_pause = int(refused_pause * SECOND)
        self._changed = changed
        self._reopened = reopened
        self._routes: dict[str, Route] = {}
        self._statuses: dict[int, RunStatus] = {}
        self._works: dict[str, tuple[str, int]] = {}
        self._ways_in: Directory | None = None
        self._known_ways: dict[tuple[int, str], tuple[Way, ...]] = {}
        self._notices = Notices(store, intake, doors)
        self._memory = RelayMemory(store.settings, zone)
        self._mark_key = doors.random(32)

    async def load(self) -> None:
        """Read what was remembered before the last stop."""
        await self._memory.load()

    def status(self, account_id: int) -> RunStatus:
        """How sending by an account went last; ``messages`` counts those handed on since the start."""
        status = self._statuses.get(account_id, _NOTHING_YET)
        paused = [route for route in self._routes.values() if route.way.account.id == account_id and route.paused]
        if not paused:
            return status
        until = min(route.closed_until for route in paused)
        return evolve(status, paused=True, error=paused[0].reason, next_try=until)

    @property
    def active(self) -> int:
        """Connections that are open or being opened."""
        return sum(route.active for route in self._routes.values())

    @property
    def servers(self) -> list[str]:
        """Those that connections are open to, or being opened."""
        return [route.way.server.host for route in self._routes.values() if route.active]

    def lane(self, item: QueueItem) -> str:
        """The way that a row would take first."""
        ways = self._ways(item)
        return ways[0].name if ways else ""

    def room(self, item: QueueItem) -> int:
        """As many as all connections of the way can have under way."""
        ways = self._ways(item)
        return self._route(ways[0]).room if ways else 1

    def largest(self, account_id: int, domain: str) -> int:
        """Octets of the largest message that some way of an account to a domain takes; 0 = as far as known, any."""
        directory = self._store.directory.current()
        account = directory.account_by_id.get(account_id)
        return self._memory.largest(ways_out(account, domain, directory), self._now()) if account is not None else 0

    def reopen(self, account_id: int) -> None:
        """Use an account's ways again at once: somebody said so."""
        for route in self._routes.values():
            if route.way.account.id == account_id:
                route.reopen()
        self._changed(account_id)

    async def recheck(self) -> None:
        """After a change of settings: ways whose server or password is another one now are used again at once."""
        directory = self._store.directory.current()
        for name, route in list(self._routes.items()):
            account = directory.account_by_id.get(route.way.account.id)
            if not route.closed_until or account is None:
                continue
            servers = {way.name: way for way in ways_out(account, "", directory)}
            gone = route.way.server not in {way.server for way in servers.values()} and not self._in_routes(
                account, route
            )
            if gone:
                del self._routes[name]
                route.close()
            elif not route.paused or await self._mark(route.way) == route.secret_mark:
                continue
            route.reopen()
            self._reopened(account.id)

    @staticmethod
    def _in_routes(account: Account, route: Route) -> bool:
        return route.way.server in ProviderOptions.of(account).routes.values()

    def close(self) -> None:
        """Cut all connections; rows under way go back to the queue."""
        for route in self._routes.values():
            route.close()

    # ------------------------------------------------------------------ rows

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Try the rows of one submission.

        There is nothing to resume within a message, so ``progress`` is not called.
        """
        del progress
        account = self._store.directory.current().account_by_id.get(batch[0].account_id or 0)
        ways = self._ways(batch[0])
        if account is None or not ways:
            return [_later(item, self._now(), "This account has no server to send by") for item in batch]
        good, outcomes = _readable(batch, self._now())
        status = self._statuses.get(account.id, _NOTHING_YET)
        if not status.running or self._now() - status.last_try >= SECOND:
            self._set(account.id, last_try=self._now(), running=True)
        try:
            for part in _parts(good, ProviderOptions.of(ways[0].account).recipients_per_message):
                outcomes += await self._counted(account, ways, part)
        finally:
            self._set(account.id, running=any(route.loaded for route in self._routes.values()))
        return outcomes

    def _ways(self, item: QueueItem) -> tuple[Way, ...]:
        """Asked several times for each row; the answer holds as long as the directory does."""
        directory = self._store.directory.current()
        if directory is not self._ways_in or len(self._known_ways) >= _MOST_WAYS:
            self._ways_in, self._known_ways = directory, {}
        key = (item.account_id or 0, item.address.rpartition("@")[2])
        ways = self._known_ways.get(key)
        if ways is None:
            account = directory.account_by_id.get(key[0])
            ways = self._known_ways[key] = () if account is None else ways_out(account, key[1], directory)
        return ways

    async def _counted(self, account: Account, ways: Sequence[Way], part: Sequence[QueueItem]) -> list[Outcome]:
        """Send a part as far as the provider's day allows; the rest waits for tomorrow."""
        payer, now = ways[0].account, self._now()
        allowed = self._memory.allowed(payer, len(part), now)
        held, part = part[allowed:], part[:allowed]
        text = f"The provider takes no more mail of {payer.address} today (daily_cap, daily_messages)"
        waits = [_wait(item, now, text, self._memory.tomorrow(payer, now)) for item in held]
        if not part:
            return waits
        await self._memory.count(payer, len(part), now)
        outcomes = await self._try(account, ways, part)
        missed = sum(outcome.state is not QueueState.DELIVERED for outcome in outcomes)
        await self._memory.uncount(payer, missed, whole=missed == len(part), now=now)
        return [*outcomes, *waits]

    async def _try(self, account: Account, ways: Sequence[Way], part: Sequence[QueueItem]) -> list[Outcome]:
        try:
            stored = await self._store.queue.body(part[0].message_id)
            top = top_lines(self._store.directory.current().instance, part[0])
            body = Outgoing(stored, top)
            utf8_header = not (await stored.header()).isascii()
            parcel = Parcel(build_envelope(part), body, await scan(body), utf8_header)
        except Damaged as fault:
            self._log.error("message {trace} is damaged on the disk and is not sent", trace=part[0].trace)
            text = fault.public
            return [
                Outcome(item.id, QueueState.FAILED, self._now(), fault.code, fault.status, text) for item in part
            ]
        except MailshareError as fault:
            return [_later(item, self._now(), fault.public) for item in part]
        journey = _Journey(account, ways, part, parcel)
        for route in self._in_order(ways):
            outcomes = await self._by(route, journey)
            if outcomes is not None:
                return outcomes
        return self._nowhere(journey)

    def _in_order(self, ways: Sequence[Way]) -> list[Route]:
        """The ways as they are asked: first the one that worked last, for half an hour."""
        name, until = self._works.get(ways[0].name, ("", 0))
        ordered = sorted(ways, key=lambda way: way.name != name) if self._now() < until else ways
        return [self._route(way) for way in ordered]

    async def _by(self, route: Route, journey: _Journey) -> list[Outcome] | None:
        """Try one way; ``None`` = ask the next."""
        if route.closed(self._now()):
            journey.closed.append(route)
            return self._nowhere(journey) if route.paused else None
        try:
            answers = await route.send(journey.parcel)
        except RouteClosed:
            journey.closed.append(route)
            return self._nowhere(journey) if route.paused else None
        except (LoginRefused, ConfigFault, UntrustedServer) as refusal:
            cause = "certificate" if isinstance(refusal, UntrustedServer) else "login"
            await self._refused(journey, route, cause, refusal.public)
            return self._nowhere(journey)
        except MailshareError as fault:
            route.failed(fault.public, self._now())
            self._doors.steps.trouble(route.way.account, fault.public)
            self._set(journey.account.id, error=fault.public, next_try=route.closed_until)
            journey.closed.append(route)
            journey.tried = True
            return None
        await self._memory.offered(route.way, route.offered)
        await self._memory.tell(route.way, "")
        return await self._told(route, journey, answers)

    async def _told(self, route: Route, journey: _Journey, answers: Answers) -> list[Outcome] | None:
        """What a server that let us in said of the message."""
        if answers.barred:
            journey.barred = journey.barred or answers
            return None
        for cause, reply in (("login", route_refusal(answers)), ("quota", quota_refusal(answers))):
            if reply is not None:
                said = f"{reply.code} {reply.status} {reply.text}".replace("  ", " ")
                words = "The server wants another login" if cause == "login" else "The server takes no more for now"
                await self._refused(journey, route, cause, f"{words}: {said}")
                return self._nowhere(journey)
        if refused_for_size(answers):
            await self._memory.refused(route.way, journey.parcel.scan.size, self._now())
        self._works[journey.ways[0].name] = (route.way.name, self._now() + _REMEMBERED)
        outcomes = judge(journey.batch, answers, self._now())
        self._note(journey.account.id, answers, outcomes)
        self._narrate(journey, outcomes)
        return outcomes

    def _nowhere(self, journey: _Journey) -> list[Outcome]:
        """No way took it: wait for the first that may be used again; or none of them ever can."""
        now = self._now()
        if not journey.closed:
            assert journey.barred is not None
            return judge(journey.batch, journey.barred, now)
        paused = next((route for route in journey.closed if route.paused), None)
        first = paused or min(journey.closed, key=lambda route: route.closed_until)
        reason = first.reason if paused else "; ".join(dict.fromkeys(route.reason for route in journey.closed))[:500]
        # The try that closed the way was made for all that waited then; what came later was not tried yet.
        missed = [journey.tried or item.queued <= first.closed_at for item in journey.batch]
        return [
            evolve(_wait(item, now, reason, first.closed_until), counts=counts and paused is None)
            for item, counts in zip(journey.batch, missed, strict=True)
        ]

    # ------------------------------------------------------------------ what becomes of a way

    async def _refused(self, journey: _Journey, route: Route, cause: str, text: str) -> None:
        """Pause the way, and tell ADMIN once for as long as it lasts."""
        now = self._now()
        journey.closed.append(route)
        if route.closed(now):
            return
        once_more = route.refusals + 1 < self._refusals
        pause = min(_FIRST_PAUSE, self._refused_pause) if once_more else self._refused_pause
        route.refused(text, now, _QUOTA_PAUSE if cause == "quota" else pause)
        route.secret_mark = await self._mark(route.way)
        account = route.way.account
        self._doors.steps.trouble(account, text)
        self._set(journey.account.id, error=text, next_try=route.closed_until)
        data = {"way": route.way.name, "cause": cause, "reply": text, "until": route.closed_until}
        try:
            await self._store.events.append([Event(now, "relay.paused", account_id=account.id, data=data)])
        except MailshareError as fault:
            self._log.warn("the journal could not be written: {fault}", fault=fault.public)
        if self._memory.told(route.way) == cause:
            return
        subject, words = _WORDS[cause](str(account.address), route.way.name, text, date_text(route.closed_until))
        if await self._notices.tell(account, f"relay-{cause}-{route.way.name}", subject, "\r\n\r\n".join(words)):
            await self._memory.tell(route.way, cause)

    async def _mark(self, way: Way) -> bytes:
        """What changes when the way's server or password changes; kept in memory alone."""
        try:
            secret = await self._doors.secrets.password(way.account, "relay")
        except MailshareError:
            secret = ""
        return hmac.digest(self._mark_key, f"{secret}\0{way.server!r}".encode(), hashlib.sha256)

    def _note(self, account_id: int, answers: Answers, outcomes: Sequence[Outcome]) -> None:
        error = answers.fault.public if answers.fault else ""
        status = self._statuses.get(account_id, _NOTHING_YET)
        delivered = any(outcome.state is QueueState.DELIVERED for outcome in outcomes)
        self._set(
            account_id, error=error, next_try=0, last_ok=status.last_ok if error else self._now(),
            messages=status.messages + delivered,
        )  # fmt: skip

    def _narrate(self, journey: _Journey, outcomes: Sequence[Outcome]) -> None:
        addresses = {item.id: item.address for item in journey.batch}
        for one in outcomes:
            taken = one.state is QueueState.DELIVERED
            reply = f"{one.code} {one.status} {one.reply}"
            self._doors.steps.handed_on(journey.account, addresses[one.item_id], reply, taken=taken)

    def _set(self, account_id: int, **facts: object) -> None:
        before = self._statuses.get(account_id, _NOTHING_YET)
        if any(getattr(before, name) != value for name, value in facts.items()):
            self._statuses[account_id] = changed(before, **facts)
            self._changed(account_id)

    def _route(self, way: Way) -> Route:
        """What is known of a way; another server under the same name begins anew."""
        name = f"{way.account.id} {way.name}"
        route = self._routes.get(name)
        if route is not None and route.way is not way and route.way.server != way.server:
            route.close()
            route = None
        if route is None:
            route = self._routes[name] = Route(way, self._doors, self._idle_seconds)
        route.way = way
        return route

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)


def _later(item: QueueItem, at: int, text: str) -> Outcome:
    return Outcome(item.id, QueueState.QUEUED, at, 451, "4.4.4", text)


def _wait(item: QueueItem, at: int, text: str, until: int) -> Outcome:
    """Not tried: it waits until then, and that counts for nothing."""
    return Outcome(item.id, QueueState.QUEUED, at, 451, "4.4.1", text, next_at=max(until, at + SECOND), counts=False)


def _parts(batch: Sequence[QueueItem], most: int) -> list[list[QueueItem]]:
    """Rows in transactions of so many recipients; those that need SMTPUTF8 for themselves, so that no other fails."""
    plain = [item for item in batch if item.address.isascii()]
    other = [item for item in batch if not item.address.isascii()]
    return [rows[start : start + most] for rows in (plain, other) for start in range(0, len(rows), most)]


def _readable(batch: Sequence[QueueItem], at: int) -> tuple[list[QueueItem], list[Outcome]]:
    """Part rows whose address can go on the wire from those whose address cannot."""
    good, bad = [], []
    for item in batch:
        try:
            _address(item.address)
            good.append(item)
        except MailshareError as fault:
            bad.append(Outcome(item.id, QueueState.FAILED, at, fault.code, fault.status, fault.public))
    return good, bad


_address = lru_cache(maxsize=256)(Address.parse)  # each is read twice, and an office writes to the same again and again


def build_envelope(batch: Sequence[QueueItem]) -> Envelope:
    """The envelope of rows of one submission, from what each row keeps in ``params``.

    ``notify`` (list of words), ``orcpt``, ``ret``, ``envid``, ``smtputf8``; the last three are equal in all rows.
    """
    recipients = []
    for item in batch:
        notify = item.params.get("notify", ())
        words = frozenset(str(word) for word in notify) if isinstance(notify, (list, tuple)) else frozenset()
        recipients.append(Recipient(_address(item.address), words, str(item.params.get("orcpt", "") or "")))
    params = batch[0].params
    return Envelope(
        batch[0].sender,
        tuple(recipients),
        smtputf8=bool(params.get("smtputf8", False)),
        ret=str(params.get("ret", "") or ""),
        envid=str(params.get("envid", "") or ""),
    )
