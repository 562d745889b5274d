"""Routing once more what is stored: for mail that ADMIN gives away, and to try other settings. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.values import Directory, Origin, Routing, SentMark, Source, StoredMessage
from mailshare.delivery.intake import known_marks
from mailshare.delivery.router import Router
from mailshare.interfaces import IBody, IRouter, IStore


@frozen
class Reading:
    """A message as far as the router looks at it.

    :ivar known: those of our own messages that it speaks of.
    """

    headers: Headers
    known: Mapping[str, SentMark]
    envelope: Envelope
    origin: Origin


class Replay:
    """Asks a router what it says of stored messages, with any directory.

    :param router: by default ours without the hourly count of mail to everybody, which is of its time.
    """

    def __init__(self, store: IStore, router: IRouter | None = None) -> None:
        self._store = store
        self._router: IRouter = router or Router()

    async def read(self, message: StoredMessage) -> Reading | None:
        """Read a stored message; ``None`` when it is gone meanwhile."""
        found = await self._store.message(message.id)
        if found is None:
            return None
        origin = Origin(
            message.source,
            message.trace,
            message.user_id,
            message.account_id,
            message.peer,
            trusted=message.source is not Source.COLLECT,  # it was taken, so the forms it used were allowed
        )
        recipients = tuple(Recipient(address) for address in message.recipients)
        return await self.reading(found[0], Envelope(message.sender, recipients), origin)

    async def reading(self, body: IBody, envelope: Envelope, origin: Origin) -> Reading:
        """Read a message that is not stored."""
        headers = Headers.parse(await body.header())
        return Reading(headers, await known_marks(self._store, headers, body, origin), envelope, origin)

    def route(self, reading: Reading, directory: Directory) -> Routing:
        """Who would get it with that directory."""
        return self._router.route(reading.envelope, reading.headers, reading.origin, directory, reading.known)
