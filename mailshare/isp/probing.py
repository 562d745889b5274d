"""Looking at the headers of the newest mail at the provider; nothing is fetched, marked or deleted by it."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from mailshare.core.errors import Unavailable
from mailshare.core.headers import Headers
from mailshare.core.people import Sharers, people_of
from mailshare.core.provider_style import WINDOW
from mailshare.core.sightings import Sighting
from mailshare.core.values import Account, Directory
from mailshare.isp.flight import Flight, all_of
from mailshare.isp.listing import HEADER_WEIGHT, HeaderReader, Upstream
from mailshare.isp.opening import open_session
from mailshare.isp.provider_session import ProviderSession, fetched
from mailshare.isp.sign_on import Doors
from mailshare.wire.pop3_client_replies import POP3Limits

LARGEST_WHOLE = 256 * 1024
"""Octets of a message that is fetched whole for its header, where the provider has no TOP."""


@frozen
class Look:
    """What a look saw.

    :ivar sightings: oldest first.
    :ivar waiting: messages that lie at the provider.
    :ivar by_top: the headers came alone; else whole messages were read, the small ones.
    """

    sightings: tuple[Sighting, ...]
    waiting: int
    by_top: bool


async def newest_sightings(
    session: ProviderSession, messages: Sequence[Upstream], sharers: Sharers
) -> list[Sighting]:
    """What the first folder's newest messages show in their headers, oldest first; those that do not come are left out.

    Each header is read when it comes: fifty of them at once would hold up everybody else. They are asked for
    together, so that a new account's first mail waits for the distance once.
    """
    alone = session.gives_headers
    newest = [one for one in messages if one.place == 0 and (alone or one.size <= LARGEST_WHOLE)][-WINDOW:]
    flight = Flight(WINDOW if alone else 16, 16 * LARGEST_WHOLE)
    asked = []
    for message in newest:
        weight = HEADER_WEIGHT if alone else max(message.size, 1)
        await flight.enter(weight)
        if session.lost:
            break
        asked.append(Deferred.fromCoroutine(_sighting(session, message, weight, flight, sharers)))
    return [one for one in await all_of(asked) if one is not None]


async def _sighting(
    session: ProviderSession, message: Upstream, weight: int, flight: Flight, sharers: Sharers
) -> Sighting | None:
    reader = HeaderReader()
    try:
        if session.gives_headers:
            came = await session.header(message, reader.feed)
        else:
            came = not await fetched(session, message, reader.feed)
    finally:
        flight.leave(weight)
    if not came or not reader.octets:
        return None
    return Sighting.of(Headers.parse(reader.octets), sharers)


class Probe:
    """Looks at an account's mail in a session of its own."""

    def __init__(self, doors: Doors, limits: POP3Limits) -> None:
        self._doors = doors
        self._limits = limits

    async def look(self, account: Account, directory: Directory) -> Look:
        """Log in, read the newest headers, leave; no message is marked for deletion.

        :raises LoginRefused, Unavailable, PeerFault: the provider does not let us.
        """
        if account.collect is None:
            raise Unavailable(f"{account.address} has no server to fetch from, so there is nothing to look at")
        session = await open_session(self._doors, account, account.collect, self._limits)
        try:
            listing = await session.list_messages()
            sharers = people_of(directory).sharers[account.id]
            sightings = await newest_sightings(session, listing.messages, sharers)
            await session.leave()
        finally:
            session.give_up(Unavailable("The session is over"))
        return Look(tuple(sightings), listing.count, session.gives_headers)
