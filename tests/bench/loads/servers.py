"""The servers that are compared: ours as `twistd mailshare`, Dovecot (POP3, LMTP), Postfix handing to Dovecot."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from attrs import define, field
from loads.pop3_load import POP3Load, counts
from real_peers.running import Running, run

from mailshare.store.connections import DATABASE
from mailshare.store.log_sync import LOG_OCTETS

PASSWORD = "bench-secret"
DOMAIN = "bench.example"
USERS = tuple(f"user{number}" for number in range(64))


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nothing listens on now."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [int(sock.getsockname()[1]) for sock in socks]
    for sock in socks:
        sock.close()
    return ports


class MailServer(Protocol):
    """What a workload needs of a server."""

    name: str
    smtp: int
    submission: int
    pop3: int
    lmtp: bool

    def start(self) -> None:
        """Start it, empty."""

    def stop(self) -> None:
        """End it."""

    def pids(self) -> list[int]:
        """The processes whose trees are its own."""

    def stored(self, users: list[str]) -> int:
        """Messages that these users could read now."""


@define
class Ours:
    """``twistd mailshare`` with a domain account and 64 users, or others.

    :ivar submission: the same listener: it takes AUTH and, from loopback, mail for local people without it.
    :ivar twistd: of another copy of the program.
    :ivar account: further lines of the account: its servers at a provider.
    :ivar listen: further lines of the listeners.
    """

    folder: Path
    name: str = "mailshare"
    lmtp: bool = False
    smtp: int = 0
    submission: int = 0
    pop3: int = 0
    running: Running | None = None
    account: Sequence[str] = ()
    listen: Sequence[str] = ()
    users: Sequence[str] = USERS
    twistd: str = ""

    @property
    def control(self) -> Path:
        """Its control socket."""
        return self.folder / "data" / "control"

    def configure(self) -> Path:
        """Make a fresh folder with its configuration file."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.smtp, self.pop3 = free_ports(2)
        self.submission = self.smtp
        lines = [
            "[server]",
            'hostname = "mail.bench.example"',
            'data = "data"',
            "[listen]",
            f'pop3 = ["tcp:{self.pop3}:interface=127.0.0.1"]',
            f'smtp = ["tcp:{self.smtp}:interface=127.0.0.1"]',
            *self.listen,
            "[limits]",
            "connections = 4000",
            "connections_per_peer = 4000",
            "[[account]]",
            f'address = "all@{DOMAIN}"',
            'mode = "domain"',
            f'domains = ["{DOMAIN}"]',
            *self.account,
        ]
        for user in self.users:
            lines += ["[[user]]", f'name = "{user}"', f'password = "{PASSWORD}"', f'accounts = ["all@{DOMAIN}"]']
        config = self.folder / "bench.toml"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)
        return config

    def start(self) -> None:
        """Start it on a fresh folder."""
        config = self.configure()
        twistd = self.twistd or str(Path(sys.executable).with_name("twistd"))
        self.running = Running([twistd, "-n", "--pidfile=", "mailshare", "-c", str(config)], self.folder / "log")
        self.running.start([self.smtp, self.pop3], 120)
        self._settle()

    def _settle(self) -> None:
        """Wait until the log is laid out: its octets are not those of messages. Old copies do not do it."""
        log = self.folder / "data" / "store" / f"{DATABASE}-wal"
        for _ in range(30):
            if log.exists() and log.stat().st_size >= LOG_OCTETS:
                return
            time.sleep(0.1)

    def pids(self) -> list[int]:
        """Its one process."""
        return [self.running.pid] if self.running is not None else []

    def stored(self, users: list[str]) -> int:
        """What STAT says."""
        return counts(POP3Load(self.pop3, users, PASSWORD))

    def stop(self) -> None:
        """SIGTERM."""
        if self.running is not None:
            self.running.stop()


_DOVECOT = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
protocols = pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %n
mail_location = maildir:{base}/boxes/%n
first_valid_uid = 1
mail_max_userip_connections = 4000
default_process_limit = 3000
default_client_limit = 8000
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
service anvil {{
  client_limit = 10000
}}
service auth {{
  client_limit = 10000
  unix_listener {base}/sasl {{
    mode = 0666
  }}
}}
service lmtp {{
  process_min_avail = 4
  unix_listener {base}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  client_limit = 4000
  inet_listener pop3 {{
    port = {pop3}
  }}
}}
service pop3 {{
  service_count = 0
  client_limit = 100
  process_min_avail = 2
}}
protocol lmtp {{
  postmaster_address = postmaster@{domain}
}}
"""


@define
class Dovecot:
    """Dovecot tuned for speed: LMTP in, Maildirs, POP3 out. Needs root."""

    folder: Path
    name: str = "Dovecot LMTP"
    lmtp: bool = True
    smtp: int = 0
    submission: int = 0
    pop3: int = 0
    running: Running | None = None

    def start(self) -> None:
        """Start it on a fresh folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        boxes = self.folder / "boxes"
        boxes.mkdir(parents=True)
        for part in (self.folder, boxes):
            part.chmod(0o755)
        owner = pwd.getpwnam("mail")
        lines = []
        for user in USERS:
            for folder in (boxes / user, *(boxes / user / part for part in ("cur", "new", "tmp"))):
                folder.mkdir()
                os.chown(folder, owner.pw_uid, owner.pw_gid)
            lines.append(f"{user}:{{PLAIN}}{PASSWORD}:{owner.pw_uid}:{owner.pw_gid}::{boxes}/{user}\n")
        os.chown(boxes, owner.pw_uid, owner.pw_gid)
        (self.folder / "users").write_text("".join(lines))
        self.smtp, self.pop3 = free_ports(2)
        config = self.folder / "dovecot.conf"
        config.write_text(_DOVECOT.format(base=self.folder, lmtp=self.smtp, pop3=self.pop3, domain=DOMAIN))
        self.running = Running(["/usr/sbin/dovecot", "-F", "-c", str(config)], self.folder / "out")
        self.running.start([self.smtp, self.pop3])

    def pids(self) -> list[int]:
        """Its master process."""
        return [self.running.pid] if self.running is not None else []

    def stored(self, users: list[str]) -> int:
        """Files in the Maildirs."""
        folders = [self.folder / "boxes" / user / part for user in users for part in ("new", "cur")]
        return sum(len(os.listdir(folder)) for folder in folders if folder.exists())

    def stop(self) -> None:
        """End it."""
        if self.running is not None:
            self.running.stop()


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
message_size_limit = 52428800
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:ok
virtual_transport = lmtp:unix:{lmtp}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
lmtp_connection_cache_on_demand = yes
lmtp_connection_cache_destinations = {domain}
"""
_SERVICES = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
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
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@define
class PostfixDovecot:
    """Postfix taking the mail and handing it to Dovecot over LMTP: what an office would run. Needs root."""

    folder: Path
    name: str = "Postfix+Dovecot"
    lmtp: bool = False
    smtp: int = 0
    submission: int = 0
    boxes: Dovecot = field(init=False)
    running: Running | None = None

    @boxes.default
    def _boxes(self) -> Dovecot:
        return Dovecot(self.folder / "dovecot")

    @property
    def pop3(self) -> int:
        """Dovecot's port."""
        return self.boxes.pop3

    def start(self) -> None:
        """Start both."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.boxes.start()
        self.folder.chmod(0o755)
        for name in ("queue", "data", "conf"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        self.smtp, self.submission = free_ports(2)
        dovecot = self.boxes.folder
        values = {"base": self.folder, "domain": DOMAIN, "lmtp": dovecot / "lmtp", "sasl": dovecot / "sasl"}
        (self.folder / "conf" / "main.cf").write_text(_POSTFIX.format(**values))
        (self.folder / "conf" / "master.cf").write_text(_SERVICES.format(smtp=self.smtp, submission=self.submission))
        conf = str(self.folder / "conf")
        self.running = Running(
            ["/usr/sbin/postfix", "-c", conf, "start-fg"], self.folder / "out", {"MAIL_CONFIG": conf}
        )
        self.running.start([self.smtp, self.submission])

    def pids(self) -> list[int]:
        """Both master processes."""
        own = [self.running.pid] if self.running is not None else []
        return own + self.boxes.pids()

    def stored(self, users: list[str]) -> int:
        """Files in the Maildirs."""
        return self.boxes.stored(users)

    def stop(self) -> None:
        """End both."""
        if self.running is not None:
            run("/usr/sbin/postfix", "-c", self.folder / "conf", "abort")
            self.running.stop()
        self.boxes.stop()


def wait_stored(server: MailServer, users: list[str], wanted: int, seconds: float = 120) -> None:
    """Until that many messages can be read.

    :raises TimeoutError: the server lost some, or hangs.
    """
    end = time.monotonic() + seconds
    while server.stored(users) < wanted:
        if time.monotonic() > end:
            raise TimeoutError(f"{server.name} shows {server.stored(users)} of {wanted} messages")
        time.sleep(0.01)
