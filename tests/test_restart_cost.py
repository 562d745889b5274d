"""A restart reads no mail, and imports nothing that no start needs."""

from __future__ import annotations

import smtplib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.values import PrintTicket
from mailshare.store.connections import plain_connect
from mailshare.store.duplicates import know_keys
from mailshare.store.sqlite import SQLiteStore

# Groups of modules that most offices, or most commands, do not need.
PRINTING = (
    "mailshare.printing mailshare.assembly.print_room mailshare.config.print_checks "
    "mailshare.wire.ipp_values mailshare.wire.lpd"
)
IMAP = "mailshare.wire.imap_client mailshare.wire.imap_replies mailshare.isp.imap_session mailshare.isp.imap_watch"
LOOKING = (
    "mailshare.assembly.acts mailshare.assembly.dry_run mailshare.web.control mailshare.web.handout "
    "twisted.web.server klein"
)
RARE = "sqlalchemy alembic tomlkit mailshare.testing"
HEAVY = (
    "twisted cattrs cryptography argon2 sqlite3 mailshare.config mailshare.core.values "
    "mailshare.store mailshare.assembly mailshare.isp"
)
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


MANY = 300


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


def steps_for_keys(folder: Path) -> int:
    """Those of the index of duplicate keys that the next start will make."""
    steps = Steps()
    connection = steps.connect(str(folder / "var" / "store" / "mailshare.db"))
    know_keys(connection)
    connection.close()
    return steps.count


def smtp(office: Office) -> int:
    (place,) = (one["address"] for one in office.places() if one["service"] == "smtp")
    return int(str(place).rpartition(":")[2])


@pytest_twisted.ensureDeferred
async def test_a_start_reads_no_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of the database's machine until the office is up: no more after three hundred messages than after four.

    Reading any row of a message, a mailbox, the queue or the journal for each of them would show. The keys by which a
    copy is known are read, and not counted.
    """
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    counts, keys = [], []
    for first, last in ((0, 4), (4, 4 + MANY), (0, 0)):
        steps = Steps()
        monkeypatch.setitem(SQLiteStore.__init__.__kwdefaults__, "connect", steps.connect)
        office = await started(path)
        counts.append(steps.count)
        await deferToThread(send, smtp(office), first, last)
        await office.stopService()
        keys.append(steps_for_keys(tmp_path))
    empty, few, many = counts
    assert empty > few > 500
    many -= keys[1] - keys[0]  # after the first run and after the second: what the second start and the third read
    # A row costs more than five steps. Some 400 are those of each further reader's connection, as it happens.
    assert many - few < 5 * MANY


START = """
import sys
from twisted.internet import reactor
from mailshare.assembly import build
from mailshare.config import load_config

def up(_):
    assert office.up, office.trouble
    names = list(sys.modules)
    return office.stopService().addCallback(lambda _: print(*names))

def begin():
    office.startService()
    office.started.addCallback(up).addBoth(lambda _: reactor.stop())

office = build(load_config(sys.argv[1]), reactor)
reactor.callWhenRunning(begin)
reactor.run()
"""
COMMAND = """
import atexit, sys
atexit.register(lambda: print("modules:", *sys.modules))
from mailshare.cli import main
main()
"""


def modules(code: str, *words: str) -> set[str]:
    """What a program has imported in the end."""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())


def in_vain(imported: set[str], *groups: str) -> list[str]:
    return sorted(name for group in groups for name in group.split() if name in imported)


def ours(imported: set[str]) -> int:
    return sum(name.startswith("mailshare.") for name in imported)


def test_what_no_start_needs_is_imported_later(tmp_path: Path) -> None:
    """An office of mailboxes alone starts without printing, IMAP, the control API and what administrators ask of it."""
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    imported = modules(START, str(path))
    assert in_vain(imported, PRINTING, IMAP, LOOKING, RARE) == []
    # A start is almost all imports. Whoever needs more modules here: is it for what every office does when it starts?
    # Nine came when files of the store, of connections and of SMTP were parted in two; they cost what they did before.
    # Four came with the lean socket of our listeners and with bodies of middle size beside the database.
    assert ours(imported) < 316
    assert len(imported) < 830


@pytest.mark.parametrize("words", [("--help",), ("status", "--help"), ("outbox", "list", "--help")])
def test_help_imports_the_commands_only(words: tuple[str, ...]) -> None:
    """No configuration, no store and no Twisted, only to print a page."""
    imported = modules(COMMAND, *words)
    assert in_vain(imported, PRINTING, IMAP, LOOKING, RARE, HEAVY) == []
    # Who adds a command imports what it needs inside it.
    assert ours(imported) < 40


@pytest_twisted.ensureDeferred
async def test_a_command_to_a_running_server_imports_no_office(tmp_path: Path) -> None:
    """``mailshare status`` asks over the socket; to check the whole file takes longer than all else."""
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    office = await started(path)
    try:
        imported = await deferToThread(modules, COMMAND, "-c", str(path), "status")
    finally:
        await office.stopService()
    assert in_vain(imported, PRINTING, IMAP, LOOKING, RARE, HEAVY) == []
    assert ours(imported) < 45


@pytest_twisted.ensureDeferred
async def test_printing_comes_with_a_reload(tmp_path: Path) -> None:
    """An office that did not print takes jobs as soon as its file says so, and looks after them."""
    path, out = tmp_path / "m.toml", tmp_path / "out"
    path.write_text(FILE)
    office = await started(path)
    parts: Any = office._parts
    assert parts.printing._room is None
    out.mkdir()
    path.write_text(FILE.replace("[listen]", '[listen]\nlpd = ["tcp:0:interface=127.0.0.1"]') + destination(out))
    await office.reload()
    assert [one["service"] for one in office.places()] == ["pop3", "smtp", "lpd"]
    assert list(parts.printing.print_room.service.destinations) == ["desk"]
    assert parts.printing.print_room.service._look.running
    await office.stopService()


@pytest_twisted.ensureDeferred
async def test_jobs_that_are_left_bring_printing_back(tmp_path: Path) -> None:
    """Destinations were taken out of the file, jobs wait still: somebody looks after them until they are forgotten."""
    path = tmp_path / "m.toml"
    path.write_text(FILE)
    office = await started(path)
    await office.store.print_jobs.open(PrintTicket(str(uuid4()), "desk", members=("desk",)), 1)
    await office.stopService()
    office = await started(path)
    parts: Any = office._parts
    assert parts.printing._room is not None
    assert parts.printing.print_room.service._look.running
    await office.stopService()


def destination(folder: Path) -> str:
    return f'\n[[destination]]\nname = "desk"\naddress = "dir:{folder}"\n'
