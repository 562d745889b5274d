"""CUPS' own IPP Everywhere printer, which keeps what it prints; it will not start without a D-Bus system bus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

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


# What a printer's own program says of paper and covers goes to its standard error (ippeveprinter(8)).
_COMMAND = """\
#!/bin/sh
if [ -s '{trouble}' ]; then
  word=$(cat '{trouble}')
  echo "STATE: +$word" >&2
  while [ -e '{trouble}' ]; do sleep 0.1; done
  echo "STATE: -$word" >&2
fi
exit 0
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
        command.write_text(_COMMAND.format(trouble=self._trouble))  # without one, a job takes seconds
        command.chmod(0o755)
        path = self.folder / "bus"
        (self.folder / "bus.conf").write_text(BUS.format(path=path))
        self.dbus = Running(
            [self.bus, f"--config-file={self.folder / 'bus.conf'}", "--nofork"], self.folder / "bus.log", {}
        )
        self.dbus.start([], 60)
        wait_until(path.exists, "the bus", 60, self.folder / "bus.log")
        self.turn_on()

    def turn_on(self) -> None:
        """Start the printer, which counts its jobs from 1, and wait for its port."""
        words = [self.program, "-r", "off", "-p", str(self.port), "-n", "localhost", "-d", str(self.folder / "spool")]
        words += ["-k", "-c", str(self.folder / "print.sh"), "-2"]
        words += ["-f", "application/pdf,image/jpeg,image/pwg-raster", "eve"]
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder / 'bus'}"}
        self.running = Running(words, self.folder / "printer.log", environment)
        self.running.start([self.port], 60)

    def turn_off(self) -> None:
        """As by its switch: at once, whatever it does."""
        assert self.running is not None
        self.running.kill()
        self.running = None

    @property
    def _trouble(self) -> Path:
        return self.folder / "trouble"

    @contextmanager
    def in_trouble(self, word: str) -> Iterator[None]:
        """While it prints it has this reason, and does not go on."""
        self._trouble.write_text(word)
        try:
            yield
        finally:
            self._trouble.unlink()

    def set(self, page: str) -> None:
        """What somebody sets on its own page."""
        with urlopen(f"http://localhost:{self.port}{page}", timeout=60) as answer:
            answer.read()

    def stop(self) -> None:
        """End both."""
        for one in (self.running, self.dbus):
            if one is not None:
                one.stop()

    def kept(self) -> list[str]:
        """SHA-256 of the documents that it has kept."""
        files = [one for one in (self.folder / "spool").rglob("*") if one.is_file()]
        return [hashlib.sha256(one.read_bytes()).hexdigest() for one in files]
