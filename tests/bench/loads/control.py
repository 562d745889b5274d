"""The running server's own control socket, without the cost of starting its command."""

from __future__ import annotations

import datetime as dt
import socket
from pathlib import Path


def sendreceive(control: Path, seconds: float = 300) -> bytes:
    """``mailshare sendreceive``: returns when everything was sent and collected.

    :raises AssertionError: it was refused.
    """
    return _asked(control, "POST", "sendreceive", seconds)


def awake(control: Path) -> None:
    """Have the server import what answers such questions, a quarter of a second once in its life."""
    _asked(control, "GET", "status", 60)


def _asked(control: Path, method: str, what: str, seconds: float) -> bytes:
    fields = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(str(control))
        sock.sendall(f"{method} /api/v1/{what} HTTP/1.1\r\n{fields}\r\n{{}}".encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    return answer


def not_today() -> str:
    """A timetable line of the day before yesterday: nothing is done unless it is asked for."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    day = (dt.datetime.now(tz=dt.UTC).weekday() + 5) % 7
    return f'timetable = [{{ days = "{days[day]}" }}]'
