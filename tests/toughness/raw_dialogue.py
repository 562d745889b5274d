"""A client that sends exactly the octets it is told to, in a thread of its own, and an office for it to talk to."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
import trustme
from attrs import define
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.testing.isp import PretendISP
from tests.house import House

T = TypeVar("T")
PATIENCE = 30.0  # seconds for any one answer
LAST = re.compile(rb"[2-5][0-9][0-9] ")
FILE = """\
[trusted]
networks = ["127.0.0.1/32"]
[limits]
message_size = 3000000
{limits}
[[user]]
name = "joe"
password = "secret"
accounts = ["mail@company.example"]
"""
STRANGERS = itertools.count(1)


def stranger() -> str:
    """An address of this machine that nobody trusts and that has not failed at anything yet."""
    number = next(STRANGERS)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def token(*parts: bytes) -> bytes:
    """Base64 of what PLAIN joins by NUL."""
    return base64.b64encode(b"\0".join(parts))


class Raw:
    """One connection.

    :param source: of which address of this machine.
    """

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        self._buffer = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *raised: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send; a peer that has left is no error."""
        with contextlib.suppress(OSError):
            self.socket.sendall(octets)

    def line(self) -> bytes:
        """The next line without its end; empty when the peer has left."""
        while b"\r\n" not in self._buffer:
            try:
                more = self.socket.recv(65_536)
            except ConnectionError:
                more = b""
            if not more:
                return b""
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def reply(self) -> bytes:
        """The last line of the next SMTP reply; empty when the peer has left."""
        while (line := self.line()) and not LAST.match(line):
            pass
        return line

    def code(self) -> int:
        """The code of the next SMTP reply; 0 when the peer has left."""
        return int(self.reply()[:3] or 0)

    def codes(self, *lines: bytes) -> list[int]:
        """Send each line when the one before was answered."""
        found = []
        for line in lines:
            self.send(line + b"\r\n")
            found.append(self.code())
        return found

    def left(self) -> bool:
        """Read on until the peer leaves."""
        while self.line():
            pass
        return True

    def pending(self) -> bytes:
        """What came and was not looked at, without waiting for more."""
        return self._buffer

    def tls(self) -> None:
        """Begin TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname="mail.office.example")
        self._buffer = b""

    def listing(self) -> list[bytes]:
        """Lines of a POP3 answer up to its dot."""
        return list(iter(self.line, b"."))


@define
class Target:
    """An office to be talked to.

    :ivar smtp, pop3: ports.
    """

    house: House
    smtp: int
    pop3: int

    def stored(self) -> list[bytes]:
        """Joe's mail, which is taken away with it; in a thread."""
        with Raw(self.pop3) as client:
            client.line()
            for word in (b"USER joe", b"PASS secret", b"STAT"):
                client.send(word + b"\r\n")
                answer = client.line()
            count = int(answer.split()[1])
            found = []
            for number in range(1, count + 1):
                client.send(b"RETR %d\r\nDELE %d\r\n" % (number, number))
                client.line()
                found.append(b"\r\n".join(line.removeprefix(b".") for line in client.listing()) + b"\r\n")
                client.line()
            client.send(b"QUIT\r\n")
            assert client.line().startswith(b"+OK")
        return found


async def aside(work: Callable[[], T]) -> T:
    """The office runs in this very process, so whoever talks to it does so in a thread."""
    result: Any = await deferToThread(work)
    return result  # type: ignore[no-any-return]


async def built(folder: Path, limits: str = "") -> tuple[Target, Callable[[], Any]]:
    """An office with certificates that trusts one address, and what takes it down."""
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    house = House(folder, isp)
    issued = trustme.CA().issue_cert("mail.office.example")
    (folder / "certs").mkdir()
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "certs" / "office.pem"))
    await house.start(FILE.format(limits=limits), listen='certificates = "certs"\n')

    async def stop() -> None:
        assert house.office is not None
        await house.office.stopService()
        await isp.stopService()

    return Target(house, house.port("smtp"), house.port("pop3")), stop


@pytest_twisted.async_yield_fixture(scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    """One office for all dialogues of a module; who comes after a rude client is served as if nothing had been."""
    made, stop = await built(tmp_path_factory.mktemp("office"))
    yield made
    await stop()
