"""The fax desk: what people order by mail, and the boxes that keep faxes until somebody fetches them.

An answer to a report stops a fax or sends it again. A fax for a box is a row of the queue that is held: its pages are
as safe as any mail, and are part of every backup. A fax in a confidential box is handed out once, one in a bulletin
box as often as somebody asks, until the next takes its place.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, NoSuchUser, NotPossible, PolicyRefusal, Unavailable
from mailshare.core.fax_orders import (
    HOUR,
    AnsweredFax,
    Order,
    again_trace,
    answer_address,
    box_of,
    proves_answer,
    read_answer_address,
    read_order,
)
from mailshare.core.headers import Headers
from mailshare.core.trace import trace_id
from mailshare.core.values import Event, Hop, Origin, Outcome, QueueItem, QueueState, Source, Target, User
from mailshare.fax.again import send_again
from mailshare.fax.rules import FaxBox, FaxRules
from mailshare.fax.wrong_codes import MOST_WRONG, WrongCodes
from mailshare.interfaces import IAgent, IBody, IIntake, IStore
from mailshare.shell.body_pieces import pieces
from mailshare.shell.new_body import copied
from mailshare.wire.answer_text import AnswerText
from mailshare.wire.mime import MIMEReader

DESK = "fax-desk"
ANSWERED_FOR = 14 * 24 * HOUR
"""So long a report can be answered, microseconds."""
_MOST_READ = 1 << 20  # octets of a mail in which an order is looked for
_NEVER = {"notify": ["NEVER"]}

Reveal = Callable[[object], Awaitable[str]]
Tell = Callable[..., Awaitable[None]]
"""``tell(user id, subject, words, about=Message-ID, reply_to=address)``: a notice to a local user."""


@implementer(IAgent)
class FaxDesk:
    """Reads orders and looks after boxes; the agent of the queue for both.

    :param key: makes the addresses of answers, 32 octets.
    :param cancel: gives a row up, :meth:`mailshare.fax.offramp.FaxAgent.cancel`.
    :ivar door, tell, reveal: set when the office opens.
    :ivar wrong: counts wrong codes; ``out`` rows that a far machine is fetching just now.
    """

    name = DESK
    _log = Logger()

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        rules: Callable[[], FaxRules],
        key: bytes,
        cancel: Callable[[int], Awaitable[bool]],
        token: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._key = key
        self._cancel = cancel
        self._token = token
        self.wrong = WrongCodes(store, clock)
        self.out: set[int] = set()
        self.door: IIntake | None = None
        self.tell: Tell | None = None
        self.reveal: Reveal | None = None

    # ------------------------------------------------------------------ at the door

    def answers_to(self, items: Sequence[QueueItem], user: User) -> tuple[str, int]:
        """The address at which a user answers a report about these rows, and until when it can be, microseconds."""
        until = self._now() + ANSWERED_FOR
        local = answer_address(self._key, [item.id for item in items], user.id, until)
        return f"{local}@{self._rules().domains[0]}", until // HOUR * HOUR

    def claims(self, address: Address) -> bool:
        """Whether what stands before the @ of a fax domain is the desk's."""
        return read_answer_address(address.local) is not None or box_of(address.local) is not None

    def hops(self, recipient: Recipient, user: User | None) -> Sequence[Hop]:
        """The row of an order.

        :raises PolicyRefusal: 5.7.1 the report went to somebody else, or its time is over; 5.1.1 there is no such box.
        """
        if user is None:
            raise PolicyRefusal("Orders about faxes are taken from people of this office who log in")
        local = recipient.address.local
        answered = read_answer_address(local)
        if answered is not None:
            self._proved(answered, user)
            return [Hop(DESK, str(recipient.address), "fax-order", params=_NEVER)]
        box = self._box(box_of(local) or "")
        self._owns(box, user)
        return [Hop(DESK, str(recipient.address), "fax-order", params={**_NEVER, "box": box.name})]

    async def examine(self, recipient: Recipient, user: User | None, body: IBody) -> None:
        """Read the order while its sender listens.

        :raises PolicyRefusal: 5.6.1 there is none in it; 5.7.1 the code is wrong.
        """
        order = await self._order(body)
        if box_of(recipient.address.local) is None:
            self._about_answer(order)
            return
        if user is not None:
            await self._about_box(self._box(box_of(recipient.address.local) or ""), user, order, count=True)

    # ------------------------------------------------------------------ the agent

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Do what some rows ask for."""
        del progress
        return [await self._try(item) for item in batch]

    async def _try(self, item: QueueItem) -> Outcome:
        try:
            if item.params.get("kept"):
                await self._keep(item)
                return Outcome(item.id, QueueState.HELD, self._now(), 250, "2.0.0", "It waits to be fetched")
            words = await self._ordered(item)
        except MailshareError as fault:
            if fault.temporary:
                return Outcome(item.id, QueueState.QUEUED, self._now(), 451, "4.3.0", fault.public)
            words = fault.public
            await self._say(item, "Not done", [f"What you asked for was not done: {words}."])
        if words == _PUT:
            return Outcome(item.id, QueueState.HELD, self._now(), 250, "2.0.0", words)
        return Outcome(item.id, QueueState.DELIVERED, self._now(), 250, "2.0.0", words)

    async def _ordered(self, item: QueueItem) -> str:
        user = self._store.directory.current().user_by_id.get(item.submitter_id or 0)
        if user is None:
            raise NotPossible("Whoever asked for it is not here any more")
        order = await self._order(await self._store.queue.body(item.message_id))
        name = item.params.get("box")
        if name:
            box = self._box(str(name))
            self._owns(box, user)
            order = await self._about_box(box, user, order, count=False)
            return await (self._fetched(item, box, user) if order.word == "get" else self._put(item, box))
        answered = read_answer_address(Address.parse(item.address).local)
        if answered is None:
            raise NotPossible("It is not known which fax is meant")
        self._proved(answered, user)
        act = self._stopped if self._about_answer(order).word == "stop" else self._resent
        words = [await self._each(act, answered, row) for row in answered.rows]
        await self._say(item, "What became of your answer", words)
        return " ".join(words)

    async def _each(self, act: Callable[..., Awaitable[str]], answered: AnsweredFax, number: int) -> str:
        row = await self._store.queue.item(number)
        if row is None or row.agent != "fax":
            return f"Fax {number} is not known any more."
        try:
            return await act(answered, row)
        except MailshareError as fault:
            if fault.temporary:
                raise
            return f"Fax {number} to {row.params.get('number', '')}: {fault.public}."

    async def _stopped(self, answered: AnsweredFax, row: QueueItem) -> str:
        del answered
        if row.state is QueueState.CANCELLED:
            return f"Fax {row.id} to {row.params.get('number', '')} was stopped before."
        if await self._cancel(row.id):
            return f"Fax {row.id} to {row.params.get('number', '')} is stopped."
        return f"Fax {row.id} to {row.params.get('number', '')} was over before your answer came."

    async def _resent(self, answered: AnsweredFax, row: QueueItem) -> str:
        if self.door is None:
            raise Unavailable
        trace = again_trace(self._key, answered, row.id)
        if await self._store.find(trace):
            return f"Fax {row.id} to {row.params.get('number', '')} was sent again by an answer before this one."
        [new, *_] = await send_again(self._store, self.door, row, trace)
        return f"Fax {row.id} to {row.params.get('number', '')} is sent once more, as fax {new}."

    # ------------------------------------------------------------------ boxes

    async def _keep(self, item: QueueItem) -> None:
        """A fax for a box has come; what was in a bulletin box makes room, and owners of a confidential one hear."""
        box = self._box(str(item.params.get("box", "")))
        if box.kind == "bulletin":
            await self._make_room(box, item)
            return
        how = "GET and the code of the box" if box.code else "GET"
        words = [
            f"A fax came for the box {box.name}.",
            f"Answer this mail with {how}, on a line of its own; the fax is handed out once.",
        ]
        directory = self._store.directory.current()
        for name in box.to:
            user = directory.user_by_name.get(name.casefold())
            if user is not None and self.tell is not None:
                await self.tell(user.id, f"A fax waits in {box.name}", words, reply_to=self._box_address(box))

    async def _make_room(self, box: FaxBox, newest: QueueItem) -> None:
        older = [row.id for row in await self.kept(box) if row.id < newest.id]
        if older:
            await self._store.queue.steer(older, "cancel", self._now())

    async def kept(self, box: FaxBox) -> list[QueueItem]:
        """The faxes in a box, oldest first."""
        rows = await self._store.queue.items(agent=DESK, limit=1000)
        return [row for row in reversed(rows) if row.params.get("box") == box.name and row.state is QueueState.HELD]

    async def _put(self, item: QueueItem, box: FaxBox) -> str:
        await self._make_room(box, item)
        return _PUT

    async def _fetched(self, item: QueueItem, box: FaxBox, user: User) -> str:
        """Put the faxes of a box into the mailbox of whoever asks; each once for each time it is asked for."""
        rows = [row for row in await self.kept(box) if row.id not in self.out or box.kind == "bulletin"]
        if not rows and self.out:
            raise Unavailable("A machine is fetching from this box just now")
        if not rows:
            words = f"The box {box.name} is empty."
            await self._say(item, words.rstrip("."), [words])
            return words
        address = Address(user.name, self._store.directory.current().hostname)
        for row in rows:
            at = self._now()
            trace = trace_id(at, self._token(3))
            told = {"box": box.name, "as": trace}
            event = Event(at, "fax.fetched", row.trace, row.account_id, user.id, row.message_id, told)
            await self._store.delivery.deliver(
                Envelope(None, (Recipient(address),)),
                await copied(self._store, await self._store.queue.body(row.message_id)),
                Origin(Source.FAX, trace),
                [Target(user.id, "fax-box", f"Delivered-To: {address}\r\n".encode())],
                events=[event],
                at=at,
                duplicate_key=hashlib.sha256(f"fax-box {item.id} {row.id}".encode()).digest(),
            )
        if box.kind == "confidential":
            await self._store.queue.steer([row.id for row in rows], "cancel", self._now())
        return f"{len(rows)} faxes of the box {box.name} were handed out to {user.name}"

    # ------------------------------------------------------------------ who may what

    def _proved(self, answered: AnsweredFax, user: User) -> None:
        if not proves_answer(self._key, answered, user.id):
            raise PolicyRefusal("That report went to somebody else")
        if answered.over(self._now()):
            raise PolicyRefusal("That report is too old to be answered; use mailshare fax, or send the fax anew")

    def _box(self, name: str) -> FaxBox:
        box = self._rules().box(name)
        if box is None or box.kind == "relay":
            raise NoSuchUser(f"There is no box {name!a} to be fetched from")
        return box

    @staticmethod
    def _owns(box: FaxBox, user: User) -> None:
        if box.to and user.name.casefold() not in {one.casefold() for one in box.to}:
            raise PolicyRefusal(f"The box {box.name} is not yours")

    @staticmethod
    def _about_answer(order: Order | None) -> Order:
        if order is None or order.word not in ("stop", "resend"):
            raise PolicyRefusal("The first line has to be STOP or RESEND, and nothing else", enhanced=(5, 6, 1))
        return order

    async def _about_box(self, box: FaxBox, user: User, order: Order | None, *, count: bool) -> Order:
        """The order, when it may be given.

        :param count: wrong codes count, so that nobody finds one out by trying.
        """
        if order is None or order.word not in ("get", "put"):
            raise PolicyRefusal("The first line has to be GET or PUT, with the code behind it", enhanced=(5, 6, 1))
        if order.word == "put" and box.kind != "bulletin":
            raise PolicyRefusal(f"Nothing is put into {box.name} by mail", enhanced=(5, 6, 1))
        if box.code:
            if len(await self.wrong.of_user(box.name, user.id)) >= MOST_WRONG:
                raise PolicyRefusal(f"Too many wrong codes for {box.name}; try again in an hour")
            if self.reveal is None:
                raise Unavailable
            if not hmac.compare_digest(order.code.encode(), (await self.reveal(box.code)).encode()):
                if count:
                    await self.wrong.count(box.name, user=user.id)
                raise PolicyRefusal(f"That is not the code of {box.name}")
        return order

    # ------------------------------------------------------------------ inside

    async def _order(self, body: IBody) -> Order | None:
        reader, text, read = MIMEReader(), AnswerText(), 0
        headers = Headers.parse(await body.header())
        async for piece in pieces(body):
            for event in reader.feed(piece):
                text.take(event)
            read += len(piece)
            if read > _MOST_READ:
                break
        for event in reader.end():
            text.take(event)
        return read_order(text.lines(), headers.text("subject"))

    async def _say(self, item: QueueItem, subject: str, words: Sequence[str]) -> None:
        if self.tell is not None and item.submitter_id is not None:
            headers = Headers.parse(await (await self._store.queue.body(item.message_id)).header())
            await self.tell(item.submitter_id, f"Fax: {subject}", words, about=headers.own_id)

    def _box_address(self, box: FaxBox) -> str:
        return f"box-{box.name}@{self._rules().domains[0]}"

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


_PUT = "It is in the box now"
