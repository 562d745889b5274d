"""The one transaction of the door: message, body, mailbox entries, ledger row, queue rows and events, or nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from zope.interface import implementer

from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers, listed_text
from mailshare.core.json_text import as_json
from mailshare.core.personal import Quota
from mailshare.core.values import (
    DeliveryResult,
    Event,
    Hop,
    LedgerKey,
    LedgerState,
    Origin,
    SentMark,
    Target,
)
from mailshare.interfaces import IBody, IBodySink, IDelivery
from mailshare.store.bodies import PIECE, FileBody, MemoryBody
from mailshare.store.database import Database
from mailshare.store.events import write_events
from mailshare.store.handing import Handing, Lot, readers_of
from mailshare.store.ledger import refuse_row
from mailshare.store.naming import DAY, DUPLICATE_DAYS, bare_message_id
from mailshare.store.notifier import Notifier

_LISTED = ("from", "subject", "date")
_FIELD_LIMIT = 200
ROW_COST = 1024  # octets of rows and indexes that a small message writes besides its body


def listed_fields(headers: Headers) -> tuple[str, str]:
    """``(Message-ID, JSON of From, Subject and Date)`` for lists of messages: raw text, unfolded and cut.

    The first field of each name counts. Nothing is decoded here; what cannot be read as UTF-8 is replaced.
    """
    by_name = headers.by_name
    listed = {name: listed_text(by_name[name][0].raw)[:_FIELD_LIMIT] for name in _LISTED if name in by_name}
    if own := headers.own_id:
        return own[1:-1], as_json(listed)
    ids = by_name.get("message-id")
    return bare_message_id(listed_text(ids[0].raw)) if ids else "", as_json(listed)


@implementer(IDelivery)
class Delivery:
    """The door's transaction.

    :param new_body: makes a sink, for bodies that another provider of IBody holds.
    :param mailboxes_changed: is told the users who have got a message.
    :param duplicate_days: within which a mailbox takes the same message once; 0 = it takes every copy.
    """

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        new_body: Callable[[int], IBodySink],
        mailboxes_changed: Callable[[Iterable[int]], None],
        directory_of: Callable[[str], str] = os.path.dirname,
        *,
        duplicate_days: int = DUPLICATE_DAYS,
    ) -> None:
        self._duplicate_window = duplicate_days * DAY
        self._database = database
        self._notifier = notifier
        self._new_body = new_body
        self._mailboxes_changed = mailboxes_changed
        self._directory_of = directory_of

    async def deliver(
        self,
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        *,
        at: int,
        duplicate_key: bytes = b"",
        sent: SentMark | None = None,
        expires: int = 0,
        hold: bool = False,
        bounds: Mapping[int, Quota] | None = None,
        headers: Headers | None = None,
    ) -> DeliveryResult:
        """Store it all, or nothing; fires when durable."""
        own = body if isinstance(body, (MemoryBody, FileBody)) else await self._copied(body)
        message_id, listed = listed_fields(headers or Headers.parse(await own.header()))
        readers = readers_of(tuple(targets))
        handing = Handing(
            envelope,
            own,
            origin,
            readers,
            tuple(hops),
            tuple(events),
            at,
            duplicate_key,
            self._duplicate_window,
            sent,
            expires,
            hold,
            message_id,
            listed,
            bounds or {},
        )
        inline = isinstance(own, MemoryBody)
        result = await self._database.write(
            handing,
            cost=ROW_COST + (own.facts.size if inline else 0) + readers.octets,
            directory="" if inline else self.directory_of(own),
            afterwards=partial(self._mailboxes_changed, readers.users),
        )
        if hops and result.message_id:
            for agent in dict.fromkeys(hop.agent for hop in hops):
                self._notifier.wake(agent)
        return result

    def ready(
        self,
        envelope: Envelope,
        body: IBody,
        origin: Origin,
        targets: Sequence[Target],
        hops: Sequence[Hop] = (),
        events: Sequence[Event] = (),
        *,
        headers: Headers | None,
        at: int,
        duplicate_key: bytes = b"",
        sent: SentMark | None = None,
        expires: int = 0,
        hold: bool = False,
        bounds: Mapping[int, Quota] | None = None,
    ) -> Handing | None:
        """One of those that :meth:`deliver_together` stores; ``None`` when it has to be delivered alone."""
        if hops or headers is None or not isinstance(body, MemoryBody):
            return None
        return Handing(
            envelope, body, origin, readers_of(tuple(targets)), (), tuple(events), at, duplicate_key,
            self._duplicate_window, sent, expires, hold, *listed_fields(headers), bounds or {},
        )  # fmt: skip

    async def deliver_together(self, ready: Sequence[Handing]) -> Sequence[DeliveryResult]:
        """Store them all, or nothing; fires when durable."""
        users = {user for one in ready for user in one.readers.users}
        return await self._database.write(
            Lot(ready),
            cost=sum(ROW_COST + one.body.facts.size + one.readers.octets for one in ready),
            afterwards=lambda: self._mailboxes_changed(users),
        )

    def refuse(
        self, key: LedgerKey, state: LedgerState, error: str, at: int, events: Sequence[Event] = ()
    ) -> Awaitable[None]:
        """Write a ledger row for something that is not stored."""
        kept = tuple(events)

        def write(connection: sqlite3.Connection) -> None:
            refuse_row(connection, key, state, error, at)
            write_events(connection, kept)

        return self._database.write(write, cost=ROW_COST)

    def directory_of(self, body: IBody) -> str:
        """The directory that must be synced before rows point at a body of this store; empty when there is none."""
        return self._directory_of(body.path) if isinstance(body, FileBody) else ""

    async def own(self, body: IBody) -> MemoryBody | FileBody:
        """The body itself when it came from this store; else a copy."""
        return body if isinstance(body, (MemoryBody, FileBody)) else await self._copied(body)

    async def _copied(self, body: IBody) -> MemoryBody | FileBody:
        """A copy of another provider's, piece by piece."""
        sink = self._new_body(body.size)
        try:
            position = 0
            while position < body.size:
                piece = await body.read(position, PIECE)
                position += len(piece)
                wait = sink.write(piece)
                if wait is not None:
                    await wait
            copy = await sink.finish()
        except BaseException:
            sink.abort()
            raise
        assert isinstance(copy, (MemoryBody, FileBody))
        return copy
