"""Messages on their way from the provider to the door: fetched a few at a time, each stored whole or not at all.

A session fetches so much and no more; the rest follows in a session of its own, so that what was stored is deleted at
the provider in lots, and a line that breaks costs one lot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.derived import changed
from mailshare.core.envelope import Envelope
from mailshare.core.errors import LocalFault, MailshareError, StorageFull, StoreReadOnly, Unavailable
from mailshare.core.folders import folder_lines, folder_words
from mailshare.core.headers import Field, Headers, line_above
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
from mailshare.isp.flight import Flight
from mailshare.isp.left_behind import LeftBehind
from mailshare.isp.listing import SMALL, HeaderReader, Upstream, header_name
from mailshare.isp.provider_session import ProviderSession
from mailshare.isp.sign_on import Doors
from mailshare.wire.pop3_client_replies import POP3Limits

Stored = Callable[[ProviderSession, Upstream, str, bool], None]
_TOGETHER = 4  # messages of a lot: the header of one may be made to take some milliseconds
_TURN = 0.005  # seconds after which others have their turn
LONG_HEADER = 16_384  # octets from which on the door reads a header aside

# The field alone, as ``Headers`` finds it, for the whole header is read once more where the message is sorted.
_NAME = b"return-path"
_NOBODY = Envelope(None)
_NO_ROOM = (StorageFull, StoreReadOnly)
_RETURN_PATH = re.compile(rb"return-path[ \t]*:[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE)


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
    _lot: list[_Arriving] = field(factory=list)
    _usual: dict[tuple[str, bool], Origin] = field(factory=dict)
    _log = Logger()

    async def fetch(self, session: ProviderSession, messages: Sequence[Upstream]) -> None:
        """Fetch these in their order, as many as one session may.

        Each has its place until it is stored; its deletion may be confirmed later.

        :raises MailshareError: never for one message; see :attr:`error`.
        """
        flight = Flight(self.limits.window, self.limits.window_octets, max(self.limits.window // 4, 1))
        ends = self._now() + self.options.session_seconds * SECOND
        most, most_octets = self.options.session_messages, self.options.session_octets
        octets, late = 0, self._now() >= ends
        for count, message in enumerate(messages):
            weight = message.size or 1
            if not flight.enters(weight):
                await flight.enter(weight)
                late = self._now() >= ends  # what waits for nothing takes no time
            octets += weight
            if session.lost or isinstance(self.error, _NO_ROOM):
                flight.leave(weight)
                break
            if count >= most or (count and (octets > most_octets or late)):
                self.tally.more = True
                flight.leave(weight)
                break
            session.fetch(message, _Arriving(self, session, flight, message, weight))
        await flight.landed()

    def came_whole(self, one: _Arriving) -> None:
        """Store a message that is there, together with the others that come in this turn of the reactor."""
        if not self._lot:
            self.doors.reactor.callLater(0, self.store_lot)
        self._lot.append(one)

    def store_lot(self) -> None:
        """Begin to store those that came whole: what a turn of the reactor has time for, the rest in the next one."""
        clock = self.doors.reactor
        until = clock.seconds() + _TURN
        while self._lot and clock.seconds() <= until:
            lot, self._lot = self._lot[:_TOGETHER], self._lot[_TOGETHER:]
            Deferred.fromCoroutine(self._store_together(lot))
        if self._lot:
            clock.callLater(0, self.store_lot)

    async def _store_together(self, lot: Sequence[_Arriving]) -> None:
        """Store messages in one transaction; alone those that need more, and all when something is wrong with one."""
        there, handed = [], []
        for one in lot:
            try:
                handed.append(self._handed(one, await one.finish()))
                there.append(one)
            except Exception as error:  # noqa: BLE001  one message must not keep the others from being stored
                self._trouble(one, error)
                one.flight.leave(one.weight)
        receipts: Sequence[Receipt | None] = [None] * len(there)
        try:
            receipts = await self.intake.accept_together(handed)
        except MailshareError:
            pass  # it shows again with the message that it belongs to
        except Exception:  # noqa: BLE001  stored one by one nothing is lost, but nobody would hear of it
            self._log.failure("Messages of {address} are stored one by one", address=str(self.account.address))
        for one, receipt in zip(there, receipts, strict=True):
            if receipt is None:
                Deferred.fromCoroutine(self.store_arrived(one, ""))
                continue
            try:
                self._settle(one, receipt)
            except Exception as error:  # noqa: BLE001  as above
                self._trouble(one, error)
            finally:
                one.flight.leave(one.weight)

    async def store_arrived(self, one: _Arriving, why_not: str) -> None:
        """Store a message that is there. Never raises for what goes wrong with it.

        :param why_not: why it is no message; empty when it is one.
        """
        try:
            if why_not:
                one.abort()
                await self._unfetched(one.message, why_not)
            else:
                self._settle(one, await self._store_one(one, await one.finish()))
        except Exception as error:  # noqa: BLE001  one message must not keep the others from being stored
            self._trouble(one, error)
        finally:
            one.flight.leave(one.weight)

    def _trouble(self, one: _Arriving, error: Exception) -> None:
        """Take note of a message that could not be stored; called where it is caught."""
        one.abort()
        if isinstance(error, _NO_ROOM):
            self.error = error  # the provider keeps the rest
        elif isinstance(error, MailshareError):
            self.error = self.error or error
        else:
            self._log.failure("A message of {address} could not be stored", address=str(self.account.address))
            self.error = self.error or LocalFault("An error of this program; see the log")

    async def note_failed(self, one: _Arriving, error: BaseException) -> None:
        """Note that a message did not come, or not whole: the connection is over, or there is no room for it."""
        one.abort()
        try:
            if isinstance(error, _NO_ROOM):
                self.error = error
            else:
                fault = error if isinstance(error, MailshareError) else LocalFault(f"{type(error).__name__} here")
                self.error = self.error or fault
                if one.header.begun:
                    await self._unfetched(one.message, f"It did not come whole: {fault.public}")
        finally:
            one.flight.leave(one.weight)

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

    def _handed(self, one: _Arriving, body: IBody) -> tuple[Envelope, IBody, Origin, Headers | None]:
        """What the door is given; its header is read unless that would take long."""
        message, header = one.message, one.header
        digest = header.digest
        name = message.uid or f"{header_name(digest)} {body.digest.hex()[:32]}"
        key = LedgerKey(self.account.id, name, message.size, digest)
        state = LedgerState.DELETE if self.leave_days == 0 else LedgerState.KEPT
        one.name = name
        place = message.folder, message.junk
        usual = self._usual.get(place) or self._usual_origin(*place)
        origin = changed(usual, trace=trace_id(self._now(), self.doors.random(3)), ledger=key, ledger_state=state)
        lines = header.octets
        headers = Headers.parse(lines) if len(lines) <= LONG_HEADER else None
        return _envelope(lines, headers), body, origin, headers

    def _usual_origin(self, folder: str, junk: bool) -> Origin:
        """What all messages of a folder have in common; made once, which is less than half the steps for each."""
        origin = self._usual[folder, junk] = Origin(
            Source.COLLECT, "",
            account_id=self.account.id, peer=self.server.host, secure=self.server.tls != "none",
            run=self.run, folder=folder, junk=junk,
            steps=(Step("folder", folder_words(folder, junk=junk)),) if folder else (),
        )  # fmt: skip
        return origin

    async def _store_one(self, one: _Arriving, body: IBody) -> Receipt:
        """Hand a message in."""
        envelope, body, origin, headers = self._handed(one, body)
        try:
            return await self.intake.accept(envelope, body, origin, headers)
        except Unavailable:
            raise
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  a mail that the rules stumble over must not stop the others: raw to ADMIN
            if not isinstance(error, MailshareError):
                self._log.failure("Message {trace} could not be routed", trace=origin.trace)
            return await self._raw_to_admin(envelope, body, origin, error)

    def _settle(self, one: _Arriving, receipt: Receipt) -> None:
        """Take note of a message that is safe."""
        self.behind.failures.pop(one.name, None)
        self._count(receipt)
        self.stored(one.session, one.message, one.name, receipt.already)

    async def _raw_to_admin(self, envelope: Envelope, body: IBody, origin: Origin, error: Exception) -> Receipt:
        """The path of a mail that cannot be routed: as it is into ADMIN's mailbox, with the reason in the journal."""
        self.tally.poison += 1
        directory = self.store.directory.current()
        text = (error.public if isinstance(error, MailshareError) else type(error).__name__)[:200]
        line = "".join(char if " " <= char <= "~" else "?" for char in text)
        prefix = f"X-Mailshare-Reason: could not be sorted: {line}\r\n".encode()
        prefix += folder_lines(origin.folder, junk=origin.junk) + line_above(await body.header(2_000))
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


@define(eq=False)
class _Arriving:
    """One message on its way from the provider into the store.

    :ivar weight: octets that it takes of the flight.
    :ivar name: what the ledger calls it, once it is there.
    """

    arrivals: Arrivals
    session: ProviderSession
    flight: Flight
    message: Upstream
    weight: int
    header: HeaderReader = field(factory=HeaderReader)
    sink: IBodySink | None = None
    body: IBody | None = None
    name: str = ""

    def take(self, data: bytes) -> Awaitable[None] | None:
        """A chunk of it."""
        sink = self.sink
        if sink is None:
            sink = self.sink = self.arrivals.store.new_body(self.message.size)
        self.header.feed(data)
        return sink.write(data)

    def came_whole(self, text: bytes) -> None:
        """All of it is there."""
        try:
            self.take(text)
        except MailshareError as fault:  # there is no room
            self.failed(fault)
        else:
            self.came("")

    def came(self, why_not: str) -> None:
        """It is there."""
        if not why_not and self.sink is not None and self.sink.size <= SMALL:
            self.arrivals.came_whole(self)
            return
        self.arrivals.store_lot()  # which came before it
        Deferred.fromCoroutine(self.arrivals.store_arrived(self, why_not))

    def failed(self, error: BaseException) -> None:
        """It will not come."""
        Deferred.fromCoroutine(self.arrivals.note_failed(self, error))

    async def finish(self) -> IBody:
        """It came whole."""
        if self.body is None:
            sink, self.sink = self.sink or self.arrivals.store.new_body(0), None
            self.body = await sink.finish()
        return self.body

    def abort(self) -> None:
        """It did not."""
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.abort()


def return_path(header: bytes) -> Address | None:
    """The sender by the topmost Return-Path, which the provider's last server wrote; ``None`` when there is none."""
    return _envelope(header, None).sender


def _envelope(header: bytes, headers: Headers | None) -> Envelope:
    """What is known of the envelope: who sent it.

    :param headers: the same header, when it was read.
    """
    if headers is None:
        raw = _raw_return_path(header)
        text = Field("Return-Path", raw).value if raw else None
    else:
        text = headers.first("return-path")
    return _NOBODY if text is None else _sent_by(text)


def _raw_return_path(header: bytes) -> bytes:
    """The field's octets, empty without one. Its name is looked for as octets: a pattern takes 7 ms for 256 KiB."""
    lower = header.lower()
    start = lower.find(_NAME)
    while start >= 0:
        found = _RETURN_PATH.match(header, start) if lower[start - 1 : start] in {b"", b"\r", b"\n"} else None
        if found is not None:
            return found[0]
        start = lower.find(_NAME, start + len(_NAME))
    return b""


@lru_cache(maxsize=256)  # newsletters and machines write many
def _sent_by(text: str) -> Envelope:
    try:
        return Envelope(Address.parse(text.strip().removeprefix("<").removesuffix(">").strip()))
    except MailshareError:
        return _NOBODY
