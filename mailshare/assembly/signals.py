"""SIGHUP, which kills a plain twistd, becomes "read the file again"."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Hangup:
    """Calls back on the reactor's thread for each SIGHUP while it is installed.

    :param reactor: IReactorFromThreads.
    """

    def __init__(self, reactor: Any, call: Callable[[], None]) -> None:
        self._reactor = reactor
        self._call = call
        self._before: Any = None
        self._installed = False

    def install(self) -> None:
        """Begin; does nothing off the main thread or where the system has no such signal."""
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            self._before = signal.signal(signal.SIGHUP, self._caught)
            self._installed = True

    def remove(self) -> None:
        """Give the signal back to whoever had it."""
        if self._installed:
            self._installed = False
            signal.signal(signal.SIGHUP, self._before if self._before is not None else signal.SIG_DFL)

    def _caught(self, _number: int, _frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._call)
