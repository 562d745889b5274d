"""A network of its own for some programs: only they are in it, with a bus and Avahi, as in an office with one cable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from real_peers.eve_printer import BUS
from real_peers.running import Running, run, wait_until

_AVAHI = """\
[server]
host-name=browser
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo
ratelimit-interval-usec=0
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
"""
# The names of this network are those of Avahi alone, and whatever other Avahi runs on this machine is not met.
_MADE = """\
mount --bind "$0/hosts" /etc/hosts
mkdir -p /run/avahi-daemon && mount -t tmpfs tmpfs /run/avahi-daemon
ip link set lo up multicast on
ip route add 224.0.0.0/4 dev lo
echo made
exec sleep 600
"""


def may_be_made() -> bool:
    """Whether this user may make networks on this machine."""
    return os.geteuid() == 0 and not subprocess.run(
        ["unshare", "-nm", "true"], capture_output=True, check=False, timeout=60
    ).returncode


@define
class OwnNetwork:
    """Made by root; what is started in it sees a loopback that nobody else has.

    :param hosts: names that its programs find at 127.0.0.1, for those that do not ask by multicast.
    """

    folder: Path
    bus: str
    avahi: str
    hosts: Sequence[str]
    _began: list[Running] = field(factory=list)

    def start(self) -> None:
        """Make it, and wait until Avahi serves in it."""
        self.folder.mkdir()
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost {' '.join(self.hosts)}\n")
        (self.folder / "avahi.conf").write_text(_AVAHI)
        (self.folder / "bus.conf").write_text(BUS.format(path=self.folder / "bus"))
        log = self.folder / "network.log"
        self._began.append(Running(["unshare", "-nm", "sh", "-ec", _MADE, str(self.folder)], log, {}))
        self._began[0].start([], 60)
        wait_until(lambda: "made" in log.read_text(), "the network", 60, log)
        self.begin("bus", self.bus, f"--config-file={self.folder / 'bus.conf'}", "--nofork")
        wait_until((self.folder / "bus").exists, "the bus", 60, self.folder / "bus.log")
        self.begin("avahi", self.avahi, "-f", self.folder / "avahi.conf", "--no-drop-root", "--no-chroot")
        log = self.folder / "avahi.log"
        wait_until(lambda: "startup complete" in log.read_text(), "Avahi", 60, log)

    @property
    def environment(self) -> dict[str, str]:
        """With this, programs find the bus."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder / 'bus'}"}

    def _inside(self, words: Sequence[object]) -> list[str]:
        return ["nsenter", "-t", str(self._began[0].pid), "-n", "-m", "--", *map(str, words)]

    def begin(self, name: str, *words: object) -> Running:
        """Start a program in it that goes on; its log is NAME.log."""
        made = Running(self._inside(words), self.folder / f"{name}.log", self.environment)
        made.start([], 60)
        self._began.append(made)
        return made

    def do(self, *words: object) -> str:
        """Run a program in it to its end.

        :raises ProgramFault: it failed.
        """
        return run(*self._inside(words), environment=self.environment, seconds=60).decode()

    def stop(self) -> None:
        """End all that is in it."""
        for one in reversed(self._began):
            one.stop()
