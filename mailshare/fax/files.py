"""The files of calls that are under way: ledgers of what goes out, pages of what comes in.

Each is on stable storage before whoever asked for it hears of it. They stand beside the store and not in it, because
they live for minutes and are written in the middle of a call.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from mailshare.core.errors import StorageFull, Unavailable
from mailshare.core.fax_ledger import PageLedger
from mailshare.core.values.fax import FaxPage
from mailshare.wire.tiff_fax import read_tiff, write_tiff

T = TypeVar("T")
_REMEMBERED = 30 * 86_400  # seconds
Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function that waits for the disk."""


def write_durably(path: str, data: bytes) -> None:
    """Put a file in its place, whole or not at all.

    :raises StorageFull: the disk does not take it.
    """
    fresh = f"{path}.new"
    try:
        with open(fresh, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(fresh, path)
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise StorageFull(detail={"file": path, "why": str(fault)}) from fault


class Ledgers:
    """Page ledgers by the number of their row in the queue.

    :param directory: made when the first is written.
    """

    def __init__(self, directory: str, aside: Aside) -> None:
        self._directory = directory
        self._aside = aside

    async def read(self, row: int) -> PageLedger:
        """The ledger of a row; an empty one when there was no call yet."""
        ledger: PageLedger = await self._aside(lambda: self._read(self._path(row)))
        return ledger

    @staticmethod
    def _read(path: str) -> PageLedger:
        try:
            with open(path, "rb") as stream:
                return PageLedger.from_json(json.load(stream))
        except FileNotFoundError:
            return PageLedger()
        except (OSError, ValueError, TypeError) as fault:
            raise Unavailable(detail={"file": path, "why": str(fault)}) from fault

    async def write(self, row: int, ledger: PageLedger) -> None:
        """Keep it; fires when it is durable."""

        def write() -> None:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            write_durably(self._path(row), json.dumps(ledger.as_json()).encode())

        await self._aside(write)

    def under_way(self) -> frozenset[str]:
        """What the lines' own machines call the jobs that they may still have; waits for the disk.

        :raises Unavailable: a ledger cannot be read.
        """
        names = os.listdir(self._directory) if os.path.isdir(self._directory) else ()
        found = [self._read(os.path.join(self._directory, one)) for one in names if one.endswith(".json")]
        return frozenset(one.native for one in found if one.calling and one.native)

    async def rows(self) -> Sequence[int]:
        """The rows that have one."""

        def look() -> list[int]:
            """Read the folder."""
            names = os.listdir(self._directory) if os.path.isdir(self._directory) else ()
            return [int(one[:-5]) for one in names if one.endswith(".json") and one[:-5].isdecimal()]

        found: Sequence[int] = await self._aside(look)
        return found

    async def forget(self, row: int) -> None:
        """The row is settled."""

        def drop() -> None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(row))

        await self._aside(drop)

    def _path(self, row: int) -> str:
        return os.path.join(self._directory, f"{row}.json")


class Once:
    """Which messages have made a fax to a number, so that a second copy of one makes none (RFC 4161 section 2.1.2).

    :param directory: made when the first comes; a file for each, for 30 days.
    """

    def __init__(self, directory: str, aside: Aside) -> None:
        self._directory = directory
        self._aside = aside

    async def is_first(self, key: str, row: int, now: float) -> bool:
        """Whether this row is the first of that key, or the one that was so before a stop of the server."""

        def read() -> bool:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            for name in os.listdir(self._directory):
                path = os.path.join(self._directory, name)
                if os.stat(path).st_mtime < now - _REMEMBERED:
                    os.unlink(path)
            path = os.path.join(self._directory, key)
            if not os.path.exists(path):
                write_durably(path, str(row).encode())
                os.utime(path, (now, now))
            with open(path, "rb") as stream:
                return stream.read() == str(row).encode()

        first: bool = await self._aside(read)
        return first


class Incoming:
    """Pages of calls that come in, a folder for each call.

    :param directory: made when the first call comes.
    """

    def __init__(self, directory: str, aside: Aside) -> None:
        self._directory = directory
        self._aside = aside

    async def begin(self, call: str, facts: Mapping[str, object]) -> None:
        """A call is answered."""

        def write() -> None:
            folder = self._folder(call)
            os.makedirs(folder, mode=0o700, exist_ok=True)
            write_durably(os.path.join(folder, "call.json"), json.dumps(facts).encode())

        await self._aside(write)

    async def add(self, call: str, number: int, page: FaxPage) -> None:
        """Keep a page; fires when it is durable. A page that comes again replaces the one before."""
        octets = write_tiff([page])
        await self._aside(lambda: write_durably(os.path.join(self._folder(call), f"{number:05}.tif"), octets))

    async def pages(self, call: str) -> list[FaxPage]:
        """What has come so far, in order."""

        def read() -> list[FaxPage]:
            folder, out = self._folder(call), []
            for name in sorted(one for one in os.listdir(folder) if one.endswith(".tif")):
                with open(os.path.join(folder, name), "rb") as stream:
                    out += [one.page for one in read_tiff(stream.read()) if one.page is not None]
            return out

        pages: list[FaxPage] = await self._aside(read)
        return pages

    async def unfinished(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Calls whose pages lie here still, with their facts: a stop of the server left them."""

        def look() -> list[tuple[str, Mapping[str, Any]]]:
            """Read the folder."""
            found = []
            for name in sorted(os.listdir(self._directory)) if os.path.isdir(self._directory) else ():
                try:
                    with open(os.path.join(self._directory, name, "call.json"), "rb") as stream:
                        found.append((name, json.load(stream)))
                except (OSError, ValueError):
                    continue  # it came to no page: the facts are written before the first
            return found

        calls: Sequence[tuple[str, Mapping[str, Any]]] = await self._aside(look)
        return calls

    async def forget(self, call: str) -> None:
        """Its mail is stored."""
        await self._aside(lambda: shutil.rmtree(self._folder(call), ignore_errors=True))

    def _folder(self, call: str) -> str:
        return os.path.join(self._directory, call)
