"""The first run as acts, for whoever goes through it in a terminal: pages ask the same object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mailshare.assembly.changes import Changes
from mailshare.core.errors import Unavailable
from mailshare.interfaces import IFirstRun


class FirstRunActs(Changes):
    """Put together with the other acts.

    :ivar first_run: gives the first run of a running office; ``None`` while no server runs.
    """

    first_run: Callable[[], IFirstRun] | None = None

    def _first_run(self) -> IFirstRun:
        if self.first_run is None:
            raise Unavailable("The server does not run; start it first")
        return self.first_run()

    async def setup_survey(self) -> Mapping[str, object]:
        """What there is to choose from, the step that comes next, and the steps that the file has settled."""
        run = self._first_run()
        return {**await run.survey(), "reached": await run.reached(), "decided": list(run.decided())}

    async def setup_step(self, *, step: str = "") -> Mapping[str, object]:
        """Keep where somebody is; empty = it is over."""
        await self._first_run().reach(step)
        return {"reached": step}

    async def setup_listen(
        self,
        *,
        kind: str,
        ports: Mapping[str, Any],
        hostname: str = "",
        path: str = "",
        trusted: Sequence[str] = (),
    ) -> Mapping[str, object]:
        """Take over names, ports and certificates; sentences that are worth saying."""
        numbers = {str(name): number for name, number in ports.items() if type(number) is int}
        wishes = {"hostname": hostname, "kind": kind, "path": path, "trusted": list(trusted), "ports": numbers}
        return {"words": list(await self._first_run().listen(wishes))}
