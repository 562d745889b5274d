"""Notices when somebody sets the clock, and when the machine has slept.

The reactor's timers go by the wall clock: set back by five hours, each of them would come five hours late, and so
would every deadline. Therefore a thread that waits by a clock which nobody can set wakes the reactor each quarter of a
minute, the two clocks are compared, and after a jump back the timers are moved with it. On Linux that other clock goes
on while the machine sleeps: a closed laptop is no jump, and what is overdue when it opens is done at the next wake-up.
docs/reference/timers.md tells what follows for mail.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from mailshare.core.values import SECOND

BEAT = 15.0  # seconds between two comparisons
SMALL = 2 * SECOND  # what a time daemon may correct without anybody noticing


def steady() -> float:
    """Seconds of a clock that nobody sets; it counts sleep where the system can."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ClockWatch:
    """Compares the reactor's clock with a steady one.

    :param jumped: is called with the microseconds of each jump, negative when the clock was set back.
    :param steady: seconds that only grow.
    :ivar last: when the clock was set last while this watched, microseconds UTC, and by how many; zeros = never.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, jumped: Callable[[int], None], *, steady: Callable[[], float] = steady
    ) -> None:
        self._reactor = reactor
        self._jumped = jumped
        self._steady = steady
        self._apart = self._offset()
        self.last = (0, 0)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to wake the reactor."""
        self._apart = self._offset()
        self._end.clear()
        self._thread = threading.Thread(target=self._beat, name="clock watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the thread, which ends at once."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> int:
        """Compare now.

        :returns: the jump in microseconds, 0 when there was none.
        """
        offset = self._offset()
        jump = offset - self._apart
        if abs(jump) < SMALL:
            # A slow correction must not add up to a jump.
            self._apart = offset
            return 0
        self._apart = offset
        words = "forward" if jump > 0 else "back"
        self._log.warn("the clock was set {words} by {seconds:.0f} s", words=words, seconds=abs(jump) / SECOND)
        if jump < 0:
            for call in self._reactor.getDelayedCalls():
                call.delay(jump / SECOND)
        self.last = (int(self._reactor.seconds() * SECOND), jump)
        self._jumped(jump)
        return jump

    def _offset(self) -> int:
        return int((self._reactor.seconds() - self._steady()) * SECOND)

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            self._reactor.callFromThread(self.check)
