"""The far end of a long line, a process of its own: adds a round trip, records who waited for whom, takes mail.

    python far_end.py PORT RTT_MS --to PORT             a line to a server elsewhere
    python far_end.py PORT RTT_MS --sink [--chunking] [--think MS]   a smarthost that takes everything

For each line of its standard input it prints one line of JSON about what happened since the last. ``rounds`` is how
deep the chain of "it spoke only after it had heard" went, summed over the connections, the two of a connection's
set-up included: the round trips that no faster machine would save.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from attrs import define, field

_CHUNK = 262_144
_HELLO = (b"PIPELINING", b"SIZE 52428800", b"8BITMIME", b"ENHANCEDSTATUSCODES")


@define
class Record:
    """What was seen of all connections together.

    :ivar rounds: of all connections together; ``messages`` by the sink; ``first`` and ``last`` octet, seconds.
    """

    connections: int = 0
    messages: int = 0
    rounds: int = 0
    first: float = 0.0
    last: float = 0.0
    most: int = 0
    open: int = 0

    def told(self) -> dict[str, float]:
        """What it holds; it begins anew."""
        found = {name: float(getattr(self, name)) for name in ("connections", "most", "messages", "rounds")}
        found["seconds"] = self.last - self.first
        self.connections = self.messages = self.rounds = 0
        self.first = self.last = 0.0
        self.most = self.open
        return found


@define
class Depth:
    """How far the chain of question and answer went on one connection."""

    record: Record
    said: int = 0  # of what the near side sent
    heard: int = 2  # of what reached the near side; the greeting is there after two

    def sent(self) -> int:
        """The near side speaks: one round later than what it has heard."""
        self.record.rounds += self.heard + 1 - self.said
        self.said = self.heard + 1
        self.record.last = time.monotonic()
        return self.said

    def reached(self, depth: int) -> None:
        """The near side hears the answer to what it said."""
        self.heard = max(self.heard, depth)


@define
class Late:
    """Hands each piece on after a while, in order."""

    seconds: float
    give: Callable[[bytes], None]
    queue: asyncio.Queue[tuple[float, bytes]] = field(factory=asyncio.Queue)

    def put(self, data: bytes) -> None:
        """A piece; an empty one is the end."""
        self.queue.put_nowait((time.monotonic() + self.seconds, data))

    async def run(self) -> None:
        """Until the end was handed on."""
        data = b"."
        while data:
            due, data = await self.queue.get()
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self.give(data)


class Sink:
    """One SMTP session: says yes to everything, quickly or after thinking about each message."""

    def __init__(self, record: Record, say: Callable[[bytes], None], *, chunking: bool, think: float) -> None:
        self._record, self._say = record, say
        self._buffer = bytearray()
        self._left = 0
        self._in_data = False
        self._think = think
        self._chunking = chunking
        self._arrived = asyncio.Event()
        self._ended = False
        say(b"220 sink.example ESMTP\r\n")

    def feed(self, data: bytes) -> None:
        """Octets of the client; an empty piece is its end."""
        self._buffer += data
        self._ended = self._ended or not data
        self._arrived.set()

    async def run(self) -> None:
        """Answer until the client leaves."""
        while not self._ended:
            self._arrived.clear()
            said: list[bytes] = []
            while (reply := self._next()) is not None:
                if reply.startswith(b"250 2.0.0 taken"):
                    self._record.messages += 1
                    if self._think:
                        # What was answered before goes out now; what comes behind waits for the thought.
                        if said:
                            self._say(b"".join(said))
                        said.clear()
                        await asyncio.sleep(self._think)
                said.append(reply)
            if said:
                self._say(b"".join(said))
            if not self._ended:
                await self._arrived.wait()

    def _next(self) -> bytes | None:
        """The reply to what comes next, ``None`` until there is more."""
        if self._in_data:
            end = self._buffer.find(b"\r\n.\r\n")
            if end < 0:
                return None
            del self._buffer[: end + 5]
            self._in_data = False
            return b"250 2.0.0 taken\r\n"
        if self._left:
            if len(self._buffer) < self._left:
                return None
            del self._buffer[: self._left]
            self._left = 0
            return b"250 2.0.0 taken\r\n"
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        words = bytes(self._buffer[:end]).split()
        del self._buffer[: end + 2]
        return self._command(words[0].upper() if words else b"", words)

    def _command(self, verb: bytes, words: list[bytes]) -> bytes | None:
        if verb == b"EHLO":
            names = [b"sink.example", *_HELLO, *([b"CHUNKING"] if self._chunking else [])]
            return b"".join(b"250-%s\r\n" % name for name in names[:-1]) + b"250 %s\r\n" % names[-1]
        if verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        if verb == b"BDAT":
            self._left = int(words[1])
            return self._next()
        if verb == b"QUIT":
            self._ended = True
            return b"221 2.0.0 bye\r\n"
        return b"250 2.1.0 ok\r\n"


async def _pour(reader: asyncio.StreamReader, late: Late, note: Callable[[], object] = lambda: None) -> None:
    data = b"."
    while data:
        data = b""
        with suppress(ConnectionError):
            data = await reader.read(_CHUNK)
        if data:
            note()
        late.put(data)


def _writer(writer: asyncio.StreamWriter) -> Callable[[bytes], None]:
    def give(data: bytes) -> None:
        if data:
            writer.write(data)
        else:
            writer.close()

    return give


async def _serve(options: argparse.Namespace) -> None:
    record, half = Record(), options.rtt / 2000

    async def line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.monotonic()
        depth, to_near = Depth(record), _writer(writer)
        # A handshake is a round trip of its own, and the server begins with its last part.
        await asyncio.sleep(3 * half)
        spoken = 0

        def back(data: bytes) -> None:
            depth.reached(spoken)
            to_near(data)

        def speaks() -> None:
            if not depth.said:
                # A look whether the port is open is no connection.
                record.connections += 1
                record.open += 1
                record.most = max(record.most, record.open)
                record.first = min(record.first or began, began)
            depth.sent()

        near = Late(half, back)
        tasks = []
        if options.sink:
            sink = Sink(record, near.put, chunking=options.chunking, think=options.think / 1000)
            there: Callable[[bytes], None] = sink.feed
            tasks.append(_then_end(sink.run(), near))
        else:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", options.to)
            there = _writer(far_writer)
            tasks.append(_pour(far_reader, near))

        def on(data: bytes) -> None:
            nonlocal spoken
            spoken = depth.said
            there(data)

        far = Late(half, on)
        tasks += [_pour(reader, far, speaks), far.run(), near.run()]
        await asyncio.gather(*tasks)
        writer.close()
        record.open -= depth.said > 0

    server = await asyncio.start_server(line, "127.0.0.1", options.port, limit=2**22)
    async with server:
        while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            sys.stdout.write(json.dumps(record.told()) + "\n")
            sys.stdout.flush()
    # Lines that are still open end with the process.
    os._exit(0)


async def _then_end(work: object, near: Late) -> None:
    await work  # type: ignore[misc]
    near.put(b"")


def main() -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("rtt", type=float)
    parser.add_argument("--to", type=int, default=0)
    parser.add_argument("--sink", action="store_true")
    parser.add_argument("--chunking", action="store_true")
    parser.add_argument("--think", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
