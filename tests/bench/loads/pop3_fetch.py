"""Sessions that fetch whole boxes, all driven by one thread: a client in many threads waits for its interpreter more
than for the server, and then it is the client that is measured.
"""

from __future__ import annotations

import select
import time

from loads.pop3_load import POP3Load, Reader, Refused

_BLOCK = 1 << 18
_END = b"\r\n.\r\n"


class Fetch:
    """One session: asks for every message, some commands ahead, and then says QUIT.

    :ivar octets: of messages that came.
    :ivar done: the server has answered QUIT.
    """

    def __init__(self, load: POP3Load, user: str, rounds: int, *, delete: bool) -> None:
        self.reader = Reader(load.port)
        self._count = self.reader.login(user, load.password)
        self.messages = self._left = self._count * rounds
        self._window = load.window
        self._delete = delete
        self._asked = 0
        self._rest = b""
        self._within = False  # a message
        self._marked = False  # the reply to DELE comes next
        self._leaving = False
        self.octets = 0
        self.done = False
        self._ask()

    def _ask(self) -> None:
        """Send what may be sent now."""
        commands = []
        while self._asked < min(self.messages, self.messages - self._left + self._window):
            number = self._asked % self._count + 1
            self._asked += 1
            commands.append(f"RETR {number}\r\n" + (f"DELE {number}\r\n" if self._delete else ""))
        if not (self._left or self._marked or self._leaving):
            self._leaving = True
            commands.append("QUIT\r\n")
        if commands:
            self.reader.send("".join(commands))

    def take(self) -> None:
        """Octets are there.

        :raises Refused: the server gave ``-ERR`` or closed the connection.
        """
        data = self.reader.sock.recv(_BLOCK)
        if not data:
            raise Refused("connection closed")
        data = self._rest + data if self._rest else data
        start = 0
        while not self.done:
            end = data.find(_END if self._within else b"\r\n", start)
            if end < 0:
                break
            start = self._reply(data, start, end)
        if self._within:
            keep = max(start, len(data) - len(_END) + 1)
            self.octets += keep - start
            start = keep
        self._rest = data[start:]
        if not self.done:
            self._ask()

    def _reply(self, data: bytes, start: int, end: int) -> int:
        """A status line, or the rest of a message, ends there; where the next reply or the message begins."""
        if self._within:
            self._within, self._marked = False, self._delete
            self._left -= 1
            self.octets += end - start
            return end + len(_END)
        if not data.startswith(b"+OK", start):
            raise Refused(data[start:end].decode(errors="replace"))
        if self._leaving or self._marked:
            self.done, self._marked = self._leaving, False
            return end + 2
        self._within = True
        return end  # an empty message ends with this very line end


def retrievals(load: POP3Load, rounds: int = 1, *, delete: bool = False) -> tuple[float, int, int]:
    """Read whole boxes, ``rounds`` times; seconds, messages, octets.

    :raises Refused: one of them failed.
    """
    start = time.perf_counter()
    done = [Fetch(load, user, rounds, delete=delete) for user in load.users]
    fetches = {fetch.reader.sock.fileno(): fetch for fetch in done}
    poll = select.epoll()
    for descriptor in fetches:
        poll.register(descriptor, select.EPOLLIN)
    while fetches:
        for descriptor, _ in poll.poll(60) or [(-1, 0)]:
            if descriptor < 0:
                raise Refused("nothing came for a minute")
            fetch = fetches[descriptor]
            fetch.take()
            if fetch.done:
                del fetches[descriptor]
                poll.unregister(descriptor)
                fetch.reader.sock.close()
    poll.close()
    return time.perf_counter() - start, sum(each.messages for each in done), sum(each.octets for each in done)
