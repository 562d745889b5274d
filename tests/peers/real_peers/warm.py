"""Starts servers without the time that importing them takes: forked from a process that has imported all."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class Forked:
    """A forked server, as ``subprocess.Popen`` shows one of its own."""

    def __init__(self, source: WarmTwistd, pid: int) -> None:
        self.source = source
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status once it has ended; negative is a signal."""
        return self.returncode if self.returncode is not None else self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        :raises subprocess.TimeoutExpired: it goes on.
        """
        if self.returncode is None and self._ended(timeout) is None:
            raise subprocess.TimeoutExpired("twistd", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    def _ended(self, timeout: float | None) -> int | None:
        self.returncode = self.source.ended(timeout)
        return self.returncode


class WarmTwistd:
    """The process that forks them, one at a time."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("warm_twistd.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def spawn(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> Forked:
        """Start a server as ``twistd`` with these arguments does; what it prints goes to the log."""
        assert self.process.stdin is not None
        order = {"argv": list(argv), "log": str(log), "environment": dict(environment)}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        word, pid = self._line().split()
        assert word == "started"
        return Forked(self, int(pid))

    def ended(self, timeout: float | None) -> int | None:
        """The status of the one that runs, or ``None`` when it goes on after that many seconds."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            return None
        word, status = self._line().split()
        assert word == "ended"
        return int(status)

    def _line(self) -> str:
        """One whole line; nothing of the next is taken, so that ``select`` tells the truth."""
        assert self.process.stdout is not None
        line = bytearray()
        while not line.endswith(b"\n"):
            octet = self.process.stdout.read(1)
            assert octet, "the process that forks servers ended"
            line += octet
        return line.decode()

    def close(self) -> None:
        """End it; what it forked must have ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
