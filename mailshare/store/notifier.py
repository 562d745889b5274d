"""Wakes whoever waits for work, within this process."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger
from zope.interface import implementer

from mailshare.interfaces import INotifier


@implementer(INotifier)
class Notifier:
    """Subscribers by queue name, called in the order of their coming."""

    log = Logger()

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[[], None]]] = {}

    def wake(self, queue: str) -> None:
        """Call everybody who waits for that queue."""
        for call in tuple(self._calls.get(queue, ())):
            try:
                call()
            except Exception:  # noqa: BLE001 - the work is committed; a listener's mistake must not undo the answer
                self.log.failure("A listener of the queue {queue} failed", queue=queue)

    def subscribe(self, queue: str, call: Callable[[], None]) -> Callable[[], None]:
        """Be called after each wake; the result ends that and may be called twice."""
        calls = self._calls.setdefault(queue, [])
        calls.append(call)

        def end() -> None:
            if call in calls:
                calls.remove(call)

        return end
