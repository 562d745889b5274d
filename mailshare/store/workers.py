"""A few threads that do what is queued, and tell the reactor's thread of all that is done by then in one call.

Twisted's own pool makes some forty calls for each job and wakes the reactor for each answer; here it is about ten, and
one wake-up serves all answers that came meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")
_Job = tuple[Deferred[Any], Callable[[], Any]]


class Workers:
    """Threads that never keep a process alive: what was acknowledged is durable, the rest may go with it.

    :param most: threads at once; each is started when there is work for it.
    :param name: of the threads, for whoever looks at them.
    """

    def __init__(self, reactor: IReactorFromThreads, most: int, name: str) -> None:
        self._reactor = reactor
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._answers: deque[tuple[Deferred[Any], object]] = deque()
        self._told = False  # the reactor was woken and has not looked yet
        self._under_way = 0
        self._threads: list[Thread] = []

    def do(self, work: Callable[[], T]) -> Deferred[T]:
        """Have it done in a thread; fires on the reactor's thread with its result or error. Call it from there.

        :cancel: the wait ends, the work goes on.
        """
        done: Deferred[T] = Deferred()
        self._under_way += 1
        self._jobs.put((done, work))
        if len(self._threads) < min(self._under_way, self._most):
            thread = Thread(target=self._run, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return done

    def stop(self) -> None:
        """Finish what is queued and end the threads; waits for them. Answers come when the reactor runs on."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            done, work = job
            try:
                result: object = work()
            except BaseException:  # noqa: BLE001 - it belongs to whoever asked, never to this thread
                result = Failure()
            self._answers.append((done, result))
            del job, done, work, result  # a thread that waits keeps nothing of its last job
            if not self._told:
                self._told = True
                self._reactor.callFromThread(self._answer)

    def _answer(self) -> None:
        # Before the answers are looked at: whoever adds one afterwards has to wake us again.
        self._told = False
        while self._answers:
            done, result = self._answers.popleft()
            self._under_way -= 1
            done.callback(result)
