"""How cost grows with mailboxes, users, queue and sessions: tables, and a plot of each for the documents.

    python tests/bench/growth.py [--only mailboxes|people|queues|sessions] [--svg FOLDER]

Stores are written while the server is stopped, as a hundred thousand deliveries would take too long.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

from loads import growing  # noqa: E402 - the path comes first
from loads.growing import Row  # noqa: E402 - as above
from loads.plots import plot  # noqa: E402 - as above


@frozen
class Part:
    """One table and its plot.

    :ivar across: what grows; ``up``: the unit of the costs that are plotted.
    :ivar shown: those that are plotted.
    """

    name: str
    title: str
    across: str
    up: str
    shown: tuple[str, ...]
    measure: Callable[[Path], list[Row]]


MS = "ms of processor time"
PARTS = (
    Part(
        "mailboxes", "Reading, by messages in the mailbox", "messages", MS,
        ("poll", "LIST and UIDL", "RETR of the last"), growing.mailboxes,
    ),
    Part("people", "Polls and mail, by users", "users", MS, ("poll", "message in"), growing.people),
    Part("queues", "Sending on, by messages that wait", "messages that wait", MS, ("taken", "sent on"), growing.queues),
    Part("sessions", "Memory of a session that waits", "sessions", "KB each", ("plain", "TLS"), growing.sessions),
)  # fmt: skip


def table(part: Part, rows: Sequence[Row]) -> str:
    """Markdown."""
    names = list(rows[0].costs)
    lines = [f"| {part.across} | " + " | ".join(names) + " |", "|---:|" + "---:|" * len(names)]
    lines += [f"| {row.size:,} | " + " | ".join(f"{row.costs[name]:.3g}" for name in names) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the part of this name")
    parser.add_argument("--svg", type=Path, help="write the plots there, as growth-NAME.svg")
    options = parser.parse_args()
    for part in PARTS:
        if options.only not in ("", part.name):
            continue
        folder = Path(tempfile.mkdtemp(prefix="mailshare-growth-"))
        try:
            rows = part.measure(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.write(f"{part.title} ({part.up})\n\n{table(part, rows)}\n\n")
        sys.stdout.flush()
        if options.svg:
            lines = {name: [(row.size, max(row.costs[name], 0.01)) for row in rows] for name in part.shown}
            path = options.svg / f"growth-{part.name}.svg"
            path.write_text(plot(part.title, part.across, part.up, lines))


if __name__ == "__main__":
    main()
