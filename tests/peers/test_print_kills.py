"""The server is killed while it takes print jobs: what it said yes to is printed once, and nothing is printed twice."""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.office import script
from real_peers.running import LOOPBACK, Running, wait_until
from real_peers.warm import spawn

from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Attribute, Group, Message, Tag, Value, name_of, uri

pytestmark = [pytest.mark.peers, pytest.mark.slow]
KILLS = int(os.environ.get("MAILSHARE_PRINT_KILLS", "6"))
SIZES = (2_000, 70_000, 400_000)


def print_job(port: int, name: str, size: int) -> bool:
    """Print a document that begins with its name; True when the answer says that it was taken."""
    operation = (
        Attribute("attributes-charset", (Value(Tag.CHARSET, "utf-8"),)),
        Attribute("attributes-natural-language", (Value(Tag.LANGUAGE, "en"),)),
        uri("printer-uri", f"ipp://{LOOPBACK}:{port}/ipp/print/office"),
        name_of("job-name", name),
    )
    body = encode(Message((2, 0), Operation.PRINT_JOB, 1, (Group(Tag.OPERATION, operation),)))
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    try:
        document = f"%PDF-1.4\n%{name}\n".encode() + os.urandom(size)
        connection.request("POST", "/ipp/print", body + document, {"Content-Type": "application/ipp"})
        return decode(connection.getresponse().read())[0].code == Status.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def test_kills_while_jobs_come_in(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Three clients print without pause; the server dies at any moment and comes again."""
    port = free_port()
    (tmp_path / "m.toml").write_text(
        f"""\
[listen]
ipp = ["tcp:{port}:interface=127.0.0.1"]
[[destination]]
name = "office"
address = "dir:out"
"""
    )
    argv = [script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", str(tmp_path / "m.toml")]
    server = Running(argv, tmp_path / "server.log", {}, spawn)
    chance = random.Random(20_261_121)
    taken: list[str] = []
    ends = threading.Event()

    def client(number: int) -> None:
        count = 0
        while not ends.is_set():
            name = f"job-{number}-{count}"
            count += 1
            if print_job(port, name, SIZES[count % len(SIZES)]):
                taken.append(name)
            else:
                time.sleep(0.05)  # the server is down just now

    clients = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    server.start([port], 60)
    for each in clients:
        each.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 0.9))  # any moment will do: this is no wait for something
            server.kill()
            server.start([port], 60)
    finally:
        ends.set()
        for each in clients:
            each.join()

    def printed() -> Counter[str]:
        out = tmp_path / "out"
        files = [one for one in out.iterdir() if one.name[0] != "."] if out.is_dir() else []
        return Counter(one.read_bytes().split(b"\n", 2)[1][1:].decode() for one in files)

    try:
        wait_until(lambda: set(taken) <= set(printed()), "all jobs in the folder", 120, tmp_path / "server.log")
        found = printed()
        assert len(taken) > KILLS
        assert {name: count for name, count in found.items() if count > 1} == {}
    finally:
        server.stop()
