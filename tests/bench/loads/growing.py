"""What one poll, one message, one session costs, by how much there is already: mailboxes, users, queue, sessions."""

from __future__ import annotations

import shutil
import sqlite3
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trustme
from attrs import frozen
from loads import pop3_load, smtp_load
from loads.control import not_today, sendreceive
from loads.long_line import LongLine
from loads.pop3_load import POP3Load, Reader
from loads.processes import used
from loads.servers import DOMAIN, PASSWORD, USERS, Ours, free_ports

MAILBOXES = (10, 1_000, 20_000, 100_000)
PEOPLE = (64, 640, 6_400)
QUEUES = (100, 1_000, 10_000, 100_000)
SESSIONS = (10, 100, 300, 1_000)
BODY = b"Subject: growth\r\n\r\n" + b"x" * 582 + b"\r\n"
_MESSAGE = "INSERT INTO message (trace, size, hdr_len, storage, digest, content_digest) VALUES (?, ?, 19, 0, ?, ?)"
_LOGGED_IN = 300
_YEAR = 365 * 86_400 * 1_000_000


@frozen
class Row:
    """One size and what things cost there, in the order of the table's columns."""

    size: int
    costs: dict[str, float]


def _store(server: Ours) -> Path:
    return next(server.folder.rglob("mailshare.db"))


def stopped(server: Ours, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Stop the server, write into its store, start it again: a hundred thousand deliveries would take too long."""
    assert server.running is not None
    server.running.stop()
    connection = sqlite3.connect(_store(server))
    fill(connection)
    connection.commit()
    connection.close()
    server.running.start([server.smtp, server.pop3], 180)
    time.sleep(1)


def _cpu(server: Ours, act: Callable[[], object], times: int) -> float:
    """Milliseconds of the server's processor time for each of so many times."""
    before = used(*server.pids())
    act()
    return used(*server.pids()).since(before).cpu / times * 1000


def _message(connection: sqlite3.Connection, trace: str) -> int:
    number = connection.execute(_MESSAGE, (trace, len(BODY), b"", b"")).lastrowid
    connection.execute("INSERT INTO body (message_id, data) VALUES (?, ?)", (number, BODY))
    assert number is not None
    return number


def mailboxes(folder: Path) -> list[Row]:
    """Polls, listings, and fetches of the last message, by messages in the mailbox."""
    server = Ours(folder / "ours")
    server.start()

    def fill(connection: sqlite3.Connection) -> None:
        for user, count in zip(USERS, MAILBOXES, strict=False):
            (box,) = connection.execute(
                "SELECT mailbox.id FROM mailbox JOIN user_ ON user_.id = mailbox.user_id WHERE user_.name = ?", (user,)
            ).fetchone()
            numbers = [_message(connection, f"{box:08x}{uid:08x}") for uid in range(1, count + 1)]
            connection.executemany(
                "INSERT INTO entry (mailbox_id, uid, message_id, size, flags) VALUES (?, ?, ?, ?, 2)",
                [(box, uid, number, len(BODY)) for uid, number in enumerate(numbers, 1)],
            )
            connection.execute(
                "UPDATE mailbox SET uidnext = ?, msgs = ?, bytes = ?, unread = ? WHERE id = ?",
                (count + 1, count, count * len(BODY), count, box),
            )

    try:
        stopped(server, fill)
        return [Row(count, _reading(server, user)) for user, count in zip(USERS, MAILBOXES, strict=False)]
    finally:
        server.stop()


def _reading(server: Ours, user: str, times: int = 20) -> dict[str, float]:
    load = POP3Load(server.pop3, [user], PASSWORD)

    def last() -> None:
        for _ in range(times):
            reader = Reader(server.pop3)
            reader.send(f"RETR {reader.login(user, PASSWORD)}\r\n")
            reader.listing()
            reader.quit()

    pop3_load.polls(load, 2)
    return {
        "poll": _cpu(server, lambda: pop3_load.polls(load, 5 * times), 5 * times),
        "LIST and UIDL": _cpu(server, lambda: pop3_load.listings(load, times), times),
        "RETR of the last": _cpu(server, last, times),
    }


def people(folder: Path) -> list[Row]:
    """Start, memory, polls and arriving messages, by users."""
    rows = []
    for count in PEOPLE:
        names = tuple(f"user{number}" for number in range(count))
        server = Ours(folder / f"ours{count}", users=names)
        server.start()
        try:
            assert server.running is not None
            server.running.stop()
            begun = time.perf_counter()
            server.running.start([server.smtp, server.pop3], 180)
            start = time.perf_counter() - begun
            time.sleep(1)
            some = [names[place * (count // 16)] for place in range(16)]
            load = POP3Load(server.pop3, some, PASSWORD)
            pop3_load.polls(load, 2)
            memory = used(*server.pids()).memory / 1e6
            costs = {"poll": _cpu(server, lambda load=load: pop3_load.polls(load, 20), 16 * 20)}  # type: ignore[misc]
            letters = smtp_load.SMTPLoad(server.smtp, [f"{name}@{DOMAIN}" for name in some], 320, 8, 4096)
            costs["message in"] = _cpu(server, lambda letters=letters: smtp_load.run_smtp(letters), 320)  # type: ignore[misc]
            rows.append(Row(count, {**costs, "start, s": start, "memory, MB": memory}))
        finally:
            server.stop()
    return rows


def queues(folder: Path) -> list[Row]:
    """What one message that is sent on costs, by messages that wait for tomorrow."""
    rows = []
    for count in QUEUES:
        line = LongLine.to_sink(0, chunking=True)
        url = f"smtp://relay@127.0.0.1:{line.port}?tls=none&auth=none&connections=1"
        server = Ours(folder / f"ours{count}", account=(f'relay = "{url}"', "threshold = 0", not_today()))
        server.start()
        try:
            stopped(server, lambda connection, count=count: _wait(connection, count))  # type: ignore[misc]
            load = smtp_load.SMTPLoad(
                server.smtp, ("somebody@outside.example",), 200, 4, 4096, login=(USERS[0], PASSWORD),
                sender=f"{USERS[0]}@{DOMAIN}",
            )  # fmt: skip
            costs = {"taken": _cpu(server, lambda load=load: smtp_load.run_smtp(load), 200)}  # type: ignore[misc]
            costs["sent on"] = _cpu(server, lambda server=server: sendreceive(server.control), 200)  # type: ignore[misc]
            assert line.record()["messages"] == 200
            rows.append(Row(count, costs))
        finally:
            server.stop()
            line.close()
            shutil.rmtree(server.folder, ignore_errors=True)
    return rows


def _wait(connection: sqlite3.Connection, count: int) -> None:
    """Rows of the queue that are due in a year."""
    (account,) = connection.execute("SELECT id FROM account").fetchone()
    later = int(time.time() * 1_000_000) + _YEAR
    for number in range(count):
        message = _message(connection, f"{number:016x}")
        submission = connection.execute(
            "INSERT INTO submission (message_id, agent, account_id, sender, origin, queued, expires, pending) "
            "VALUES (?, 'relay', ?, 'user0@bench.example', 'submit', ?, ?, 1)",
            (message, account, later - _YEAR, later + _YEAR),
        ).lastrowid
        connection.execute(
            "INSERT INTO delivery (submission_id, agent, account_id, address, next_at) VALUES (?, 'relay', ?, ?, ?)",
            (submission, account, f"somebody{number}@outside.example", later),
        )


def sessions(folder: Path) -> list[Row]:
    """Memory of sessions that wait, plain and inside TLS; the first 300 have logged in, each as somebody else."""
    certificates = folder / "certificates"
    certificates.mkdir()
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificates / "localhost.pem"))
    names = tuple(f"user{number}" for number in range(_LOGGED_IN))
    (port,) = free_ports(1)
    listen = (f'pop3s = ["tls:{certificates}:{port}:interface=127.0.0.1"]',)
    costs: dict[str, Sequence[float]] = {}
    for kind, tls in (("plain", False), ("TLS", True)):
        server = Ours(folder / kind, users=names, listen=listen)
        server.start()
        try:
            costs[kind] = _waiting(server, names, port if tls else server.pop3, tls=tls)
        finally:
            server.stop()
    return [
        Row(count, {kind: max(each[place], 0.1) for kind, each in costs.items()})
        for place, count in enumerate(SESSIONS)
    ]


def _waiting(server: Ours, names: Sequence[str], port: int, *, tls: bool) -> list[float]:
    """KB of each of so many sessions. What the first few need once is needed before."""
    wrap: Callable[[Reader], None] | None = _inside_tls if tls else None
    first = [_idle(port, name, wrap) for name in names[:10]]
    for reader in first:
        reader.quit()
    time.sleep(1)
    start = used(*server.pids()).memory
    readers: list[Reader] = []
    found = []
    for count in SESSIONS:
        readers += [
            _idle(port, names[place] if place < len(names) else "", wrap) for place in range(len(readers), count)
        ]
        found.append((used(*server.pids()).memory - start) / count / 1024)
    for reader in readers:
        reader.sock.close()
    return found


def _idle(port: int, name: str, wrap: Callable[[Reader], None] | None) -> Reader:
    reader = Reader(port, wrap)
    if name:
        reader.login(name, PASSWORD)
    return reader


def _inside_tls(reader: Reader) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader.sock = context.wrap_socket(reader.sock)
