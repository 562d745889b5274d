"""The six indicators: who is counted in, and who is told when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import evolve

from mailshare.interfaces import IStore
from mailshare.status import Indicators

Listener = Callable[[Indicators], None]


class Counting:
    """Counts what goes on. The four lamps change at once; the two totals when :meth:`refresh` has asked the store."""

    def __init__(self) -> None:
        self._now = Indicators()
        self._listeners: list[Listener] = []

    @property
    def indicators(self) -> Indicators:
        """The values now."""
        return self._now

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Be told of each change, and at once of the values now; the result ends that."""
        self._listeners.append(listener)
        listener(self._now)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    @contextmanager
    def sending(self) -> Iterator[None]:
        """A local client hands in a message."""
        self._put(evolve(self._now, local_sending=self._now.local_sending + 1))
        try:
            yield
        finally:
            self._put(evolve(self._now, local_sending=self._now.local_sending - 1))

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """A local client reads its mailbox."""
        self._put(evolve(self._now, local_receiving=self._now.local_receiving + 1))
        try:
            yield
        finally:
            self._put(evolve(self._now, local_receiving=self._now.local_receiving - 1))

    @contextmanager
    def outgoing(self) -> Iterator[None]:
        """A connection to a smarthost."""
        self._put(evolve(self._now, outgoing=self._now.outgoing + 1))
        try:
            yield
        finally:
            self._put(evolve(self._now, outgoing=self._now.outgoing - 1))

    @contextmanager
    def incoming(self) -> Iterator[None]:
        """A collection session."""
        self._put(evolve(self._now, incoming=self._now.incoming + 1))
        try:
            yield
        finally:
            self._put(evolve(self._now, incoming=self._now.incoming - 1))

    async def refresh(self, store: IStore) -> Indicators:
        """Ask the store for the totals of inbox (not retrieved yet) and outbox (not with the provider yet)."""
        inbox = sum(each.unread for each in await store.mailboxes.counts())
        outbox = await store.queue.waiting()
        self._put(evolve(self._now, inbox=inbox, outbox=outbox))
        return self._now

    def _put(self, value: Indicators) -> None:
        if value != self._now:
            self._now = value
            for listener in list(self._listeners):
                listener(value)
