"""Opens and closes listeners, so that a changed file disturbs only those that changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from mailshare.assembly.certificates import fingerprint
from mailshare.config import Config, Listener
from mailshare.config.endpoint_strings import split_endpoint
from mailshare.core.errors import ConfigFault
from mailshare.shell.server import EngineFactory


@define
class _Open:
    port: IListeningPort
    factory: EngineFactory


class Listeners:
    """The open listeners of one office.

    :param build: makes the factory of a service.
    """

    _log = Logger()

    def __init__(self, reactor: Any, build: Callable[[str, Config], EngineFactory]) -> None:
        self._reactor = reactor
        self._build = build
        self._open: dict[tuple[object, ...], _Open] = {}
        self._leaving: set[Deferred[None]] = set()

    async def follow(self, config: Config) -> tuple[int, int]:
        """Open what the configuration has and is not open, close what it has no more.

        :returns: how many were opened and closed.
        :raises ConfigFault: a listener cannot be opened; those that can be, are.
        """
        wanted = {self._key(listener, config): listener for listener in config.listeners}
        gone = [key for key in self._open if key not in wanted]
        for key in gone:
            await self._close(self._open.pop(key), config.tables.server.grace)
        faults, opened = [], 0
        for key, listener in wanted.items():
            if key in self._open:
                continue
            try:
                self._open[key] = await self._listen(listener, config)
                opened += 1
            except Exception as error:  # noqa: BLE001 - endpoints of any plugin raise anything; it becomes a sentence
                faults.append(f"listen.{listener.service} {listener.endpoint}: {_reason(error)}")
        if faults:
            raise ConfigFault("; ".join(faults))
        return opened, len(gone)

    @staticmethod
    def _key(listener: Listener, config: Config) -> tuple[object, ...]:
        """What must be the same for a listener to stay open."""
        tables = config.tables
        parts = split_endpoint(listener.endpoint)
        directory = parts[1] if parts[0] == "tls" and len(parts) > 1 else ""
        return (
            listener.service,
            listener.endpoint,
            tables.server.hostname,
            tables.limits,
            config.trusted,
            config.devices,
            config.device_rules,
            config.certificates,
            fingerprint(directory.replace("\\", "")) if directory else (),
        )

    async def _listen(self, listener: Listener, config: Config) -> _Open:
        factory = self._build(listener.service, config)
        port = await serverFromString(self._reactor, listener.endpoint).listen(factory)
        self._log.info("{service} listens on {place}", service=listener.service, place=listener.endpoint)
        return _Open(port, factory)

    async def _close(self, one: _Open, grace: float) -> None:
        """Take no new connections; those that are there end on their own time."""
        await _stopped(one.port)
        leaving = Deferred.fromCoroutine(one.factory.drain(grace))
        self._leaving.add(leaving)
        leaving.addBoth(lambda _: self._leaving.discard(leaving))

    async def stop_accepting(self) -> None:
        """Close all ports; connections stay."""
        for one in self._open.values():
            await _stopped(one.port)

    async def drain(self, grace: float) -> None:
        """Fires when all connections are over; after ``grace`` seconds they are cut."""
        for one in [*self._open.values()]:
            self._leaving.add(Deferred.fromCoroutine(one.factory.drain(grace)))
        self._open.clear()
        for leaving in tuple(self._leaving):
            await leaving
        self._leaving.clear()

    def places(self) -> list[dict[str, object]]:
        """``service`` and ``address`` of each open listener."""
        return [
            {"service": key[0], "address": _written(one.port.getHost())} for key, one in self._open.items()
        ]


def _written(host: Any) -> str:
    if hasattr(host, "port"):
        shown = f"[{host.host}]" if ":" in host.host else host.host
        return f"{shown}:{host.port}"
    return str(host)


def _reason(error: Exception) -> str:
    inner = getattr(error, "socketError", None)
    return str(inner.strerror or inner) if isinstance(inner, OSError) else str(error)


async def _stopped(port: IListeningPort) -> None:
    done = port.stopListening()
    if done is not None:
        await done
