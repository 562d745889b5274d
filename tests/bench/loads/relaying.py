"""Sending an outbox to a smarthost at the end of a long line: ours, msmtp one by one, and Postfix.

The rate is messages by the seconds from the first connection to the last octet that the sender sends. All mail waits
in the sender's queue before; msmtp has none and is started for each message, as its own queue script does.
"""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field
from loads import smtp_load
from loads.control import awake, not_today, sendreceive
from loads.long_line import LongLine
from loads.processes import used
from loads.servers import DOMAIN, PASSWORD, USERS, Ours, free_ports
from real_peers.running import Running, run

OUTSIDE = ("somebody@outside.example",)


@define
class Relaying:
    """One run of one sender.

    :ivar connections: at the same time; ``think_ms`` is how long the smarthost thinks about each message.
    """

    folder: Path
    count: int
    rtt_ms: float
    connections: int = 1
    chunking: bool = False
    think_ms: float = 0
    size: int = 4096
    line: LongLine = field(init=False)

    def run(self, sender: Callable[[Relaying], float]) -> Mapping[str, float]:
        """Send everything.

        :param sender: sends it, and gives the CPU seconds that it used.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.line = LongLine.to_sink(self.rtt_ms, chunking=self.chunking, think_ms=self.think_ms)
        try:
            cpu = sender(self)
            record = self.line.record()
        finally:
            self.line.close()
        assert record["messages"] == self.count, f"{record['messages']:.0f} of {self.count} messages arrived"
        assert record["most"] <= self.connections, f"{record['most']:.0f} connections at once"
        return {
            "messages_s": self.count / record["seconds"],
            "rounds": record["rounds"] / self.count,
            "connections": record["connections"],
            "cpu_s_per_1000": cpu / self.count * 1000,
        }

    def hand_in(self, port: int, login: tuple[str, str] | None = None) -> None:
        """All messages into a sender's queue."""
        load = smtp_load.SMTPLoad(
            port, OUTSIDE, self.count, 4, self.size, login=login, sender=f"{USERS[0]}@{DOMAIN}"
        )
        smtp_load.run_smtp(load)


def mailshare(run: Relaying) -> float:
    """``twistd mailshare``, whose timetable never comes today."""
    url = f"smtp://relay@127.0.0.1:{run.line.port}?tls=none&auth=none&connections={run.connections}"
    office = Ours(run.folder / "office", account=(f'relay = "{url}"', "threshold = 0", not_today()))
    office.start()
    try:
        run.hand_in(office.smtp, (USERS[0], PASSWORD))
        awake(office.control)
        before = used(*office.pids()).cpu
        sendreceive(office.control)
        return used(*office.pids()).cpu - before
    finally:
        office.stop()


def msmtp(run: Relaying) -> float:
    """msmtp, one message after the other."""
    config = run.folder / "msmtprc"
    config.write_text(
        f"account default\nhost 127.0.0.1\nport {run.line.port}\nfrom {USERS[0]}@{DOMAIN}\nauth off\ntls off\n"
    )
    config.chmod(0o600)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number in range(run.count):
        text = smtp_load.letter(run.size, number)[:-3].replace(b"\r\n", b"\n")
        subprocess.run(["msmtp", "-C", str(config), *OUTSIDE], input=text, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


_POSTFIX = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {base}/log
maillog_file_prefixes = {base}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
relayhost = [127.0.0.1]:{port}
disable_dns_lookups = yes
smtpd_peername_lookup = no
in_flow_delay = 0
default_destination_concurrency_limit = {connections}
initial_destination_concurrency = {connections}
defer_transports = {held}
"""
_SERVICES = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def postfix(run: Relaying) -> float:
    """Postfix with all mail held back first, then released at once."""
    base = run.folder / "postfix"
    for name in ("queue", "data", "conf"):
        (base / name).mkdir(parents=True)
    os.chown(base / "data", pwd.getpwnam("postfix").pw_uid, -1)
    (smtp,) = free_ports(1)
    conf = str(base / "conf")

    def write(held: str) -> None:
        values = {"base": base, "domain": DOMAIN, "port": run.line.port, "connections": run.connections}
        (base / "conf" / "main.cf").write_text(_POSTFIX.format(held=held, **values))

    write("smtp")
    (base / "conf" / "master.cf").write_text(_SERVICES.format(smtp=smtp))
    running = Running(["/usr/sbin/postfix", "-c", conf, "start-fg"], base / "out", {"MAIL_CONFIG": conf})
    running.start([smtp])
    try:
        run.hand_in(smtp)
        _until(lambda: _files(base, "deferred") == run.count)
        write("")
        _run(conf, "/usr/sbin/postfix", "reload")
        before = used(running.pid).cpu
        _run(conf, "/usr/sbin/postqueue", "-f")
        _until(lambda: _files(base, "deferred", "active", "incoming") == 0)
        return used(running.pid).cpu - before
    finally:
        _run(conf, "/usr/sbin/postfix", "abort")
        running.stop()


def _run(conf: str, program: str, *words: str) -> None:
    run(program, "-c", conf, *words, environment={"MAIL_CONFIG": conf})


def _files(base: Path, *queues: str) -> int:
    return sum(len(files) for queue in queues for _, _, files in os.walk(base / "queue" / queue))


def _until(condition: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("Postfix did not come to an end")
        time.sleep(0.02)
