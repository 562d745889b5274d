"""A client that sends exactly the octets it is told to, and an office for it to talk to."""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from attrs import define
from real_peers.warm import Forked, spawn

PATIENCE = 30.0  # seconds for any one answer
LAST = re.compile(rb"[2-5][0-9][0-9] ")
FILE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
certificates = "certs"
[trusted]
networks = ["127.0.0.1/32"]
[limits]
message_size = 3000000
auth_forget = 1
[[account]]
address = "mail@company.example"
relay = "smtp://mail@127.0.0.1:9?tls=none"
password = "isp"
threshold = 0
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

    def pending(self) -> bytes:
        """What came and was not looked at, without waiting for more."""
        return self._buffer

    def said(self, *lines: bytes) -> list[str]:
        """``+OK``, ``-ERR`` or ``+`` for each line; what an answer holds besides is read by the caller."""
        return [self.say(line)[:4].decode().strip() for line in lines]

    def say(self, line: bytes) -> bytes:
        """Send a line; the first one of the answer."""
        self.send(line + b"\r\n")
        return self.line()

    def rest(self) -> bytes:
        """Everything until the peer leaves."""
        while True:
            try:
                more = self.socket.recv(65_536)
            except OSError:
                more = b""
            if not more:
                return self._buffer
            self._buffer += more

    def leave(self, how: str) -> None:
        """``half closed`` (no more comes, answers are heard), ``reset`` or ``closed``."""
        if how == "half closed":
            self.socket.shutdown(socket.SHUT_WR)
            self.rest()
        elif how == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def secure(self) -> None:
        """POP3's way into TLS."""
        assert self.say(b"STLS").startswith(b"+OK")
        self.tls()

    def tls(self, most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        """Begin TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, most
        self.socket = context.wrap_socket(self.socket, server_hostname="mail.office.example")
        self._buffer = b""

    def listing(self) -> list[bytes]:
        """Lines of a POP3 answer up to its dot."""
        return list(iter(self.line, b"."))


@define
class Target:
    """An office to be talked to, by its ports."""

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


def greeted(target: Target, source: str = "127.0.0.1", *, tls: bool = False) -> Raw:
    """A client of the SMTP server that has said EHLO."""
    client = Raw(target.smtp, source)
    assert client.code() == 220
    assert client.codes(b"EHLO client.example") == [250]
    if tls:
        assert client.codes(b"STARTTLS") == [220]
        client.tls()
        assert client.codes(b"EHLO client.example") == [250]
    return client


def in_data(target: Target) -> Raw:
    """A client that may send its message now."""
    client = greeted(target)
    wanted = b"MAIL FROM:<a@far.example>", b"RCPT TO:<joe@mail.office.example>", b"DATA"
    assert client.codes(*wanted) == [250, 250, 354]
    return client


def started(folder: Path, ports: tuple[int, int]) -> Forked:
    """An office of its own process, with certificates, that trusts one address; serving when this returns."""
    issued = trustme.CA().issue_cert("mail.office.example")
    (folder / "certs").mkdir()
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "certs" / "office.pem"))
    (folder / "m.toml").write_text(FILE.format(smtp=ports[0], pop3=ports[1]))
    log = folder / "log"
    twistd = str(Path(sys.executable).with_name("twistd"))
    server = spawn([twistd, "--nodaemon", "--pidfile=", "mailshare", "-c", str(folder / "m.toml")], log, {})
    until = time.monotonic() + 120
    while b"mailshare is ready" not in log.read_bytes():
        assert time.monotonic() < until, log.read_text()
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    return server


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Target]:
    """One office for all dialogues of a module; no program error may stand in its log in the end."""
    folder, ports = tmp_path_factory.mktemp("office"), (free_port(), free_port())
    server = started(folder, ports)
    yield Target(*ports)
    server.terminate()
    server.wait(60)
    assert b"Traceback" not in (folder / "log").read_bytes(), (folder / "log").read_text()
