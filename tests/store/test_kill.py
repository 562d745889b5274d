"""SIGKILL at any moment loses nothing acknowledged, damages nothing and doubles nothing.

``MAILSHARE_KILLS`` sets how often each test kills; a store is used again for twenty kills.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from twisted.internet import reactor

from mailshare.core.envelope import Envelope
from mailshare.core.values import LedgerState, Origin, Source, Target
from mailshare.store.arrivals import entries_where
from mailshare.store.sqlite import SQLiteStore

KILLS = int(os.environ.get("MAILSHARE_KILLS", "80"))
KILLS_PER_STORE = 20
SCRIPT = Path(__file__).with_name("office_to_be_killed.py")
pytestmark = pytest.mark.slow


class Offices:
    """The process that forks offices."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def answer(self) -> list[str]:
        """The next line it says."""
        line = self.process.stdout.readline()
        assert line, "the process that forks offices ended"
        return line.split()

    def run_and_kill(self, mode: str, directory: Path, seed: int, after: float, grown: Path | None = None) -> bool:
        """Start one office and kill it that many seconds after its store was open; False when it ended by itself.

        :param grown: the seconds begin when this file has grown, however slow the machine is.
        """
        before = size(grown)
        self.process.stdin.write(f"{mode} {directory} {seed}\n")
        # The two are said by two processes, so either may come first.
        said = dict(line if len(line) == 2 else (*line, "") for line in (self.answer(), self.answer()))
        assert set(said) == {"started", "ready"}
        child = int(said["started"])
        until = time.monotonic() + 300.0
        while grown is not None and size(grown) <= before:
            assert time.monotonic() < until, "nothing was acknowledged"
            time.sleep(0.001)
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):  # it had nothing left to do and ended
            os.kill(child, signal.SIGKILL)
        word, status = self.answer()
        assert word == "ended"
        assert os.waitstatus_to_exitcode(int(status)) in {0, -signal.SIGKILL}
        return int(status) != 0


@pytest.fixture
def offices() -> Iterator[Offices]:
    """One such process for a test."""
    made = Offices()
    yield made
    made.process.stdin.close()
    made.process.wait(120)
    made.process.stdout.close()


def size(path: Path | None) -> int:
    """Octets of a file, 0 when there is none."""
    return path.stat().st_size if path is not None and path.exists() else 0


def lines(path: Path) -> list[list[str]]:
    """What an office wrote down outside its store; a line without its semicolon was cut by the kill."""
    written = path.read_text("ascii").splitlines() if path.exists() else []
    return [line.removesuffix(";").split() for line in written if line.endswith(";")]


async def assert_sound(directory: Path) -> None:
    """The store opens and finds no fault in itself, every body read; and a copy of what was acknowledged is known."""
    store = SQLiteStore(str(directory), reactor=reactor)
    await store.open()
    assert await store.verify(deep=True) == []
    user = store.directory.current().user_by_name["andrew"]
    for trace, _, _ in lines(Path(f"{directory}.acknowledged"))[-20:]:
        sink = store.new_body(2)
        sink.write(b"\r\n")
        given = await store.delivery.deliver(
            Envelope(None), await sink.finish(), Origin(Source.SMTP, "again"), [Target(user.id, "test")],
            at=store.events._database.now(), duplicate_key=sha256(trace.encode()).digest(),
        )  # fmt: skip
        assert given.suppressed == (user.id,)
    await store.close()


def query(directory: Path, statement: str) -> list[tuple]:
    """Ask the database, past the store."""
    connection = sqlite3.connect(directory / "mailshare.db")
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


async def test_killed_while_delivering(offices: Offices, tmp_path: Path) -> None:
    """Every acknowledged delivery is there, whole, once in each mailbox."""
    chance = random.Random(11)
    acknowledged = 0
    for kill in range(KILLS):
        directory = tmp_path / f"store-{kill // KILLS_PER_STORE}"
        written = Path(f"{directory}.acknowledged") if kill % 2 else None
        assert offices.run_and_kill("deliver", directory, kill + 1, chance.uniform(0.0, 0.1), written)
        if kill % KILLS_PER_STORE != KILLS_PER_STORE - 1 and kill != KILLS - 1:
            continue
        await assert_sound(directory)
        stored = {
            trace: (digest.hex(), copies)
            for trace, digest, copies in query(
                directory,
                "SELECT trace, digest, count(DISTINCT mailbox_id) "
                f"FROM message JOIN {entries_where('true')} ON message_id = message.id "
                "GROUP BY message.id HAVING count(*) = count(DISTINCT mailbox_id)",
            )
        }
        for trace, digest, copies in lines(Path(f"{directory}.acknowledged")):
            assert stored.get(trace) == (digest, int(copies))
            acknowledged += 1
        assert query(directory, "SELECT count(*) FROM message WHERE trace <> 'again'")[0][0] == len(stored)
    assert acknowledged > KILLS // 4  # each second life lasted until it had one


async def test_killed_while_collecting(offices: Offices, tmp_path: Path) -> None:
    """Every upstream message is stored exactly once, however often the collector dies."""
    chance = random.Random(12)
    directory, wave, kills, seed = tmp_path / "store", 1, 0, 0
    while kills < KILLS or seed:
        # After the last kill the running wave is collected to its end.
        after = chance.uniform(0.0, 0.08) if kills < KILLS else 60.0
        seed += 1
        if after == 60.0:
            assert not run_to_the_end(offices, directory, wave * 1000 + seed)
            seed = 0
        elif offices.run_and_kill("collect", directory, wave * 1000 + seed, after):
            kills += 1
        else:
            wave, seed = wave + 1, 0
    await assert_sound(directory)
    expected = {f"{number}-{message}" for number in range(1, wave + 1) for message in range(400)}
    stored = Counter(row[0] for row in query(directory, "SELECT message_id_field FROM message"))
    listed = Counter(
        row[0]
        for row in query(
            directory,
            f"SELECT message_id_field FROM {entries_where('true')} JOIN message ON message.id = message_id",
        )
    )
    ledger = query(
        directory, "SELECT uidl, message_id_field, state FROM ledger JOIN message ON message.id = ledger.message_id"
    )
    assert set(stored) == expected
    assert set(stored.values()) == {1}
    assert listed == stored
    assert {row[0] for row in ledger} == expected
    assert all(uidl == name for uidl, name, _ in ledger)
    # Killed between the deletion upstream and the note of it, a row stays at DELETE; the listing will lack it.
    assert {state for _, _, state in ledger} <= {LedgerState.DELETE, LedgerState.GONE}


def run_to_the_end(offices: Offices, directory: Path, seed: int) -> int:
    """Let an office collect what is left; its status."""
    offices.process.stdin.write(f"collect {directory} {seed}\n")
    while (said := offices.answer())[0] != "ended":
        pass
    return int(said[1])
