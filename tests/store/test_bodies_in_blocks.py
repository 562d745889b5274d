"""Large messages go to the disk in blocks, and no more of them is held than the bound says, however they come."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.store.files import Files
from mailshare.store.spool import BACKLOG, BLOCK
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER

PIECE = 64 * 1024
LARGE = HEADER + b"0123456789abcde\r\n" * (5 << 16)


class SlowFiles(Files):
    """Files that are written while ``open`` is set; ``writes`` are the octets of each call."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.writes: list[int] = []

    def write(self, descriptor: int, data: memoryview) -> int:
        assert self.open.wait(60)
        self.writes.append(len(data))
        return super().write(descriptor, data)


async def opened(directory: Path) -> tuple[SQLiteStore, SlowFiles]:
    """A store on such files."""
    files = SlowFiles()
    store = SQLiteStore(str(directory / "data"), reactor=reactor, files=files)
    await store.open()
    return store, files


@pytest_twisted.ensureDeferred
async def test_a_thread_is_asked_for_blocks(tmp_path: Path) -> None:
    """A message that comes piece by piece, each in a turn of its own, is written in few calls, and is whole."""
    store, files = await opened(tmp_path)
    files.open.set()
    sink = store.new_body()
    for start in range(0, len(LARGE), PIECE):
        wait = sink.write(LARGE[start : start + PIECE])
        if wait is not None:
            await wait
        await deferLater(reactor, 0.002)
    body = await sink.finish()
    assert len(files.writes) <= len(LARGE) // BLOCK + 1
    got = b""
    while len(got) < body.size:
        got += await body.read(len(got), PIECE)
    assert got == LARGE
    await store.close()


@pytest_twisted.ensureDeferred
async def test_a_source_waits_for_a_disk_that_stands(tmp_path: Path) -> None:
    """What is held for one message is bounded; when the disk goes on so does the source."""
    store, files = await opened(tmp_path)
    sink = store.new_body()
    taken, wait = 0, None
    while wait is None:
        wait = sink.write(LARGE[taken : taken + PIECE])
        taken += PIECE
    assert BACKLOG < taken <= BACKLOG + PIECE
    assert not files.writes
    files.open.set()
    await wait
    sink.write(LARGE[taken:])
    assert (await sink.finish()).size == len(LARGE)
    await store.close()


@pytest_twisted.ensureDeferred
async def test_octets_count_and_not_pieces(tmp_path: Path) -> None:
    """Who sends a large message two octets at a time costs us little more than these octets."""
    store, files = await opened(tmp_path)
    pairs = [bytes([one, two]) for one in range(200) for two in range(250)]
    sink = store.new_body()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for each in pairs:
            sink.write(each)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held < 4 * len(pairs)
    files.open.set()
    body = await sink.finish()
    assert await body.read(0, body.size) == b"".join(pairs)
    await store.close()
