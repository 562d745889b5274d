"""A collection's session over POP3. DELE only marks; the ``+OK`` to QUIT deletes (RFC 1939 section 6)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import cast

from twisted.internet.defer import Deferred
from typing_extensions import override

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.values import Account, Server
from mailshare.isp.flight import all_of
from mailshare.isp.listing import Upstream, list_upstream
from mailshare.isp.provider_policy import ProviderPolicy
from mailshare.isp.provider_session import Fetching, Left, Listing
from mailshare.isp.sign_on import Doors, POP3Conversation, ask_pop3, open_pop3
from mailshare.shell.replies import Listener, Taker
from mailshare.wire.pop3_client_replies import POP3Limits, POP3Reply

_STATUS_LINE = 512  # octets of one (RFC 2449 section 4)


class POP3Session:
    """One session; see :class:`~mailshare.isp.provider_session.ProviderSession`."""

    ids_last = False
    notes: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()

    def __init__(self, talk: POP3Conversation) -> None:
        self._talk = talk
        self._marked: set[int] = set()

    @classmethod
    async def open(cls, doors: Doors, account: Account, server: Server, limits: POP3Limits) -> POP3Session:
        """Connect and log in.

        :raises LoginRefused, Unavailable, PeerFault: the provider does not let us.
        """
        return cls(await open_pop3(doors, account, server, limits))

    @property
    def lost(self) -> bool:
        """The connection is over."""
        return self._talk.lost

    @property
    def policy(self) -> ProviderPolicy:
        """What CAPA says."""
        return ProviderPolicy.read(self._talk.engine.capabilities)

    @property
    def gives_headers(self) -> bool:
        """TOP is offered (RFC 2449 section 6.1); a server that says nothing of itself is asked."""
        return not self._talk.engine.capabilities or "TOP" in self._talk.engine.capabilities

    @property
    def asks_ahead(self) -> bool:
        """PIPELINING is offered."""
        return self._talk.engine.pipelining

    async def list_messages(self) -> Listing:
        """STAT, LIST and UIDL put together."""
        engine = self._talk.engine
        asked = [self._talk.ask(engine.stat())]
        if engine.pipelining:
            asked += self._ask_listings()  # the distance is travelled once
        stat, *replies = [cast("POP3Reply", reply) for reply in await all_of(asked)]
        if not stat.ok:
            raise Unavailable(f"The server refuses STAT: {stat.text}"[:300])
        count = stat.stat[0]
        if not count:
            return Listing()
        if not replies:
            replies = [cast("POP3Reply", reply) for reply in await all_of(self._ask_listings())]
        sizes, uids = replies[0].sizes, replies[1].uids if len(replies) > 1 else {}
        ignored = sum(reply.ignored for reply in replies)
        if all(reply.ok for reply in replies) and not (sizes or uids or ignored):
            # STAT says so many, the listings say none: what is not listed cannot be had.
            return Listing([], count, ignored, whole=False)
        rows = engine.limits.rows
        messages = list_upstream(count, sizes, uids, rows)
        whole = len(messages) == count and all(reply.ok for reply in replies) and not ignored
        more = count > rows and len(messages) >= rows
        if more:
            # New mail comes at the end, and must not be hidden by what is left there.
            self.notes = (f"There are {count} messages; the newest {rows} of them are looked at",)
        return Listing(messages, count, ignored, whole, more)

    def _ask_listings(self) -> list[Deferred[object]]:
        engine = self._talk.engine
        asked = [self._talk.ask(engine.list())]
        if "UIDL" in engine.capabilities or not engine.capabilities:
            asked.append(self._talk.ask(engine.uidl()))
        return asked

    async def header(self, message: Upstream, take: Taker) -> bool:
        """TOP."""
        reply = cast("POP3Reply", await self._talk.ask(self._talk.engine.top(message.number), take))
        return reply.ok and reply.octets > 0

    def fetch(self, message: Upstream, to: Fetching) -> None:
        """RETR."""
        try:
            command = self._talk.engine.retr(message.number, message.size, whole=message.size > 0)
        except Unavailable as fault:
            to.failed(fault)
            return
        self._talk.tell(command, _Retrieved(self, message, to))

    def confirm(self, to: Fetching) -> None:
        """A message ended before it had the octets that were listed: let it count once the server says a status line.

        Of a server that does not double the dots of a message, one that stands alone seems to end it. Then the rest
        comes as the next reply. Where a status line comes, sizes are merely counted otherwise.
        """
        try:
            command = self._talk.engine.noop()
        except Unavailable as fault:
            to.failed(fault)
            return
        self._talk.tell(command, _Confirmed(to))

    async def delete(self, messages: Sequence[Upstream]) -> Sequence[Upstream]:
        """DELE; all of them together where PIPELINING is offered."""
        engine = self._talk.engine
        lots = [list(messages)] if engine.pipelining else [[message] for message in messages]
        asked = [self._talk.ask(engine.dele(*(message.number for message in lot))) for lot in lots]
        agreed: list[Upstream] = []
        for lot, reply in zip(lots, await all_of(asked), strict=True):
            agreed += [message for message, ok in zip(lot, cast("POP3Reply", reply).agreed, strict=True) if ok]
        self._marked.update(message.number for message in agreed)
        return agreed

    async def leave(self) -> Left:
        """QUIT."""
        reply = await ask_pop3(self._talk, self._talk.engine.quit())
        if not reply.ok:
            return Left(error=f"The server did not delete everything: {reply.text}"[:300])
        return Left(frozenset(self._marked))

    def give_up(self, error: MailshareError) -> None:
        """Cut the connection."""
        self._talk.give_up(error)


class _Retrieved(Listener):
    """A message that RETR brings."""

    __slots__ = ("_beginning", "_message", "_session", "_to")

    def __init__(self, session: POP3Session, message: Upstream, to: Fetching) -> None:
        self._session = session
        self._message = message
        self._to = to
        self._beginning = b""

    @override
    def take(self, data: bytes) -> Awaitable[None] | None:
        if len(self._beginning) < _STATUS_LINE:
            self._beginning += data[:_STATUS_LINE]
        return self._to.take(data)

    @override
    def hear(self, reply: POP3Reply) -> None:
        listed = self._message.size
        if not reply.ok:
            self._to.came(f"The server refuses it: {reply.text}")
        elif listed and not reply.octets:
            self._to.came("It came empty")
        elif reply.octets > listed and out_of_step(self._beginning, listed, reply.octets):
            fault = Unavailable("The server's replies are out of step")
            self._session.give_up(fault)
            self._to.failed(fault)
        elif reply.octets < listed:
            self._session.confirm(self._to)
        else:
            self._to.came("")

    @override
    def hear_whole(self, text: bytes) -> None:
        self._to.came_whole(text)

    @override
    def fail(self, error: BaseException) -> None:
        self._to.failed(error)


class _Confirmed(Listener):
    """A status line stands behind a message, which is whole then."""

    __slots__ = ("_to",)

    def __init__(self, to: Fetching) -> None:
        self._to = to

    @override
    def take(self, data: bytes) -> None:
        del data  # NOOP has none

    @override
    def hear(self, reply: POP3Reply) -> None:
        self._to.came("")

    @override
    def hear_whole(self, text: bytes) -> None:
        del text  # nor this

    @override
    def fail(self, error: BaseException) -> None:
        self._to.failed(error)


def out_of_step(header: bytes, listed: int, octets: int) -> bool:
    """Whether a message begins with a status line that belonged in front of it: the server had one reply too many.

    The size without that line is the one listed, so it is no mail that merely looks odd.
    """
    first, found, _ = header.partition(b"\r\n")
    return bool(found) and first[:3].upper() == b"+OK" and 0 < listed == octets - len(first) - 2
