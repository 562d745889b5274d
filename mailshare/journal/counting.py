"""The six indicators: who is counted in, and who is told when they change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from itertools import islice

from attrs import evolve
from twisted.internet.defer import Deferred

from mailshare.interfaces import IStore
from mailshare.status import Indicators

Listener = Callable[[Indicators], None]
_LAMPS = ("local_sending", "local_receiving", "outgoing", "incoming")
_NAMED = 5  # peers that a lamp names at most


class Counting:
    """Counts what goes on. The lamps change at once; the two totals when :meth:`refresh` has asked the store.

    Every session changes them twice, so that a change which nobody is told of is one of a dictionary.
    """

    def __init__(self) -> None:
        self._now = dict.fromkeys((*_LAMPS, "inbox", "outbox"), 0)
        self._listeners: list[Listener] = []
        self._peers: dict[str, dict[str, int]] = {lamp: {} for lamp in _LAMPS}
        self._last = dict.fromkeys(_LAMPS, "")

    @property
    def indicators(self) -> Indicators:
        """The values now."""
        return Indicators(**self._now)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Be told of each change, and at once of the values now; the result ends that."""
        self._listeners.append(listener)
        listener(self.indicators)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def follow(self) -> Watching:
        """The values as an asynchronous iterator that never holds more than two of them, however slow its reader."""
        return Watching(self)

    def peers(self, value: Indicators) -> Mapping[str, Sequence[str]]:
        """Who makes the lamps of this value burn, by lamp: some of those who are there, else who was there last."""
        burning = [lamp for lamp in _LAMPS if getattr(value, lamp)]
        return {lamp: list(islice(self._peers[lamp], _NAMED)) or [self._last[lamp]] for lamp in burning}

    def sending(self, step: int, peer: str = "") -> None:
        """A local client begins (+1) or ends (-1) to hand in a message."""
        self._met("local_sending", step, peer)

    def receiving(self, step: int, peer: str = "") -> None:
        """A local client opens its mailbox (+1) or lets it go (-1)."""
        self._met("local_receiving", step, peer)

    def upstream(
        self, *, outgoing: int, incoming: int, sent_to: Iterable[str] = (), fetched_from: Iterable[str] = ()
    ) -> None:
        """Connections to smarthosts and collection sessions now, and the servers that they are with."""
        for lamp, servers in (("outgoing", sent_to), ("incoming", fetched_from)):
            self._peers[lamp] = dict.fromkeys(servers, 1)
            self._last[lamp] = next(iter(self._peers[lamp]), self._last[lamp])
        self._put(outgoing=outgoing, incoming=incoming)

    def _met(self, lamp: str, step: int, peer: str) -> None:
        self._now[lamp] += step
        there = self._peers[lamp]
        here = there[peer] = there.get(peer, 0) + step
        if here <= 0:
            del there[peer]
            self._last[lamp] = peer
        if self._listeners:
            self._tell()

    async def refresh(self, store: IStore) -> Indicators:
        """Ask the store for the totals of inbox (not retrieved yet) and outbox (not with the provider yet)."""
        inbox = sum(each.unread for each in await store.mailboxes.counts())
        outbox = await store.queue.waiting()
        self._put(inbox=inbox, outbox=outbox)
        return self.indicators

    def _put(self, **values: int) -> None:
        before = self._now
        self._now = {**before, **values}
        if self._now != before:
            self._tell()

    def _tell(self) -> None:
        value = self.indicators
        for listener in list(self._listeners):
            listener(value)


class Watching(AsyncIterator[Indicators]):
    """The indicators, value after value.

    A reader who is behind gets what he missed as one value, in which a lamp is on that was on meanwhile, and then the
    value of now: so a short flash is never lost, and nothing piles up.
    """

    def __init__(self, counting: Counting) -> None:
        self._missed: Indicators | None = None
        self._given: Indicators | None = None
        self._now = counting.indicators
        self._waiting: Deferred[None] | None = None
        self._over = False
        self._end = counting.watch(self._changed)

    def _changed(self, value: Indicators) -> None:
        self._now = value
        if self._missed is None:
            self._missed = value
        else:
            lamps = {name: max(getattr(self._missed, name), getattr(value, name)) for name in _LAMPS}
            self._missed = evolve(value, **lamps)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def close(self) -> None:
        """No more values; whoever waits for one is let go."""
        self._over = True
        self._end()
        self._wake()

    def __aiter__(self) -> Watching:
        """Itself: one reader."""
        return self

    async def __anext__(self) -> Indicators:
        """The next value, which differs from the last one given.

        :raises StopAsyncIteration: :meth:`close` was called.
        """
        while not self._over:
            missed, self._missed = self._missed, None
            if missed is not None and missed != self._now:
                self._missed = self._now
            if missed is not None and missed != self._given:
                self._given = missed
                return missed
            if self._missed is None:
                self._waiting = Deferred()
                await self._waiting
        raise StopAsyncIteration
