"""The table of what goes on with the provider: collecting and relaying over a line of 0 or 20 ms, beside the peers."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen
from loads import collecting, relaying
from loads.servers import Dovecot

Figures = Mapping[str, float]
Run = Callable[[], Figures]
_FOR = ("messages_s", "rounds", "cpu_s_per_1000")


@frozen
class Row:
    """One line of the table: a workload, a program, and one run of it."""

    workload: str
    program: str
    run: Run


def collecting_rows(folder: Path, provider: collecting.Provider, *, alone: bool) -> list[Row]:
    """2,000 messages of 8 KiB; fewer for those that would take minutes."""
    programs: list[tuple[str, str, Callable[[collecting.Collecting], float], int]] = [
        ("mailshare", "mailshare", collecting.mailshare, 2000),
        ("mpop", "mpop", collecting.mpop, 2000),
        ("getmail", "getmail6", collecting.getmail, 200),
        ("fetchmail", "fetchmail", collecting.fetchmail, 100),
    ]
    rows = []
    for rtt in (0.0, 20.0):
        for command, name, collector, count in programs:
            if name == "mailshare" or (not alone and shutil.which(command)):
                run = collecting.Collecting(provider, folder / "collecting", count, 8192, rtt)
                rows.append(Row(f"collect 8 KiB, {rtt:g} ms", name, lambda run=run, by=collector: run.run(by)))
    return rows


def relaying_rows(folder: Path, *, alone: bool) -> list[Row]:
    """Outboxes of 4 KiB messages at 20 ms."""
    place = folder / "relaying"
    cases: list[tuple[str, list[str], relaying.Relaying]] = [
        ("1 connection", ["mailshare"], relaying.Relaying(place, 200, 20)),
        ("1 connection", ["msmtp"], relaying.Relaying(place, 20, 20)),
        ("1 connection, CHUNKING", ["mailshare"], relaying.Relaying(place, 1000, 20, chunking=True)),
        ("20 connections", ["mailshare", "Postfix"], relaying.Relaying(place, 1000, 20, 20)),
        ("20 connections, thinking", ["mailshare", "Postfix"], relaying.Relaying(place, 600, 20, 20, think_ms=100)),
        ("4 connections, CHUNKING", ["mailshare"], relaying.Relaying(place, 1000, 20, 4, chunking=True)),
    ]
    senders = {"mailshare": relaying.mailshare, "msmtp": relaying.msmtp, "Postfix": relaying.postfix}
    there = {"mailshare": True, "msmtp": bool(shutil.which("msmtp")) and not alone}
    there["Postfix"] = not alone and os.geteuid() == 0 and Path("/usr/sbin/postfix").exists()
    return [
        Row(f"relay 4 KiB, 20 ms, {what}", name, lambda run=run, by=senders[name]: run.run(by))
        for what, names, run in cases
        for name in names
        if there[name]
    ]


def report(folder: Path, only: str, rounds: int, *, alone: bool) -> tuple[str, Mapping[str, Mapping[str, Figures]]]:
    """Run everything whose workload or program has this text in its name.

    :returns: the table as Markdown, and the medians by workload and program.
    """
    dovecot = None
    rows = relaying_rows(folder, alone=alone)
    if os.geteuid() == 0 and Path("/usr/sbin/dovecot").exists():
        dovecot = Dovecot(folder / "provider")
        rows = collecting_rows(folder, collecting.Provider(dovecot), alone=alone) + rows
    rows = [row for row in rows if only.lower() in f"{row.workload} {row.program}".lower()]
    if dovecot is not None:
        dovecot.start()
    found: dict[str, dict[str, Figures]] = {}
    try:
        # Programs of a workload take turns, so that a change of the machine's mood meets all of them.
        runs: dict[tuple[str, str], list[Figures]] = {}
        for _ in range(rounds):
            for row in rows:
                figures = row.run()
                runs.setdefault((row.workload, row.program), []).append(figures)
                sys.stderr.write(f"{row.workload}: {row.program}: {figures}\n")
        for (workload, program), each in runs.items():
            medians = {key: statistics.median(one[key] for one in each) for key in each[0]}
            found.setdefault(workload, {})[program] = medians
    finally:
        if dovecot is not None:
            dovecot.stop()
    return _table(found), found


def _table(found: Mapping[str, Mapping[str, Figures]]) -> str:
    lines = [
        "| workload | program | messages/s | mailshare's ratio | round trips a message | CPU s/1,000 |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for workload, programs in found.items():
        ours = programs.get("mailshare")
        for program, figures in programs.items():
            ratio = f"{ours['messages_s'] / figures['messages_s']:.1f}" if ours and ours is not figures else ""
            cells: Sequence[str] = [f"{figures[key]:,.2f}" for key in _FOR]
            lines.append(f"| {workload} | {program} | {cells[0]} | {ratio} | {cells[1]} | {cells[2]} |")
    return "\n".join(lines)
