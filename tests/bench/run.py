"""Compare our server with Postfix and Dovecot on this machine, in one run: ``make bench``.

    python tests/bench/run.py [--provider] [--only WORDS] [--rounds N] [--json FILE] [--alone]

Every figure of a peer comes from the same run as ours; a row tells the ratio. Peers need root and the Debian packages
postfix, dovecot-pop3d and dovecot-lmtpd; without them only our own figures are shown. ``--provider`` measures the other
side in place of it, on a long line: collecting (against mpop, getmail6, fetchmail), relaying (against msmtp, Postfix).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

from loads.servers import Dovecot, MailServer, Ours, PostfixDovecot  # noqa: E402 - the path comes first
from loads.towards_provider import report  # noqa: E402 - as above
from loads.workloads import WORKLOADS, Workload, sync_floor  # noqa: E402 - as above

Medians = Mapping[str, float]


def servers(folder: Path, *, alone: bool) -> list[MailServer]:
    """Ours, and the peers that this machine has."""
    found: list[MailServer] = [Ours(folder / "ours")]
    if not alone and os.geteuid() == 0 and Path("/usr/lib/dovecot/lmtp").exists():
        found.append(Dovecot(folder / "dovecot"))
        if Path("/usr/sbin/postfix").exists():
            found.append(PostfixDovecot(folder / "postfix"))
    return found


def measured(server: MailServer, workload: Workload, rounds: int) -> Medians:
    """The median of each figure."""
    runs = [workload.run(server) for _ in range(rounds)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def ratio(workload: Workload, ours: Medians, peer: Medians) -> float:
    """How many times better we are; below 1 the peer is better."""
    one, other = ours[workload.figure], peer[workload.figure]
    return (other / one if workload.lower else one / other) if one and other else float("nan")


def table(workloads: Sequence[Workload], results: Mapping[str, Mapping[str, Medians]], names: Sequence[str]) -> str:
    """Markdown: who is how many times faster, in the figure that counts for each row."""
    peers = [name for name in names if name != "mailshare"]
    lines = [
        "| workload | figure | mailshare | " + "".join(f"{name} | ratio | " for name in peers),
        "| --- | --- | ---: | " + "---: | ---: | " * len(peers),
    ]
    for workload in workloads:
        row = results[workload.name]
        ours = row["mailshare"]
        cells = [workload.name, workload.figure, f"{ours[workload.figure]:,.1f}"]
        for name in peers:
            peer = row.get(name)
            cells += [f"{peer[workload.figure]:,.1f}", f"{ratio(workload, ours, peer):.2f}"] if peer else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def costs(workloads: Sequence[Workload], results: Mapping[str, Mapping[str, Medians]], names: Sequence[str]) -> str:
    """Markdown: what each server spent on one message or session, and how long the slow ones waited."""
    lines = [
        "| workload | server | CPU s/1,000 | KB written each | p50 ms | p99 ms | memory after, MB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for workload in workloads:
        for name in names:
            row = results[workload.name].get(name, {})
            if "cpu_s_per_1000" not in row:
                continue
            written = row["written_per_message"] / 1000
            cells = [workload.name, name, f"{row['cpu_s_per_1000']:.3f}", f"{written:,.1f}"]
            cells += [f"{row[key]:,.1f}" if key in row else "" for key in ("p50_ms", "p99_ms", "memory_mb")]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="workloads whose name has this text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write everything there")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--provider", action="store_true", help="what goes on with the provider, in place of the rest")
    options = parser.parse_args()
    workloads = [each for each in WORKLOADS if options.only.lower() in each.name.lower()]
    folder = Path(tempfile.mkdtemp(prefix="mailshare-bench-"))
    folder.chmod(0o755)
    if options.provider:
        try:
            text, found = report(folder, options.only, options.rounds, alone=options.alone)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.write(text + "\n")
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n")
        return
    results: dict[str, dict[str, Medians]] = {each.name: {} for each in workloads}
    everybody = servers(folder, alone=options.alone)
    try:
        for server in everybody:
            server.start()
            try:
                for workload in workloads:
                    if server.name == "mailshare" or server.name in workload.against:
                        found = results[workload.name][server.name] = measured(server, workload, options.rounds)
                        sys.stderr.write(f"{server.name}: {workload.name}: {found}\n")
            finally:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    floor = sync_floor()
    names = [server.name for server in everybody]
    sys.stdout.write(table(workloads, results, names) + "\n\n" + costs(workloads, results, names) + "\n\n")
    busy = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    sys.stdout.write(f"{os.cpu_count()} cores; load averages at the end {busy}: above 2 others were at work too.\n")
    sys.stdout.write(f"One writer's 4 KiB append and fdatasync: {floor['syncs_s']:,.0f}/s on this disk.\n")
    if options.json:
        options.json.write_text(json.dumps({"results": results, "floor": floor}, indent=1) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are ended as well
    main()
