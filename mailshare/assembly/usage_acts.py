"""What an administrator asks about how much was printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import asdict

from mailshare.assembly.changes import Changes
from mailshare.core.print_usage import span_of


class UsageActs(Changes):
    """Put together with a class that has the clock.

    :ivar _clock: microseconds UTC.
    """

    _clock: Callable[[], int]

    async def print_usage(self, *, month: str = "") -> Mapping[str, object]:
        """Counters by month, printer and sender; of one month, or of all that is known."""
        first, until = span_of(month) if month else (0, self._clock() + 1)
        return {"rows": [asdict(row) for row in await self._store.print_jobs.usage(first, until)]}
