"""Hold two copies of the program against each other, and against Dovecot, on a machine that is not quiet.

    python tests/bench/in_turn.py FOLDER [--only WORDS] [--rounds N] [--ahead]

FOLDER holds another copy of the program with an environment of its own (``FOLDER/.venv/bin/twistd``). All servers are
up at once and get the same load one after the other, in turns, so that whatever else the machine does falls on all of
them alike. Told is the processor time of each and its rate (or the time of one), and how both relate to the other
copy's of the same turn. ``--ahead`` has the kernel put these servers and this program before all else (Linux, root),
so that they wait less for a processor.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

from loads.servers import Dovecot, MailServer, Ours  # noqa: E402 - the path comes first
from loads.workloads import WORKLOADS, Figures, Workload  # noqa: E402 - as above

FIGURE = "cpu_s_per_1000"


def table(workload: Workload, runs: dict[str, list[Figures]]) -> str:
    """A line for each server, the other copy first."""
    first = next(iter(runs.values()))
    lines = []
    for name, figures in runs.items():
        cells = [workload.name, name]
        for key, form in ((FIGURE, "{:.3f}"), (workload.figure, "{:,.1f}")):
            median = statistics.median(run[key] for run in figures)
            relation = statistics.median(one[key] / other[key] for one, other in zip(figures, first, strict=True))
            cells += [form.format(median), f"{relation:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def put_ahead(*pids: int) -> None:
    """Have the groups of these processes scheduled before others."""
    for pid in pids:
        Path(f"/proc/{pid}/autogroup").write_text("-19\n")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--only", default="pop3", help="workloads whose name has this text")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ahead", action="store_true", help="before all else that this machine does")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mailshare-bench-"))
    folder.chmod(0o755)
    other = str(options.other / ".venv" / "bin" / "twistd")
    servers: list[MailServer] = [Ours(folder / "other", name="the other copy", twistd=other), Ours(folder / "ours")]
    if os.geteuid() == 0 and Path("/usr/lib/dovecot/lmtp").exists():
        servers.append(Dovecot(folder / "dovecot"))
    titles = ("workload", "server", "CPU s/1,000", "to the other copy", "figure", "to the other copy")
    sys.stdout.write(f"| {' | '.join(titles)} |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
    try:
        for server in servers:
            server.start()
        if options.ahead:
            put_ahead(os.getpid(), *(pid for server in servers for pid in server.pids()))
        for workload in WORKLOADS:
            if options.only.lower() not in workload.name.lower() or "memory" in workload.name:
                continue
            runs: dict[str, list[Figures]] = {server.name: [] for server in servers}
            for turn in range(options.rounds):
                for server in servers if turn % 2 else reversed(servers):
                    runs[server.name].append(workload.run(server))
            sys.stdout.write(table(workload, runs) + "\n")
            sys.stdout.flush()
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"Load averages at the end: {', '.join(f'{one:.1f}' for one in os.getloadavg())}\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are ended as well
    main()
