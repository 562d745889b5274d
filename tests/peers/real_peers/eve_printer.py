"""CUPS' own IPP Everywhere printer, which keeps what it prints; it will not start without a D-Bus system bus."""

from __future__ import annotations

import hashlib
from pathlib import Path

from attrs import define
from real_peers.running import Running, wait_until

BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""


@define
class EvePrinter:
    """One printer on a bus of its own.

    :param program: ``ippeveprinter``; ``bus`` is ``dbus-daemon``.
    """

    program: str
    bus: str
    folder: Path
    port: int
    dbus: Running | None = None
    running: Running | None = None

    def start(self) -> None:
        """Start both and wait for the printer's port."""
        spool = self.folder / "spool"
        spool.mkdir(parents=True)
        command = self.folder / "print.sh"
        command.write_text("#!/bin/sh\nexit 0\n")  # without one, a job takes seconds
        command.chmod(0o755)
        path = self.folder / "bus"
        (self.folder / "bus.conf").write_text(BUS.format(path=path))
        self.dbus = Running(
            [self.bus, f"--config-file={self.folder / 'bus.conf'}", "--nofork"], self.folder / "bus.log", {}
        )
        self.dbus.start([], 60)
        wait_until(path.exists, "the bus", 60, self.folder / "bus.log")
        words = [self.program, "-r", "off", "-p", str(self.port), "-n", "localhost", "-d", str(spool), "-k"]
        words += ["-c", str(command), "-2", "-f", "application/pdf,image/jpeg,image/pwg-raster", "eve"]
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}
        self.running = Running(words, self.folder / "printer.log", environment)
        self.running.start([self.port], 60)

    def stop(self) -> None:
        """End both."""
        for one in (self.running, self.dbus):
            if one is not None:
                one.stop()

    def kept(self) -> list[str]:
        """SHA-256 of the documents that it has kept."""
        files = [one for one in (self.folder / "spool").rglob("*") if one.is_file()]
        return [hashlib.sha256(one.read_bytes()).hexdigest() for one in files]
