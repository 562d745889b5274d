"""Puts reports and notices into local mailboxes, each exactly once.

A report that is called for is written down as an event ``report.due`` in the very transaction that settles the queue
rows; the report itself is stored together with an event ``report.sent``. What is due and was not sent is found again
when the server starts, so that a kill between the two loses no report; the key of the report keeps a mailbox from
taking it twice. Reports go to local users: to the sender who logged in, else to ADMIN of the account. Nothing is sent
back to the outside, but for faxes of partners whom the configuration names (``fax.partners``): they were let in by a
login or by their machine's address, so the sender of their envelope is theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.fax_report import disposition_of, fax_subject, fax_words, report_forms
from mailshare.core.headers import Headers, line_above
from mailshare.core.report import (
    MAX_RETURNED,
    Action,
    Fate,
    Letterhead,
    ReportDetails,
    Returned,
    delivery_report,
    disposition_report,
    fate_of,
    notice,
    plain_report,
)
from mailshare.core.report_words import forward_failed
from mailshare.core.retry import DAY, STANDARD
from mailshare.core.trace import trace_id
from mailshare.core.values import Event, Hop, Origin, Outcome, QueueItem, Source, Target, User
from mailshare.delivery.events import report_sent
from mailshare.delivery.moments import micros
from mailshare.interfaces import IBody, IReportDetails, IStore
from mailshare.shell.new_body import copied, new_body

_LOOK_BACK = 7 * DAY
_HEADER = 16_384  # octets of a header that are looked at for subject and Message-ID
_PIECE = 65_536

Key = tuple[str, tuple[int, ...], int]


class Reports:
    """Writes to local users what became of their mail.

    :param token: gives that many random octets.
    :ivar failures: called with the Message-ID of a message that failed, and the report, once that is stored.
    :ivar details: by the name of an agent: what it adds to the reports about its rows.
    """

    _log = Logger()

    def __init__(self, store: IStore, clock: IReactorTime, token: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._token = token
        self._owed: dict[Key, Event] = {}
        self._one_at_a_time = DeferredLock()
        self.details: dict[str, IReportDetails] = {}
        self.failures: list[Callable[[str, bytes], None]] = []

    # ------------------------------------------------------------------ what is due

    def owe(self, due: Event) -> None:
        """Remember a report that the store knows to be due; :meth:`send_owed` sends it."""
        self._owed[_key(due)] = due

    async def recover(self) -> int:
        """Find the reports that a stop of the server left unsent; returns how many."""
        now = micros(self._clock)
        after, kinds = 0, ("report.due", "report.sent")
        while page := await self._store.events.page(
            since=now - _LOOK_BACK, until=now + DAY, kinds=kinds, after_id=after
        ):
            for number, event in page:
                after = max(after, number)
                if event.kind == "report.due":
                    self.owe(event)
                else:
                    self._owed.pop(_key(event), None)
        return len(self._owed)

    async def send_owed(self) -> int:
        """Send all reports that are due; those that cannot be stored now stay due. Returns how many are left."""
        await self._one_at_a_time.acquire()
        try:
            for key, due in list(self._owed.items()):
                try:
                    await self._send(due)
                except MailshareError as fault:
                    self._log.warn("a report on {trace} waits: {fault}", trace=due.trace, fault=fault.public)
                else:
                    self._owed.pop(key, None)
        finally:
            self._one_at_a_time.release()
        return len(self._owed)

    # ------------------------------------------------------------------ delivery reports

    async def _send(self, due: Event) -> None:
        at, action = micros(self._clock), Action(str(due.data["action"]))
        items = await self._items(due)
        if items and is_forward(items[0]) and action is Action.FAILED:
            await self._forward_failed(items, due)
            return
        reader = self._reader(items[0]) if items else None
        report_trace = trace_id(at, self._token(3))
        sent = report_sent(due, at, report_trace if reader else "")
        if reader is None:
            await self._store.events.append([sent])
            return
        fates = [await self._fate(item, _moment(due)) for item in items]
        about = await self._returned(items[0], whole=action is Action.FAILED)
        forms = report_forms(str(items[0].params.get("report", "dsn")), action.value, asked=about.asks_disposition)
        adds = self.details.get(items[0].agent)
        details = ReportDetails() if adds is None else await adds.details(items, action, reader)
        to = self._whither(items[0], reader)
        if isinstance(to, Address):
            details = evolve(details, words=(), reply_to="")  # orders are for people who log in here
        if "mdn" in forms:
            await self._dispositions(action, fates, about, to, due, details)
        if forms == ("mdn",):
            await self._store.events.append([sent])
            return
        head = evolve(self._letterhead(to, report_trace, at, due.account_id), details=details)
        write = plain_report if "plain" in forms else delivery_report
        octets = write(action, fates, about, head)
        await self._put(to, octets, report_trace, [sent], _digest(due), account_id=due.account_id)
        await self._copies(details.copies, reader, octets, due)
        for tell in self.failures if action is Action.FAILED else ():
            tell(about.message_id, octets)

    async def _copies(self, names: Sequence[str], reader: User, octets: bytes, due: Event) -> None:
        """The same report for others who want to hear of it; a stop of the server just here leaves them without."""
        people = self._store.directory.current().user_by_name
        for user in (people.get(name.casefold()) for name in names):
            if user is not None and user.id != reader.id:
                trace = trace_id(micros(self._clock), self._token(3))
                key = _digest(due, "copy", user.id)
                await self._put(user, octets, trace, [], key, account_id=due.account_id)

    async def _dispositions(
        self,
        action: Action,
        fates: Sequence[Fate],
        about: Returned,
        to: User | Address,
        due: Event,
        details: ReportDetails,
    ) -> None:
        """A disposition notification for each recipient, each stored once."""
        for number, fate in enumerate(fates):
            at = micros(self._clock)
            trace = trace_id(at, self._token(3))
            disposition, words, fields = disposition_of(action.value, fate.cause, fate.reply)
            octets = disposition_report(
                about,
                evolve(self._letterhead(to, trace, at, due.account_id), details=details),
                recipient=fate.address,
                disposition=disposition,
                words=[*words, *fax_words(fate.reply, fate.fields)],
                orcpt=fate.orcpt,
                subject=fax_subject(action.value, "MDN"),
                fields=fields,
            )
            await self._put(to, octets, trace, [], _digest(due, "mdn", number), account_id=due.account_id)

    async def _items(self, due: Event) -> list[QueueItem]:
        found = [await self._store.queue.item(number) for number in _numbers(due)]
        return [item for item in found if item is not None]

    async def _fate(self, item: QueueItem, at: int) -> Fate:
        """From the stored row and its last try, so that a report made after a restart reads the same."""
        tries = await self._store.queue.attempts(item.id)
        detail = tries[-1].get("detail") if tries else None
        outcome = Outcome(item.id, item.state, at, item.code, item.status, item.reply)
        if isinstance(detail, Mapping):
            outcome = Outcome(item.id, item.state, at, item.code, item.status, item.reply, detail=detail)
        return fate_of(item, outcome)

    def _reader(self, item: QueueItem) -> User | None:
        """Who is told: the local sender; for mail of nobody in particular ADMIN; nobody for the null sender."""
        if item.sender is None:
            return None
        directory = self._store.directory.current()
        user = directory.user_by_id.get(item.submitter_id or 0)
        named = directory.user_by_name.get(str(item.params.get("reader", "")))
        if user is not None or named is not None:
            return user or named
        account = directory.account_by_id.get(item.account_id or 0) or next(iter(directory.accounts), None)
        return directory.user_by_name.get(account.admin) if account is not None else None

    def _whither(self, item: QueueItem, reader: User) -> User | Address:
        """The mailbox of whoever is told; for a partner's mail the sender of its envelope (RFC 3461 section 5)."""
        directory = self._store.directory.current()
        sender = item.sender
        near = sender is None or sender.domain.casefold() in ("", directory.hostname.casefold())
        own = any(sender is not None and one.address.key == sender.key for one in directory.accounts)
        outside = bool(item.params.get("partner")) and not near and not own and bool(directory.accounts)
        return sender if outside and sender is not None else reader

    async def _returned(self, item: QueueItem, *, whole: bool) -> Returned:
        body = await self._store.queue.body(item.message_id)
        header = await body.header()
        full = whole and item.params.get("ret") == "FULL" and body.size <= MAX_RETURNED
        headers = Headers.parse(header[:_HEADER])
        return Returned(
            header=header,
            trace=item.trace,
            arrived=item.queued,
            whole=await _all_of(body) if full else None,
            subject=headers.text("subject"),
            envid=str(item.params.get("envid", "")),
            message_id=headers.own_id,
            asks_disposition=headers.first("disposition-notification-to") is not None,
        )

    async def _forward_failed(self, items: Sequence[QueueItem], due: Event) -> None:
        """Put the message into the mailbox it was forwarded from, unless it is there, and tell its owner.

        A mailbox takes the message under its key once, so that neither a crash in between nor a second address that
        fails doubles it. A user who is gone is stood in for by ADMIN.
        """
        first, at = items[0], micros(self._clock)
        directory = self._store.directory.current()
        account = directory.account_by_id.get(due.account_id or 0) or next(iter(directory.accounts), None)
        owner = directory.user_by_id.get(int(str(first.params["forward_for"])))
        reader = owner or (directory.user_by_name.get(account.admin) if account is not None else None)
        if reader is None:
            raise Unavailable(detail={"why": "there is no ADMIN to take it", "trace": due.trace})
        kept = bool(first.params.get("forward_keep")) and owner is not None
        if not kept:
            await self._put_back(first, reader, at)
        fates = [await self._fate(item, _moment(due)) for item in items]
        answer = next((f"{fate.code} {fate.reply}".strip() for fate in fates if fate.reply), "")
        subject, words = forward_failed([item.address for item in items], answer, kept=kept)
        trace = self._token(8).hex()
        octets = notice(subject, words, self._letterhead(reader, trace, at, due.account_id))
        await self._put(
            reader, octets, trace, [report_sent(due, at, trace)], _digest(due), account_id=due.account_id
        )

    async def _put_back(self, item: QueueItem, reader: User, at: int) -> None:
        """Deliver a forwarded message into a mailbox after all, with a body of its own."""
        copy = await copied(self._store, await self._store.queue.body(item.message_id))
        host = self._store.directory.current().hostname
        prefix = f"Delivered-To: {Address(reader.name, host)}\r\nX-Mailshare-Reason: forward-failed\r\n".encode()
        prefix += line_above(await copy.header(2_000))
        trace = self._token(8).hex()
        await self._store.delivery.deliver(
            Envelope(item.sender, (Recipient(Address(reader.name, host)),)),
            copy,
            Origin(Source.REPORT, trace, account_id=item.account_id),
            [Target(reader.id, "forward-failed", prefix)],
            events=[Event(at, "forward.failed", item.trace, item.account_id, reader.id, data={"kept_as": trace})],
            at=at,
            duplicate_key=hashlib.sha256(f"forward-failed {item.message_id} {reader.id}".encode()).digest(),
        )

    # ------------------------------------------------------------------ notices

    async def notify(
        self,
        user_id: int,
        subject: str,
        words: Sequence[str],
        *,
        about: str = "",
        account_id: int | None = None,
        reply_to: str = "",
    ) -> None:
        """A plain mail from the server to a local user; nothing when the user is gone.

        :param about: Message-ID it is an answer to, with angle brackets.
        :param reply_to: address that takes answers.
        :raises Unavailable: it cannot be stored now.
        """
        reader = self._store.directory.current().user_by_id.get(user_id)
        if reader is None:
            return
        at = micros(self._clock)
        trace = trace_id(at, self._token(3))
        head = evolve(self._letterhead(reader, trace, at, account_id), details=ReportDetails(reply_to=reply_to))
        octets = notice(subject, words, head, about=about)
        event = Event(at, "notice", trace, account_id, user_id)
        await self._put(reader, octets, trace, [event], b"", account_id=account_id)

    # ------------------------------------------------------------------ storing

    def _letterhead(self, to: User | Address, trace: str, at: int, account_id: int | None) -> Letterhead:
        directory = self._store.directory.current()
        account = directory.account_by_id.get(account_id or 0) or next(iter(directory.accounts), None)
        host = directory.hostname
        author = f"{account.admin if account else 'admin1'}@{host}"
        reader = str(to) if isinstance(to, Address) else f"{to.name}@{host}"
        return Letterhead(host, author, reader, at, f"<{trace}@{host}>", f"=_{self._token(12).hex()}")

    async def _put(
        self,
        to: User | Address,
        octets: bytes,
        trace: str,
        events: Sequence[Event],
        key: bytes,
        *,
        account_id: int | None,
    ) -> None:
        """Store a report for somebody here, or queue it for a partner elsewhere, with the null sender (RFC 3464 2)."""
        body = await new_body(self._store, octets)
        directory = self._store.directory.current()
        targets, hops = [], []
        if isinstance(to, Address):
            address = to
            way = next(one.id for one in directory.accounts)
            hops = [Hop("relay", str(to), "report", way, params={"notify": ["NEVER"]}, sender="<>")]
        else:
            address = Address(to.name, directory.hostname)
            targets = [Target(to.id, "report", f"Delivered-To: {address}\r\n".encode())]
        at = micros(self._clock)
        await self._store.delivery.deliver(
            Envelope(None, (Recipient(address),)),
            body,
            Origin(Source.REPORT, trace, account_id=account_id),
            targets,
            hops,
            events=events,
            at=at,
            expires=at + STANDARD.give_up_after if hops else 0,
            duplicate_key=key,
        )
        if hops:
            self._store.notifier.wake("relay")


def is_forward(item: QueueItem) -> bool:
    """The row was made by forwarding: its owner hears of its failure, whatever the envelope says."""
    return bool(item.params.get("forward_for"))


async def _all_of(body: IBody) -> bytes:
    pieces, position = [], 0
    while position < body.size:
        piece = await body.read(position, _PIECE)
        position += len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _numbers(event: Event) -> tuple[int, ...]:
    items = event.data.get("items")
    return tuple(int(each) for each in items) if isinstance(items, (list, tuple)) else ()


def _moment(event: Event) -> int:
    at = event.data.get("at")
    return at if isinstance(at, int) else event.at


def _key(event: Event) -> Key:
    return str(event.data.get("action", "")), _numbers(event), _moment(event)


def _digest(event: Event, *more: object) -> bytes:
    """By what a mailbox takes this report, or another form of it, once."""
    return hashlib.sha256(repr((*more, _key(event)) if more else _key(event)).encode()).digest()
