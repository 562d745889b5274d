"""A restart reads no mail, and imports nothing that no start needs."""

from __future__ import annotations

import smtplib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.store.connections import plain_connect
from mailshare.store.sqlite import SQLiteStore

LATER = {
    "klein": "the first request to the control socket imports it",
    "werkzeug": "as klein",
    "tomlkit": "an export imports it",
    "mailshare.web.handout": "a hand-out imports it",
}
FILE = """\
[server]
grace = 1
[listen]
pop3 = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
mode = "domain"
domains = ["company.example"]
[[user]]
name = "andrew"
password = "andrew"
accounts = ["mail@company.example"]
"""


MANY = 100


class Steps:
    """Counts the steps of SQLite's machine on every connection."""

    def __init__(self) -> None:
        self.count = 0

    def connect(self, path: str) -> sqlite3.Connection:
        connection = plain_connect(path)
        connection.set_progress_handler(self._step, 1)
        return connection

    def _step(self) -> int:
        self.count += 1
        return 0


def send(port: int, first: int, last: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("client.example")
        for number in range(first, last):
            client.sendmail(
                "boss@far.example", "andrew@company.example", f"Message-ID: <{number}@far.example>\r\n\r\nhello\r\n"
            )


async def started(path: Path) -> Office:
    config = load_config(str(path))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    assert not office.trouble
    return office


def smtp(office: Office) -> int:
    (place,) = (one["address"] for one in office.places() if one["service"] == "smtp")
    return int(str(place).rpartition(":")[2])


@pytest_twisted.ensureDeferred
async def test_a_start_reads_no_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of the database's machine until the office is up: no more after a hundred messages than after four.

    Reading any row of a message, a mailbox, the queue or the journal for each of them would show.
    """
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    counts = []
    for first, last in ((0, 4), (4, 4 + MANY), (0, 0)):
        steps = Steps()
        monkeypatch.setitem(SQLiteStore.__init__.__kwdefaults__, "connect", steps.connect)
        office = await started(path)
        counts.append(steps.count)
        await deferToThread(send, smtp(office), first, last)
        await office.stopService()
    empty, few, many = counts
    assert empty > few > 500
    # A row costs more than five steps. Some 400 are those of one more reader's connection, as threads happen to run.
    assert many - few < 5 * MANY


def test_what_no_start_needs_is_imported_later() -> None:
    """A start is mostly imports; these come with the first who asks for them."""
    code = "import sys, mailshare.assembly.office; print(*[name for name in sys.argv[1:] if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code, *LATER], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
