"""How reading grows with the mailbox, and memory with the sessions that wait.

    python tests/bench/pop3_growth.py

The mailboxes are written into the stopped server's database, as a hundred thousand deliveries would take too long.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

from loads import pop3_load  # noqa: E402 - the path comes first
from loads.pop3_load import POP3Load, Reader  # noqa: E402 - as above
from loads.processes import used  # noqa: E402 - as above
from loads.servers import PASSWORD, USERS, Ours  # noqa: E402 - as above

COUNTS = (10, 1_000, 20_000, 100_000)
SESSIONS = (10, 100, 300, 1_000)
TIMES = 10


def fill(database: Path) -> None:
    """Give the first users so many messages each."""
    body = b"Subject: growth\r\n\r\n" + b"x" * 582 + b"\r\n"
    connection = sqlite3.connect(database)
    for user, count in zip(USERS, COUNTS, strict=False):
        (mailbox,) = connection.execute(
            "SELECT mailbox.id FROM mailbox JOIN user_ ON user_.id = mailbox.user_id WHERE user_.name = ?", (user,)
        ).fetchone()
        for uid in range(1, count + 1):
            number = connection.execute(
                "INSERT INTO message (trace, size, hdr_len, storage, digest, content_digest) "
                "VALUES (?, ?, 19, 0, ?, ?)",
                (f"{mailbox:08x}{uid:08x}", len(body), b"", b""),
            ).lastrowid
            connection.execute("INSERT INTO body (message_id, data) VALUES (?, ?)", (number, body))
            connection.execute(
                "INSERT INTO entry (mailbox_id, uid, message_id, size) VALUES (?, ?, ?, ?)",
                (mailbox, uid, number, len(body)),
            )
        connection.execute(
            "UPDATE mailbox SET uidnext = ?, msgs = ?, bytes = ?, unread = ? WHERE id = ?",
            (count + 1, count, count * len(body), count, mailbox),
        )
    connection.commit()
    connection.close()


def reading(server: Ours, user: str) -> dict[str, float]:
    """The server's CPU of a poll, a listing, and a fetch of the last message, in milliseconds each."""
    load = POP3Load(server.pop3, [user], PASSWORD)
    figures = {}
    pop3_load.polls(load, 2)
    for name, act in (("poll", pop3_load.polls), ("listing", pop3_load.listings)):
        before = used(*server.pids())
        act(load, TIMES)
        figures[name] = used(*server.pids()).since(before).cpu / TIMES * 1000
    before = used(*server.pids())
    for _ in range(TIMES):
        reader = Reader(server.pop3)
        reader.send(f"RETR {reader.login(user, PASSWORD)}\r\n")
        reader.listing()
        reader.quit()
    figures["last message"] = used(*server.pids()).since(before).cpu / TIMES * 1000
    return figures


def main() -> None:
    """Run and print."""
    folder = Path(tempfile.mkdtemp(prefix="mailshare-growth-"))
    server = Ours(folder / "ours")
    try:
        server.start()
        assert server.running is not None
        server.running.stop()
        fill(next(folder.rglob("mailshare.db")))
        server.running.start([server.smtp, server.pop3], 120)
        time.sleep(2)
        sys.stdout.write("| sessions that wait | MB of the server | KB each |\n|---:|---:|---:|\n")
        pop3_load.polls(POP3Load(server.pop3, USERS[10:], PASSWORD), 1)
        start = used(*server.pids()).memory
        readers: list[Reader] = []
        for sessions in SESSIONS:
            readers += pop3_load.idle(
                POP3Load(server.pop3, USERS[10:] if not readers else [], PASSWORD), sessions - len(readers)
            )
            now = used(*server.pids()).memory
            sys.stdout.write(f"| {sessions:,} | {now / 1e6:.1f} | {(now - start) / sessions / 1024:.1f} |\n")
            sys.stdout.flush()
        for reader in readers:
            reader.sock.close()
        sys.stdout.write(
            "\n| messages | login+STAT+QUIT, ms CPU | with LIST and UIDL | with RETR of the last |\n"
            "|---:|---:|---:|---:|\n"
        )
        for user, count in zip(USERS, COUNTS, strict=False):
            row = reading(server, user)
            sys.stdout.write(f"| {count:,} | {row['poll']:.1f} | {row['listing']:.1f} | {row['last message']:.1f} |\n")
            sys.stdout.flush()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
