"""Opens what the configuration names: the store, the pool of threads for passwords, and the hasher."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from mailshare.assembly.keys import data_directory
from mailshare.config import Config, Limits
from mailshare.core.bounds import BOUNDS
from mailshare.core.headers import forget_fields
from mailshare.interfaces import IStore
from mailshare.portal.passwords import Passwords

T = TypeVar("T")


def build_store(config: Config, reactor: Any, *, patience: float = 0.0) -> IStore:
    """The store of a configuration, not yet open; what is read in it and for it is bounded from now on.

    :param patience: seconds that its opening waits for another process to let go of it.
    :raises ConfigFault: the data directory cannot be made.
    """
    bound_reading(config.tables.limits)
    if config.tables.store.url == "memory:":
        from mailshare.store.memory import MemoryStore  # noqa: PLC0415 - one of two

        return MemoryStore(
            clock=IReactorTime(reactor),
            hostname=config.tables.server.hostname,
            duplicate_days=config.tables.limits.duplicate_window,
            former_days=config.tables.limits.former_mailbox,
        )
    from mailshare.store.sqlite import SQLiteStore  # noqa: PLC0415 - one of two

    limits = config.tables.limits
    return SQLiteStore(
        store_directory(config),
        reactor=reactor,
        hostname=config.tables.server.hostname,
        free_reserve=limits.disk_reserve,
        duplicate_days=limits.duplicate_window,
        former_days=limits.former_mailbox,
        patience=patience,
    )


def bound_reading(limits: Limits) -> None:
    """Take over how much of a message is looked into; it holds for all offices of this process."""
    BOUNDS.header_lines = limits.header_lines
    BOUNDS.header_field = limits.header_field
    BOUNDS.header_addresses = limits.header_addresses
    BOUNDS.mime_depth = limits.mime_depth
    BOUNDS.mime_parts = limits.mime_parts
    BOUNDS.mime_parameters = limits.mime_parameters
    BOUNDS.fetch_tries = limits.fetch_tries
    BOUNDS.mime_boundary = limits.mime_boundary
    forget_fields()


def store_directory(config: Config) -> str:
    """Where the embedded store lies."""
    return os.path.join(data_directory(config.data), "store")


def zone_of(config: Config) -> ZoneInfo:
    """The zone of the journal's days."""
    return local_zone(config.tables.server.zone)


def local_zone(name: str) -> ZoneInfo:
    """A zone by name; the system's when the name is empty, UTC when that has none."""
    if name:
        return ZoneInfo(name)
    target = os.path.realpath("/etc/localtime")
    _, found, key = target.partition("/zoneinfo/")
    try:
        return ZoneInfo(os.environ.get("TZ", "").lstrip(":") or (key if found else "UTC"))
    except (ValueError, OSError):
        return ZoneInfo("UTC")


class Threads:
    """A bounded pool for what must not run on the reactor's thread."""

    def __init__(self, reactor: Any, most: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=most, name="mailshare")

    def start(self) -> None:
        """Take work."""
        self._pool.start()

    def stop(self) -> None:
        """Finish what was begun; waits for it."""
        self._pool.stop()

    def run(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Do it in a thread."""
        return deferToThreadPool(self._reactor, self._pool, work)


def build_hasher(passwords: Passwords) -> Callable[[str, str], Awaitable[tuple[str, str]]]:
    """What turns a new password into ``(argon2 hash, SCRAM verifier)``."""

    async def hasher(password: str, like: str) -> tuple[str, str]:
        octets = password.encode("utf-8")
        return await passwords.hash(octets), await passwords.verifier(octets, like)

    return hasher
