"""Which queues of an office are announced by DNS-SD, and at which ports: as its listeners are."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Iterable, Mapping, Sequence

from twisted.logger import Logger

from mailshare.config import Config
from mailshare.core.errors import MailshareError
from mailshare.core.print_announcement import Announcement, Ports, Queue, announcements, local_host
from mailshare.printing.announcing import ALL, Announcer, Aside
from mailshare.printing.destinations import uuid_of
from mailshare.printing.service import PrintService

Places = Iterable[Mapping[str, object]]


class Announcing:
    """Keeps what is announced as the configuration and the listeners are."""

    _log = Logger()

    def __init__(self, service: PrintService, aside: Aside) -> None:
        self._service = service
        self._aside = aside
        self._announcer: Announcer | None = None

    def follow(self, config: Config, places: Places) -> None:
        """The office listens at these places; nothing waits for the announcements."""
        wanted = list(places), bool(config.certificates)
        self._service.soon(self._follow(config.tables.print.announce, *wanted))

    async def _follow(self, interfaces: Sequence[str], places: Places, upgrade: bool) -> None:
        known = self._announcer
        if known is not None and known.interfaces != tuple(interfaces):
            await self.close()
        if not interfaces:
            return
        if self._announcer is None:
            self._announcer = Announcer(interfaces, self._service.hostname, self._aside, self._clashed)
        await self._tried(self._announcer.announce(self._wanted(places, interfaces, upgrade=upgrade)))

    async def _tried(self, work: Awaitable[None]) -> None:
        try:
            await work
        except MailshareError as fault:
            self._log.error("queues are not announced: {fault}", fault=fault.public)

    def _clashed(self) -> None:
        """In a thread of the announcer: somebody else has come into the network with a name of ours."""
        self._service.reactor.callFromThread(self._give_way)

    def _give_way(self) -> None:
        if self._announcer is not None:
            self._service.soon(self._tried(self._announcer.give_way()))

    async def close(self) -> None:
        """Take everything back."""
        announcer, self._announcer = self._announcer, None
        if announcer is not None:
            await announcer.close()

    def _wanted(self, places: Places, interfaces: Sequence[str], *, upgrade: bool) -> Sequence[Announcement]:
        ports = {str(one["service"]): _port(str(one["address"]), interfaces) for one in reversed(list(places))}
        service, out = self._service, list[Announcement]()
        host = local_host(service.hostname)
        for one in service.destinations.values():
            at = Ports(
                ports.get("ipp", 0),
                ports.get("ipps", 0),
                ports.get("lpd", 0),
                ports.get(f"socket {one.name}", 0),
                upgrade,
            )
            queue = Queue(
                name=one.name,
                title=one.title or one.name,
                note=one.location,
                uuid=uuid_of(service.hostname, one.name),
                host=host,
                abilities=one.abilities,
            )
            if at.ipp or at.ipps:
                out += announcements(queue, at, {each.instance for each in out})
        return out


def _port(address: str, interfaces: Sequence[str]) -> int:
    """The port of a listener that can be reached where it is announced; else 0."""
    host, _, port = address.rpartition(":")
    try:
        bound = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return 0
    inside = bound.is_unspecified or str(bound) in interfaces or (ALL in interfaces and not bound.is_loopback)
    return int(port) if inside and port.isdecimal() else 0
