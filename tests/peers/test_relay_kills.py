"""The server is killed while it relays: nothing handed in is lost, and a kill costs one additional copy at most."""

from __future__ import annotations

import contextlib
import os
import random
import smtplib
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_peers.office import PASSWORD, Office, person
from real_peers.provider import Certificates
from real_peers.running import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.slow]
KILLS = max(int(os.environ.get("MAILSHARE_KILLS", "80")) // 6, 5)
BURST = 6


class Session(socketserver.StreamRequestHandler):
    """A smarthost that writes down the subject of each message before it says 250."""

    def handle(self) -> None:
        """Until the client leaves, or is killed."""
        with contextlib.suppress(ConnectionError):
            self.talk()

    def talk(self) -> None:
        """Say yes to everything."""
        self.wfile.write(b"220 sink.example\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.wfile.write(b"250-sink.example\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                octets = self.message()
                if octets is None:
                    return
                subject = octets.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0]
                self.server.taken[subject.decode()] += 1  # type: ignore[attr-defined]
                self.wfile.write(b"250 taken\r\n")
            else:
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

    def message(self) -> bytes | None:
        """What comes after DATA; ``None`` from somebody who was killed before the end of it."""
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line)
        return None


@pytest.fixture
def smarthost() -> Iterator[socketserver.ThreadingTCPServer]:
    """One that takes everything. At its end each session is waited for: one that goes on would slow all later tests."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.taken = Counter()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def hand_in(port: int, serials: list[str]) -> None:
    """Into the outbox, over one session."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as session:
        session.login("andrew", PASSWORD)
        for serial in serials:
            session.sendmail("mail@company.example", ["bob@far.example"], f"Subject: {serial}\r\n\r\nx\r\n")


def test_kills_while_mail_leaves(
    tmp_path: Path,
    certificates: Certificates,
    free_port: Callable[[], int],
    smarthost: socketserver.ThreadingTCPServer,
) -> None:
    """At any moment of a flush over one connection: each message arrives, with as many extras as kills at most."""
    chance = random.Random(4)
    relay = f"smtp://relay@127.0.0.1:{smarthost.server_address[1]}?tls=none&auth=none&connections=1"
    account = {"address": "mail@company.example", "relay": relay, "threshold": 0, "timetable": [{"every": 1440}]}
    ports = {name: free_port() for name in ("pop3", "smtp", "pop3s", "submissions")}
    people = [person("andrew", "mail@company.example")]
    office = Office(tmp_path, certificates, ports, [account], people)
    put: list[str] = []
    taken: Counter[str] = smarthost.taken  # type: ignore[attr-defined]
    try:
        for life in range(KILLS):
            office.start()
            serials = [f"m{life}-{number}" for number in range(BURST)]
            hand_in(ports["smtp"], serials)
            put += serials
            asking = office.ask_quietly("sendreceive")
            time.sleep(chance.uniform(0.0, 0.25))
            office.kill()
            asking.join(60)
        office.start()
        office.sendreceive()
        wait_until(lambda: set(put) <= set(taken), "the last of the mail", 60)
    finally:
        office.stop()
    assert set(taken) == set(put)
    assert sum(taken.values()) - len(put) <= KILLS
    assert max(taken.values()) <= 2
