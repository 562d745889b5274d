"""Processes that are split off a stem: a process that has already imported what they need."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from mailshare.shell.child_process import Ended

_KEPT = 2_000  # octets of what it says that are remembered
_LAST = 5.0  # seconds that it has to end when it is asked to


class Split:
    """One process that was split off.

    :ivar done: how it ended; cancelling it ends the process.
    :ivar gone: fires when nothing of the process is left.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._late = False
        self._deadline: Any = None
        self.done: Deferred[Ended] = Deferred(lambda _: end())
        self.gone: Deferred[None] = Deferred()

    def end(self) -> None:
        """Kill it, and those that it started."""
        self._end()

    def bound(self, clock: Any, seconds: float) -> None:
        """It may take that long, from now."""
        self._deadline = clock.callLater(seconds, self._too_late)

    def _too_late(self) -> None:
        self._late = True
        self._end()

    def ended(
        self, status: int | None, signal: int, said: bytes, octets: int, *, orphaned: bool = False
    ) -> None:
        """It is over."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if not self.done.called:
            self.done.callback(Ended(status, signal, self._late, said, octets, orphaned))
        self.gone.callback(None)


class Stem(ProcessProtocol):
    """The process that others are split off.

    :param clock: for deadlines.
    :param idle: seconds without a process after which it ends.
    :ivar gone: fires when nothing of it is left.
    """

    transport: Any

    def __init__(self, clock: Any, idle: float) -> None:
        self._clock = clock
        self._idle = idle
        self._last = 0
        self._heard = self._said = b""
        self._split: dict[int, Split] = {}
        self._rest: Any = None
        self._open = True
        self.gone: Deferred[None] = Deferred()

    @property
    def takes(self) -> bool:
        """Processes can be split off still."""
        return self._open

    def split_off(self, work: Mapping[str, object], seconds: float) -> Split:
        """A process for that work, which may take that long.

        :param work: what the stem is told, JSON values.
        """
        self._wake()
        self._last += 1
        number = self._last
        one = Split(lambda: self._tell({"end": number}))
        self._split[number] = one
        self._tell({**work, "id": number})
        one.bound(self._clock, seconds)
        return one

    def stop(self) -> None:
        """End it, and all that was split off; it is asked first, so that it takes with it what those have started."""
        if self._open:
            self._close()

    def _close(self) -> None:
        self._open = False
        self._wake()
        self._rest = self._clock.callLater(_LAST, self._kill)
        self.transport.closeStdin()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def _tell(self, what: Mapping[str, object]) -> None:
        if self._open:
            self.transport.write(json.dumps(what).encode() + b"\n")

    def _wake(self) -> None:
        if self._rest is not None and self._rest.active():
            self._rest.cancel()

    def outReceived(self, data: bytes) -> None:
        """It tells of some that are over."""
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            one = self._split.pop(told["id"], None)
            if one is not None:
                one.ended(told["status"], told["signal"], told["said"].encode("latin-1"), told["octets"])
        if not self._split and self._open:
            self._wake()
            self._rest = self._clock.callLater(self._idle, self._close)

    def errReceived(self, data: bytes) -> None:
        """What it imports may say something; its last words tell why it ended."""
        self._said = (self._said + data)[-_KEPT:]

    def processEnded(self, reason: Failure) -> None:
        """It is over, and whatever was split off."""
        del reason
        self._open = False
        self._wake()
        left, self._split = self._split, {}
        last = self._said.strip().rpartition(b"\n")[2]
        for one in left.values():
            one.ended(None, 9, b"the process that it was split off came to its end: " + last, 0, orphaned=True)
        self.gone.callback(None)


def start_stem(
    reactor: Any,
    argv: Sequence[str],
    *,
    idle: float,
    env: Mapping[str, str],
) -> Stem:
    """Start a program that splits off others.

    :param argv: its path first.
    :raises OSError: it cannot be started.
    """
    stem = Stem(reactor, idle)
    reactor.spawnProcess(stem, argv[0], list(argv), env=dict(env), path="/")
    return stem
