"""Dovecot as the provider's POP3 and IMAP server, on ports and with files of the test's choice."""

from __future__ import annotations

import getpass
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field
from real_peers.running import Running


def mail_owner() -> tuple[str, int, int]:
    """Name, uid and gid that own the mailboxes: never root, which Dovecot refuses."""
    name = "mail" if os.geteuid() == 0 else getpass.getuser()
    entry = pwd.getpwnam(name)
    return name, entry.pw_uid, entry.pw_gid


UNPRIVILEGED = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
"""

CONFIG = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/dovecot.log
auth_verbose = yes
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
mail_location = maildir:{boxes}/%n
mail_max_userip_connections = 200
first_valid_uid = 1
pop3_uidl_format = %g
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
service auth {{
  unix_listener {base}/sasl {{
    mode = 0666
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""

IMAP = """
protocols = pop3 imap
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Spam {{
    auto = create
    special_use = \\Junk
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""
UNPRIVILEGED_IMAP = """
service imap-login {
  chroot =
}
"""


@define
class Dovecot:
    """One Dovecot. Mailboxes are Maildirs, which a test may read and fill itself.

    :ivar base: folder of its own, reachable by every user of the machine.
    :ivar users: login to password.
    :ivar imaps: its port of IMAP inside TLS; 0 = it speaks POP3 only. ``imap``: the one with STARTTLS.
    :ivar sasl: socket that Postfix asks for logins.
    """

    binary: str
    base: Path
    pop3: int
    pop3s: int
    certificate: Path
    key: Path
    users: Mapping[str, str] = field(factory=lambda: {"mail": "secret"})
    running: Running | None = None
    imaps: int = 0
    imap: int = 0

    @property
    def boxes(self) -> Path:
        """Where the Maildirs lie."""
        return self.base / "boxes"

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.base / "dovecot.conf"

    @property
    def sasl(self) -> Path:
        """The socket for SASL clients."""
        return self.base / "sasl"

    def start(self) -> None:
        """Write the files and start it."""
        _name, uid, gid = mail_owner()
        self.base.mkdir(parents=True, exist_ok=True)
        self.base.chmod(0o755)
        self.boxes.mkdir(exist_ok=True)
        lines = [f"{u}:{{PLAIN}}{p}:{uid}:{gid}::{self.boxes}/{u}" for u, p in self.users.items()]
        (self.base / "users").write_text("\n".join(lines) + "\n")
        for user in self.users:
            self.make_box(user)
        os.chown(self.boxes, uid, gid)
        text = CONFIG.format(
            base=self.base,
            boxes=self.boxes,
            pop3=self.pop3,
            pop3s=self.pop3s,
            certificate=self.certificate,
            key=self.key,
        )
        if self.imaps:
            text += IMAP.format(imap=self.imap, imaps=self.imaps)
        if os.geteuid():
            group = Path(self.base).group()
            text += UNPRIVILEGED.format(user=getpass.getuser(), group=group)
            text += UNPRIVILEGED_IMAP if self.imaps else ""
        self.config.write_text(text)
        self.running = Running([self.binary, "-F", "-c", str(self.config)], self.base / "dovecot.out")
        more = (self.imap, self.imaps) if self.imaps else ()
        self.running.start([port for port in (self.pop3, self.pop3s, *more) if port])

    def make_box(self, user: str) -> Path:
        """An empty Maildir for a login, if it has none."""
        _name, uid, gid = mail_owner()
        box = self.boxes / user
        for folder in (box, box / "cur", box / "new", box / "tmp"):
            folder.mkdir(exist_ok=True)
            os.chown(folder, uid, gid)
        return box

    def put(self, user: str, message: bytes, name: str, folder: str = "") -> None:
        """Lay a message into a mailbox directly, as delivery does: written in tmp, renamed into new.

        :param folder: another one than the inbox.
        """
        _name, uid, gid = mail_owner()
        box = self.make_box(f"{user}/.{folder}" if folder else user)
        draft = box / "tmp" / name
        draft.write_bytes(message.replace(b"\r\n", b"\n"))
        os.chown(draft, uid, gid)
        draft.rename(box / "new" / name)

    def messages(self, user: str) -> list[bytes]:
        """Every message of a mailbox as stored: line ends are single line feeds."""
        box = self.boxes / user
        paths = [path for part in ("new", "cur") for path in (box / part).iterdir()]
        return [path.read_bytes() for path in sorted(paths, key=lambda path: path.name)]

    def names(self, user: str, folder: str = "") -> list[str]:
        """The file names of a folder's messages; what stands behind ``:2,`` are their flags, ``S`` for seen."""
        box = self.boxes / user / (f".{folder}" if folder else "")
        return sorted(path.name for part in ("new", "cur") for path in (box / part).iterdir())

    def renumber(self, user: str) -> None:
        """Have the inbox lose its unique-ids, as after a restore: the next session finds another UIDVALIDITY."""
        for path in (self.boxes / user).glob("dovecot[.-]*"):
            if "uidlist" in path.name or "index" in path.name:
                path.unlink()

    def messages_count(self, user: str) -> int:
        """How many messages a mailbox has, without reading them."""
        box = self.boxes / user
        return sum(1 for part in ("new", "cur") for _path in (box / part).iterdir())

    def add_user(self, user: str, password: str = "secret") -> None:
        """One more login, while it runs."""
        if user in self.users:
            return
        _name, uid, gid = mail_owner()
        self.users = {**self.users, user: password}
        with (self.base / "users").open("a") as users:
            users.write(f"{user}:{{PLAIN}}{password}:{uid}:{gid}::{self.boxes}/{user}\n")
        self.make_box(user)

    def empty(self) -> None:
        """Delete every message. Dovecot notices, as it does when another program cleans up a Maildir."""
        for path in [*self.boxes.glob("**/new/*"), *self.boxes.glob("**/cur/*")]:
            path.unlink()

    def stop(self) -> None:
        """End it."""
        if self.running is not None:
            self.running.stop()
