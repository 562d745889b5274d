"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from mailshare.assembly.notify import SystemdNotifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "file" else f"@mailshare-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
        taken.bind("\0" + name[1:] if name.startswith("@") else name)
        taken.setblocking(False)
        yield name, taken


def test_each_state_is_told_as_systemd_wants_it(manager: tuple[str, socket.socket]) -> None:
    """READY with a status, RELOADING with the monotonic time, STOPPING."""
    name, taken = manager
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name}, Clock(), lambda: 42)
    notifier.ready("2 accounts")
    notifier.reloading()
    notifier.stopping()
    told = [taken.recv(1000) for _ in range(3)]
    assert told == [b"READY=1\nSTATUS=2 accounts", b"RELOADING=1\nMONOTONIC_USEC=42", b"STOPPING=1"]


def test_the_watchdog_is_fed_at_half_its_time_until_the_stop(manager: tuple[str, socket.socket]) -> None:
    """A reactor that hangs stops feeding it, and systemd acts."""
    name, taken = manager
    clock = Clock()
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"}, clock, lambda: 0)
    notifier.ready("x")
    clock.advance(2)
    clock.advance(2)
    told = [taken.recv(1000) for _ in range(4)]
    assert told[1:] == [b"WATCHDOG=1"] * 3
    notifier.stopping()
    assert taken.recv(1000) == b"STOPPING=1"
    assert clock.getDelayedCalls() == []


def test_without_systemd_nothing_happens_and_a_dead_socket_is_no_disaster(tmp_path: Path) -> None:
    """The server runs without a manager."""
    clock = Clock()
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "x"}):
        notifier = SystemdNotifier(environment, clock, lambda: 0)
        notifier.ready("x")
        notifier.stopping()
    assert clock.getDelayedCalls() == []
