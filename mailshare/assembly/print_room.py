"""The printing side of an office: queues, their listeners, and who hands jobs on."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from mailshare.assembly.announcing import Announcing
from mailshare.assembly.opening import zone_of
from mailshare.assembly.print_news import PrintNewsRoom
from mailshare.assembly.print_receiving import PrintReceiving
from mailshare.assembly.print_ways import PrintWays
from mailshare.assembly.printers import places_of, printers_of
from mailshare.assembly.randomness import TOKENS
from mailshare.config import Config
from mailshare.config.endpoint_strings import port_of
from mailshare.config.print_checks import abilities_of
from mailshare.config.printer_checks import public_key
from mailshare.core.errors import NoSuchUser
from mailshare.core.headers import Headers
from mailshare.core.values import PrinterStatus
from mailshare.interfaces import IDocuments, IIntake, IStore
from mailshare.printing.access import Access
from mailshare.printing.appsocket import SocketFactory
from mailshare.printing.basic_login import Check
from mailshare.printing.by_mail import ByMail, Largest, Reveal
from mailshare.printing.destinations import Destination, PrintRules
from mailshare.printing.drivers.folder import Aside
from mailshare.printing.hand_on import PrintAgent
from mailshare.printing.lpd import LPDFactory
from mailshare.printing.reported import Reported
from mailshare.printing.returned import Returned
from mailshare.printing.service import Note, PrintService
from mailshare.shell.limits import ConnectionLimits

HOUR = 3_600 * 1_000_000


class PrintRoom:
    """The parts of printing, over an open store.

    :param note: writes a line of the journal.
    :param aside: what touches files runs there.
    :ivar ways: to devices.
    :ivar check: knows the logins of the office.
    :ivar documents: looks at documents and converts them.
    """

    def __init__(
        self, store: IStore, reactor: Any, config: Config, *, note: Note, aside: Aside, documents: IDocuments
    ) -> None:
        self.documents = documents
        self.service = PrintService(store, reactor, config.tables.server.hostname, TOKENS, note=note)
        self.agent = PrintAgent(self.service)
        self.ways = PrintWays(self.service, self.agent, aside=aside, base=config.directory, documents=documents)
        self.receiving = PrintReceiving(self.service, reactor, zone_of(config), aside, documents)
        self._by_mail: ByMail | None = None
        self._readers: tuple[Reported | Returned, ...] = ()
        self.news: PrintNewsRoom | None = None
        self.check: Check | None = None
        self.announcing = Announcing(self.service, aside)
        self.follow(config)

    def send_mail(self, intake: IIntake, reveal: Reveal, largest: Largest) -> None:
        """Let jobs leave by mail: the door for it, who reads keys, and what the ways out take."""
        self._by_mail = way = ByMail(self.service, intake, reveal, largest, self.documents)
        self.agent.ways[way.scheme] = way
        self._readers = (Reported(self.service, way), Returned(self.service, way))
        self.news = PrintNewsRoom(self.service, intake, reveal, self.ways.status_of)
        self.receiving.use(reveal, self.news)
        self.service.conditions.watching.append(self._stands_otherwise)

    def _stands_otherwise(self, printer: str, before: PrinterStatus | None, after: PrinterStatus) -> None:
        """A driver has heard something new of its device: whoever looks after it hears it at once."""
        del before
        if self.news is not None and printer in self.service.printers:
            self.service.soon(self.news.faults.observe(printer, after))

    def mail_came(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message: perhaps a printing server, or a mail server, says what became of a job."""
        if self.service.destinations:
            for reader in self._readers:
                reader.seen(message_id, headers)

    def follow(self, config: Config) -> None:
        """Take over destinations and rules."""
        printers = printers_of(config)
        self.service.follow(destinations_of(config), rules_of(config), printers)
        self.ways.follow()
        self.service.store.directory.declare_printers(places_of(config))
        if self.news is not None and printers:
            self.service.soon(self.news.open())

    async def open(self) -> None:
        """Read the jobs that are there; before any listener takes more."""
        await self.service.open()
        if self._by_mail is not None:
            await self._by_mail.open()
        if self.service.board.under_way:
            for reader in self._readers:
                self.service.soon(reader.catch_up())
        if self.news is not None:
            await self.news.open()
        self.receiving.agent.start()

    async def pause(self, name: str, *, paused: bool) -> None:
        """Hand nothing of a queue on, or go on.

        :raises NoSuchUser: there is no such queue.
        """
        destination = self.service.queue(name) if name else None
        if destination is None:
            raise NoSuchUser(f"There is no print queue {name!a}")
        await self.service.set_queue(destination, paused=paused, pausing=False, why="paused")

    async def close(self) -> None:
        """The listeners are closed already."""
        self.receiving.agent.stop()
        if self.news is not None:
            self.news.close()
        await self.service.close()

    def factory(self, service: str, config: Config, limits: ConnectionLimits) -> Any:
        """The factory for ``ipp``, ``ipps``, ``lpd``, or ``socket`` with the name of a destination."""
        access = access_of(config)
        if service == "lpd":
            return LPDFactory(self.service, limits, access)
        kind, _, name = service.partition(" ")
        if kind == "socket":
            return SocketFactory(self.service, limits, access.prints, name)
        # What speaks HTTP is a fifth of all that a start would import; an office that does not print needs none of it.
        from mailshare.printing.http import PrintSite  # noqa: PLC0415

        tls: Any = None
        if config.certificates and service == "ipp":
            from mailshare.shell.certificates import CertificateDirectory  # noqa: PLC0415 - as above

            tls = CertificateDirectory(config.certificates)
        return PrintSite(self.service, access, limits, secure=service == "ipps", check=self.check, tls=tls)


def destinations_of(config: Config) -> Sequence[Destination]:
    """The destinations that a configuration declares."""
    return [
        Destination(
            name=one.name,
            address=one.address,
            title=one.title,
            location=one.location,
            members=one.members,
            defaults=dict(one.defaults),
            abilities=abilities_of(one),
            account=one.account,
            key=one.key.reference(),
            key_id=one.key_id,
            pair=one.signature == "EdDSA",
            printer_key=public_key(one.printer_key) or b"",
            part_size=one.part_size,
            compress=one.compress,
            encrypt=one.encrypt,
            lifetime=one.lifetime,
        )
        for one in config.tables.destination
    ]


def rules_of(config: Config) -> PrintRules:
    """What a configuration says for all destinations."""
    table = config.tables.print
    return PrintRules(
        defaults=dict(table.defaults),
        most_octets=table.document_size,
        most_open=table.jobs,
        fetch_from=table.fetch_from,
        documents_kept=table.keep_documents * HOUR,
        jobs_kept=table.keep_jobs * 24 * HOUR,
        multiple_time_out=table.document_wait,
        login=table.login,
    )


def access_of(config: Config) -> Access:
    """Who may print and who may steer, by their addresses."""
    table = config.tables.print
    ports: dict[str, int] = {}
    for one in config.listeners:
        port = port_of(one.endpoint) if one.service in ("ipp", "ipps") else None
        if port:
            ports.setdefault(one.service, port)
    return Access(
        networks=tuple(ipaddress.ip_network(text) for text in table.networks) or config.trusted,
        operators=tuple(ipaddress.ip_network(text) for text in table.operators),
        ports=ports,
    )
