"""Bodies of claimed rows, read together: an agent that begins a hundred messages makes one trip to a thread for them.

What was claimed and is never tried is let go when later claims need the room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from mailshare.core.errors import MailshareError
from mailshare.core.values import QueueItem
from mailshare.interfaces import IBody

_SMALL = 65_536  # octets of a message that is worth holding
_MOST = 4 << 20  # octets of all that are held


class OutboxBodies:
    """Holds what was read ahead until it is asked for, each message once.

    :param read: gives the bodies of those messages that are stored.
    :param read_one: gives one.
    """

    def __init__(
        self,
        read: Callable[[Collection[int]], Awaitable[Mapping[int, IBody]]],
        read_one: Callable[[int], Awaitable[IBody]],
    ) -> None:
        self._read = read
        self._read_one = read_one
        self._held: dict[int, IBody] = {}  # the oldest first
        self._octets = 0

    async def expect(self, items: Sequence[QueueItem]) -> None:
        """Read the small ones ahead; what cannot be read now is read, or complained of, when it is asked for."""
        sizes = {item.message_id: item.size for item in items if item.size <= _SMALL}
        wanted = [each for each in sizes if each not in self._held][: _MOST // _SMALL]
        if len(wanted) < 2:
            return  # one alone is read when it is asked for
        octets = sum(sizes[each] for each in wanted)
        while self._held and self._octets + octets > _MOST:
            self._let_go(next(iter(self._held)))
        try:
            found = await self._read(wanted)
        except MailshareError:
            return
        for number, body in found.items():
            self._let_go(number)  # another claim may have read it meanwhile
            self._held[number] = body
            self._octets += body.size

    async def body(self, message_id: int) -> IBody:
        """One of them.

        :raises Unavailable: it is not stored any more.
        """
        return self._let_go(message_id) or await self._read_one(message_id)

    def _let_go(self, message_id: int) -> IBody | None:
        body = self._held.pop(message_id, None)
        if body is not None:
            self._octets -= body.size
        return body
