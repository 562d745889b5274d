"""Wrong codes of boxes, so that nobody finds one out by trying.

They are counted in memory from the first question on; what was before, also before a start, the journal knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.fax_orders import HOUR
from mailshare.core.values import Event
from mailshare.interfaces import IStore

MOST_WRONG = 5
"""So many codes may be wrong in an hour, for one box and user, or for one box and calling number."""
MOST_OF_MACHINES = 20
"""So many from all machines that poll one box: a calling number is easily another one."""
WRONG_CODE = "fax.wrong-code"
"""Kind of the line of the journal by that wrong codes are counted over a start."""


class WrongCodes:
    """Who gave wrong codes in the last hour."""

    _log = Logger()

    def __init__(self, store: IStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, list[tuple[int, int | None, str]]] = {}

    async def of_user(self, box: str, user: int) -> list[int]:
        """When a user gave wrong codes for a box, microseconds."""
        return [at for at, one, _ in await self._of(box) if one == user]

    async def closed_to(self, box: str, caller: str) -> bool:
        """Whether machines that call from this number, or machines at all, gave too many."""
        callers = [one for _, user, one in await self._of(box) if user is None]
        return len(callers) >= MOST_OF_MACHINES or callers.count(caller) >= MOST_WRONG

    async def count(self, box: str, *, user: int | None = None, **told: str) -> None:
        """One more.

        :param told: for the journal: of a machine that polled its ``caller``, ``station`` and ``line``.
        """
        at = self._now()
        known = await self._of(box)
        known.append((at, user, told.get("caller", "")))
        try:
            await self._store.events.append([Event(at, WRONG_CODE, user_id=user, data={"box": box, **told})])
        except MailshareError as fault:  # the code was wrong all the same, and it is counted in memory
            self._log.warn("the journal does not tell of a wrong code: {why}", why=fault.public)

    async def _of(self, box: str) -> list[tuple[int, int | None, str]]:
        known = self._known.get(box)
        if known is None:
            since = self._now() - HOUR
            past = await self._store.events.page(since=since, until=self._now() + HOUR, kinds=(WRONG_CODE,))
            found = [(one.at, one.user_id, _caller(one.data)) for _, one in past if one.data.get("box") == box]
            known = self._known.setdefault(box, found)
        known[:] = [one for one in known if one[0] > self._now() - HOUR]
        return known

    def _now(self) -> int:
        return int(self._clock.seconds() * 1_000_000)


def _caller(data: Mapping[str, object]) -> str:
    return str(data.get("caller", ""))
