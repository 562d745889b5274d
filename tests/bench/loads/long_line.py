"""A long line to a provider, or a provider's smarthost at its end: starts ``far_end.py`` and reads what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import define
from loads.servers import free_ports
from real_peers.running import answers, wait_until


@define
class LongLine:
    """One far end.

    :ivar port: where it listens.
    """

    port: int
    process: subprocess.Popen[bytes]

    @classmethod
    def to_server(cls, port: int, rtt_ms: float) -> LongLine:
        """A line to a server on this machine."""
        return cls._start(rtt_ms, "--to", str(port))

    @classmethod
    def to_sink(cls, rtt_ms: float, *, chunking: bool = False, think_ms: float = 0) -> LongLine:
        """A smarthost that takes everything."""
        return cls._start(rtt_ms, "--sink", "--think", str(think_ms), *(["--chunking"] if chunking else []))

    @classmethod
    def _start(cls, rtt_ms: float, *words: str) -> LongLine:
        (port,) = free_ports(1)
        argv = [sys.executable, str(Path(__file__).with_name("far_end.py")), str(port), str(rtt_ms), *words]
        line = cls(port, subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        wait_until(lambda: answers(port), "the far end to listen", 20)
        line.record()
        return line

    def record(self) -> Mapping[str, float]:
        """What was seen since it was asked the last time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
