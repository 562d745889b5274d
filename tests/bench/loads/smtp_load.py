"""Many SMTP or LMTP clients at once, each sending message after message; the time from the final dot to the reply."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

_LINE = b"The quick brown fox jumps over the lazy dog, and then once more for the road.\r\n"


@frozen
class SMTPLoad:
    """What to send.

    :ivar per_connection: messages on one connection; 0 = all of them.
    :ivar login: user name and password for AUTH PLAIN, or ``None``.
    :ivar lmtp: LHLO in place of EHLO, and a reply for each recipient after the dot (RFC 2033).
    """

    port: int
    recipients: Sequence[str]
    messages: int
    connections: int = 8
    size: int = 4096
    copies: int = 1
    per_connection: int = 0
    login: tuple[str, str] | None = None
    lmtp: bool = False
    sender: str = "somebody@outside.example"


@frozen
class SMTPResult:
    """How it went: seconds in all, and the seconds from each dot to its last reply, sorted."""

    seconds: float
    waits: Sequence[float]
    messages: int

    def wait(self, share: float) -> float:
        """The time within which that share of all dots was answered, in milliseconds."""
        return self.waits[min(len(self.waits) - 1, int(share * len(self.waits)))] * 1000


def letter(size: int, number: int) -> bytes:
    """A message of about that many octets, dot-stuffed, with its final dot."""
    head = (
        f"From: Some Body <somebody@outside.example>\r\nTo: Somebody Else <else@outside.example>\r\n"
        f"Subject: message number {number}\r\nMessage-ID: <{number}.{time.monotonic_ns()}@outside.example>\r\n"
        "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
    ).encode()
    return head + _LINE * max(1, (size - len(head)) // len(_LINE)) + b".\r\n"


class Refused(Exception):
    """The server gave a reply that stops the load."""


async def _reply(reader: asyncio.StreamReader, want: bytes) -> None:
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            break
    if not line.startswith(want):
        raise Refused(line.decode(errors="replace").strip() or "connection closed")


@define
class _Run:
    load: SMTPLoad
    numbers: Iterator[int]
    waits: list[float] = field(factory=list)

    async def client(self) -> None:
        """Take the next number whenever free, on one connection or on a new one after some."""
        if not self.load.per_connection:
            await self.session(self.numbers)
            return
        while batch := list(itertools.islice(self.numbers, self.load.per_connection)):
            await self.session(iter(batch))

    async def session(self, numbers: Iterator[int]) -> None:
        load = self.load
        reader, writer = await asyncio.open_connection("127.0.0.1", load.port, limit=1 << 20)
        await _reply(reader, b"220")
        writer.write(b"LHLO bench.example\r\n" if load.lmtp else b"EHLO bench.example\r\n")
        await _reply(reader, b"250")
        if load.login:
            token = base64.b64encode("\0{}\0{}".format(*load.login).encode())
            writer.write(b"AUTH PLAIN " + token + b"\r\n")
            await _reply(reader, b"235")
        for number in numbers:
            await self.message(reader, writer, number)
        writer.write(b"QUIT\r\n")
        await _reply(reader, b"221")
        writer.close()

    async def message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        load = self.load
        everybody = load.recipients
        chosen = [everybody[(number * load.copies + one) % len(everybody)] for one in range(load.copies)]
        envelope = f"MAIL FROM:<{load.sender}>\r\n" + "".join(f"RCPT TO:<{each}>\r\n" for each in chosen)
        writer.write(envelope.encode() + b"DATA\r\n")
        for _ in range(1 + load.copies):
            await _reply(reader, b"250")
        await _reply(reader, b"354")
        writer.write(letter(load.size, number))
        await writer.drain()
        start = time.perf_counter()
        for _ in range(load.copies if load.lmtp else 1):
            await _reply(reader, b"250")
        self.waits.append(time.perf_counter() - start)


def run_smtp(load: SMTPLoad) -> SMTPResult:
    """Send it all.

    :raises Refused: the server did not take something.
    """

    async def everything() -> SMTPResult:
        run = _Run(load, iter(range(load.messages)))
        start = time.perf_counter()
        await asyncio.gather(*(run.client() for _ in range(load.connections)))
        return SMTPResult(time.perf_counter() - start, sorted(run.waits), len(run.waits))

    return asyncio.run(everything())
