"""One collection session. Whatever moment it is cut at, no message is lost and none is delivered twice.

The order: fetch into a body; one transaction {message, copies, ledger row}; only then ask for deletion; when the
provider has confirmed it the ledger row becomes GONE. A session that ends before leaves rows that ask for deletion, and
the next one deletes them without fetching, after making sure that they are still the same messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.values import SECOND, Account, Event, LedgerKey, LedgerRow, LedgerState
from mailshare.interfaces import IIntake, IStore
from mailshare.isp.arrival import Arrivals, Tally
from mailshare.isp.flight import Flight, all_of
from mailshare.isp.left_behind import LeftBehind
from mailshare.isp.listing import (
    CLOSE_LOOK,
    DAY,
    HEADER_WEIGHT,
    SAMPLE,
    Act,
    HeaderReader,
    Upstream,
    decide,
    header_name,
    in_order,
    recognize,
    renumbered,
    renumbering_suspects,
    stem,
    suspicious,
    to_verify,
    vanished,
    without_digest,
)
from mailshare.isp.notices import Notices
from mailshare.isp.opening import open_session
from mailshare.isp.provider_session import ProviderSession
from mailshare.isp.sign_on import Doors
from mailshare.isp.wanted import Wanted
from mailshare.wire.pop3_client_replies import POP3Limits

Known = Mapping[str, LedgerRow]
FirstLook = Callable[[Account, ProviderSession, Sequence[Upstream]], Awaitable[None]]
PRUNE_AFTER = 30 * DAY
_LOT = 64  # deletions that are asked for together
_TOLD = 50  # times that who looks on hears how far a session has come


class Collection:
    """One session with one account.

    :param failures: times that messages could not be fetched whose ledger row must not say so; kept by the caller.
    :param limits: of the POP3 engine; the account's own settings go before them.
    :param first_look: is shown each listing before it is worked off.
    :param trust_top: whether a header by TOP is the one that RETR gives.
    :param run: trace of the run that the session belongs to.
    """

    _log = Logger()

    def __init__(
        self,
        account: Account,
        store: IStore,
        intake: IIntake,
        doors: Doors,
        failures: dict[str, int],
        notices: Notices,
        limits: POP3Limits | None = None,
        first_look: FirstLook | None = None,
        *,
        trust_top: bool = True,
        run: str = "",
    ) -> None:
        self._trust_top = trust_top
        self._run = run
        assert account.collect is not None
        self._account = account
        self._server = account.collect
        self._store = store
        self._doors = doors
        self._first_look = first_look
        limits = limits or POP3Limits()
        given = self._server.options
        self._limits = evolve(
            limits, message=int(given.get("limit", limits.message)), window=int(given.get("window", limits.window))
        )
        self._leave_days = account.leave_days
        self._gone: dict[int, str] = {}  # what shall be deleted: number to the ledger's name
        self._to_delete: dict[int, tuple[Upstream, str]] = {}  # by number: with its name, before it was asked for
        self._deletions: list[Deferred[None]] = []
        self._came: list[str] = []
        self._to_fetch = 0
        self._reused: frozenset[str] = frozenset()
        self._overdue: list[Upstream] = []  # wait for deletion, but have to be compared whole first
        self._error: MailshareError | None = None
        self._wanted = Wanted(store)
        self._notices = notices
        self._behind = LeftBehind(account, store, intake, doors, notices, self._wanted, failures, run)
        self.tally = Tally()
        self._arrivals = Arrivals(
            account, self._server, store, intake, doors, self._limits, ProviderOptions.of(account), self._behind,
            self.tally, self._stored, run,
        )  # fmt: skip

    async def run(self) -> Tally:
        """Collect.

        :raises MailshareError: the session could not be begun, or broke off; what was stored is stored.
        :cancel: cuts the connection.
        """
        wanted = await self._wanted.of(self._account.id)
        session = await open_session(self._doors, self._account, self._server, await self._limits_for(wanted))
        try:
            await self._session(session, wanted)
        finally:
            session.give_up(Unavailable("The session is over"))
            self.tally.notes = tuple(session.notes)
            self.tally.waiting = max(self._to_fetch - self.tally.messages - self.tally.again, 0)
        await self._notices.pass_on(self._account, session.alerts)
        error = self._error or self._arrivals.error
        if error is not None:
            raise error
        return self.tally

    async def _limits_for(self, wanted: frozenset[str]) -> POP3Limits:
        """The engine's limits, wide enough for what somebody asked for."""
        if not wanted:
            return self._limits
        known = await self._store.ledger.known(self._account.id)
        largest = max((known[name].key.size for name in wanted if name in known), default=0)
        return evolve(self._limits, message=max(self._limits.message, largest + largest // 8))

    async def _session(self, session: ProviderSession, wanted: frozenset[str]) -> None:
        self._read_policy(session)
        messages, complete = await self._list(session)
        known = await self._store.ledger.known(self._account.id)
        recognize(messages, known)
        if messages and self._first_look is not None:
            await self._first_look(self._account, session, messages)
        if messages:
            known = await self._follow_renumbering(session, messages, known)
            known = await self._adopt(session, messages, known)
        limit = min(self._limits.message, ProviderOptions.of(self._account).max_size or self._limits.message)
        decisions = decide(
            messages, known, leave_days=self._leave_days, limit=limit, now=self._now(), wanted=wanted,
            reused=await self._given_out_again(session, messages, known), ids_last=session.ids_last,
        )  # fmt: skip
        to_delete = [d.message for d in decisions if d.act is Act.DELETE]
        to_fetch = [d.message for d in decisions if d.act is Act.FETCH]
        confirmed, self._overdue = await self._confirm(session, to_delete, known)
        for message in (d.message for d in decisions if d.act is Act.SKIP):
            self.tally.skipped += 1
            await self._behind.too_large(session, message, limit)
        await self._mark_expired(confirmed, known)
        for message in confirmed:
            self._delete(session, message, message.name)
        self._to_fetch = len(to_fetch) + len(self._overdue)
        self._doors.steps.listed(self._account, self.tally.listed, self._to_fetch)
        self._arrivals.known, self._arrivals.leave_days = known, self._leave_days
        try:
            await self._arrivals.fetch(session, in_order([*to_fetch, *self._overdue]))
        except CancelledError:
            session.give_up(Unavailable("Stopped here"))  # what shall be deleted is for the next session
            raise
        finally:
            self._ask_deletion(session)
            await all_of(self._deletions)
            if self._to_fetch:
                self._tell_progress()
        if wanted:
            await self._wanted.drop(self._account.id, self._came)
        await self._leave(session)
        if complete:
            await self._forget(messages, known, wanted)

    async def _forget(self, messages: Sequence[Upstream], known: Known, wanted: frozenset[str]) -> None:
        """Rows and wishes of messages that the provider no longer has."""
        names = {m.name for m in messages}
        listed = [uidl for uidl in known if uidl in names or stem(uidl) in names]
        await self._store.ledger.prune(self._account.id, listed, self._now() - PRUNE_AFTER)
        await self._wanted.drop(self._account.id, wanted - names)

    def _stored(self, session: ProviderSession, message: Upstream, name: str, already: bool) -> None:
        """A message is safe with us: delete it at the provider, if that is what shall become of it."""
        if already and message.uid in self._reused:
            # RETR shows the header that we stored, so it is TOP that shows another one.
            self.tally.top_unlike += 1
        if self._leave_days == 0 or (already and message in self._overdue):
            self._delete(session, message, name)
        self._came.append(message.name)
        if not (self.tally.messages + self.tally.again) % max(self._to_fetch // _TOLD, 1):
            self._tell_progress()

    def _tell_progress(self) -> None:
        done = self.tally.messages + self.tally.again
        self._doors.steps.collected(self._account, done, self._to_fetch, self.tally.users)

    # ------------------------------------------------------------------ listing

    def _read_policy(self, session: ProviderSession) -> None:
        policy = session.policy
        self.tally.login_delay, self.tally.expire = policy.login_delay, policy.expire
        self._leave_days = policy.days(self._leave_days)

    async def _list(self, session: ProviderSession) -> tuple[list[Upstream], bool]:
        """All messages, each with a name where one can be had; and whether the listing is whole."""
        listing = await session.list_messages()
        self.tally.listed, self.tally.ignored_lines, self.tally.more = listing.count, listing.ignored, listing.more
        await self._name(session, [message for message in listing.messages if not message.uid])
        return listing.messages, listing.whole and all(message.name for message in listing.messages)

    async def _name(self, session: ProviderSession, messages: Sequence[Upstream]) -> None:
        """Name messages without unique-id after their header."""
        await self._digests(session, messages)
        for message in messages:
            message.name = header_name(message.digest) if message.digest else ""

    async def _digests(self, session: ProviderSession, messages: Sequence[Upstream]) -> None:
        """Fill in the digests of headers by TOP, as far as the server lets us."""
        if not session.gives_headers:
            return
        flight = Flight(self._limits.window, self._limits.window_octets)
        asked = []
        for message in messages:
            await flight.enter(HEADER_WEIGHT)
            if session.lost:
                break
            asked.append(Deferred.fromCoroutine(self._digest(session, message, flight)))
        await all_of(asked)

    async def _digest(self, session: ProviderSession, message: Upstream, flight: Flight) -> None:
        header = HeaderReader()
        try:
            came = await session.header(message, header.feed)
        finally:
            flight.leave(HEADER_WEIGHT)
        if came:
            message.digest = header.digest

    async def _follow_renumbering(self, session: ProviderSession, messages: Sequence[Upstream], known: Known) -> Known:
        gone = vanished(messages, known, ids_last=session.ids_last)
        suspects = renumbering_suspects(messages, gone, known)
        if not suspects:
            return known
        await self._digests(session, suspects)
        pairs = renumbered(suspects, gone)
        if not pairs:
            return known
        await self._store.ledger.rekey(self._account.id, pairs)
        await self._event("collect.renumbered", {"messages": len(pairs)})
        return await self._store.ledger.known(self._account.id)

    # ------------------------------------------------------------------ who a known id really is

    async def _adopt(self, session: ProviderSession, messages: Sequence[Upstream], known: Known) -> Known:
        """Learn size and header of what another program fetched before us: its memory knows the ids only."""
        unseen = without_digest(messages, known)
        if not unseen:
            return known
        await self._digests(session, unseen)
        for message in unseen:
            if message.digest:
                row = known[message.uid]
                key = LedgerKey(self._account.id, message.uid, message.size, message.digest)
                await self._store.delivery.refuse(key, LedgerState.KEPT, row.error, self._now())
        return await self._store.ledger.known(self._account.id)

    async def _given_out_again(
        self, session: ProviderSession, messages: Sequence[Upstream], known: Known
    ) -> frozenset[str]:
        """Ids of messages left there that bear another header than the one stored: the server used the id twice.

        A sample is compared in each run where that costs one turn; hundreds when something looks wrong.
        """
        closely = suspicious(messages, known)
        if not self._trust_top or not (closely or session.asks_ahead):
            return frozenset()
        seed = int.from_bytes(self._doors.random(4), "big")
        most = CLOSE_LOOK if closely else SAMPLE
        sample = to_verify(messages, known, seed=seed, most=most, ids_last=session.ids_last)
        await self._digests(session, sample)
        other = [m for m in sample if _is_other(m, known)]
        if other:
            seen = {m.number for m in sample}
            every = to_verify(messages, known, seed=0, most=None, ids_last=session.ids_last)
            rest = [m for m in every if m.number not in seen]
            await self._digests(session, rest)
            other += [m for m in rest if _is_other(m, known)]
        if other:
            await self._event("collect.reused", {"messages": len(other)})
        self._reused = frozenset(m.uid for m in other)
        return self._reused

    # ------------------------------------------------------------------ deleting what was stored before

    async def _confirm(
        self, session: ProviderSession, messages: Sequence[Upstream], known: Known
    ) -> tuple[list[Upstream], list[Upstream]]:
        """Part messages that wait for deletion into those that are still the ones stored, and those to be fetched."""
        await self._digests(session, messages)
        same = [m for m in messages if m.digest and m.digest == known[m.uid].key.digest]
        other = [m for m in messages if not (m.digest and m.digest == known[m.uid].key.digest)]
        return same, other

    async def _mark_expired(self, messages: Sequence[Upstream], known: Known) -> None:
        kept = [m.uid for m in messages if known[m.uid].state is LedgerState.KEPT]
        if kept:
            await self._store.ledger.mark(self._account.id, kept, LedgerState.DELETE, self._now())

    def _delete(self, session: ProviderSession, message: Upstream, name: str) -> None:
        """Have a message deleted together with others."""
        self._to_delete[message.number] = message, name
        if len(self._to_delete) >= _LOT:
            self._ask_deletion(session)

    def _ask_deletion(self, session: ProviderSession) -> None:
        lot, self._to_delete = self._to_delete, {}
        if lot:
            self._deletions.append(Deferred.fromCoroutine(self._deletion(session, lot)))

    async def _deletion(self, session: ProviderSession, lot: Mapping[int, tuple[Upstream, str]]) -> None:
        try:
            agreed = await session.delete([message for message, _ in lot.values()])
        except MailshareError as fault:
            self._error = self._error or fault
            return
        self._gone.update((message.number, lot[message.number][1]) for message in agreed)
        self.tally.failed += len(lot) - len(agreed)

    async def _leave(self, session: ProviderSession) -> None:
        """Only now are the messages deleted, and only those that the provider says so of."""
        if self._error is not None and session.lost:
            return
        left = await session.leave()
        if left.error:
            self._error = self._error or Unavailable(left.error)
        gone = [name for number, name in self._gone.items() if number in left.deleted]
        self.tally.deleted = len(gone)
        self.tally.listed = max(self.tally.listed - len(gone), 0)
        self._doors.steps.left(self._account, len(gone), self.tally.listed)
        if gone:
            await self._store.ledger.mark(self._account.id, gone, LedgerState.GONE, self._now())

    async def _event(self, kind: str, data: dict[str, object]) -> None:
        await self._store.events.append([Event(self._now(), kind, self._run, self._account.id, data=data)])

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)


def _is_other(message: Upstream, known: Known) -> bool:
    """Whether a message with a known id has another header than the one we stored."""
    return bool(message.digest) and message.digest != known[message.uid].key.digest
