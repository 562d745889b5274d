"""Show what the slowest acknowledgements of a load waited for.

    python tests/bench/slowest_answers.py [--connections N] [--messages N]

An office runs in this process, another process sends it mail. Timestamps are taken around each turn of the reactor,
each transaction of the store's thread, its commit and each checkpoint, by the clock and in processor time. Where the
first is many times the second, others had the processor or the disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

from loads.servers import Ours  # noqa: E402 - the path comes first

from mailshare.smtp.session import SMTPSession  # noqa: E402 - as above
from mailshare.store import writer as writing  # noqa: E402 - as above

_SLOWEST = 20


@frozen
class Span:
    """Something that went on, in seconds; ``used`` is processor time."""

    kind: str
    start: float
    end: float
    used: float

    @property
    def took(self) -> float:
        """By the clock."""
        return self.end - self.start


SPANS: list[Span] = []


def timed(kind: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, with a span for each call."""

    def call(*arguments: Any) -> Any:
        start, used = time.perf_counter(), time.thread_time()
        try:
            return work(*arguments)
        finally:
            SPANS.append(Span(kind, start, time.perf_counter(), time.thread_time() - used))

    return call


class Poller:
    """Stands before the reactor's ``epoll``: what lies between two calls of it is a turn."""

    def __init__(self, poller: Any) -> None:
        self._poller = poller
        self._since: tuple[float, float] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, *arguments: Any) -> Any:
        """Wait; the turn of before has ended."""
        if self._since is not None:
            start, used = self._since
            SPANS.append(Span("turn", start, time.perf_counter(), time.thread_time() - used))
        found = self._poller.poll(*arguments)
        self._since = time.perf_counter(), time.thread_time()
        return found


def install(reactor: Any) -> None:
    """Take the timestamps from now on."""
    reactor._poller = Poller(reactor._poller)
    writer: Any = writing.Writer
    writer._transaction = timed("transaction", writer._transaction)
    writer._checkpoint = timed("checkpoint", writer._checkpoint)
    writing._results = timed("statements", writing._results)
    session: Any = SMTPSession
    finish = session._finish_body

    async def finish_body(self: Any, event: Any) -> None:
        start = time.perf_counter()
        try:
            await finish(self, event)
        finally:
            SPANS.append(Span("answer", start, time.perf_counter(), 0.0))

    session._finish_body = finish_body


def milliseconds(values: Sequence[float], share: float) -> str:
    """The value under which that share of them lies."""
    ordered = sorted(values)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:8.1f}"


def show() -> None:
    """Print all kinds, then what overlapped the slowest answers."""
    lines = ["ms             count  clock p50      p99      max   processor p50      p99      max"]
    for kind in dict.fromkeys(one.kind for one in SPANS):
        clock = [one.took for one in SPANS if one.kind == kind]
        used = [one.used for one in SPANS if one.kind == kind]
        figures = [milliseconds(values, share) for values in (clock, used) for share in (0.5, 0.99, 1)]
        lines.append(f"{kind:12} {len(clock):7} " + " ".join(figures))
    answers = sorted((one for one in SPANS if one.kind == "answer"), key=lambda one: -one.took)
    for answer in answers[:_SLOWEST]:
        beside = [one for one in SPANS if one.kind != "answer" and one.start < answer.end and one.end > answer.start]
        longest = sorted(beside, key=lambda one: -one.took)[:4]
        told = ", ".join(f"{one.kind} {one.took * 1000:.1f} ({one.used * 1000:.1f})" for one in longest)
        lines.append(f"{answer.took * 1000:8.1f} beside {told}")
    sys.stdout.write("\n".join(lines) + "\n")


def measure(load: argparse.Namespace, folder: Path) -> None:
    """Run the office, send, print."""
    from twisted.internet import reactor as installed  # it is installed by the import
    from twisted.internet.threads import deferToThread

    from mailshare.tap import Options, makeService

    reactor: Any = installed
    install(reactor)
    server = Ours(folder)
    options = Options()
    options.parseOptions(["-c", str(server.configure())])
    service: Any = makeService(options)

    def send(messages: int) -> Any:
        command = [sys.executable, str(HERE / "calls_per_message.py"), "--send", str(server.smtp)]
        command += ["--messages", str(messages), "--connections", str(load.connections)]
        return deferToThread(subprocess.run, command, check=True)

    def begin() -> None:
        service.privilegedStartService()
        service.startService()
        done = service.started.addCallback(lambda _: send(100)).addCallback(lambda _: SPANS.clear())
        done.addCallback(lambda _: send(load.messages)).addCallback(lambda _: show())
        done.addErrback(lambda failure: failure.printTraceback()).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=12)
    parser.add_argument("--messages", type=int, default=2000)
    load = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(load, Path(folder) / "office")
        sys.stdout.flush()
        os._exit(0)  # the office was cut, not stopped


if __name__ == "__main__":
    main()
