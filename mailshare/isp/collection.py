"""One collection session. Whatever moment it is cut at, no message is lost and none is delivered twice.

The order: RETR into a body; one transaction {message, copies, ledger row}; only then DELE; QUIT; after its ``+OK`` the
ledger row becomes GONE. A session that ends before QUIT leaves rows that ask for deletion, and the next one deletes
them without fetching, after making sure that they are still the same messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from attrs import evolve
from twisted.internet.defer import Deferred
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
    SAMPLE,
    Act,
    HeaderReader,
    Upstream,
    decide,
    header_name,
    in_order,
    list_upstream,
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
from mailshare.isp.provider_policy import ProviderPolicy
from mailshare.isp.sign_on import Doors, POP3Conversation, ask_pop3, open_pop3
from mailshare.isp.wanted import Wanted
from mailshare.wire.pop3_client_replies import POP3Limits, POP3Reply

Known = Mapping[str, LedgerRow]
FirstLook = Callable[[Account, POP3Conversation, Sequence[Upstream]], Awaitable[None]]
PRUNE_AFTER = 30 * DAY


class Collection:
    """One session with one account.

    :param failures: times that messages could not be fetched whose ledger row must not say so; kept by the caller.
    :param limits: of the POP3 engine; the account's own settings go before them.
    :param first_look: is shown each listing before it is worked off.
    :param trust_top: whether a header by TOP is the one that RETR gives.
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
    ) -> None:
        self._trust_top = trust_top
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
        self._gone: list[str] = []
        self._to_fetch = 0
        self._reused: frozenset[str] = frozenset()
        self._overdue: list[Upstream] = []  # wait for deletion, but have to be compared whole first
        self._error: MailshareError | None = None
        self._wanted = Wanted(store)
        self._behind = LeftBehind(account, store, intake, doors, notices, self._wanted, failures)
        self.tally = Tally()
        self._arrivals = Arrivals(
            account, self._server, store, intake, doors, self._limits, ProviderOptions.of(account), self._behind,
            self.tally, self._stored,
        )  # fmt: skip

    async def run(self) -> Tally:
        """Collect.

        :raises MailshareError: the session could not be begun, or broke off; what was stored is stored.
        :cancel: cuts the connection.
        """
        wanted = await self._wanted.of(self._account.id)
        talk = await open_pop3(self._doors, self._account, self._server, await self._limits_for(wanted))
        try:
            await self._session(talk, wanted)
        finally:
            talk.give_up(Unavailable("The session is over"))
            self.tally.waiting = max(self._to_fetch - self.tally.messages - self.tally.again, 0)
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

    async def _session(self, talk: POP3Conversation, wanted: frozenset[str]) -> None:
        self._read_policy(talk)
        messages, complete = await self._list(talk)
        known = await self._store.ledger.known(self._account.id)
        recognize(messages, known)
        if messages and self._first_look is not None:
            await self._first_look(self._account, talk, messages)
        if messages:
            known = await self._follow_renumbering(talk, messages, known)
            known = await self._adopt(talk, messages, known)
        limit = min(self._limits.message, ProviderOptions.of(self._account).max_size or self._limits.message)
        decisions = decide(
            messages, known, leave_days=self._leave_days, limit=limit, now=self._now(), wanted=wanted,
            reused=await self._given_out_again(talk, messages, known),
        )  # fmt: skip
        to_delete = [d.message for d in decisions if d.act is Act.DELETE]
        to_fetch = [d.message for d in decisions if d.act is Act.FETCH]
        confirmed, self._overdue = await self._confirm(talk, to_delete, known)
        for message in (d.message for d in decisions if d.act is Act.SKIP):
            self.tally.skipped += 1
            await self._behind.too_large(talk, message, limit)
        await self._mark_expired(confirmed, known)
        deletions = [Deferred.fromCoroutine(self._delete(talk, m.number, m.name)) for m in confirmed]
        self._to_fetch = len(to_fetch) + len(self._overdue)
        self._arrivals.known, self._arrivals.leave_days = known, self._leave_days
        try:
            await self._arrivals.fetch(talk, in_order([*to_fetch, *self._overdue]))
        finally:
            await all_of(deletions)
        await self._leave(talk)
        if complete:
            await self._forget(messages, known, wanted)

    async def _forget(self, messages: Sequence[Upstream], known: Known, wanted: frozenset[str]) -> None:
        """Rows and wishes of messages that the provider no longer has."""
        names = {m.name for m in messages}
        listed = [uidl for uidl in known if uidl in names or stem(uidl) in names]
        await self._store.ledger.prune(self._account.id, listed, self._now() - PRUNE_AFTER)
        await self._wanted.drop(self._account.id, wanted - names)

    async def _stored(self, talk: POP3Conversation, message: Upstream, name: str, already: bool) -> None:
        """A message is safe with us: delete it at the provider, if that is what shall become of it."""
        if already and message.uid in self._reused:
            # RETR shows the header that we stored, so it is TOP that shows another one.
            self.tally.top_unlike += 1
        if self._leave_days == 0 or (already and message in self._overdue):
            await self._delete(talk, message.number, name)
        await self._wanted.drop(self._account.id, (message.name,))

    # ------------------------------------------------------------------ listing

    def _read_policy(self, talk: POP3Conversation) -> None:
        policy = ProviderPolicy.read(talk.engine.capabilities)
        self.tally.login_delay, self.tally.expire = policy.login_delay, policy.expire
        self._leave_days = policy.days(self._leave_days)

    async def _list(self, talk: POP3Conversation) -> tuple[list[Upstream], bool]:
        """All messages, each with a name where one can be had; and whether the listing is whole."""
        engine = talk.engine
        stat = await ask_pop3(talk, engine.stat())
        if not stat.ok:
            raise Unavailable(f"The server refuses STAT: {stat.text}"[:300])
        count = self.tally.listed = stat.stat[0]
        if not count:
            return [], True
        asked = [talk.ask(engine.list())]
        if "UIDL" in engine.capabilities or not engine.capabilities:
            asked.append(talk.ask(engine.uidl()))
        replies = [cast("POP3Reply", reply) for reply in await all_of(asked)]
        sizes, uids = replies[0].sizes, replies[1].uids if len(replies) > 1 else {}
        self.tally.ignored_lines = sum(reply.ignored for reply in replies)
        if all(reply.ok for reply in replies) and not (sizes or uids or self.tally.ignored_lines):
            # STAT says so many, the listings say none: what is not listed cannot be had.
            return [], False
        messages = list_upstream(min(count, self._limits.rows), sizes, uids)
        # The rest of a listing that is too long comes when the beginning was deleted.
        self.tally.more = count > self._limits.rows and len(messages) >= self._limits.rows
        await self._name(talk, [message for message in messages if not message.uid])
        complete = len(messages) == count and all(r.ok for r in replies) and not self.tally.ignored_lines
        return messages, complete and all(message.name for message in messages)

    async def _name(self, talk: POP3Conversation, messages: Sequence[Upstream]) -> None:
        """Name messages without unique-id after their header."""
        await self._digests(talk, messages)
        for message in messages:
            message.name = header_name(message.digest) if message.digest else ""

    async def _digests(self, talk: POP3Conversation, messages: Sequence[Upstream]) -> None:
        """Fill in the digests of headers by TOP, as far as the server lets us."""
        if talk.engine.capabilities and "TOP" not in talk.engine.capabilities:
            return
        flight = Flight(self._limits.window, self._limits.window_octets)
        asked = []
        for message in messages:
            await flight.enter(4096)
            if talk.lost:
                break
            asked.append(Deferred.fromCoroutine(self._digest(talk, message, flight)))
        await all_of(asked)

    async def _digest(self, talk: POP3Conversation, message: Upstream, flight: Flight) -> None:
        header = HeaderReader()
        try:
            reply = cast("POP3Reply", await talk.ask(talk.engine.top(message.number), header.feed))
        finally:
            flight.leave(4096)
        if reply.ok and reply.octets:
            message.digest = header.digest

    async def _follow_renumbering(self, talk: POP3Conversation, messages: Sequence[Upstream], known: Known) -> Known:
        gone = vanished(messages, known)
        suspects = renumbering_suspects(messages, gone, known)
        if not suspects:
            return known
        await self._digests(talk, suspects)
        pairs = renumbered(suspects, gone)
        if not pairs:
            return known
        await self._store.ledger.rekey(self._account.id, pairs)
        await self._event("collect.renumbered", {"messages": len(pairs)})
        return await self._store.ledger.known(self._account.id)

    # ------------------------------------------------------------------ who a known id really is

    async def _adopt(self, talk: POP3Conversation, messages: Sequence[Upstream], known: Known) -> Known:
        """Learn size and header of what another program fetched before us: its memory knows the ids only."""
        unseen = without_digest(messages, known)
        if not unseen:
            return known
        await self._digests(talk, unseen)
        for message in unseen:
            if message.digest:
                row = known[message.uid]
                key = LedgerKey(self._account.id, message.uid, message.size, message.digest)
                await self._store.delivery.refuse(key, LedgerState.KEPT, row.error, self._now())
        return await self._store.ledger.known(self._account.id)

    async def _given_out_again(
        self, talk: POP3Conversation, messages: Sequence[Upstream], known: Known
    ) -> frozenset[str]:
        """Ids of messages left there that bear another header than the one stored: the server used the id twice.

        A sample is compared in each run where that costs one turn; hundreds when something looks wrong.
        """
        closely = suspicious(messages, known)
        if not self._trust_top or not (closely or talk.engine.pipelining):
            return frozenset()
        seed = int.from_bytes(self._doors.random(4), "big")
        sample = to_verify(messages, known, seed=seed, most=CLOSE_LOOK if closely else SAMPLE)
        await self._digests(talk, sample)
        other = [m for m in sample if _is_other(m, known)]
        if other:
            seen = {m.number for m in sample}
            rest = [m for m in to_verify(messages, known, seed=0, most=None) if m.number not in seen]
            await self._digests(talk, rest)
            other += [m for m in rest if _is_other(m, known)]
        if other:
            await self._event("collect.reused", {"messages": len(other)})
        self._reused = frozenset(m.uid for m in other)
        return self._reused

    # ------------------------------------------------------------------ deleting what was stored before

    async def _confirm(
        self, talk: POP3Conversation, messages: Sequence[Upstream], known: Known
    ) -> tuple[list[Upstream], list[Upstream]]:
        """Part messages that wait for deletion into those that are still the ones stored, and those to be fetched."""
        await self._digests(talk, messages)
        same = [m for m in messages if m.digest and m.digest == known[m.uid].key.digest]
        other = [m for m in messages if not (m.digest and m.digest == known[m.uid].key.digest)]
        return same, other

    async def _mark_expired(self, messages: Sequence[Upstream], known: Known) -> None:
        kept = [m.uid for m in messages if known[m.uid].state is LedgerState.KEPT]
        if kept:
            await self._store.ledger.mark(self._account.id, kept, LedgerState.DELETE, self._now())

    async def _delete(self, talk: POP3Conversation, number: int, name: str) -> None:
        try:
            reply = await ask_pop3(talk, talk.engine.dele(number))
        except MailshareError as fault:
            self._error = self._error or fault
            return
        if reply.ok:
            self._gone.append(name)
        else:
            self.tally.failed += 1

    async def _leave(self, talk: POP3Conversation) -> None:
        """QUIT; only its ``+OK`` says that the messages are deleted (RFC 1939 section 6)."""
        if self._error is not None and talk.lost:
            return
        reply = await ask_pop3(talk, talk.engine.quit())
        if not reply.ok:
            self._error = self._error or Unavailable(f"The server did not delete everything: {reply.text}"[:300])
            return
        self.tally.deleted = len(self._gone)
        self.tally.listed = max(self.tally.listed - self.tally.deleted, 0)
        if self._gone:
            await self._store.ledger.mark(self._account.id, self._gone, LedgerState.GONE, self._now())

    async def _event(self, kind: str, data: dict[str, object]) -> None:
        await self._store.events.append([Event(self._now(), kind, account_id=self._account.id, data=data)])

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)


def _is_other(message: Upstream, known: Known) -> bool:
    """Whether a message with a known id has another header than the one we stored."""
    return bool(message.digest) and message.digest != known[message.uid].key.digest
