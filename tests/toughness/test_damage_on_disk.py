"""Octets that changed on the disk: what hangs on them is refused, everything else goes on, and the check names it."""

from __future__ import annotations

import contextlib
import poplib
import smtplib
import sqlite3
import sys
from pathlib import Path

import pytest
import pytest_twisted
from real_peers.warm import finished
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office
from mailshare.core.errors import Unavailable
from tests.house import House

USER = '[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n'
MESSAGES = 6
BAD = 3


def message(number: int, lines: int = 100) -> str:
    """With a mark that finds its octets on the disk."""
    return f"Message-ID: <{number}@x>\r\n\r\n{'y' * 60}\r\n" + f"mark-of-{number} {'z' * 50}\r\n" * lines


async def hand_in(house: House, number: int, lines: int = 100, to: str = "andrew@mail.office.example") -> int:
    """One message; the code that settles it."""

    def talk(client: smtplib.SMTP) -> int:
        client.login("andrew", "x")
        for step in (lambda: client.mail("mail@company.example"), lambda: client.rcpt(to)):
            code, _ = step()
            if code >= 400:
                return code
        return client.data(message(number, lines))[0]

    return await house.smtp(talk)


def database(house: House) -> Path:
    """The database file."""
    return house.folder / "var" / "store" / "mailshare.db"


def flip(path: Path, at: int, octets: bytes = b"\xff" * 4) -> None:
    """Change octets of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(octets)


def root_of(path: Path, name: str) -> tuple[int, int]:
    """Where the first page of a table or index begins, and its length."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    return (page - 1) * size, size


async def stopped_with_mail(house: House) -> None:
    """Six messages are in andrew's mailbox, and the office is down."""
    await house.start(USER)
    for number in range(1, MESSAGES + 1):
        assert await hand_in(house, number) == 250
    await house.office.stopService()


async def read_each(house: House) -> dict[int, str]:
    """What RETR says to each message in order: ``whole``, or the refusal."""
    port = house.port("pop3")

    def read() -> dict[int, str]:
        found = {}
        client = poplib.POP3("127.0.0.1", port, timeout=60)
        client.user("andrew")
        client.pass_("x")
        for number in range(1, client.stat()[0] + 1):
            try:
                lines = client.retr(number)[1]
            except poplib.error_proto as refusal:
                found[number] = refusal.args[0].decode()
            else:
                found[number] = "whole" if sum(line.startswith(b"mark-of-") for line in lines) == 100 else "torn"
        client.quit()
        return found

    return await deferToThread(read)


@pytest_twisted.ensureDeferred
async def test_a_page_of_one_message(house) -> None:
    """RETR of it is -ERR [SYS/TEMP]; the others, also those asked for right before it, are whole; new mail is taken."""
    await stopped_with_mail(house)
    octets = database(house).read_bytes()
    _, size = root_of(database(house), "body")
    # A page that a body runs over to begins with the number of the next one.
    at = octets.index(f"mark-of-{BAD}".encode(), octets.index(f"mark-of-{BAD}".encode()) + size)
    flip(database(house), at // size * size)
    await house.start()
    found = await read_each(house)
    assert found.pop(BAD).startswith("-ERR [SYS/TEMP]")
    assert set(found.values()) == {"whole"}
    assert await hand_in(house, 7) == 250
    assert (await read_each(house))[MESSAGES + 1] == "whole"
    problems = (await house.office.acts.verify(deep=True))["problems"]
    assert any("database" in each for each in problems)

    def delete_all(port: int) -> None:
        client = poplib.POP3("127.0.0.1", port, timeout=60)
        client.user("andrew")
        client.pass_("x")
        for number in range(1, MESSAGES + 2):
            client.dele(number)
        assert client.quit().startswith(b"+OK")

    await deferToThread(delete_all, house.port("pop3"))
    assert await house.office.store.collect_garbage(2**60) == MESSAGES + 1
    assert (await house.office.acts.status())["store_error"].startswith("damaged: ")


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", ["body", "entry", "message", "mailbox", "duplicate", "event_trace", "ledger"])
async def test_the_root_of_a_table(house, name: str) -> None:
    """Nothing is acknowledged that cannot be read again, everything else is a refusal for now, and it is said."""
    await stopped_with_mail(house)
    at, size = root_of(database(house), name)
    flip(database(house), at, b"\xee" * size)
    await house.start()
    before = await counted(house)
    code = await hand_in(house, 7)
    assert code in (250, 451, 452)
    for answer in (await read_some(house)).values():
        assert answer == "whole" or answer.startswith("-ERR [SYS/TEMP]"), answer
    if code == 250:
        assert (await read_each(house))[MESSAGES + 1] == "whole"
    else:
        assert await counted(house) == before
    letters = len(house.isp.box.letters)
    house.arrives("Andrew <mail@company.example>")
    with contextlib.suppress(Unavailable):
        await house.office.acts.send_receive()
    gone = letters + 1 - len(house.isp.box.letters)
    assert await counted(house) >= before + (code == 250) + gone
    assert (await house.office.acts.verify())["problems"]
    assert (await house.office.acts.status())["store_error"].startswith(("writing failed", "damaged: "))


async def counted(house: House) -> int:
    """Messages of andrew by the counters, -1 when they cannot be read."""
    try:
        return {row["user"]: row["messages"] for row in await house.office.acts.mailboxes()}["andrew"]
    except Unavailable:
        return -1


async def read_some(house: House) -> dict[int, str]:
    """As :func:`read_each`; a refusal of the login or the listing stands for all."""
    try:
        return await read_each(house)
    except poplib.error_proto as refusal:
        return {0: refusal.args[0].decode()}


@pytest_twisted.ensureDeferred
async def test_a_start_that_meets_damage_says_where(house, monkeypatch: pytest.MonkeyPatch) -> None:
    """The office does not come up on a journal that cannot be read, and the sentence names the file."""
    await stopped_with_mail(house)
    at, size = root_of(database(house), "event")
    flip(database(house), at, b"\xee" * size)
    monkeypatch.setattr(Office, "_give_up", lambda _: None)  # it would stop the reactor of the tests
    with pytest.raises(AssertionError):
        await house.start()
    assert "cannot be opened: database disk image is malformed" in house.office.trouble
    assert "mailshare.db" in house.office.trouble


def test_the_command_names_the_damage(tmp_path: Path) -> None:
    """``mailshare verify`` on a store that no server has open: 0 for a sound one, 1 and what is wrong for another."""
    file = tmp_path / "m.toml"
    file.write_text('[[user]]\nname = "andrew"\npassword = "x"\n')
    command = [Path(sys.executable).with_name("mailshare"), "-c", file, "verify"]
    sound = finished(*command)
    assert (sound.returncode, sound.stdout) == (0, b"The store is sound.\n"), sound.stderr
    at, size = root_of(tmp_path / "var" / "store" / "mailshare.db", "duplicate")
    flip(tmp_path / "var" / "store" / "mailshare.db", at, b"\xee" * size)
    damaged = finished(*command)
    assert damaged.returncode == 1
    assert b"database: " in damaged.stderr


@pytest_twisted.ensureDeferred
async def test_a_content_file(house) -> None:
    """Flipped octets are found by the check and never leave the office; a file cut short is never a whole message."""
    await house.start(USER)
    for number in (1, 2, 3):
        assert await hand_in(house, number, lines=3_000) == 250
    assert await hand_in(house, 4, lines=3_000, to="bob@out.example") == 250
    files = sorted((house.folder / "var" / "store" / "blobs").rglob("*"), key=lambda path: path.stat().st_mtime_ns)
    by_number = {path.read_bytes().count(b"mark-of-4") > 0: path for path in files if path.is_file()}
    second = next(path for path in files if path.is_file() and b"mark-of-2" in path.read_bytes())
    with second.open("r+b") as file:
        file.truncate(100_000)
    flip(by_number[True], 90_000, b"\0\0\0\0")
    await house.office.acts.send_receive()
    assert house.isp.relayed == []
    (row,) = await house.office.acts.outbox(all=True)
    assert row["state"] == "failed"
    assert "damaged" in row["reply"]
    problems = (await house.office.acts.verify(deep=True))["problems"]
    assert len(problems) == 2, problems
    port = house.port("pop3")

    def read(number: int) -> int:
        client = poplib.POP3("127.0.0.1", port, timeout=60)
        client.user("andrew")
        client.pass_("x")
        count = sum(line.startswith(b"mark-of-") for line in client.retr(number)[1])
        client.quit()
        return count

    assert await deferToThread(read, 1) == 3_000
    assert await deferToThread(read, 3) == 3_000
    assert await hand_in(house, 5, lines=3_000) == 250
    with pytest.raises((poplib.error_proto, EOFError)):
        await deferToThread(read, 2)
