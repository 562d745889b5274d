"""Keeps the steps of each account's runs: those of now for who looks on, those of the last one that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field
from twisted.internet.interfaces import IDelayedCall

from mailshare.assembly.shapes import moment
from mailshare.core.errors import MailshareError
from mailshare.core.values import SECOND, Account
from mailshare.interfaces import IStore
from mailshare.isp.run_steps import BEGIN, SENT, Narrator, RunStep, State, reached

_SCOPE = "asked-run"
_MOST_STEPS = 60
_REST = 0.2  # seconds between two tellings of the same run
Told = Callable[[int, Mapping[str, object]], None]


@define
class _Run:
    """One account's.

    :ivar asked: when somebody asked for it, microseconds UTC; 0 = nobody has.
    """

    address: str = ""
    asked: int = 0
    ended: int = 0
    by: str = ""
    error: str = ""
    text: str = ""
    handed: int = 0
    collect: list[RunStep] = field(factory=list)
    relay: list[RunStep] = field(factory=list)

    def shown(self) -> Mapping[str, object]:
        """As JSON values."""
        return {
            "account": self.address,
            "running": not self.ended,
            "asked": moment(self.asked),
            "ended": moment(self.ended),
            "by": self.by,
            "error": self.error,
            "text": self.text,
            "collect": [self._shown(step) for step in self.collect],
            "relay": [self._shown(step) for step in self.relay],
        }

    def _shown(self, step: RunStep) -> Mapping[str, object]:
        words = reached(self.handed) if step.stage == SENT else step.words
        return {"stage": step.stage, "words": words, "state": str(step.state)}


class RunRecorder:
    """Hears what the collector and the relay tell.

    :param reactor: IReactorTime.
    :ivar told: is given an account's id and its run as JSON, while one that was asked for is under way.
    :ivar fetching, sending: to be told by whoever collects and relays.
    """

    def __init__(self, store: IStore, reactor: Any) -> None:
        self._store = store
        self.reactor = reactor
        self.told: Told = lambda *_: None
        self.fetching = Narrator(self._fetching)
        self.sending = Narrator(self._sending)
        self._runs: dict[int, _Run] = {}
        self._soon: dict[int, IDelayedCall] = {}

    # ------------------------------------------------------------------ what is heard

    def _fetching(self, account_id: int, step: RunStep) -> None:
        run = self._of(account_id)
        if step.stage == BEGIN:
            run.collect.clear()
        else:
            _put(run.collect, step)
        self._changed(account_id, run)

    def _sending(self, account_id: int, step: RunStep) -> None:
        run = self._of(account_id)
        if step.stage == SENT:
            run.handed += 1  # one step for all of them, whose words are found when it is shown
        if step.stage != SENT or all(one.stage != SENT for one in run.relay):
            _put(run.relay, step)
        self._changed(account_id, run)

    def _of(self, account_id: int) -> _Run:
        run = self._runs.get(account_id)
        if run is None:
            run = self._runs[account_id] = _Run()
        return run

    def _changed(self, account_id: int, run: _Run) -> None:
        """Tell of it, not more often than somebody can read."""
        if run.asked and not run.ended and account_id not in self._soon:
            self._soon[account_id] = self.reactor.callLater(_REST, self._tell, account_id)

    def _tell(self, account_id: int) -> None:
        self._soon.pop(account_id, None)
        self.told(account_id, self._of(account_id).shown())

    # ------------------------------------------------------------------ runs that somebody asks for

    def begin(self, account: Account, by: str, *, collecting: bool) -> None:
        """Somebody asked for a run.

        :param collecting: one is under way, whose steps so far belong to it.
        """
        before = self._runs.get(account.id, _Run())
        kept = before.collect if collecting else []
        run = _Run(str(account.address), self._now(), by=by, collect=kept)
        self._runs[account.id] = run
        self._changed(account.id, run)

    async def end(self, account: Account, text: str, error: str) -> None:
        """It is over: keep it, also for after a restart."""
        run = self._of(account.id)
        for steps in (run.collect, run.relay):
            if steps and steps[-1].state is State.BUSY:  # cut off in the middle
                steps[-1] = evolve(steps[-1], state=State.BAD if error else State.GOOD)
        run.ended, run.text, run.error = self._now(), text, error
        self._runs[account.id] = _Run()  # what runs by itself from now on is another run
        timer = self._soon.pop(account.id, None)
        if timer is not None:
            timer.cancel()
        shown = run.shown()
        self.told(account.id, shown)
        await self._store.settings.put(_SCOPE, str(account.id), shown)

    async def run(self, account: Account) -> Mapping[str, object] | None:
        """The run that was asked for and is under way, else the last one; ``None`` = nobody asked ever."""
        run = self._runs.get(account.id)
        if run is not None and run.asked:
            return run.shown()
        try:
            kept = await self._store.settings.get(_SCOPE, str(account.id))
        except MailshareError:
            return None
        return kept[0] if kept is not None and isinstance(kept[0], Mapping) else None

    def _now(self) -> int:
        return int(self.reactor.seconds() * SECOND)


def _put(steps: list[RunStep], step: RunStep) -> None:
    """Write a step down: in place of the one that it goes on with or ends, else behind it."""
    place = next((number for number, one in enumerate(steps) if one.stage == step.stage), -1)
    if step.stage in ("connect", "refused"):  # a connection of its own, a recipient of his own
        place = len(steps) - 1 if steps and steps[-1].stage == step.stage == "connect" else -1
    if step.state is State.BAD and steps and steps[-1].state is State.BUSY:
        place = len(steps) - 1
    if place >= 0:
        steps[place] = step
    else:
        steps.append(step)
    if len(steps) > _MOST_STEPS:
        del steps[0]
