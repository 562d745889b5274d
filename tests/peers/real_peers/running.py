"""Programs started by a test: each in a session of its own, with its log, ended with everything below it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from attrs import define, field

LOOPBACK = "127.0.0.1"


class ProgramFault(Exception):
    """A program did not do what the test needs; the text has its log."""


def wait_until(condition: object, what: str, seconds: float = 120.0, log: Path | None = None) -> None:
    """Wait until a callable gives something true.

    :raises ProgramFault: it did not within that time; a limit for hangs, not a measure of speed.
    """
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            tail = log.read_text(errors="replace")[-4000:] if log is not None and log.exists() else ""
            raise ProgramFault(f"waited {seconds:g} s for {what}\n{tail}")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether something listens there."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
        return True
    return False


class Process(Protocol):
    """What is needed of ``subprocess.Popen``."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Exit status, or ``None`` while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status."""

    def terminate(self) -> None:
        """SIGTERM."""


Spawn = Callable[[Sequence[str], Path, Mapping[str, str]], Process]


def _from_the_beginning(argv: Sequence[str], path: Path, environment: Mapping[str, str]) -> Process:
    with path.open("ab") as log:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )


@define
class Running:
    """A program in the foreground of its own session.

    :ivar log: what it printed, both streams.
    :ivar spawn: starts it, in place of a new process from the beginning.
    """

    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(factory=dict)
    spawn: Spawn | None = None
    process: Process | None = None

    def start(self, ports: Sequence[int] = (), seconds: float = 120.0) -> None:
        """Start it and wait until it listens on these ports.

        :raises ProgramFault: it ended, or does not listen in time.
        """
        process = self.process = (self.spawn or _from_the_beginning)(self.argv, self.log, self.environment)

        def ready() -> bool:
            if process.poll() is not None:
                text = self.log.read_text(errors="replace")[-4000:]
                raise ProgramFault(f"{self.argv[0]} ended with {process.returncode}\n{text}")
            return all(answers(port) for port in ports)

        wait_until(ready, f"{self.argv[0]} to listen on {list(ports)}", seconds, self.log)

    @property
    def pid(self) -> int:
        """Process id of the program started."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL to the program and all below it, at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def stop(self, seconds: float = 90.0) -> int:
        """SIGTERM, then SIGKILL for what is left of its session.

        :returns: exit status of the program; negative is a signal.
        """
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(60)


def run(
    *argv: str | Path, data: bytes = b"", environment: Mapping[str, str] | None = None, seconds: float = 240.0
) -> bytes:
    """Run a client to its end and give what it printed.

    :raises ProgramFault: it failed; the text has both its streams.
    """
    result = subprocess.run(
        [str(part) for part in argv],
        input=data,
        capture_output=True,
        timeout=seconds,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    if result.returncode:
        words = (result.stdout[-2000:] + b"\n" + result.stderr[-2000:]).decode(errors="replace")
        raise ProgramFault(f"{argv[0]} ended with {result.returncode}\n{words}")
    return result.stdout
