"""What a server used: CPU, memory and octets written, of a process and everything below it (Linux ``/proc``)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from attrs import frozen

_TICK = os.sysconf("SC_CLK_TCK")


@frozen
class Used:
    """Sums over a tree of processes.

    :ivar cpu: seconds, user and system, ended children included as far as their parent waited for them.
    :ivar memory: octets of proportional set size.
    :ivar written: octets handed to the disk.
    """

    cpu: float
    memory: int
    written: int

    def since(self, before: Used) -> Used:
        """What was used from then on; memory stays the present one."""
        return Used(self.cpu - before.cpu, self.memory, self.written - before.written)


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{entry}/stat").read_text()
                parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, []))
    return found


def used(*roots: int) -> Used:
    """Everything below these processes, as it stands now."""
    cpu, memory, written = 0.0, 0, 0
    for pid in dict.fromkeys(pid for root in roots for pid in tree(root)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu += sum(map(int, fields[11:15])) / _TICK
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    memory += int(line.split()[1]) * 1024
            for line in Path(f"/proc/{pid}/io").read_text().splitlines():
                if line.startswith("write_bytes:"):
                    written += int(line.split()[1])
    return Used(cpu, memory, written)
