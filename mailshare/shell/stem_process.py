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

from mailshare.core.errors import Unavailable
from mailshare.shell.child_process import Ended

_KEPT = 2_000  # octets of what it says that are remembered
_LAST = 5.0  # seconds that it has to end when it is asked to, itself or one that it split off
_LONGEST = 65_536  # octets of a line that it tells


class Split:
    """One process that was split off.

    :param end: asks the stem to kill it.
    :param despair: kills the stem, which did not do so.
    :ivar done: how it ended; cancelling it ends the process. It fails with :exc:`Unavailable` if there never was one.
    :ivar gone: fires when nothing of the process is left.
    """

    def __init__(self, clock: Any, seconds: float, end: Callable[[], None], despair: Callable[[], None]) -> None:
        self._clock = clock
        self._end = end
        self._despair = despair
        self._late = self._asked = False
        self._deadline = clock.callLater(seconds, self._too_late)
        self.done: Deferred[Ended] = Deferred(lambda _: self.end())
        self.gone: Deferred[None] = Deferred()

    def end(self) -> None:
        """Kill it, and those that it started; if that is not done within a few seconds, all of the stem."""
        if self._asked:
            return
        self._asked = True
        self._wait_no_longer()
        self._deadline = self._clock.callLater(_LAST, self._despair)
        self._end()

    def _too_late(self) -> None:
        self._late = True
        self.end()

    def _wait_no_longer(self) -> None:
        if self._deadline.active():
            self._deadline.cancel()

    def ended(self, status: int | None, signal: int, said: bytes, octets: int, *, orphaned: bool = False) -> None:
        """It is over."""
        self._wait_no_longer()
        if not self.done.called:
            self.done.callback(Ended(status, signal, self._late, said, octets, orphaned))
        self.gone.callback(None)

    def failed(self, why: str) -> None:
        """It could not be made: there are too many processes, or there is too little memory."""
        self._wait_no_longer()
        if not self.done.called:
            self.done.errback(Unavailable(detail={"why": why}))
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
        one = Split(self._clock, seconds, lambda: self._tell({"end": number}), self._kill)
        self._split[number] = one
        self._tell({**work, "id": number})
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
        """What it split off ends with it, by the system's doing."""
        self._open = False
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
        try:
            for line in lines:
                self._told(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._kill()  # it has lost its mind, and nobody knows any more which of its processes run
        if len(self._heard) > _LONGEST:
            self._heard = b""
            self._kill()
        if not self._split and self._open:
            self._wake()
            self._rest = self._clock.callLater(self._idle, self._close)

    def _told(self, told: Mapping[str, Any]) -> None:
        one = self._split.pop(told["id"], None)
        if one is None:
            return
        if "why" in told:
            one.failed(told["why"])
        else:
            one.ended(told["status"], told["signal"], told["said"].encode("latin-1"), told["octets"])

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
