"""Many POP3 clients at once: listings, and what the other clients need, with plain blocking sockets in threads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

_BLOCK = 1 << 18


class Refused(Exception):
    """The server gave ``-ERR`` or closed the connection."""


@define
class Reader:
    """One POP3 session over a blocking socket.

    :ivar secure: puts the socket inside TLS before anything is read, if the port wants that.
    """

    port: int
    secure: Callable[[Reader], None] | None = None
    sock: socket.socket = field(init=False)
    buffer: bytearray = field(factory=bytearray)

    def __attrs_post_init__(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), 60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.secure is not None:
            self.secure(self)
        self.line()

    def line(self) -> bytes:
        """One status line."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._more()
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        if not line.startswith(b"+OK"):
            raise Refused(line.decode(errors="replace"))
        return line

    def listing(self) -> int:
        """A status line and what follows up to the lone dot; octets of it."""
        self.line()
        if self.buffer.startswith(b".\r\n"):
            del self.buffer[:3]
            return 0
        start = 0
        while (end := self.buffer.find(b"\r\n.\r\n", start)) < 0:
            start = max(0, len(self.buffer) - 4)
            self._more()
        del self.buffer[: end + 5]
        return end + 2

    def _more(self) -> None:
        data = self.sock.recv(_BLOCK)
        if not data:
            raise Refused("connection closed")
        self.buffer += data

    def send(self, text: str) -> None:
        """Commands, each with its line end."""
        self.sock.sendall(text.encode())

    def ask(self, command: str) -> bytes:
        """One command with a one-line reply."""
        self.send(command + "\r\n")
        return self.line()

    def login(self, user: str, password: str) -> int:
        """Log in; the number of messages."""
        self.ask(f"USER {user}")
        self.ask(f"PASS {password}")
        return int(self.ask("STAT").split()[1])

    def quit(self) -> None:
        """End it."""
        self.ask("QUIT")
        self.sock.close()


@frozen
class POP3Load:
    """Who reads where, and how many commands go out at once.

    :ivar window: commands in flight; 1 = each waits for the reply before it.
    """

    port: int
    users: Sequence[str]
    password: str
    window: int = 1


def each_in_a_thread(load: POP3Load, work: Callable[[str], int]) -> tuple[float, int]:
    """Do it for all users at once; seconds, and the sum of what it gave.

    :raises Refused: one of them failed.
    """
    results: list[int] = []
    faults: list[Exception] = []

    def one(user: str) -> None:
        try:
            results.append(work(user))
        except (OSError, Refused) as fault:
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(user,)) for user in load.users]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise Refused(str(faults[0]))
    return time.perf_counter() - start, sum(results)


def listings(load: POP3Load, times: int) -> tuple[float, int]:
    """Login, STAT, LIST, UIDL, QUIT; sessions."""

    def work(user: str) -> int:
        for _ in range(times):
            reader = Reader(load.port)
            reader.login(user, load.password)
            reader.send("LIST\r\n")
            reader.listing()
            reader.send("UIDL\r\n")
            reader.listing()
            reader.quit()
        return times

    return each_in_a_thread(load, work)


def counts(load: POP3Load) -> int:
    """Messages in all boxes, as STAT tells."""

    def work(user: str) -> int:
        reader = Reader(load.port)
        count = reader.login(user, load.password)
        reader.quit()
        return count

    return each_in_a_thread(load, work)[1]


def idle(load: POP3Load, sessions: int) -> list[Reader]:
    """Sessions that logged in and wait, spread over the users; the caller closes them."""
    readers = []
    for number in range(sessions):
        reader = Reader(load.port)
        readers.append(reader)
        if number < len(load.users):
            reader.login(load.users[number], load.password)
    return readers
