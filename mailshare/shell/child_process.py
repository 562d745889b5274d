"""A child process with a deadline: started, watched, and ended together with everything that it started itself."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

_KEPT = 2_000  # octets of what it says that are remembered


@frozen
class Ended:
    """How a process came to its end.

    :ivar status: what it returned; ``None`` when a signal ended it.
    :ivar signal: that signal, 0 = none.
    :ivar late: it was ended because its time was over.
    :ivar said: the beginning of what it wrote to its outputs; nobody but the log should see it.
    :ivar octets: how much that was in all.
    :ivar orphaned: it was ended because the process that it was split off had come to an end.
    """

    status: int | None
    signal: int
    late: bool
    said: bytes
    octets: int
    orphaned: bool = False


class Child(ProcessProtocol):
    """One process; :func:`start_child` makes it.

    :ivar done: how it ended; cancelling it ends the process.
    :ivar gone: fires when nothing of the process is left.
    """

    _deadline: Any = None

    def __init__(self) -> None:
        self._pid = 0
        self._said = b""
        self._octets = 0
        self._late = False
        self._process: Any = None
        self.done: Deferred[Ended] = Deferred(self._cancel)
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """It runs."""
        self._process = self.transport
        self._pid = self._process.pid
        self._process.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """It says something."""
        del childFD
        self._octets += len(data)
        self._said += data[: _KEPT - len(self._said)]

    def bound(self, clock: Any, seconds: float) -> None:
        """It may take that long, from now."""
        self._deadline = clock.callLater(seconds, self._too_late)

    def end(self) -> None:
        """Kill it, and those that it started."""
        self._kill_group()
        with contextlib.suppress(ProcessExitedAlready):
            self._process.signalProcess("KILL")  # it may not have come to lead a group

    def _too_late(self) -> None:
        self._late = True
        self.end()

    def _cancel(self, done: Deferred[Ended]) -> None:
        del done
        self.end()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)

    def processExited(self, reason: Failure) -> None:
        """It is over; those that it started would keep its outputs open."""
        del reason
        self._kill_group()

    def processEnded(self, reason: Failure) -> None:
        """It is over, and its outputs are closed."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        value = reason.value
        status, ended_by = getattr(value, "exitCode", None), getattr(value, "signal", None)
        if not self.done.called:
            self.done.callback(Ended(status, ended_by or 0, self._late, self._said, self._octets))
        self.gone.callback(None)


def start_child(
    reactor: Any, argv: Sequence[str], *, folder: str, seconds: float, env: Mapping[str, str] | None = None
) -> Child:
    """Start a program that may take that long.

    Its input is empty. What it writes is read and forgotten but for the first 2,000 octets. Whatever it started goes
    with it, if it made itself the leader of a group.

    :param argv: its path first.
    :param env: all that its environment holds.
    :raises OSError: it cannot be started.
    """
    child = Child()
    reactor.spawnProcess(
        child, argv[0], list(argv), env=dict(env or {}), path=folder, childFDs={0: "w", 1: "r", 2: "r"}
    )
    child.bound(reactor, seconds)
    return child
