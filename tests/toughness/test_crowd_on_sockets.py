"""Five hundred who wait and a hundred who drip, on real sockets: little memory each, and nobody waits for them."""

from __future__ import annotations

import gc
import resource
import socket
import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

USER = '[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n'
LIMITS = "[limits]\nconnections = 1000\nconnections_per_peer = 1000\n"
IDLE, DRIPPING, WAVES = 500, 100, 5
MOST = 60_000  # octets for a connection, its socket objects and the test's own included


@pytest.fixture
def enough_files() -> Iterator[None]:
    """Both ends of all connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(port: int) -> socket.socket:
    """A client that has heard its greeting."""
    client = socket.create_connection(("127.0.0.1", port), 60)
    assert client.recv(512)[:3] in (b"220", b"+OK")
    return client


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("service", "word"), [("smtp", b"EHLO " + b"x" * 40), ("pop3", b"USER " + b"x" * 40)])
async def test_a_crowd(house, enough_files, service: str, word: bytes) -> None:
    """Each costs 60 kB at most, and between two octets of those who drip a newcomer is greeted within a second."""
    await house.start(USER + LIMITS)
    port = house.port(service)
    (await deferToThread(connected, port)).close()
    gc.collect()
    tracemalloc.start()
    try:
        crowd: list[socket.socket] = []
        held = [tracemalloc.get_traced_memory()[0]]
        for _ in range(WAVES):  # whatever else this process does at some moment spoils one of them
            crowd += await deferToThread(lambda: [connected(port) for _ in range((IDLE + DRIPPING) // WAVES)])
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    grown = [later - earlier for earlier, later in pairwise(held)]
    assert median(grown) / len(crowd) * WAVES < MOST, grown

    def come_and_go(octet: int) -> float:
        """Processor time of everybody in this process until a newcomer is greeted."""
        for client in crowd[IDLE:]:
            client.sendall(bytes([octet]))
        began = time.process_time()
        connected(port).close()
        return time.process_time() - began

    took = [await deferToThread(come_and_go, octet) for octet in word]
    assert max(took) < 1.0
    for client in crowd:
        client.close()
