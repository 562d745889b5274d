"""When each user last came in, by which door and from where.

A login notes it in memory and writes nothing; every few minutes, and when the server stops, what is new is written down
as settings of the scope ``last-seen``. A kill forgets some minutes of it, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mailshare.core.errors import MailshareError
from mailshare.interfaces import ISettings

SCOPE = "last-seen"
WRITTEN = 600.0  # seconds between two writings
FETCHED = "fetched"
"""Stands where the others name a door: messages were fetched from the mailbox."""

Seen = Mapping[str, tuple[int, str]]
"""Door (``pop3``, ``smtp``, ``print``, ``manager``) or :data:`FETCHED` to microseconds UTC and the peer's address."""


class LastSeen:
    """Of everybody, by a key: the id of a user, or the name of an administrator.

    :param clock: microseconds UTC.
    """

    def __init__(self, settings: ISettings, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._clock = clock
        self._new: dict[str, dict[str, tuple[int, str]]] = {}

    def note(self, key: str, door: str, peer: str) -> None:
        """Somebody came in."""
        self._new.setdefault(key, {})[door] = self._clock(), peer

    async def of(self, key: str) -> Seen:
        """What is known of one."""
        found = await self._settings.get(SCOPE, key)
        return {**_read(found[0] if found is not None else {}), **self._new.get(key, {})}

    async def everybody(self) -> Mapping[str, Seen]:
        """What is known of all."""
        kept = await self._settings.all(SCOPE)
        return {key: {**_read(kept.get(key, {})), **self._new.get(key, {})} for key in {*kept, *self._new}}

    async def write(self) -> None:
        """Write down what is new; what cannot be written is kept for the next time.

        :raises MailshareError: the store takes nothing now.
        """
        new, self._new = self._new, {}
        for key in list(new):
            try:
                known = {**await self.of(key), **new[key]}
                await self._settings.put(SCOPE, key, {door: list(each) for door, each in known.items()})
            except MailshareError:
                self._new = {name: {**new.get(name, {}), **self._new.get(name, {})} for name in {*new, *self._new}}
                raise
            del new[key]


def _read(row: Any) -> dict[str, tuple[int, str]]:
    return {door: (int(at), str(peer)) for door, (at, peer) in row.items()}
