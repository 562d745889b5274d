"""Count what one message costs in steps, which no other program on the machine changes.

    python tests/bench/calls_per_message.py [--connections N] [--recipients N] [--messages N]

An office runs in this process, another process sends it mail. Printed are the function calls (Python's and C's) of the
reactor's thread and of the store's, and the SQL statements, each for one message. The octets written depend a little on
how many messages came to share a commit.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from sqlite3 import Connection
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

from loads.servers import DOMAIN, USERS, Ours  # noqa: E402 - the path comes first
from loads.smtp_load import SMTPLoad, run_smtp  # noqa: E402 - as above

from mailshare.store.connections import plain_connect  # noqa: E402 - as above
from mailshare.store.sqlite import SQLiteStore  # noqa: E402 - as above
from mailshare.store.writer import Writer  # noqa: E402 - as above

_WARM = 100  # messages before it counts


class Counts:
    """What is counted while it is on."""

    def __init__(self) -> None:
        self._on = False
        self._reactor = cProfile.Profile()
        self._store = cProfile.Profile()
        self._statements: Counter[str] = Counter()
        self._written = 0

    def start(self) -> None:
        """From now on."""
        self._on = True
        self._written = -octets_written()
        self._reactor.enable()

    def stop(self) -> None:
        """No more."""
        self._reactor.disable()
        self._on = False
        self._written += octets_written()

    def connect(self, path: str) -> Connection:
        """A connection whose statements are counted."""
        connection = plain_connect(path)
        connection.set_trace_callback(self._statement)
        return connection

    def _statement(self, text: str) -> None:
        if self._on:
            self._statements[" ".join(text.split()[:3])] += 1

    def batch(self, work: Any) -> Any:
        """The method that does one batch of the store's thread, counted."""

        def counted(*arguments: Any) -> Any:
            if not self._on:
                return work(*arguments)
            self._store.enable()
            try:
                return work(*arguments)
            finally:
                self._store.disable()

        return counted

    def show(self, messages: int) -> None:
        """Print it."""
        lines = []
        for name, profile in (("reactor", self._reactor), ("store", self._store)):
            found: Any = pstats.Stats(profile)
            lines.append(f"{name:10} {found.total_calls / messages:8.1f} calls")
        lines.append(f"{'sql':10} {sum(self._statements.values()) / messages:8.1f} statements")
        for text, count in self._statements.most_common(12):
            lines.append(f"{'':10} {count / messages:8.1f} {text}")
        lines.append(f"{'written':10} {self._written / messages / 1000:8.1f} KB")
        sys.stdout.write("\n".join(lines) + "\n")


def octets_written() -> int:
    """Of this process, as the kernel counts them."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes:")).split()[1])


def count(load: argparse.Namespace, folder: Path) -> None:
    """Run the office, send, print."""
    from twisted.internet import reactor as installed  # it is installed by the import
    from twisted.internet.threads import deferToThread

    from mailshare.tap import Options, makeService

    reactor: Any = installed
    counts = Counts()
    writer: Any = Writer
    writer._perform = counts.batch(Writer._perform)
    (SQLiteStore.__init__.__kwdefaults__ or {})["connect"] = counts.connect
    server = Ours(folder)
    options = Options()
    options.parseOptions(["-c", str(server.configure())])
    service: Any = makeService(options)

    def send(messages: int) -> Any:
        command = [sys.executable, __file__, "--send", str(server.smtp), "--messages", str(messages)]
        command += ["--connections", str(load.connections), "--recipients", str(load.recipients)]
        return deferToThread(subprocess.run, command, check=True)

    def begin() -> None:
        service.privilegedStartService()
        service.startService()
        done = service.started.addCallback(lambda _: send(_WARM))
        done.addCallback(lambda _: counts.start()).addCallback(lambda _: send(load.messages))
        done.addCallback(lambda _: counts.stop()).addCallback(lambda _: counts.show(load.messages))
        done.addErrback(lambda failure: failure.printTraceback()).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--recipients", type=int, default=1, help="of each message")
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--send", type=int, default=0, help=argparse.SUPPRESS)
    load = parser.parse_args()
    if load.send:
        everybody = [f"{user}@{DOMAIN}" for user in USERS[:20]]
        run_smtp(SMTPLoad(load.send, everybody, load.messages, load.connections, copies=load.recipients))
        return
    with tempfile.TemporaryDirectory() as folder:
        count(load, Path(folder) / "office")
        sys.stdout.flush()
        os._exit(0)  # the office was cut, not stopped


if __name__ == "__main__":
    main()
