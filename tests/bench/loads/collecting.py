"""Collecting from a Dovecot that plays the provider: ours, mpop, getmail6 and fetchmail, over the same line.

Each rate is messages by the seconds from the first connection to the last octet that the collector sends, as the line
saw it, so that no program pays for being started. Ours sorts into twenty mailboxes and makes each message durable;
getmail6 sorts into Maildirs, fetchmail hands to LMTP, and mpop, which cannot sort, fills one Maildir.
"""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field
from loads.control import awake, not_today, sendreceive
from loads.long_line import LongLine
from loads.processes import used
from loads.servers import DOMAIN, PASSWORD, USERS, Dovecot, Ours
from loads.smtp_load import letter

TWENTY = USERS[:20]
BOX = USERS[63]
NOBODY = "mail"


@define
class Provider:
    """The mailbox that is collected, and how often it was filled."""

    dovecot: Dovecot
    filled: int = 0

    def fill(self, count: int, size: int) -> None:
        """Messages for twenty people, in place of what is there."""
        box = self.dovecot.folder / "boxes" / BOX
        shutil.rmtree(box, ignore_errors=True)
        owner = pwd.getpwnam(NOBODY)
        for part in (box, *(box / name for name in ("cur", "new", "tmp"))):
            part.mkdir()
            os.chown(part, owner.pw_uid, owner.pw_gid)
        for number in range(count):
            self.filled += 1
            path = box / "new" / f"{1_700_000_000 + self.filled}.{self.filled}.provider"
            head = f"X-Original-To: {TWENTY[number % 20]}@{DOMAIN}\n".encode()
            path.write_bytes(head + letter(size, self.filled)[:-3].replace(b"\r\n", b"\n"))
            os.chown(path, owner.pw_uid, owner.pw_gid)


@define
class Collecting:
    """One run of one collector.

    :ivar folder: for its files; removed by the caller.
    """

    provider: Provider
    folder: Path
    count: int
    size: int
    rtt_ms: float
    line: LongLine = field(init=False)

    def run(self, collector: Callable[[Collecting], float]) -> Mapping[str, float]:
        """Fill, collect, see that nothing is left.

        :param collector: collects everything, and gives the CPU seconds that it used.
        """
        self.provider.fill(self.count, self.size)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        os.chown(self.folder, pwd.getpwnam(NOBODY).pw_uid, -1)
        self.line = LongLine.to_server(self.provider.dovecot.pop3, self.rtt_ms)
        try:
            cpu = collector(self)
            record = self.line.record()
        finally:
            self.line.close()
        return {
            "messages_s": self.count / record["seconds"],
            "rounds": record["rounds"] / self.count,
            "cpu_s_per_1000": cpu / self.count * 1000,
        }

    def program(self, *argv: str) -> float:
        """Run a collector to its end, as somebody without privileges."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "HOME": str(self.folder)}
        subprocess.run(argv, env=environment, user=NOBODY, group=NOBODY, check=True, capture_output=True, timeout=300)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def write(self, name: str, text: str) -> Path:
        """A configuration file that only the collector may read, which most of them insist on."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, pwd.getpwnam(NOBODY).pw_uid, pwd.getpwnam(NOBODY).pw_gid)
        return path

    def maildir(self, name: str) -> Path:
        """An empty Maildir."""
        owner = pwd.getpwnam(NOBODY)
        box = self.folder / name
        for part in (box, *(box / each for each in ("cur", "new", "tmp"))):
            part.mkdir()
            os.chown(part, owner.pw_uid, owner.pw_gid)
        return box

    def arrived(self, *boxes: Path) -> None:
        """See that the Maildirs hold everything.

        :raises AssertionError: the collector lost or doubled mail, so its rate says nothing.
        """
        found = sum(len(os.listdir(box / part)) for box in boxes for part in ("new", "cur"))
        assert found == self.count, f"{found} of {self.count} messages arrived"


def mailshare(run: Collecting) -> float:
    """``twistd mailshare`` with a catch-all account whose timetable never comes today."""
    url = f"pop3://{BOX}@127.0.0.1:{run.line.port}?tls=none"
    office = Ours(run.folder / "office", account=(f'collect = "{url}"', f'password = "{PASSWORD}"', not_today()))
    office.start()
    try:
        awake(office.control)
        before = used(*office.pids()).cpu
        sendreceive(office.control)
        spent = used(*office.pids()).cpu - before
        found = office.stored(list(TWENTY))
    finally:
        office.stop()
    assert found == run.count, f"{found} of {run.count} messages arrived"
    return spent


def mpop(run: Collecting) -> float:
    """Run mpop with pipelining into one Maildir."""
    box = run.maildir("box")
    config = run.write(
        "mpoprc",
        f"account a\nhost 127.0.0.1\nport {run.line.port}\nuser {BOX}\npassword {PASSWORD}\nauth user\ntls off\n"
        f"pipelining on\nkeep off\nuidls_file {run.folder}/uidls\nreceived_header off\ndelivery maildir {box}\n",
    )
    spent = run.program("mpop", "-q", "-C", str(config), "a")
    run.arrived(box)
    return spent


def getmail(run: Collecting) -> float:
    """getmail6, sorting by envelope into twenty Maildirs."""
    boxes = {user: run.maildir(user) for user in TWENTY}
    rest = run.maildir("rest")
    rules = "".join(f"    ('{user}@', '{box}/'),\n" for user, box in boxes.items())
    config = run.write(
        "getmailrc",
        f"[retriever]\ntype = MultidropPOP3Retriever\nserver = 127.0.0.1\nport = {run.line.port}\nusername = {BOX}\n"
        f"password = {PASSWORD}\nenvelope_recipient = x-original-to:1\n"
        f"[destination]\ntype = MultiSorter\ndefault = {rest}/\nlocals = (\n{rules}    )\n"
        "[options]\ndelete = true\nverbose = 0\nread_all = true\n",
    )
    spent = run.program("getmail", f"--getmaildir={run.folder}", f"--rcfile={config}")
    run.arrived(*boxes.values(), rest)
    return spent


def fetchmail(run: Collecting) -> float:
    """Run fetchmail in multidrop mode, handing to the LMTP server of the same Dovecot."""
    dovecot = run.provider.dovecot
    present, before = dovecot.stored(list(TWENTY)), used(*dovecot.pids()).cpu
    people = " ".join(TWENTY)
    config = run.write(
        "fetchmailrc",
        f'poll 127.0.0.1 service {run.line.port} protocol pop3 envelope "X-Original-To" no dns localdomains {DOMAIN}\n'
        f'  user "{BOX}" password "{PASSWORD}" to {people} here lmtp smtphost "127.0.0.1/{dovecot.smtp}"\n'
        f"  smtpaddress {DOMAIN} fetchall nokeep sslproto ''\n",
    )
    spent = run.program("fetchmail", "-s", "-f", str(config), "--pidfile", str(run.folder / "pid"))
    found = dovecot.stored(list(TWENTY)) - present
    assert found == run.count, f"{found} of {run.count} messages arrived"
    return spent + used(*dovecot.pids()).cpu - before
