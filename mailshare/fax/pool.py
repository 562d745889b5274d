"""All lines of the office: which one makes a call, who waits for one, and what is known of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailshare.core.fax_needs import FaxNeeds, lacking
from mailshare.core.values.fax import FaxCause
from mailshare.interfaces import IFaxLine

_REST = 60.0  # seconds that a line which could not dial is left alone
_LOOK = 5.0  # seconds between two looks while somebody waits: lines may come back by themselves
_PATIENCE = 600.0  # seconds that a fax waits for lines which are all of no use, before its sender may be told
OWN_TROUBLES = frozenset({FaxCause.LINE_DOWN, FaxCause.NO_DIALTONE})
"""Ends of calls that say something of the line, and nothing of the number."""


@define(eq=False)
class PooledLine:
    """A line and what was seen of it.

    :ivar numbers: patterns of the numbers it is used for; none = all.
    :ivar rests_until: seconds of the reactor's clock; no call begins on it before.
    :ivar seen: why its last call told of a trouble of its own; empty = it did not.
    """

    line: IFaxLine
    numbers: tuple[str, ...] = ()
    rests_until: float = 0.0
    calls: int = 0
    pages: int = 0
    seen: str = ""

    def takes(self, number: str) -> bool:
        """Whether it is for this number, and sends at all."""
        fits = not self.numbers or any(fnmatchcase(number, one) for one in self.numbers)
        return fits and self.line.capabilities.send

    @property
    def trouble(self) -> str:
        """Why it is of no use now, as it says itself, or as its last call did; empty = it serves."""
        return self.line.trouble or self.seen


@define(eq=False)
class _Waiting:
    number: str
    order: tuple[int, int]
    needs: FaxNeeds
    without: Collection[str]
    after: Collection[str]
    until: float
    bored: float
    got: Deferred[PooledLine | None] = field(factory=Deferred)


class LinePool:
    """Gives lines to calls: the urgent first, then in the order they came; lines in the order of the configuration."""

    def __init__(self, clock: IReactorTime, lines: Sequence[PooledLine] = ()) -> None:
        self._clock = clock
        self.lines = list(lines)
        self._waiting: list[_Waiting] = []
        self._later: IDelayedCall | None = None

    def lacking(self, number: str, needs: FaxNeeds) -> tuple[FaxCause, str] | None:
        """Why no line of the office can ever make this call; ``None`` when one can, or when none is for the number."""
        found = [lacking(one.line.capabilities, needs) for one in self.lines if one.takes(number)]
        return found[0] if found and all(found) else None

    async def take(
        self,
        number: str,
        *,
        haste: int = 1,
        order: int = 0,
        needs: FaxNeeds | None = None,
        without: Collection[str] = (),
        after: Collection[str] = (),
        until: float = 0.0,
    ) -> PooledLine | None:
        """A line with room for a call to this number, as soon as there is one.

        :param haste: 0 goes before 1, and that before 2.
        :param order: who asked first.
        :param needs: what the line has to be able to do.
        :param without: names of lines that could not dial just now.
        :param after: names of lines that are taken only where no other one is free.
        :param until: seconds of the clock after which no call begins; 0 = no end.
        :returns: ``None`` when no line of the office is for this number, when all that are have been of no use for some
            minutes, or when its time is over.
        :cancel: it is not wanted any more.
        """
        bored = self._clock.seconds() + _PATIENCE
        wish = _Waiting(number, (haste, order), needs or FaxNeeds(), without, after, until, bored)
        if not self._fitting(wish):
            return None
        self._waiting.append(wish)
        self._waiting.sort(key=lambda one: one.order)
        self.look()
        try:
            return await wish.got
        except CancelledError:
            if wish in self._waiting:
                self._waiting.remove(wish)
            raise

    def look(self) -> None:
        """A line may have become free."""
        given: dict[str, int] = {}
        for wish in list(self._waiting):
            if wish not in self._waiting:
                continue  # whoever was given a line just now has looked, too
            fitting, now = self._fitting(wish), self._clock.seconds()
            serving = [one for one in fitting if self._serves(one)]
            if serving:
                wish.bored = now + _PATIENCE
            if not fitting or now >= wish.bored or (wish.until and now >= wish.until):
                self._waiting.remove(wish)
                wish.got.callback(None)
                continue
            for one in sorted(serving, key=lambda one: one.line.name in wish.after):
                if one.line.free_channels() - given.get(one.line.name, 0) > 0:
                    # Whoever gets it begins its call in this turn; until then it counts as taken here.
                    given[one.line.name] = given.get(one.line.name, 0) + 1
                    self._waiting.remove(wish)
                    wish.got.callback(one)
                    given[one.line.name] -= 1
                    break
        self._look_later()

    def _look_later(self) -> None:
        if self._waiting and (self._later is None or not self._later.active()):
            self._later = self._clock.callLater(_LOOK, self.look)

    def close(self) -> None:
        """Nobody waits any more."""
        if self._later is not None and self._later.active():
            self._later.cancel()

    def ended(self, one: PooledLine, cause: FaxCause, pages: int, words: str) -> None:
        """A call on this line is over."""
        one.calls += 1
        one.pages += pages
        if cause in OWN_TROUBLES:
            one.rests_until = self._clock.seconds() + _REST
            one.seen = words or cause.value
        else:
            one.rests_until, one.seen = 0.0, ""
        self.look()

    def _serves(self, one: PooledLine) -> bool:
        return not one.line.trouble and one.rests_until <= self._clock.seconds()

    def _fitting(self, wish: _Waiting) -> list[PooledLine]:
        return [
            one
            for one in self.lines
            if one.takes(wish.number)
            and one.line.name not in wish.without
            and lacking(one.line.capabilities, wish.needs) is None
        ]
