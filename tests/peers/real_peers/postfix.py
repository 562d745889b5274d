"""Postfix as the provider's mail server: the world's door, submission with login, and where outgoing mail arrives."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from real_peers.dovecot import Dovecot, mail_owner
from real_peers.policy import Policy
from real_peers.running import Running, run

MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.isp.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
message_size_limit = {size}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {boxes}
virtual_mailbox_maps = texthash:{base}/boxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_transport = virtual
default_transport = error:5.1.2 no such domain in this test
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_sasl_auth_enable = no
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_client_connection_count_limit = 0
smtpd_forbid_bare_newline = yes
in_flow_delay = 0
"""

SERVICES = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_security_level=encrypt
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:{policy},permit_sasl_authenticated,reject
127.0.0.1:{narrow} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o message_size_limit={small}
127.0.0.1:{silent} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o smtpd_discard_ehlo_keywords=size
  -o message_size_limit={small}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@define
class Postfix:
    """One Postfix beside any other on the machine: own configuration, queue and ports above 1024. Needs root.

    Its mailboxes are those of the Dovecot given, so ``mail@company.example`` lands in ``boxes/mail``. Anybody at
    ``outside.example`` lands in ``boxes/outside``, and anybody at ``domain.example`` in the catch-all ``boxes/domain``.

    :ivar smtp: port where the world hands in mail for the mailboxes, without login.
    :ivar submission: port with STARTTLS and login; ``submissions`` with implicit TLS, where :attr:`policy` is asked.
    :ivar narrow: as ``submissions``, for messages up to :attr:`small` octets; ``silent`` likewise, and does not say so.
    """

    binary: str
    base: Path
    dovecot: Dovecot
    smtp: int
    submission: int
    submissions: int
    narrow: int
    silent: int
    policy: Policy = field(factory=Policy)
    addresses: Sequence[tuple[str, str]] = (
        ("mail@company.example", "mail"),
        ("@domain.example", "domain"),
        ("@outside.example", "outside"),
    )
    size: int = 200_000_000
    small: int = 100_000
    running: Running | None = None
    forgotten: int = 0

    def start(self) -> None:
        """Write the files and start it."""
        _name, uid, gid = mail_owner()
        for folder in (self.base, self.base / "queue", self.base / "data", self.base / "conf"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        os.chown(self.base / "data", pwd.getpwnam("postfix").pw_uid, -1)
        for _address, box in self.addresses:
            self.dovecot.make_box(box)
        (self.base / "boxes").write_text("".join(f"{address} {box}/\n" for address, box in self.addresses))
        values = {
            "base": self.base,
            "boxes": self.dovecot.boxes,
            "certificate": self.dovecot.certificate,
            "daemons": "/usr/lib/postfix/sbin",
            "domains": " ".join(sorted({address.partition("@")[2] for address, _box in self.addresses})),
            "gid": gid,
            "key": self.dovecot.key,
            "narrow": self.narrow,
            "policy": self.policy.port,
            "sasl": self.dovecot.sasl,
            "silent": self.silent,
            "small": self.small,
            "size": self.size,
            "smtp": self.smtp,
            "submission": self.submission,
            "submissions": self.submissions,
            "uid": uid,
        }
        (self.base / "conf" / "main.cf").write_text(MAIN.format(**values))
        (self.base / "conf" / "master.cf").write_text(SERVICES.format(**values))
        self.running = Running(
            [self.binary, "-c", str(self.base / "conf"), "start-fg"],
            self.base / "postfix.out",
            {"MAIL_CONFIG": str(self.base / "conf")},
        )
        self.policy.start()
        self.running.start([self.smtp, self.submission, self.submissions, self.narrow, self.silent])

    def log(self) -> str:
        """What Postfix logged so far."""
        path = self.base / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def seen(self, text: str) -> bool:
        """Whether a word, e.g. a Message-ID or an address, came by in this test."""
        return text in self.log()[self.forgotten :]

    def forget(self) -> None:
        """What came by so far belongs to other tests."""
        self.forgotten = len(self.log())
        self.policy.forget()

    def stop(self) -> None:
        """End it."""
        if self.running is not None:
            run(self.binary, "-c", self.base / "conf", "abort")
            self.running.stop()
            self.policy.stop()
