"""How a queue stands: paused or not, taking jobs or not, and what was set on it; kept over restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve, field, frozen

from mailshare.interfaces import ISettings

SCOPE = "print"
SETTINGS = frozenset({"texts", "defaults"})
"""What of a queue is no state that comes and goes."""


@frozen
class QueueState:
    """What operators have set.

    :ivar paused: nothing is handed on; ``why`` a keyword of ``printer-state-reasons``.
    :ivar pausing: it is paused as soon as the job under way is done.
    :ivar accepting: new jobs are taken.
    :ivar holding: new jobs are held.
    :ivar texts: printer attributes that were set, by name.
    :ivar defaults: options of jobs that do not ask for others, before those of its configuration.
    :ivar changed, configured: microseconds UTC of the last change of state and of settings.
    """

    paused: bool = False
    pausing: bool = False
    accepting: bool = True
    holding: bool = False
    why: str = "paused"
    texts: Mapping[str, str] = field(factory=dict, hash=False)
    defaults: Mapping[str, object] = field(factory=dict, hash=False)
    changed: int = 0
    configured: int = 0


class QueueStates:
    """Of all queues."""

    def __init__(self, settings: ISettings) -> None:
        self._settings = settings
        self._states: dict[str, QueueState] = {}

    async def load(self) -> None:
        """Read what was set."""
        known = {"paused", "pausing", "accepting", "holding", "why", "texts", "defaults", "changed", "configured"}
        for name, value in (await self._settings.all(SCOPE)).items():
            if isinstance(value, dict):
                self._states[name] = QueueState(**{key: one for key, one in value.items() if key in known})

    def get(self, queue: str) -> QueueState:
        """How that queue stands."""
        return self._states.get(queue, QueueState())

    async def change(self, queue: str, at: int, **what: Any) -> QueueState:
        """Set something; fires when it is durable."""
        new = evolve(self.get(queue), **what)
        if new == self.get(queue):
            return new
        new = evolve(new, configured=at) if SETTINGS & what.keys() else evolve(new, changed=at)
        await self._settings.put(SCOPE, queue, asdict(new))
        self._states[queue] = new
        return new
