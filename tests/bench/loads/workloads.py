"""What is measured: each workload drives one server and gives figures; the floor below all is a plain fdatasync."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping

from attrs import frozen
from loads import pop3_load, smtp_load
from loads.pop3_fetch import retrievals
from loads.pop3_load import POP3Load
from loads.pop3_poll import polls
from loads.processes import Used, used
from loads.servers import DOMAIN, PASSWORD, USERS, MailServer, wait_stored

Figures = Mapping[str, float]
TWENTY = list(USERS[:20])
_BOX = 4  # mailboxes that the reading workloads use
_AT_ONCE = 8  # sessions that look in at once, as with the tool that the goals were set with
_SHARE = 0.99


@frozen
class Workload:
    """One row of the table.

    :ivar figure: the figure that is compared, of those that ``run`` gives.
    :ivar lower: lower is better.
    :ivar against: names of the servers that it makes sense for, besides ours.
    """

    name: str
    figure: str
    run: Callable[[MailServer], Figures]
    against: tuple[str, ...] = ("Postfix+Dovecot", "Dovecot LMTP")
    lower: bool = False


def _address(user: str) -> str:
    return f"{user}@{DOMAIN}"


def _spent(server: MailServer, before: Used, messages: int) -> dict[str, float]:
    spent = used(*server.pids()).since(before)
    return {
        "cpu_s_per_1000": spent.cpu / messages * 1000,
        "memory_mb": spent.memory / 1e6,
        "written_per_message": spent.written / messages,
    }


def ingest(
    messages: int, connections: int, size: int = 4096, copies: int = 1, *, login: bool = False, each: bool = False
) -> Callable[[MailServer], Figures]:
    """Messages in over SMTP or LMTP until the last copy can be read."""

    def run(server: MailServer) -> Figures:
        present = server.stored(TWENTY)
        before = used(*server.pids())
        load = smtp_load.SMTPLoad(
            server.submission if login else server.smtp,
            [_address(user) for user in TWENTY],
            messages,
            connections,
            size,
            copies,
            per_connection=1 if each else 0,
            login=(USERS[0], PASSWORD) if login else None,
            lmtp=server.lmtp,
        )
        start = time.perf_counter()
        result = smtp_load.run_smtp(load)
        wait_stored(server, TWENTY, present + messages * copies)
        seconds = time.perf_counter() - start
        return {
            "delivered_s": messages / seconds,
            "accepted_s": messages / result.seconds,
            "p50_ms": result.wait(0.5),
            "p99_ms": result.wait(_SHARE),
            **_spent(server, before, messages),
        }

    return run


def _fill(server: MailServer, users: list[str], count: int, size: int) -> None:
    """Bring mailboxes to that many messages."""
    for user in users:
        missing = count - server.stored([user])
        if missing > 0:
            present = server.stored([user])
            load = smtp_load.SMTPLoad(server.smtp, [_address(user)], missing, 16, size, lmtp=server.lmtp)
            smtp_load.run_smtp(load)
            wait_stored(server, [user], present + missing, 600)


def _readers(server: MailServer, first: int, window: int = 1) -> POP3Load:
    return POP3Load(server.pop3, USERS[first : first + _BOX], PASSWORD, window)


def poll(sessions: int) -> Callable[[MailServer], Figures]:
    """Login, STAT, QUIT; the password was right once before."""

    def run(server: MailServer) -> Figures:
        load = POP3Load(server.pop3, USERS[20 : 20 + _AT_ONCE], PASSWORD)
        polls(load, 2 * len(load.users))
        before = used(*server.pids())
        seconds = polls(load, sessions)
        return {"sessions_s": sessions / seconds, **_spent(server, before, sessions)}

    return run


def listing(count: int, user: int, times: int) -> Callable[[MailServer], Figures]:
    """Login, STAT, LIST, UIDL, QUIT of one box of many messages."""

    def run(server: MailServer) -> Figures:
        _fill(server, [USERS[user]], count, 600)
        load = POP3Load(server.pop3, [USERS[user]], PASSWORD)
        pop3_load.listings(load, 2)
        before = used(*server.pids())
        seconds, sessions = pop3_load.listings(load, times)
        return {"listing_ms": seconds / sessions * 1000, **_spent(server, before, sessions)}

    return run


def retrieve(count: int, size: int, first: int, window: int = 1, rounds: int = 1) -> Callable[[MailServer], Figures]:
    """RETR of whole boxes by four sessions at once."""

    def run(server: MailServer) -> Figures:
        _fill(server, list(USERS[first : first + _BOX]), count, size)
        load = _readers(server, first, window)
        retrievals(load)
        before, own = used(*server.pids()), time.process_time()
        seconds, messages, octets = retrievals(load, rounds)
        return {
            "messages_s": messages / seconds,
            "mb_s": octets / seconds / 1e6,
            "client_busy": (time.process_time() - own) / seconds,
            **_spent(server, before, messages),
        }

    return run


def drain(count: int, first: int, window: int = 1) -> Callable[[MailServer], Figures]:
    """RETR and DELE of everything, and QUIT."""

    def run(server: MailServer) -> Figures:
        _fill(server, list(USERS[first : first + _BOX]), count, 4096)
        before = used(*server.pids())
        seconds, messages, _octets = retrievals(_readers(server, first, window), delete=True)
        return {"messages_s": messages / seconds, **_spent(server, before, messages)}

    return run


def idle(sessions: int) -> Callable[[MailServer], Figures]:
    """Memory of a waiting session."""

    def run(server: MailServer) -> Figures:
        before = used(*server.pids()).memory
        readers = pop3_load.idle(POP3Load(server.pop3, USERS, PASSWORD), sessions)
        after = used(*server.pids()).memory
        for reader in readers:
            reader.sock.close()
        return {"kb_per_session": (after - before) / sessions / 1024, "at_rest_mb": before / 1e6}

    return run


def sync_floor() -> Figures:
    """What the disk allows one writer: 4 KiB appended and synced, again and again."""
    with tempfile.NamedTemporaryFile() as file:
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < 1:
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            done += 1
        return {"syncs_s": done / (time.perf_counter() - start)}


POP3_PEER = ("Dovecot LMTP",)
WORKLOADS = (
    Workload("SMTP 4 KiB, 1 connection", "delivered_s", ingest(600, 1)),
    Workload("SMTP 4 KiB, 8 connections", "delivered_s", ingest(3000, 8)),
    Workload("SMTP 4 KiB, 64 connections", "delivered_s", ingest(4000, 64)),
    Workload("SMTP 50 KiB, 8 connections", "delivered_s", ingest(1000, 8, 50 * 1024)),
    Workload("SMTP 5 MiB, 8 connections", "delivered_s", ingest(40, 8, 5 << 20)),
    Workload("SMTP 4 KiB to 20 recipients", "delivered_s", ingest(400, 8, copies=20)),
    Workload(
        "SMTP with AUTH, one a connection",
        "delivered_s",
        ingest(600, 8, login=True, each=True),
        ("Postfix+Dovecot",),
    ),
    Workload("POP3 login, STAT, QUIT", "sessions_s", poll(4000), POP3_PEER),
    Workload("POP3 listing of 1,000", "listing_ms", listing(1000, 30, 20), POP3_PEER, lower=True),
    Workload("POP3 listing of 20,000", "listing_ms", listing(20_000, 31, 5), POP3_PEER, lower=True),
    Workload("POP3 RETR 4 KiB, lock-step", "messages_s", retrieve(1000, 4096, 32, rounds=3), POP3_PEER),
    Workload("POP3 RETR 4 KiB, 8 in flight", "messages_s", retrieve(1000, 4096, 32, 8, rounds=5), POP3_PEER),
    Workload("POP3 RETR 50 KiB", "messages_s", retrieve(200, 50 * 1024, 36, rounds=4), POP3_PEER),
    Workload("POP3 RETR 5 MiB", "mb_s", retrieve(10, 5 << 20, 40, rounds=4), POP3_PEER),
    Workload("POP3 drain 4 KiB, lock-step", "messages_s", drain(1000, 44), POP3_PEER),
    Workload("POP3 drain 4 KiB, 8 in flight", "messages_s", drain(1000, 48, 8), POP3_PEER),
    Workload("POP3 memory of an idle session", "kb_per_session", idle(300), POP3_PEER, lower=True),
)
