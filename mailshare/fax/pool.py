"""All lines of the office: which one makes a call, who waits for one, and what is known of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailshare.core.values.fax import FaxCause
from mailshare.interfaces import IFaxLine

_REST = 60.0  # seconds that a line which could not dial is left alone
_LOOK = 5.0  # seconds between two looks while somebody waits: lines may come back by themselves


@define(eq=False)
class PooledLine:
    """A line and what was seen of it.

    :ivar numbers: patterns of the numbers it is used for; none = all.
    :ivar rests_until: seconds of the reactor's clock; no call begins on it before.
    """

    line: IFaxLine
    numbers: tuple[str, ...] = ()
    rests_until: float = 0.0
    calls: int = 0
    pages: int = 0
    trouble: str = ""

    def takes(self, number: str) -> bool:
        """Whether it is for this number, and sends at all."""
        fits = not self.numbers or any(fnmatchcase(number, one) for one in self.numbers)
        return fits and self.line.capabilities.send


@define(eq=False)
class _Waiting:
    number: str
    order: tuple[int, int]
    without: Collection[str]
    got: Deferred[PooledLine | None] = field(factory=Deferred)


class LinePool:
    """Gives lines to calls: the urgent first, then in the order they came; lines in the order of the configuration."""

    def __init__(self, clock: IReactorTime, lines: Sequence[PooledLine] = ()) -> None:
        self._clock = clock
        self.lines = list(lines)
        self._waiting: list[_Waiting] = []
        self._later: IDelayedCall | None = None

    async def take(
        self, number: str, *, haste: int = 1, order: int = 0, without: Collection[str] = ()
    ) -> PooledLine | None:
        """A line with room for a call to this number, as soon as there is one.

        :param haste: 0 goes before 1, and that before 2.
        :param order: who asked first.
        :param without: names of lines that could not dial just now.
        :returns: ``None`` when no line of the office is for this number.
        :cancel: it is not wanted any more.
        """
        if not self._fitting(number, without):
            return None
        wish = _Waiting(number, (haste, order), without)
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
            fitting = self._fitting(wish.number, wish.without)
            if not fitting:
                self._waiting.remove(wish)
                wish.got.callback(None)
                continue
            now = self._clock.seconds()
            for one in fitting:
                room = one.line.free_channels() - given.get(one.line.name, 0)
                if room > 0 and one.rests_until <= now:
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
        if cause in (FaxCause.LINE_DOWN, FaxCause.NO_DIALTONE):
            one.rests_until = self._clock.seconds() + _REST
            one.trouble = words or cause.value
        else:
            one.rests_until, one.trouble = 0.0, ""
        self.look()

    def _fitting(self, number: str, without: Collection[str]) -> list[PooledLine]:
        return [one for one in self.lines if one.takes(number) and one.line.name not in without]
