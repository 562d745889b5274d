"""A real HylaFAX server on loopback: hfaxd and faxq over a spool of their own; that of the machine is only read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from attrs import define, field
from real_peers.running import LOOPBACK, Running, run, wait_until

_SPOOL = Path("/var/spool/hylafax")  # where the package keeps what a server needs beside its settings
_SETTINGS = Path("/etc/hylafax")
_FOLDERS = ("archive", "client", "dev", "docq", "doneq", "etc", "info", "log", "pollq", "recvq", "sendq", "status")
_MODEM = """\
CountryCode: 49
AreaCode: 30
FAXNumber: "+49.30.5550100"
LongDistancePrefix: 0
InternationalPrefix: 00
DialStringRules: etc/dialrules
ModemType: Class1
ModemRate: 19200
ModemFlowControl: {flow}
ModemResetCmds: ATZ
RingsBeforeAnswer: 1
"""


@define
class HylaFAX:
    """One server; it must be started by root, since hfaxd locks each client into the spool.

    :param folder: must be open to the user uucp.
    :param programs: paths of hfaxd and faxq.
    """

    folder: Path
    port: int
    programs: tuple[str, str]
    words: tuple[str, str] = ("open sesame", "the boss himself")
    running: list[Running] = field(factory=list)

    def lay_out(self) -> None:
        """The spool, as the package's own set-up would leave it."""
        for name in (*_FOLDERS, "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree(_SPOOL / "bin", self.folder / "bin", symlinks=True, dirs_exist_ok=True)
        for path in _SETTINGS.iterdir():
            if path.is_file():
                shutil.copy(path, self.folder / "etc")
        password, admin = (run("openssl", "passwd", "-5", word).decode().strip() for word in self.words)
        users = self.folder / "etc" / "hosts.hfaxd"
        users.write_text(f"^watch@:22::\n^mailshare@:21:{password}:{admin}\n")
        users.chmod(0o600)
        run("chown", "-R", "uucp:uucp", self.folder)
        self.folder.chmod(0o755)

    def start(self) -> None:
        """Start both and wait for the port."""
        self.lay_out()
        hfaxd, faxq = self.programs
        log = self.folder.parent / f"{self.folder.name}.log"
        scheduler = Running([faxq, "-D", "-q", str(self.folder)], log)
        server = Running([hfaxd, "-d", "-q", str(self.folder), "-l", LOOPBACK, "-i", str(self.port)], log)
        self.running = [server, scheduler]
        scheduler.start()
        wait_until((self.folder / "FIFO").exists, "faxq", 30, log)
        server.start([self.port], 30)

    def stop(self) -> None:
        """End both."""
        for one in self.running:
            one.stop(5)

    def configure(self, name: str, *, flow: str = "none") -> None:
        """Say how a device is used; one of that name may have left a state behind that only root can change."""
        (self.folder / "status" / name).unlink(missing_ok=True)
        config = self.folder / "etc" / f"config.{name}"
        config.write_text(_MODEM.format(flow=flow))
        run("chown", "uucp:uucp", config)

    def add_modem(self, name: str) -> None:
        """Let the scheduler send over a device that is configured."""
        run("faxmodem", "-q", str(self.folder), name)

    def faxstat(self, *words: str) -> list[str]:
        """Jobs as HylaFAX's own command lists them: number, state, tag, number dialled, status."""
        home = self.folder.parent
        (home / ".hylarc").write_text('PassiveMode: true\nJobFmt: "job %j %a %J %e %s"\n')
        # The command wants no terminal, but its own session: it would ask there for a password if one were wanted.
        done = subprocess.run(
            ["faxstat", "-h", f"{LOOPBACK}:{self.port}", *words],
            env={**os.environ, "HOME": str(home), "FAXUSER": "watch"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        return [line.removeprefix("job ").strip() for line in done.stdout.splitlines() if re.match("job [0-9]", line)]
