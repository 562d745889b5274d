"""Messages on their way from the provider to the door: fetched a few at a time, each stored whole or not at all.

A session fetches so much and no more; the rest follows in a session of its own, so that what was stored is deleted at
the provider in lots, and a line that breaks costs one lot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.core.folders import folder_lines, folder_words
from mailshare.core.headers import Field
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.trace import trace_id
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
    Server,
    Source,
    Step,
    Target,
    UserKind,
)
from mailshare.interfaces import IBody, IBodySink, IIntake, IStore
from mailshare.isp.flight import Flight, all_of
from mailshare.isp.left_behind import LeftBehind
from mailshare.isp.listing import HeaderReader, Upstream, header_name
from mailshare.isp.provider_session import ProviderSession
from mailshare.isp.sign_on import Doors
from mailshare.wire.pop3_client_replies import POP3Limits

Stored = Callable[[ProviderSession, Upstream, str, bool], Awaitable[None]]

# The field alone, as ``Headers`` finds it, for the whole header is read once more where the message is sorted.
_RETURN_PATH = re.compile(
    rb"(?:\A|[\r\n])(return-path[ \t]*:[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*)", re.IGNORECASE
)


@define
class Tally:
    """What a run came to.

    :ivar more: the session had enough; the rest waits for the next one.
    :ivar listed: messages at the provider when the session ended; -1 = not known.
    :ivar waiting: those of them that are still to be fetched.
    :ivar duplicates: copies that a mailbox had already and did not take again.
    :ivar top_unlike: messages whose header is another by TOP than by RETR.
    :ivar notes: sentences for the account's status that are no reason to fail.
    """

    messages: int = 0
    users: Counter[str] = field(factory=Counter)
    again: int = 0
    duplicates: int = 0
    deleted: int = 0
    failed: int = 0
    poison: int = 0
    skipped: int = 0
    ignored_lines: int = 0
    login_delay: int = 0
    expire: int = -1
    more: bool = False
    listed: int = -1
    waiting: int = 0
    top_unlike: int = 0
    notes: tuple[str, ...] = ()

    def counters(self) -> dict[str, int]:
        """The rarer figures, for the journal."""
        names = ("again", "duplicates", "deleted", "failed", "poison", "skipped", "ignored_lines")
        return {name: getattr(self, name) for name in names}

    def add(self, other: Tally) -> None:
        """Count another session in; what is not counted is as the last one saw it."""
        for name in ("messages", "top_unlike", *self.counters()):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.users.update(other.users)
        self.login_delay, self.expire, self.more = other.login_delay, other.expire, other.more
        self.listed, self.waiting, self.notes = other.listed, other.waiting, other.notes


@define
class Arrivals:
    """Fetches the messages of one session.

    :ivar run: trace of the run.
    :ivar known: the account's ledger.
    :ivar stored: called with each message that is stored, its name in the ledger, and whether it was so before.
    :ivar error: what went wrong first; the session ends with it.
    """

    account: Account
    server: Server
    store: IStore
    intake: IIntake
    doors: Doors
    limits: POP3Limits
    options: ProviderOptions
    behind: LeftBehind
    tally: Tally
    stored: Stored
    run: str = ""
    leave_days: int = 0
    known: Mapping[str, LedgerRow] = field(factory=dict)
    error: MailshareError | None = None
    _log = Logger()

    async def fetch(self, session: ProviderSession, messages: Sequence[Upstream]) -> None:
        """Fetch these in their order, as many as one session may.

        :raises MailshareError: never for one message; see :attr:`error`.
        """
        flight = Flight(self.limits.window, self.limits.window_octets)
        under_way: list[Deferred[None]] = []
        ends = self._now() + self.options.session_seconds * SECOND
        octets = 0
        for count, message in enumerate(messages):
            weight = max(message.size, 1)
            await flight.enter(weight)
            octets += weight
            if session.lost or isinstance(self.error, StorageFull | StoreReadOnly):
                break
            if count >= self.options.session_messages or (
                count and (octets > self.options.session_octets or self._now() >= ends)
            ):
                self.tally.more = True
                break
            under_way.append(Deferred.fromCoroutine(self._fetch(session, message, flight, weight)))
            if len(under_way) > 2 * self.limits.window:
                under_way = [one for one in under_way if not one.called]
        await all_of(under_way)

    async def _fetch(self, session: ProviderSession, message: Upstream, flight: Flight, weight: int) -> None:
        """Fetch, store, delete one message. Never raises for what goes wrong with it.

        Its place is free as soon as it is stored: the next one need not wait until the deletion is confirmed.
        """
        try:
            stored = await self._take(session, message)
        finally:
            flight.leave(weight)
        if stored is not None:
            try:
                await self.stored(session, message, *stored)
            except MailshareError as fault:
                self.error = self.error or fault

    async def _take(self, session: ProviderSession, message: Upstream) -> tuple[str, bool] | None:
        """Fetch and store one message; gives what :meth:`_store_one` does, ``None`` when it is not stored."""
        upload = _Upload(self.store, message.size)
        whole = False
        try:
            why_not = await session.fetch(message, upload.take)
            if why_not:
                upload.abort()
                await self._unfetched(message, why_not)
                return None
            whole = True
            return await self._store_one(message, upload.header, await upload.finish())
        except (StorageFull, StoreReadOnly) as fault:
            # No room: the provider keeps the rest.
            upload.abort()
            self.error = fault
        except MailshareError as fault:
            upload.abort()
            self.error = self.error or fault
            if upload.header.octets and not whole:
                await self._unfetched(message, f"It did not come whole: {fault.public}")
        except CancelledError:
            upload.abort()
            raise
        return None

    async def _unfetched(self, message: Upstream, why: str) -> None:
        """RETR was refused, or what came is no message. After some runs the message is left alone."""
        self.tally.failed += 1
        try:
            given_up = await self.behind.not_fetched(message, self.known.get(message.name), why[:300])
        except MailshareError as fault:
            self.error = self.error or fault
            return
        self.tally.poison += given_up
        if given_up:
            await self.behind.forget_wish(message)

    async def _store_one(self, message: Upstream, header: HeaderReader, body: IBody) -> tuple[str, bool]:
        """Hand a message in.

        :returns: its name in the ledger, and whether an earlier run had stored it.
        """
        name = message.uid or f"{header_name(header.digest)} {body.digest.hex()[:32]}"
        key = LedgerKey(self.account.id, name, message.size, header.digest)
        state = LedgerState.DELETE if self.leave_days == 0 else LedgerState.KEPT
        origin = Origin(
            Source.COLLECT, trace_id(self._now(), self.doors.random(3)),
            account_id=self.account.id, peer=self.server.host, secure=self.server.tls != "none",
            ledger=key, ledger_state=state, run=self.run, folder=message.folder, junk=message.junk,
            steps=(Step("folder", folder_words(message.folder, junk=message.junk)),) if message.folder else (),
        )  # fmt: skip
        envelope = Envelope(return_path(header.octets))
        try:
            receipt = await self.intake.accept(envelope, body, origin)
        except Unavailable:
            raise
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  a mail that the rules stumble over must not stop the others: raw to ADMIN
            if not isinstance(error, MailshareError):
                self._log.failure("Message {trace} could not be routed", trace=origin.trace)
            receipt = await self._raw_to_admin(envelope, body, origin, error)
        self.behind.failures.pop(name, None)
        self._count(receipt)
        return name, receipt.already

    async def _raw_to_admin(self, envelope: Envelope, body: IBody, origin: Origin, error: Exception) -> Receipt:
        """The path of a mail that cannot be routed: as it is into ADMIN's mailbox, with the reason in the journal."""
        self.tally.poison += 1
        directory = self.store.directory.current()
        text = (error.public if isinstance(error, MailshareError) else type(error).__name__)[:200]
        line = "".join(char if " " <= char <= "~" else "?" for char in text)
        prefix = f"X-Mailshare-Reason: could not be sorted: {line}\r\n".encode()
        prefix += folder_lines(origin.folder, junk=origin.junk)
        target = Target(directory.admin_of(self.account).id, "poison", prefix)
        event = Event(
            self._now(), "collect.poison", origin.trace, self.account.id, target.user_id,
            data={"reason": text, "run": self.run},
        )
        result = await self.store.delivery.deliver(
            envelope, body, origin, [target], events=[event], at=self._now()
        )
        if not result.already:
            await self.behind.tell_unsorted(origin, text)
        return Receipt(origin.trace, result.message_id, Routing((target,)), result.already)

    def _count(self, receipt: Receipt) -> None:
        if receipt.already:
            self.tally.again += 1
            return
        self.tally.messages += 1
        users = self.store.directory.current().user_by_id
        for target in receipt.routing.targets:
            user = users.get(target.user_id)
            if target.user_id in receipt.suppressed:
                self.tally.duplicates += 1
            elif user is not None:
                self.tally.users[user.name.upper() if user.kind is UserKind.ADMIN else user.name] += 1

    def _now(self) -> int:
        return int(self.doors.reactor.seconds() * SECOND)


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
    found = _RETURN_PATH.search(header)
    if found is None:
        return None
    text = Field("Return-Path", found[1]).value
    try:
        return Address.parse(text.strip().removeprefix("<").removesuffix(">").strip())
    except MailshareError:
        return None
