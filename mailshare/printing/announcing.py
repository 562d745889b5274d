"""Announces queues by DNS-SD (RFC 6762, RFC 6763), by the optional package zeroconf, in threads of its own.

One responder cannot hold a service and its subtypes under one name, so there are three: for the services, and for each
of the two subtypes. A name that somebody else has in the network gets a number (RFC 6762 section 9): all services of a
queue bear the same name, so it is asked for before any of them is announced. When somebody is seen with it later, as
after two networks were joined, all services of the queue move to another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from attrs import evolve
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from mailshare.core.errors import ConfigFault
from mailshare.core.print_announcement import SUBTYPES, Announcement, local_host, numbered

T = TypeVar("T")
ALL = "all"
_TTL = 120
_LONGEST = 30  # seconds
_PROBING = 1_000  # milliseconds in which whoever has a name answers (RFC 6762 section 8.1 asks for 750)
_MOST_TRIED = 20
_SRV = 33  # the kind of record that says where a service is (RFC 2782)
_DEFENDED = 10  # seconds after which whoever should have given way, and has not, is given way to


class Aside(Protocol):
    """Runs a callable in a thread."""

    def __call__(self, act: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""


class Rivals:
    """Others in the network who bear a name of ours (RFC 6762 section 9), seen in whatever is said there.

    Of two, the one that comes later in the alphabet keeps the name, as in section 8.2: else both would go, and meet
    again under the next one. Not everybody knows that, so who is seen again after ten seconds is given way to as well.

    :ivar ours: what is announced: the full name, small, to ``(instance, server, port)``.
    :ivar names: instances that belong to somebody else.
    """

    def __init__(self) -> None:
        self.ours: Mapping[str, tuple[str, str, int]] = {}
        self.names: set[str] = set()
        self._defended: dict[str, float] = {}

    def watch(self, responder: Any, clashed: Callable[[], None]) -> None:
        """Look at what a responder hears."""
        from zeroconf import RecordUpdateListener  # noqa: PLC0415 - an optional package

        heard = self.heard

        class Listener(RecordUpdateListener):
            """Hands on what it hears."""

            def async_update_records(self, zc: Any, now: float, records: Sequence[Any]) -> None:
                """Records have come; zeroconf calls this in its loop."""
                del zc
                new = [one.new for one in records if one.new.type == _SRV and one.new.ttl]
                lost = [heard(one.name, one.server, one.port, now) for one in new]
                if any(lost):
                    clashed()

        responder.loop.call_soon_threadsafe(responder.async_add_listener, Listener(), None)

    def heard(self, name: str, server: str, port: int, now: float) -> bool:
        """Somebody says where a service is; True when one of our names is lost by that.

        :param now: milliseconds.
        """
        instance, own, own_port = self.ours.get(name.lower(), ("", "", 0))
        if not instance or instance in self.names or (own, own_port) == (server.lower(), port):
            return False
        first = self._defended.setdefault(instance, now)
        if (own, own_port) > (server.lower(), port) and now - first < _DEFENDED * 1_000:
            return False
        self.names.add(instance)
        return True


class Announcer:
    """The announcements of one office.

    :param interfaces: addresses of interfaces, or :data:`ALL`.
    :param hostname: of the server; its first label is that of the name that services point to.
    :param clashed: told, in a thread of a responder, that :meth:`give_way` has something to do.
    :ivar names: under which services are announced, by those that were wanted.
    """

    _log = Logger()

    def __init__(
        self, interfaces: Sequence[str], hostname: str, aside: Aside, clashed: Callable[[], None] = lambda: None
    ) -> None:
        self.interfaces = tuple(interfaces)
        self._host = f"{local_host(hostname)}."
        self._aside = aside
        self._clashed = clashed
        self._wanted: Sequence[Announcement] = ()
        self._rivals = Rivals()
        self._one_at_a_time = DeferredLock()
        self._responders: dict[str, Any] = {}
        self._told: dict[tuple[str, str, str], tuple[Announcement, Any]] = {}
        self.names: dict[str, str] = {}

    async def announce(self, wanted: Sequence[Announcement]) -> None:
        """Announce these, and take back what is announced and not among them.

        :raises ConfigFault: the package is not there, or no interface has that address.
        """
        await self._one_at_a_time.acquire()
        try:
            self._wanted = wanted
            await self._aside(lambda: self._follow(wanted))
        finally:
            self._one_at_a_time.release()

    async def give_way(self) -> None:
        """Announce under other names what somebody else was seen with under ours.

        :raises ConfigFault: as :meth:`announce`.
        """
        await self.announce(self._wanted)

    async def close(self) -> None:
        """Say good-bye on all interfaces."""
        await self._one_at_a_time.acquire()
        try:
            await self._aside(self._end)
        finally:
            self._one_at_a_time.release()

    # ------------------------------------------------------------------ in a thread

    def _follow(self, wanted: Sequence[Announcement]) -> None:
        try:
            from zeroconf import ServiceInfo  # noqa: PLC0415 - an optional package, for those who announce
        except ImportError:
            raise ConfigFault(
                "To announce queues takes the package zeroconf: install mailshare[dnssd], or leave out [print] announce"
            ) from None
        new = {
            (sub, one.kind, one.instance): evolve(one, subtypes=())
            for one in wanted
            for sub in ("", *one.subtypes)
        }
        clashing = {wanted for wanted, used in self.names.items() if used in self._rivals.names}
        gone = [key for key, (one, _) in self._told.items() if new.get(key) != one or one.instance in clashing]
        self._all([(key[0], "async_unregister_service", (self._told.pop(key)[1],), {}) for key in gone])
        self._choose_names([one for key, one in new.items() if not key[0]])
        fresh = []
        addresses = self._addresses()
        for key, one in new.items():
            if key in self._told:
                continue
            sub = f"{key[0]}._sub." if key[0] else ""
            info = ServiceInfo(
                type_=f"{sub}{one.kind}.local.",
                name=f"{self.names[one.instance]}.{one.kind}.local.",
                port=one.port,
                properties=dict(one.facts),
                server=self._host,
                parsed_addresses=addresses,
                host_ttl=_TTL,
            )
            fresh.append((key[0], "async_register_service", (info,), {"cooperating_responders": True}))
            self._told[key] = (one, info)
        self._rivals.ours = {
            info.name.lower(): (self.names[one.instance], info.server.lower(), info.port)
            for (sub, _, _), (one, info) in self._told.items()
            if not sub
        }
        self._all(fresh)

    def _choose_names(self, services: Sequence[Announcement]) -> None:
        """Find names that nobody else in the network has, for those that have none yet."""
        wanted: dict[str, list[Announcement]] = {}
        for one in services:
            wanted.setdefault(one.instance, []).append(one)
        kept = {name: used for name, used in self.names.items() if name in wanted}
        self.names = {name: used for name, used in kept.items() if used not in self._rivals.names}
        looking = {name: 1 for name in wanted if name not in self.names}
        while looking:
            responder = self._responder("")
            names = {name: numbered(name, number) for name, number in looking.items()}
            work = self._conflicts(responder, names, wanted)
            taken = asyncio.run_coroutine_threadsafe(work, responder.loop).result(_LONGEST)
            taken |= {name for name, used in names.items() if used in self._rivals.names}
            self.names |= {name: used for name, used in names.items() if name not in taken}
            looking = {name: looking[name] + 1 for name in taken if looking[name] < _MOST_TRIED}
            for name in taken:
                self._log.warn("somebody else in the network is called {name!r}", name=names[name])
        self.names |= {name: numbered(name, _MOST_TRIED) for name in wanted if name not in self.names}

    async def _conflicts(
        self, responder: Any, names: Mapping[str, str], wanted: Mapping[str, Sequence[Announcement]]
    ) -> set[str]:
        """Which of these names a service of somebody else has."""
        from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415

        asked = [(name, one, AsyncServiceInfo(f"{one.kind}.local.", f"{used}.{one.kind}.local."))
                 for name, used in names.items() for one in wanted[name]]  # fmt: skip
        await asyncio.gather(*(info.async_request(responder, _PROBING) for _, _, info in asked))
        return {name for name, one, info in asked if info.port is not None and not self._is_ours(one, info)}

    def _is_ours(self, one: Announcement, info: Any) -> bool:
        """What answers is this very queue: announced by another of the responders, or before the server was killed."""
        uuid = (info.properties or {}).get(b"UUID")
        if uuid is not None or "UUID" in one.facts:
            return bool(uuid == one.facts.get("UUID", "").encode())
        return bool(info.server == self._host)

    def _all(self, calls: Sequence[tuple[str, str, tuple[Any, ...], Mapping[str, Any]]]) -> None:
        """Let the responders do all of it at the same time, each in its own thread, and wait until it is begun."""
        begun = []
        for sub, method, args, named in calls:
            responder = self._responder(sub)
            work = getattr(responder, method)(*args, **named)
            begun.append(asyncio.run_coroutine_threadsafe(work, responder.loop))
        for one in begun:
            one.result(_LONGEST)

    def _responder(self, sub: str) -> Any:
        assert sub in ("", *SUBTYPES)
        if sub not in self._responders:
            from zeroconf import InterfaceChoice, Zeroconf  # noqa: PLC0415

            chosen: Any = InterfaceChoice.All if ALL in self.interfaces else list(self.interfaces)
            try:
                self._responders[sub] = made = Zeroconf(interfaces=chosen)
                if not sub:
                    self._rivals.watch(made, self._clashed)
            except (OSError, RuntimeError) as fault:
                raise ConfigFault(f"Queues cannot be announced on {', '.join(self.interfaces)}: {fault}") from None
        return self._responders[sub]

    def _addresses(self) -> list[str]:
        if ALL not in self.interfaces:
            return list(self.interfaces)
        from zeroconf._utils.net import get_all_addresses  # noqa: PLC0415

        return [each for each in get_all_addresses() if not each.startswith("127.")] or ["127.0.0.1"]

    def _end(self) -> None:
        self._told.clear()
        self.names.clear()
        self._rivals = Rivals()
        responders, self._responders = list(self._responders.values()), {}
        for one in responders:
            one.unregister_all_services()
            one.close()
