"""The running server's own control socket, without the cost of starting its command."""

from __future__ import annotations

import datetime as dt
import socket
from pathlib import Path


def sendreceive(control: Path, seconds: float = 300) -> bytes:
    """``mailshare sendreceive``: returns when everything was sent and collected.

    :raises AssertionError: it was refused.
    """
    fields = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(str(control))
        sock.sendall(f"POST /api/v1/sendreceive HTTP/1.1\r\n{fields}\r\n{{}}".encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    return answer


def not_today() -> str:
    """A timetable line of the day before yesterday: nothing is done unless it is asked for."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    day = (dt.datetime.now(tz=dt.UTC).weekday() + 5) % 7
    return f'timetable = [{{ days = "{days[day]}" }}]'
