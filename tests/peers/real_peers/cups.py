"""A real CUPS scheduler on loopback, with a configuration and folders of its own."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import define
from real_peers.running import LOOPBACK, ProgramFault, Running, run, wait_until

_SCHEDULER = """\
Listen 127.0.0.1:{port}
Browsing Off
LogLevel debug
DefaultAuthType None
<Location />
Order allow,deny
Allow from 127.0.0.1
</Location>
<Location /admin>
Order allow,deny
Allow from 127.0.0.1
</Location>
<Policy default>
JobPrivateAccess default
JobPrivateValues default
SubscriptionPrivateAccess default
SubscriptionPrivateValues default
<Limit All>
Order allow,deny
Allow from 127.0.0.1
</Limit>
</Policy>
"""
_FILES = """\
ServerRoot {0}/root
RequestRoot {0}/spool
TempDir {0}/tmp
CacheDir {0}/cache
StateDir {0}/state
AccessLog {0}/access_log
ErrorLog {0}/error_log
PageLog {0}/page_log
FileDevice Yes
SystemGroup root lpadmin
"""


@define
class Cups:
    """One scheduler; it must be started by root."""

    program: str
    folder: Path
    port: int
    running: Running | None = None

    def start(self) -> None:
        """Start it and wait for its port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("root", "spool", "tmp", "cache", "state"):
            (self.folder / name).mkdir(exist_ok=True)
        scheduler, files = self.folder / "cupsd.conf", self.folder / "cups-files.conf"
        scheduler.write_text(_SCHEDULER.format(port=self.port))
        files.write_text(_FILES.format(self.folder))
        argv = [self.program, "-f", "-c", str(scheduler), "-s", str(files)]
        self.running = Running(argv, self.folder / "cupsd.log", {})
        self.running.start([self.port], 60)

    def stop(self) -> None:
        """End it."""
        if self.running is not None:
            self.running.stop()

    @property
    def environment(self) -> dict[str, str]:
        """With this, the commands talk to it."""
        return {**os.environ, "CUPS_SERVER": f"{LOOPBACK}:{self.port}"}

    def do(self, *words: object) -> str:
        """Run one of its commands."""
        return run(*words, environment=self.environment, seconds=60).decode()

    def add_everywhere(self, name: str, uri: str) -> None:
        """Make a queue of a printer of today, and wait until it knows what the printer takes.

        ``lpadmin`` comes back while a thread of the scheduler still asks the printer; a job that comes before that
        thread is done is aborted: "Unable to convert file 0 to printable format".
        """
        self.do("lpadmin", "-p", name, "-E", "-v", uri, "-m", "everywhere")
        log = self.folder / "error_log"

        def known() -> bool:
            _, _, after = log.read_text(errors="replace").rpartition(f"{name}: Get-Printer-Attributes returned")
            return f"/{name}.ppd..." in after and "IPP Everywhere" in self.do("lpoptions", "-p", name)

        wait_until(known, f"what {name} takes", 60, log)

    def print(self, *words: object) -> None:
        """``lp``, and wait until the scheduler has got rid of the job.

        :raises ProgramFault: it gave it up; the text has what it says of the job.
        """
        number = self.do("lp", *words).split()[3].rpartition("-")[2]
        log = self.folder / "error_log"

        def lines() -> list[str]:
            return [one for one in log.read_text(errors="replace").splitlines() if f"[Job {number}]" in one]

        def over() -> bool:
            return any("time-at-completed=" in one for one in lines())

        wait_until(over, f"the end of job {number}", 60, log)
        if not any("Job completed." in one for one in lines()):
            raise ProgramFault("\n".join(lines()))
