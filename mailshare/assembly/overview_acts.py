"""What the dashboard shows besides the indicators, and what an administrator looks up by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from mailshare.assembly.fax_looking import FaxLooking
from mailshare.assembly.print_places import PlaceActs
from mailshare.assembly.shapes import moment
from mailshare.config import Config
from mailshare.core.errors import MailshareError, NoSuchEntry, NoSuchJob
from mailshare.core.values import SECOND, Event
from mailshare.interfaces import IBody

_HOUR = 3600 * SECOND
_HOURS = 24
_SHOWN = 20_000  # octets of a message
_COUNTED: Mapping[str, Sequence[str]] = {
    "came": ("route",),
    "went": ("relay.delivered", "fax.delivered", "print.delivered", "printer.delivered"),
    "failed": ("relay.failed", "relay.expired", "fax.failed", "fax.expired", "print.failed", "collect.failed"),
}


class OverviewActs(FaxLooking, PlaceActs):
    """Put together with a class that has the store, the clock and the configuration."""

    _clock: Callable[[], int]
    _config: Callable[[], Config] | None

    async def overview(self) -> Mapping[str, object]:
        """The last 24 hours by the hour, and how lines, printers and the disk stand.

        :returns: ``hours`` with ``at``, ``came``, ``went`` and ``failed``; ``lines``, ``printers``; ``disk`` with
            ``free`` and ``total`` octets.
        """
        first = self._clock() // _HOUR * _HOUR - (_HOURS - 1) * _HOUR
        kinds = [kind for each in _COUNTED.values() for kind in each]
        counts = await self._store.events.counts(first, _HOUR, _HOURS, kinds)
        hours = [
            {
                "at": moment(first + number * _HOUR),
                **{name: sum(counts.get((kind, number), 0) for kind in each) for name, each in _COUNTED.items()},
            }
            for number in range(_HOURS)
        ]
        return {"hours": hours, "lines": await self._lines(), "printers": await self._printers(), "disk": self._disk()}

    async def _lines(self) -> Sequence[Mapping[str, object]]:
        if self._config is None or not self._config().tables.fax_line:
            return []
        try:
            return await self.fax_lines()
        except MailshareError:
            return []

    async def _printers(self) -> Sequence[Mapping[str, object]]:
        """An office that does not print is not made to import what printing needs."""
        if self._config is None or not (self._config().tables.destination or self._config().tables.printer):
            return []
        try:
            return await self.print_places()
        except MailshareError:
            return []

    def _disk(self) -> Mapping[str, int]:
        if self._config is None:
            return {"free": 0, "total": 0}
        try:
            found = os.statvfs(self._config().data)
        except OSError:
            return {"free": 0, "total": 0}
        return {"free": found.f_bavail * found.f_frsize, "total": found.f_blocks * found.f_frsize}

    async def look(self, *, item: int = 0, name: str = "", uid: int = 0, by: str = "") -> Mapping[str, object]:
        """The beginning of a message as it is written; who looked is written down first.

        :param item: a row of the queue; or ``name`` and ``uid``: what lies in a mailbox.
        :returns: ``text``, ``octets`` in all, ``trace``.
        """
        if item:
            row = await self._store.queue.item(item)
            if row is None:
                raise NoSuchJob(f"There is no row {item} in the outbox")
            body, trace = await self._store.queue.body(row.message_id), row.trace
        else:
            body, trace = await self._lying(name, uid)
        data = {"by": by, "what": f"row {item}" if item else f"mailbox of {name}"}
        await self._store.events.append([Event(self._clock(), "admin.looked", trace, data=data)])
        octets = bytearray()
        while len(octets) < min(body.size, _SHOWN):
            piece = await body.read(len(octets), _SHOWN - len(octets))
            if not piece:
                break
            octets += piece
        return {"text": octets.decode("utf-8", "replace"), "octets": body.size, "trace": trace}

    async def _lying(self, name: str, uid: int) -> tuple[IBody, str]:
        user = self._user(name)
        for entry in await self._store.mailboxes.entries(user.id, before_uid=uid + 1, limit=1):
            found = await self._store.message(entry.message.id)
            if entry.uid == uid and found is not None:
                return found[0], entry.message.trace
        raise NoSuchEntry(f"That message does not lie with {user.name} any more")
