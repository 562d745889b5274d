"""The kinds of devices that an office prints on, each imported when a configuration has such a one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailshare.core.device_uri import SCHEMES
from mailshare.core.values import PrinterStatus
from mailshare.interfaces import IDocuments, IPrinterDriver, IPrinterKind
from mailshare.printing.by_driver import ByDriver
from mailshare.printing.drivers.folder import Aside
from mailshare.printing.hand_on import PrintAgent
from mailshare.printing.service import PrintService


class PrintWays:
    """Gives the agent a way for each kind of address that is used.

    :param aside: what touches files runs there.
    :param base: relative folders start here.
    :param documents: makes of documents what devices take.
    """

    def __init__(
        self, service: PrintService, agent: PrintAgent, *, aside: Aside, base: str, documents: IDocuments
    ) -> None:
        self._service = service
        self._agent = agent
        self._aside = aside
        self._base = base
        self._documents = documents

    def of_others(self, kinds: Iterable[IPrinterKind]) -> None:
        """Kinds of devices that extensions bring."""
        for kind in kinds:
            self._agent.ways[kind.scheme] = ByDriver(self._service, kind, self._documents)

    def follow(self) -> None:
        """Destinations and printers have changed: see that there is a way to each."""
        service = self._service
        places = [*service.destinations.values(), *(one.device for one in service.printers.values())]
        for scheme in {one.scheme for one in places if one.address}:
            if scheme in SCHEMES and scheme not in self._agent.ways:
                self._agent.ways[scheme] = ByDriver(service, self._kind(scheme), self._documents)

    def driver(self, member: str) -> IPrinterDriver | None:
        """The driver of a destination or printer; ``None`` for groups, and for what is reached by mail.

        :raises ConfigFault: its address is wrong.
        """
        place = self._service.place(member)
        way = self._agent.ways.get(place.scheme) if place is not None and place.address else None
        return way.driver(member, place.address) if place is not None and isinstance(way, ByDriver) else None

    async def status_of(self, member: str) -> PrinterStatus | None:
        """How a device stands now; ``None`` when there is none to be asked."""
        driver = self.driver(member)
        if driver is None:
            return None
        status = await driver.status()
        self._service.conditions.saw(member, status)
        return status

    def _kind(self, scheme: str) -> IPrinterKind:
        reactor: Any = self._service.reactor
        if scheme in ("ipp", "ipps", "cups"):
            from mailshare.printing.drivers.ipp import IPPKind  # noqa: PLC0415

            return IPPKind(scheme, reactor)
        if scheme == "socket":
            from mailshare.printing.drivers.appsocket import SocketKind  # noqa: PLC0415

            return SocketKind(reactor)
        if scheme == "lpd":
            from mailshare.printing.drivers.lpd import LPDKind  # noqa: PLC0415

            return LPDKind(reactor, self._service.hostname)
        if scheme == "cmd":
            from mailshare.printing.drivers.command import CommandKind  # noqa: PLC0415

            return CommandKind(reactor)
        from mailshare.printing.drivers.folder import FolderKind  # noqa: PLC0415

        return FolderKind(self._aside, self._base)
