"""The server is killed at a chosen word of the provider: RETR, the commit behind it, DELE, QUIT. Mail comes once."""

from __future__ import annotations

import contextlib
import os
import random
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_peers.churn import open_box
from real_peers.office import Office, person
from real_peers.provider import Certificates
from real_peers.running import wait_until

from mailshare.testing.liars import PASSWORD, PretendPOP3

pytestmark = [pytest.mark.peers, pytest.mark.slow]
KILLS = max(int(os.environ.get("MAILSHARE_KILLS", "80")) // 5, 14)
POINTS = ("RETR begun", "RETR half sent", "RETR sent", "commit", "DELE", "QUIT before deleting", "QUIT deleted")
LETTERS = 6
UID_LESS = ("TOP", "USER", "PIPELINING")


class Upstream(PretendPOP3):
    """A provider that kills its client at one point of a session.

    :ivar point: where; empty for nowhere. It is taken away when it was met.
    :ivar met: how often each point was met.
    """

    def __init__(self, *, uids: bool) -> None:
        super().__init__({}, self._watch, ("UIDL", *UID_LESS) if uids else UID_LESS)
        self.point, self.met = "", Counter[str]()
        self.kill: Callable[[], None] = lambda: None
        self._uids, self._chance = uids, random.Random(7)
        self._before = 0

    def arm(self, point: str, before: int) -> None:
        """Kill there, after so many commands of its kind."""
        self.point, self._before = point, before

    def _reached(self, *points: str) -> str:
        """The point that is met now, if it is one of these."""
        if self.point not in points:
            return ""
        if self._before:
            self._before -= 1
            return ""
        point, self.point = self.point, ""
        self.met[point] += 1
        return point

    def _watch(self, verb: str, reply: bytes) -> bytes:
        """Let the reply out, whole or not, around the kill."""
        if verb == "RETR":
            point = self._reached("RETR begun", "RETR half sent", "RETR sent", "commit")
            if point in ("RETR begun", "RETR half sent"):
                self._line.say(reply[: 5 if point == "RETR begun" else len(reply) // 2])  # type: ignore[union-attr]
                time.sleep(0.02)
            if point == "RETR sent":
                self._line.say(reply)  # type: ignore[union-attr]
            if point == "commit":
                threading.Timer(self._chance.uniform(0.0, 0.03), self.kill).start()
            elif point:
                self.kill()
                return b"\0cut\0"
        elif verb == "DELE" and self._reached("DELE"):
            self.kill()
            return b"\0cut\0"
        return reply

    def _do_uidl(self, argument: str) -> bytes:
        return super()._do_uidl(argument) if self._uids else b"-ERR no\r\n"

    def _do_quit(self, argument: str) -> bytes:
        if self._reached("QUIT before deleting"):
            self.kill()
            return b"\0cut\0"
        answer = super()._do_quit(argument)
        if self._reached("QUIT deleted"):
            self.kill()
            return b"\0cut\0"
        return answer


class Handler(socketserver.BaseRequestHandler):
    """One session of the provider, one at a time."""

    secure = True  # for the double: there is no TLS here, and the account says so

    def handle(self) -> None:
        """Until one of the two leaves."""
        upstream: Upstream = self.server.upstream  # type: ignore[attr-defined]
        with self.server.alone, contextlib.suppress(OSError):  # type: ignore[attr-defined]
            upstream.connected(self)
            while data := self.request.recv(65_536):
                upstream.received(data)

    def say(self, data: bytes) -> None:
        """Send."""
        with contextlib.suppress(OSError):
            self.request.sendall(data)

    def cut(self) -> None:
        """Close."""
        with contextlib.suppress(OSError):
            self.request.shutdown(2)


@pytest.fixture(params=[True, False], ids=["unique-ids", "no unique-ids"])
def upstream(request: pytest.FixtureRequest) -> Iterator[tuple[Upstream, int]]:
    """A provider and its port."""
    made = Upstream(uids=request.param)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.upstream, server.alone = made, threading.Lock()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made, server.server_address[1]
        server.shutdown()


def letters(life: int) -> dict[str, bytes]:
    """What comes in before each kill."""
    head = "Return-Path: <a@far.example>\r\nTo: Andrew <mail@company.example>\r\nMessage-ID: <{0}@far.example>\r\n"
    names = [f"m{life}-{number}" for number in range(LETTERS)]
    return {name: (head + "Subject: {0}\r\n\r\n{1}\r\n").format(name, "x" * 70).encode() for name in names}


def kept(office: Office) -> Counter[str]:
    """Subjects in andrew's mailbox."""
    box = open_box(office.pop3("none", "andrew"))
    try:
        found = [b"\r\n".join(box.top(number + 1, 0)[1]) for number in range(box.stat()[0])]
    finally:
        box.quit()
    return Counter(each.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode() for each in found)


def test_a_kill_at_each_word(
    tmp_path: Path, certificates: Certificates, free_port: Callable[[], int], upstream: tuple[Upstream, int]
) -> None:
    """Every point is met; afterwards each letter is in the mailbox once and none is at the provider."""
    provider, port = upstream
    chance = random.Random(4)
    account = {
        "address": "mail@company.example",
        "collect": f"pop3://mail@127.0.0.1:{port}?tls=none",
        "password": PASSWORD,
        "timetable": [{"days": "mon", "from": "00:00", "to": "00:01", "every": 1440}],
    }
    ports = {name: free_port() for name in ("pop3", "smtp", "pop3s", "submissions")}
    office = Office(tmp_path, certificates, ports, [account], [person("andrew", account["address"])])
    put: set[str] = set()
    try:
        for life in range(KILLS):
            provider.messages |= letters(life)
            put |= set(letters(life))
            office.start()
            killed = threading.Event()

            def kill(office: Office = office, killed: threading.Event = killed) -> None:
                office.kill()
                killed.set()

            provider.kill = kill
            point = POINTS[life % len(POINTS)]
            provider.arm(point, chance.randrange(LETTERS) if point[:4] in ("RETR", "DELE", "comm") else 0)
            asking = office.ask_quietly("sendreceive")
            assert killed.wait(120), (point, provider.met)
            asking.join(60)
        office.start()
        office.ask_quietly("sendreceive").join(120)
        wait_until(lambda: not provider.messages, "the provider's box to be empty", 120)
        found = kept(office)
    finally:
        office.stop()
    assert set(provider.met) == set(POINTS)
    assert min(provider.met.values()) >= KILLS // len(POINTS)
    assert set(found) == put
    assert max(found.values()) == 1
