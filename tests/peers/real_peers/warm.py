"""Starts servers and commands without the time that importing them takes: forked from a process that has imported all.

The programs run as ever, each in a process of its own. Tests of starting itself, and of memory, start theirs from the
beginning.
"""

from __future__ import annotations

import array
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


class Forked:
    """A forked program, as ``subprocess.Popen`` shows one of its own."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status
        self.pid = int(status.recv(64))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status once it has ended; negative is a signal."""
        return self.returncode if self.returncode is not None else self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        :raises subprocess.TimeoutExpired: it goes on.
        """
        if self.returncode is None and self._ended(timeout) is None:
            raise subprocess.TimeoutExpired("a forked program", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To the program alone."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(self._status.recv(64))
            self._status.close()
        return self.returncode


class WarmPrograms:
    """The process that forks them; it ends with this one."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            script = Path(__file__).with_name("warm_programs.py")
            self.process = subprocess.Popen([sys.executable, str(script)], stdin=theirs.fileno())

    def start(
        self,
        argv: Sequence[str | Path],
        streams: tuple[IO[bytes], IO[bytes], IO[bytes]],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Forked:
        """Start ``twistd`` or ``mailshare`` with these arguments.

        :param streams: its standard input, output and error.
        :param environment: beside this process's own.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = {
            "argv": [str(word) for word in argv],
            "environment": {**os.environ, **(environment or {})},
            "folder": str(folder or Path.cwd()),
        }
        with theirs:
            descriptors = array.array("i", [*(stream.fileno() for stream in streams), theirs.fileno()])
            self._orders.sendmsg(
                [json.dumps(order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            )
        return Forked(ours)


@functools.cache
def warm() -> WarmPrograms:
    """The one of this process."""
    return WarmPrograms()


def spawn(argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> Forked:
    """Start a server; what it prints goes to the log."""
    with log.open("ab") as printed, open(os.devnull, "rb") as nothing:
        return warm().start(argv, (nothing, printed, printed), environment)


def finished(
    *argv: str | Path, data: bytes = b"", environment: Mapping[str, str] | None = None, seconds: float = 240.0
) -> subprocess.CompletedProcess[bytes]:
    """Let a command run to its end, as ``subprocess.run`` with captured output does."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(data)
        given.seek(0)
        program = warm().start(argv, (given, out, err), environment)
        try:
            status = program.wait(seconds)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(argv), status, out.read(), err.read())
