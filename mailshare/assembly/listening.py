"""Opens and closes listeners, so that a changed file disturbs only those that changed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols._sni import TLSServerEndpoint

from mailshare.assembly.early_ports import BACKLOG
from mailshare.config import Config, Listener
from mailshare.config.endpoint_strings import port_of, without_tls
from mailshare.core.errors import ConfigFault
from mailshare.shell.certificates import CertificateDirectory
from mailshare.shell.prompt_endpoint import PromptEndpoint

PATIENCE = 5.0
"""Seconds that a start waits for what a server or a command is about to let go."""
_LOOK_AGAIN = 0.1


class Served(Protocol):
    """What makes the connections of a listener, mail's or printing's."""

    def buildProtocol(self, addr: Any) -> Any:
        """A connection."""

    async def drain(self, grace: float = 30) -> None:
        """Stop serving; fires when all connections are gone."""


class _Door(ServerFactory):
    """What a port hands its connections to. A port stays open while the factory behind it is exchanged."""

    noisy = False

    def __init__(self, factory: Served) -> None:
        self.factory = factory

    def buildProtocol(self, addr: Any) -> Any:
        """A connection of the factory of now; Twisted calls this."""
        return self.factory.buildProtocol(addr)


@define
class _Open:
    """An open port; ``settings`` are what its factory was built from."""

    port: IListeningPort
    door: _Door
    settings: tuple[object, ...]


_Key = tuple[str, str]
"""Service and endpoint."""


@define
class Change:
    """What a new configuration needs, ready beside what serves now; to be kept whole or dropped whole.

    :ivar opened: new listeners; they accept already.
    :ivar exchanged: new factories for ports that stay.
    :ivar leaving: listeners that the configuration has no more.
    :ivar freed: those of ``leaving`` whose port was closed already, because a new listener needed it.
    """

    settings: tuple[object, ...]
    opened: dict[_Key, _Open] = field(factory=dict)
    exchanged: dict[_Key, Served] = field(factory=dict)
    leaving: list[_Key] = field(factory=list)
    freed: list[_Key] = field(factory=list)


class Listeners:
    """The open listeners of one office.

    :param build: makes the factory of a service.
    """

    _log = Logger()

    def __init__(self, reactor: Any, build: Callable[[str, Config], Served]) -> None:
        self._reactor = reactor
        self._build = build
        self._open: dict[_Key, _Open] = {}
        self._leaving: set[Deferred[None]] = set()

    async def prepare(self, config: Config, patience: float = 0.0) -> Change:
        """Open what the configuration has and is not open yet; what serves now serves on.

        :param patience: seconds in which ports that are taken may become free.
        :raises ConfigFault: with the reasons of all that cannot be opened; then nothing is other than before.
        """
        wanted = {(one.service, one.endpoint): one for one in config.listeners}
        change = Change(_settings(config), leaving=[key for key in self._open if key not in wanted])
        faults, until = [], self._reactor.seconds() + patience if patience else 0.0
        for key, listener in wanted.items():
            try:
                if key not in self._open:
                    change.opened[key] = await self._opened(listener, config, change, until)
                elif self._open[key].settings != change.settings:
                    change.exchanged[key] = self._build(listener.service, config)
            except Exception as error:  # noqa: BLE001 - endpoints of any plugin raise anything; it becomes a sentence
                faults.append(f"listen.{listener.service} {listener.endpoint}: {_reason(error)}")
        if faults:
            await self.drop(change)
            raise ConfigFault("; ".join(faults))
        return change

    async def keep(self, change: Change, grace: float) -> tuple[int, int]:
        """Go over to what was prepared.

        :param grace: seconds for sessions under the settings of before, then they are cut.
        :returns: how many listeners were opened and closed.
        """
        for key in change.leaving:
            one = self._open.pop(key)
            if key not in change.freed:
                await _stopped(one.port)
            self._let_go(one.door.factory, grace)
        for key, factory in change.exchanged.items():
            one = self._open[key]
            self._let_go(one.door.factory, grace)
            one.door.factory, one.settings = factory, change.settings
        self._open.update(change.opened)
        return len(change.opened), len(change.leaving)

    async def drop(self, change: Change) -> None:
        """Go back to what was before."""
        for one in change.opened.values():
            await _stopped(one.port)
            self._let_go(one.door.factory, 0)
        change.opened.clear()
        for key in change.freed:
            one = self._open[key]
            try:
                one.port = await self._endpoint(key[1]).listen(one.door)
            except Exception as error:  # noqa: BLE001 - as in prepare; it is told, and the others are seen to
                self._log.critical("listen.{service} is closed: {reason}", service=key[0], reason=_reason(error))
                del self._open[key]
        change.freed.clear()

    async def _opened(self, listener: Listener, config: Config, change: Change, until: float) -> _Open:
        door = _Door(self._build(listener.service, config))
        endpoint = self._endpoint(listener.endpoint)
        try:
            port = await endpoint.listen(door)
        except CannotListenError as fault:
            if await self._freed(listener, change):
                port = await endpoint.listen(door)
            else:
                port = await self._patiently(endpoint, door, fault, until)
        self._log.info("{service} listens on {place}", service=listener.service, place=listener.endpoint)
        return _Open(port, door, change.settings)

    async def _patiently(
        self, endpoint: IStreamServerEndpoint, door: _Door, fault: CannotListenError, until: float
    ) -> IListeningPort:
        """Wait for a port: a server that is ending has it, or a connection to elsewhere, as its own port, for now."""
        if self._reactor.seconds() < until and _taken(fault):
            self._log.warn("{reason}; waiting for it to become free", reason=_reason(fault))
        while self._reactor.seconds() < until and _taken(fault):
            await deferLater(self._reactor, _LOOK_AGAIN)
            try:
                return await endpoint.listen(door)
            except CannotListenError as again:
                fault = again
        raise fault

    async def _freed(self, listener: Listener, change: Change) -> bool:
        """Close leaving listeners that hold this listener's port; tells whether there were any."""
        number = port_of(listener.endpoint)
        held = [key for key in change.leaving if number and port_of(key[1]) == number and key not in change.freed]
        for key in held:
            await _stopped(self._open[key].port)
            change.freed.append(key)
        return bool(held)

    def _endpoint(self, text: str) -> IStreamServerEndpoint:
        """The endpoint of a string; ``tls:`` follows its certificates as STARTTLS does."""
        kind, _, rest = text.partition(":")
        if kind == "haproxy":
            from mailshare.shell.behind_proxy import ProxiedEndpoint  # noqa: PLC0415 - few listeners are

            return ProxiedEndpoint(self._endpoint(rest), self._reactor)
        if kind != "tls":
            return PromptEndpoint(serverFromString(self._reactor, _roomy(text)))
        plain, directory = without_tls(text)
        return TLSServerEndpoint(serverFromString(self._reactor, _roomy(plain)), CertificateDirectory(directory))

    def _let_go(self, factory: Served, grace: float) -> None:
        """Sessions that are there end on their own time, within ``grace`` seconds."""
        leaving = Deferred.fromCoroutine(factory.drain(grace))
        self._leaving.add(leaving)
        leaving.addBoth(lambda _: self._leaving.discard(leaving))

    async def stop_accepting(self) -> None:
        """Close all ports; connections stay."""
        for one in self._open.values():
            await _stopped(one.port)

    async def drain(self, grace: float) -> None:
        """Fires when all connections are over; after ``grace`` seconds they are cut."""
        for one in [*self._open.values()]:
            self._leaving.add(Deferred.fromCoroutine(one.door.factory.drain(grace)))
        self._open.clear()
        for leaving in tuple(self._leaving):
            await leaving
        self._leaving.clear()

    def places(self) -> list[dict[str, object]]:
        """``service`` and ``address`` of each open listener."""
        return [
            {"service": key[0], "address": _written(one.port.getHost())} for key, one in self._open.items()
        ]


def _settings(config: Config) -> tuple[object, ...]:
    """What must be the same for a factory to stay."""
    tables = config.tables
    return (
        tables.server.hostname,
        tables.limits,
        config.trusted,
        config.devices,
        config.device_rules,
        config.certificates,
        tables.print,
        tables.destination,
        tuple((one.service, one.endpoint) for one in config.listeners if one.service in ("ipp", "ipps")),
    )


def _roomy(text: str) -> str:
    """An endpoint with room for connections that wait to be accepted, unless it says itself how many.

    Twisted's 50 are few when everybody comes at once: whoever finds no room tries again a second later.
    """
    return text if "backlog=" in text or not text.startswith(("tcp:", "tcp6:")) else f"{text}:backlog={BACKLOG}"


def _written(host: Any) -> str:
    if hasattr(host, "port"):
        shown = f"[{host.host}]" if ":" in host.host else host.host
        return f"{shown}:{host.port}"
    return str(host)


def _taken(fault: CannotListenError) -> bool:
    return getattr(fault.socketError, "errno", 0) == errno.EADDRINUSE


def _reason(error: Exception) -> str:
    inner = getattr(error, "socketError", None)
    return str(inner.strerror or inner) if isinstance(inner, OSError) else str(error)


async def _stopped(port: IListeningPort) -> None:
    done = port.stopListening()
    if done is not None:
        await done
