"""What an administrator may see of mailboxes and timetables: header lines, never a text, and the next runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from mailshare.assembly import shapes
from mailshare.assembly.opening import local_zone
from mailshare.assembly.work_list import WorkList
from mailshare.core.schedule import next_run
from mailshare.core.values import SECOND, Window

_MOST = 200
_RUNS = 5


class Reading(WorkList):
    """Looks without changing; put together with a class that has the zone."""

    _zone: tzinfo

    async def mailbox(self, *, name: str, before: int = 0, limit: int = 100) -> Mapping[str, object]:
        """What lies in somebody's mailbox, newest first: who wrote, about what, how large, whether it was fetched.

        :param before: only what has a smaller number; 0 = from the newest on.
        :returns: ``user``, ``messages``, and ``next``: what to give as ``before`` for more, or 0.
        """
        user = self._user(name)
        limit = min(max(limit, 1), _MOST)
        entries = await self._store.mailboxes.entries(user.id, before_uid=before or None, limit=limit)
        rows: list[dict[str, Any]] = []
        for entry in entries:
            reading = await self._replay.read(entry.message)
            headers = reading.headers if reading is not None else None
            rows.append(
                {
                    "uid": entry.uid,
                    "trace": entry.message.trace,
                    "received": shapes.moment(entry.message.received),
                    "from": str(next(iter(headers.mailboxes("from")), "")) if headers else "",
                    "subject": headers.text("subject")[:200] if headers else "",
                    "size": entry.message.size,
                    "retrieved": entry.retrieved,
                }
            )
        return {"user": user.name, "messages": rows, "next": entries[-1].uid if len(entries) == limit else 0}

    async def next_runs(self, *, address: str) -> Sequence[str]:
        """When the timetable would collect next, five times, as if a run took no time."""
        account = self._account(address)
        return self._runs(account.timetable, account.zone)

    async def preview_runs(
        self, *, address: str, timetable: Sequence[Mapping[str, Any]], zone: str | None = None
    ) -> Sequence[str]:
        """The same with another timetable or zone than the account has; nothing is changed."""
        account = self._account(address)
        wanted = {"timetable": list(timetable), "zone": account.zone if zone is None else zone}
        account, _ = self._as_changed(account, wanted)
        return self._runs(account.timetable, account.zone)

    def _runs(self, timetable: Sequence[Window], name: str) -> Sequence[str]:
        zone = local_zone(name) if name else self._zone
        now = self._clock()
        runs: list[str] = []
        last = 0
        while len(runs) < _RUNS:
            at = next_run(timetable, zone, last, max(now, last + SECOND))
            if at is None:
                break
            runs.append(shapes.moment(at))
            last = at
        return runs
