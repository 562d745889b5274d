"""One collection session. Whatever moment it is cut at, no message is lost and none is delivered twice.

The order: RETR into a body; one transaction {message, copies, ledger row}; only then DELE; QUIT; after its ``+OK`` the
ledger row becomes GONE. A session that ends before QUIT leaves rows that ask for deletion, and the next one deletes
them without fetching, after making sure that they are still the same messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from typing import cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.core.headers import Headers
from mailshare.core.values import (
    SECOND,
    Account,
    Event,
    LedgerKey,
    LedgerRow,
    LedgerState,
    Origin,
    Receipt,
    Routing,
    Source,
    Target,
    UserKind,
)
from mailshare.interfaces import IBody, IBodySink, IIntake, IStore
from mailshare.isp.flight import Flight, all_of
from mailshare.isp.listing import (
    DAY,
    Act,
    HeaderReader,
    Upstream,
    decide,
    header_name,
    list_upstream,
    renumbered,
    renumbering_suspects,
    stem,
)
from mailshare.isp.notices import Notices
from mailshare.isp.sign_on import Doors, POP3Conversation, ask_pop3, open_pop3
from mailshare.wire.pop3_client_replies import POP3Limits, POP3Reply

Known = Mapping[str, LedgerRow]
PRUNE_AFTER = 30 * DAY
QUARANTINE = 3
"""A message that could not be fetched in this many runs is left alone, and ADMIN told."""


@define
class Tally:
    """What a run came to."""

    messages: int = 0
    users: Counter[str] = field(factory=Counter)
    again: int = 0
    deleted: int = 0
    failed: int = 0
    poison: int = 0
    skipped: int = 0
    ignored_lines: int = 0
    login_delay: int = 0

    def counters(self) -> dict[str, int]:
        """The rarer figures, for the journal."""
        names = ("again", "deleted", "failed", "poison", "skipped", "ignored_lines")
        return {name: getattr(self, name) for name in names}


class Collection:
    """One run over one account.

    :param failures: times that messages could not be fetched, kept by the caller from run to run.
    """

    _log = Logger()

    def __init__(
        self, account: Account, store: IStore, intake: IIntake, doors: Doors, failures: dict[str, int], notices: Notices
    ) -> None:
        assert account.collect is not None
        self._account = account
        self._server = account.collect
        self._store = store
        self._intake = intake
        self._doors = doors
        self._failures = failures
        self._notices = notices
        options = self._server.options
        limit = int(options.get("limit", POP3Limits().message))
        self._limits = POP3Limits(message=limit, window=int(options.get("window", POP3Limits().window)))
        self._leave_days = account.leave_days
        self._gone: list[str] = []
        self._overdue: list[Upstream] = []  # wait for deletion, but have to be compared whole first
        self._error: MailshareError | None = None
        self.tally = Tally()

    async def run(self) -> Tally:
        """Collect.

        :raises MailshareError: the session could not be begun, or broke off; what was stored is stored.
        :cancel: cuts the connection.
        """
        talk = await open_pop3(self._doors, self._account, self._server, self._limits)
        try:
            await self._session(talk)
        finally:
            talk.give_up(Unavailable("The session is over"))
        if self._error is not None:
            raise self._error
        return self.tally

    async def _session(self, talk: POP3Conversation) -> None:
        self._read_policy(talk)
        messages, complete = await self._list(talk)
        known = await self._store.ledger.known(self._account.id)
        if messages:
            known = await self._follow_renumbering(talk, messages, known)
        decisions = decide(
            messages, known, leave_days=self._leave_days, limit=self._limits.message, now=self._now()
        )
        to_delete = [d.message for d in decisions if d.act is Act.DELETE]
        wanted = [d.message for d in decisions if d.act is Act.FETCH]
        confirmed, self._overdue = await self._confirm(talk, to_delete, known)
        for message in (d.message for d in decisions if d.act is Act.SKIP):
            await self._skip(message)
        await self._mark_expired(confirmed, known)
        deletions = [Deferred.fromCoroutine(self._delete(talk, m.number, m.name)) for m in confirmed]
        try:
            await self._fetch_all(talk, sorted([*wanted, *self._overdue], key=lambda m: m.number))
        finally:
            await all_of(deletions)
        await self._leave(talk)
        if complete:
            names = {m.name for m in messages}
            listed = [uidl for uidl in known if uidl in names or stem(uidl) in names]
            await self._store.ledger.prune(self._account.id, listed, self._now() - PRUNE_AFTER)

    # ------------------------------------------------------------------ listing

    def _read_policy(self, talk: POP3Conversation) -> None:
        """LOGIN-DELAY is a floor for our interval; EXPIRE caps the days that mail stays (RFC 2449 section 6)."""
        capabilities = talk.engine.capabilities
        delay = capabilities.get("LOGIN-DELAY", ("0",))[:1]
        self.tally.login_delay = int(delay[0]) if delay and delay[0].isdigit() and len(delay[0]) < 8 else 0
        expire = capabilities.get("EXPIRE", ("NEVER",))[:1]
        days = int(expire[0]) if expire and expire[0].isdigit() and len(expire[0]) < 6 else -1
        if 0 <= days < self._leave_days:
            self._log.warn(
                "{address}: the provider keeps mail for {days} days, not {wanted}",
                address=str(self._account.address), days=days, wanted=self._leave_days,
            )  # fmt: skip
            self._leave_days = max(days, 1)

    async def _list(self, talk: POP3Conversation) -> tuple[list[Upstream], bool]:
        """All messages, each with a name where one can be had; and whether the listing is whole."""
        engine = talk.engine
        stat = await ask_pop3(talk, engine.stat())
        if not stat.ok:
            raise Unavailable(f"The server refuses STAT: {stat.text}"[:300])
        count = stat.stat[0]
        if not count:
            return [], True
        asked = [talk.ask(engine.list())]
        if "UIDL" in engine.capabilities or not engine.capabilities:
            asked.append(talk.ask(engine.uidl()))
        replies = [cast("POP3Reply", reply) for reply in await all_of(asked)]
        sizes, uids = replies[0].sizes, replies[1].uids if len(replies) > 1 else {}
        self.tally.ignored_lines = sum(reply.ignored for reply in replies)
        messages = list_upstream(count, sizes, uids)
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
        suspects = renumbering_suspects(messages, known)
        if not suspects:
            return known
        await self._digests(talk, suspects)
        pairs = renumbered(suspects, (m.uid for m in messages), known)
        if not pairs:
            return known
        await self._store.ledger.rekey(self._account.id, pairs)
        await self._event("collect.renumbered", {"messages": len(pairs)})
        return await self._store.ledger.known(self._account.id)

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
        if self._gone:
            await self._store.ledger.mark(self._account.id, self._gone, LedgerState.GONE, self._now())

    # ------------------------------------------------------------------ fetching

    async def _fetch_all(self, talk: POP3Conversation, messages: Sequence[Upstream]) -> None:
        flight = Flight(self._limits.window, self._limits.window_octets)
        under_way: list[Deferred[None]] = []
        for message in messages:
            weight = max(message.size, 1)
            await flight.enter(weight)
            if talk.lost or isinstance(self._error, StorageFull | StoreReadOnly):
                break
            under_way.append(Deferred.fromCoroutine(self._fetch(talk, message, flight, weight)))
            under_way = [one for one in under_way if not one.called]
        await all_of(under_way)

    async def _fetch(self, talk: POP3Conversation, message: Upstream, flight: Flight, weight: int) -> None:
        """Fetch, store, delete one message. Never raises for what goes wrong with it."""
        upload = _Upload(self._store, message.size)
        try:
            reply = cast("POP3Reply", await talk.ask(talk.engine.retr(message.number, message.size), upload.take))
            if not reply.ok or reply.fault or (message.size and not reply.octets):
                upload.abort()
                await self._unfetched(message, reply)
                return
            if out_of_step(upload.header.octets, message.size, reply.octets):
                talk.give_up(Unavailable("The server's replies are out of step"))
                raise Unavailable("The server's replies are out of step")
            body = await upload.finish()
            name, already = await self._store_one(message, upload.header, body)
            if self._leave_days == 0 or (already and message in self._overdue):
                await self._delete(talk, message.number, name)
        except (StorageFull, StoreReadOnly) as fault:
            # No room: the provider keeps the rest.
            upload.abort()
            self._error = fault
        except MailshareError as fault:
            upload.abort()
            self._error = self._error or fault
        except CancelledError:
            upload.abort()
            raise
        finally:
            flight.leave(weight)

    async def _store_one(self, message: Upstream, header: HeaderReader, body: IBody) -> tuple[str, bool]:
        """Hand a message in.

        :returns: its name in the ledger, and whether an earlier run had stored it.
        """
        name = message.uid or f"{header_name(header.digest)} {body.digest.hex()[:32]}"
        key = LedgerKey(self._account.id, name, message.size, header.digest)
        state = LedgerState.DELETE if self._leave_days == 0 else LedgerState.KEPT
        origin = Origin(
            Source.COLLECT, self._doors.random(8).hex(), account_id=self._account.id, peer=self._server.host,
            secure=self._server.tls != "none", ledger=key, ledger_state=state,
        )  # fmt: skip
        envelope = Envelope(return_path(header.octets))
        try:
            receipt = await self._intake.accept(envelope, body, origin)
        except Unavailable:
            raise
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  a mail that the rules stumble over must not stop the others: raw to ADMIN
            if not isinstance(error, MailshareError):
                self._log.failure("Message {trace} could not be routed", trace=origin.trace)
            receipt = await self._raw_to_admin(envelope, body, origin, error)
        self._failures.pop(name, None)
        self._count(receipt)
        return name, receipt.already

    async def _raw_to_admin(self, envelope: Envelope, body: IBody, origin: Origin, error: Exception) -> Receipt:
        """The path of a mail that cannot be routed: as it is into ADMIN's mailbox, with the reason in the journal."""
        self.tally.poison += 1
        directory = self._store.directory.current()
        target = Target(directory.admin_of(self._account).id, "poison")
        text = error.public if isinstance(error, MailshareError) else type(error).__name__
        event = Event(
            self._now(), "collect.poison", origin.trace, self._account.id, target.user_id, data={"reason": text[:200]}
        )
        result = await self._store.delivery.deliver(
            envelope, body, origin, [target], events=[event], at=self._now()
        )
        return Receipt(origin.trace, result.message_id, Routing((target,)), result.already)

    def _count(self, receipt: Receipt) -> None:
        if receipt.already:
            self.tally.again += 1
            return
        self.tally.messages += 1
        users = self._store.directory.current().user_by_id
        for target in receipt.routing.targets:
            user = users.get(target.user_id)
            if user is not None:
                self.tally.users[user.name.upper() if user.kind is UserKind.ADMIN else user.name] += 1

    async def _unfetched(self, message: Upstream, reply: POP3Reply) -> None:
        """RETR was refused, or what came is no message. After some runs the message is left alone."""
        self.tally.failed += 1
        why = reply.fault or (f"The server refuses it: {reply.text}" if not reply.ok else "It came empty")
        name = message.name or f"number {message.number}"
        times = self._failures[name] = self._failures.get(name, 0) + 1
        if (times < QUARANTINE and not reply.fault) or not message.uid:
            return
        del self._failures[name]
        self.tally.poison += 1
        await self._refuse(message, LedgerState.POISON, why[:300])

    async def _skip(self, message: Upstream) -> None:
        self.tally.skipped += 1
        why = f"It has {message.size} octets; the limit is {self._limits.message}"
        if message.name:
            await self._refuse(message, LedgerState.SKIPPED, why)

    async def _refuse(self, message: Upstream, state: LedgerState, why: str) -> None:
        key = LedgerKey(self._account.id, message.name, message.size, message.digest)
        kind = "collect.skipped" if state is LedgerState.SKIPPED else "collect.poison"
        event = Event(self._now(), kind, account_id=self._account.id, data={"uidl": message.name[:100], "reason": why})
        await self._store.delivery.refuse(key, state, why, self._now(), [event])
        await self._notices.tell(
            self._account, f"message {message.name}", f"A message of {self._account.address} was left at the provider",
            f"{why}.\r\n\r\nIts unique-id there: {message.name[:100]}",
        )  # fmt: skip

    async def _event(self, kind: str, data: dict[str, object]) -> None:
        await self._store.events.append([Event(self._now(), kind, account_id=self._account.id, data=data)])

    def _now(self) -> int:
        return int(self._doors.reactor.seconds() * SECOND)


class _Upload:
    """One message on its way into the store."""

    def __init__(self, store: IStore, size: int) -> None:
        self._store = store
        self._size = size
        self._sink: IBodySink | None = None
        self.header = HeaderReader()

    def take(self, data: bytes) -> Awaitable[None] | None:
        """A chunk of RETR's reply."""
        if self._sink is None:
            self._sink = self._store.new_body(self._size)
        self.header.feed(data)
        return self._sink.write(data)

    async def finish(self) -> IBody:
        """It came whole."""
        sink, self._sink = self._sink or self._store.new_body(0), None
        return await sink.finish()

    def abort(self) -> None:
        """It did not."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()


def return_path(header: bytes) -> Address | None:
    """The sender by the topmost Return-Path, which the provider's last server wrote; ``None`` when there is none."""
    text = Headers.parse(header).first("Return-Path") or ""
    try:
        return Address.parse(text.strip().removeprefix("<").removesuffix(">").strip())
    except MailshareError:
        return None


def out_of_step(header: bytes, listed: int, octets: int) -> bool:
    """Whether a message begins with a status line that belonged in front of it: the server had one reply too many.

    The size without that line is the one listed, so it is no mail that merely looks odd.
    """
    first, found, _ = header.partition(b"\r\n")
    return bool(found) and first[:3].upper() == b"+OK" and 0 < listed == octets - len(first) - 2
