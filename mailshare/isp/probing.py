"""Looking at the headers of the newest mail at the provider; nothing is fetched, marked or deleted by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from attrs import frozen
from twisted.internet.defer import Deferred

from mailshare.core.errors import Unavailable
from mailshare.core.headers import Headers
from mailshare.core.people import Sharers, people_of
from mailshare.core.provider_style import WINDOW
from mailshare.core.sightings import Sighting
from mailshare.core.values import Account, Directory
from mailshare.isp.flight import Flight, all_of
from mailshare.isp.listing import HeaderReader
from mailshare.isp.sign_on import Doors, POP3Conversation, ask_pop3, open_pop3
from mailshare.wire.pop3_client_replies import POP3Limits, POP3Reply

_WEIGHT = 4096
LARGEST_WHOLE = 256 * 1024
"""Octets of a message that is fetched whole for its header, where the provider has no TOP."""


@frozen
class Look:
    """What a look saw.

    :ivar sightings: oldest first.
    :ivar waiting: messages that lie at the provider.
    :ivar by_top: the headers came by TOP; else whole messages were read, the small ones.
    """

    sightings: tuple[Sighting, ...]
    waiting: int
    by_top: bool


def has_top(talk: POP3Conversation) -> bool:
    """The provider gives headers alone (RFC 2449 section 6.1); one that says nothing of itself is asked."""
    return not talk.engine.capabilities or "TOP" in talk.engine.capabilities


async def newest_sightings(
    talk: POP3Conversation, sizes: Sequence[tuple[int, int]], sharers: Sharers
) -> list[Sighting]:
    """What the newest messages show in their headers, oldest first; those that do not come are left out.

    Each header is read when it comes: fifty of them at once would hold up everybody else.

    :param sizes: ``(number, octets)`` of what is listed.
    """
    top = has_top(talk)
    newest = sorted(sizes)[-WINDOW:] if top else [one for one in sorted(sizes) if one[1] <= LARGEST_WHOLE][-WINDOW:]
    flight = Flight(16, 16 * LARGEST_WHOLE)
    asked = []
    for number, size in newest:
        weight = _WEIGHT if top else max(size, 1)
        await flight.enter(weight)
        if talk.lost:
            break
        asked.append(Deferred.fromCoroutine(_sighting(talk, number, weight, flight, sharers, top=top)))
    return [one for one in await all_of(asked) if one is not None]


async def _sighting(
    talk: POP3Conversation, number: int, weight: int, flight: Flight, sharers: Sharers, *, top: bool
) -> Sighting | None:
    reader = HeaderReader()
    command = talk.engine.top(number) if top else talk.engine.retr(number, weight)
    try:
        reply = cast("POP3Reply", await talk.ask(command, reader.feed))
    finally:
        flight.leave(weight)
    if not reply.ok or reply.fault or not reader.octets:
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
        talk = await open_pop3(self._doors, account, account.collect, self._limits)
        try:
            stat = await ask_pop3(talk, talk.engine.stat())
            if not stat.ok:
                raise Unavailable(f"The server refuses STAT: {stat.text}"[:300])
            waiting = stat.stat[0]
            listed = cast("POP3Reply", await talk.ask(talk.engine.list())).sizes if waiting else {}
            sightings = await newest_sightings(talk, list(listed.items()), people_of(directory).sharers[account.id])
            by_top = has_top(talk)
            await ask_pop3(talk, talk.engine.quit())
        finally:
            talk.give_up(Unavailable("The session is over"))
        return Look(tuple(sightings), waiting, by_top)
