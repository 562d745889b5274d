"""A hundred who send large messages while the disk stands: each holds a bounded block, and all get their answer."""

from __future__ import annotations

import gc
import select
import socket
import threading
import time
import tracemalloc

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from mailshare.store.files import Files
from tests.house import House

USER = '[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n'
LIMITS = "[limits]\nconnections = 1000\nconnections_per_peer = 1000\n"
SENDERS = 100
MOST = 90_000_000  # octets that all of them hold; a process at rest takes 54 MB, and 150 are allowed
ENVELOPE = b"MAIL FROM:<a@far.example>\r\nRCPT TO:<andrew@mail.office.example>\r\nDATA\r\n"
BODY = b"Subject: large\r\n\r\n" + b"some text of a line. It has a dot.\r\n" * 60_000 + b".\r\n"


def begun(port: int) -> socket.socket:
    """A client that may send its message."""
    client = socket.create_connection(("127.0.0.1", port), 60)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    client.recv(512)
    for words, last in ((b"EHLO client.example\r\n", b"250 "), (ENVELOPE, b"354 ")):
        client.sendall(words)
        got = b""
        while last not in got:
            more = client.recv(4096)
            assert more, got
            got += more
    client.setblocking(False)
    return client


def push(clients: list[socket.socket], left: dict[socket.socket, memoryview], quiet: float) -> None:
    """Send what is left until nobody takes anything for that long, or all is sent."""
    until = time.monotonic() + quiet
    while left and time.monotonic() < until:
        _, ready, _ = select.select([], [each for each in clients if each in left], [], 0.1)
        for client in ready:
            left[client] = left[client][client.send(left[client]) :]
            until = time.monotonic() + quiet
            if not left[client]:
                del left[client]


def narrow(house: House) -> None:
    """Have the system keep little of what we do not read."""
    for one in house.office._parts.listeners._open.values():
        for each in one.door.factory._connections:
            each._socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)


@pytest_twisted.ensureDeferred
async def test_what_a_hundred_hold(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded while nothing is written; then all of it is taken and answered."""
    goes = threading.Event()
    write = Files.write

    def when_it_goes(files: Files, descriptor: int, data: memoryview) -> int:
        assert goes.wait(60)
        return write(files, descriptor, data)

    monkeypatch.setattr(Files, "write", when_it_goes)
    await house.start(USER + LIMITS)
    clients = await deferToThread(lambda: [begun(house.port("smtp")) for _ in range(SENDERS)])
    narrow(house)
    left = {client: memoryview(BODY) for client in clients}
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await deferToThread(push, clients, left, 2.0)
        held = tracemalloc.get_traced_memory()[1] - before
        assert len(left) == SENDERS
        assert held < MOST
    finally:
        tracemalloc.stop()
        goes.set()
    await deferToThread(push, clients, left, 60.0)
    assert not left
    for client in clients:
        client.settimeout(60)
        assert (await deferToThread(client.recv, 512)).startswith(b"250 ")
        client.close()
