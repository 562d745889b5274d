"""Sessions that log in, look and leave, several at once and all driven by one thread.

In four threads the client was what was measured: it spent more on its threads than a server on the sessions.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

from loads.pop3_load import POP3Load, Refused


class Poll:
    """One session: greeting, ``USER``, ``PASS``, ``STAT``, ``QUIT``, each command behind the reply to the last."""

    def __init__(self, load: POP3Load, user: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", load.port), 60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        commands = (f"USER {user}\r\n", f"PASS {load.password}\r\n", "STAT\r\n", "QUIT\r\n")
        self._commands: Iterator[bytes] = iter([each.encode() for each in commands])
        self._rest = b""
        self.user = user

    def take(self) -> bool:
        """A reply is there; whether it was the last.

        :raises Refused: the server gave ``-ERR`` or closed the connection.
        """
        data = self.sock.recv(4096)
        self._rest += data
        if not data or self._rest.startswith(b"-"):
            raise Refused(self._rest.decode(errors="replace") or "connection closed")
        if not self._rest.endswith(b"\r\n"):
            return False
        self._rest = b""
        command = next(self._commands, b"")
        if command:
            self.sock.sendall(command)
        return not command


def polls(load: POP3Load, sessions: int) -> float:
    """Hold so many sessions, each user one after the other, all users at once; seconds.

    :raises Refused: one of them failed.
    """
    start = time.perf_counter()
    left = sessions
    there: dict[int, Poll] = {}
    poll = select.epoll()

    def begin(user: str) -> None:
        nonlocal left
        if left:
            left -= 1
            one = Poll(load, user)
            there[one.sock.fileno()] = one
            poll.register(one.sock.fileno(), select.EPOLLIN)

    for user in load.users:
        begin(user)
    while there:
        for descriptor, _ in poll.poll(60) or [(-1, 0)]:
            if descriptor < 0:
                raise Refused("nothing came for a minute")
            if there[descriptor].take():
                poll.unregister(descriptor)
                over = there.pop(descriptor)
                over.sock.close()
                begin(over.user)
    poll.close()
    return time.perf_counter() - start
