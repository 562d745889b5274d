"""A printing server without its printer: jobs that came by mail, the desk that tells of them, and what it hands in."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from attrs import define, evolve, field
from counter import PDF, Counter, settled

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import Unavailable
from mailshare.core.headers import Headers
from mailshare.core.print_policy import PrintPolicy
from mailshare.core.print_status import PrintStatus
from mailshare.core.values import (
    Hop,
    Origin,
    PrintChange,
    PrintDocument,
    PrintJob,
    PrintMail,
    PrintTicket,
    Receipt,
    Routing,
    Source,
)
from mailshare.interfaces import IBody
from mailshare.printing.answering import PrintReplies
from mailshare.printing.destinations import Destination
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.service import uuid7
from mailshare.printing.status_letters import StatusLetters
from mailshare.printing.taking import Taking
from mailshare.printing.telling import StatusDesk
from mailshare.wire.jws import Algorithm, Signed, SigningKey
from mailshare.wire.mime import MIMEReader
from mailshare.wire.print_status_mail import StatusCollector

KEY = SigningKey("branch", Algorithm.HS256, secret=b"a secret of thirty-two octets or more")
ANNA, PRINTER = "anna@far.example", Address("office", "print.example")


@define
class Door:
    """Stores what is handed in, as the one door does.

    :ivar mails: envelope and octets of each.
    """

    store: Any
    mails: list[tuple[Envelope, bytes]] = field(factory=list)
    shut: bool = False

    async def accept(
        self, envelope: Envelope, body: IBody, origin: Origin, headers: Headers | None = None
    ) -> Receipt:
        del headers
        if self.shut:
            raise Unavailable
        hops = [Hop("relay", str(one.address), "outside") for one in envelope.recipients]
        done = await self.store.delivery.deliver(envelope, body, origin, [], hops, at=1, expires=1 << 60)
        self.mails.append((envelope, await body.read(0, body.size)))
        return Receipt(origin.trace, done.message_id, Routing())


@define
class StatusOffice:
    """The desk and who takes answers, over a counter's service."""

    counter: Counter
    door: Door = field(init=False)
    letters: StatusLetters = field(init=False)
    desk: StatusDesk = field(init=False)
    replies: PrintReplies = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.door = Door(self.counter.service.store)
        self.open()

    def open(self) -> None:
        """Start: a new desk over what is stored."""
        service = self.counter.service

        async def key_of(_printer: str, kid: str) -> SigningKey | None:
            return KEY if kid == KEY.kid else None

        self.letters = StatusLetters(service, self.door, lambda _: PRINTER, key_of)
        self.letters.secret = b"s" * 32
        self.desk = StatusDesk(service, self.letters)
        self.replies = PrintReplies(service, self.letters)
        self.replies.taking = Taking(service, UTC)
        service.printers = service.printers or {
            "office": LocalPrinter("office", Destination("office", "dir:/x"), policy=PrintPolicy(level=0))
        }
        settled(self.desk.open())

    @property
    def store(self) -> Any:
        """The store."""
        return self.counter.service.store

    def job(self, *notify: str, held: bool = False, **mail: Any) -> PrintJob:
        """A job of one document came by mail."""
        service = self.counter.service
        uuid = uuid7(service.now(), service.token(10))
        about = evolve(PrintMail(uuid, sender=ANNA, reply=ANNA, message_id="<job@far.example>"), **mail)
        ticket = PrintTicket(uuid, "office", name="Agenda", members=("office",), notify=notify, via="mail", mail=about)
        document = PrintDocument(1, "application/pdf", len(PDF), bytes(32))
        body = settled(self.stored(b"Subject: x\r\n\r\n" + PDF))
        job: PrintJob = settled(self.store.print_jobs.take(ticket, [(document, body)], service.now(), held=held))
        return job

    def change(self, job: PrintJob, **what: Any) -> PrintJob:
        """Something becomes of it."""
        changed: PrintJob = settled(self.counter.service.change(job, PrintChange(**what)))
        return changed

    def now(self, job: PrintJob) -> PrintJob:
        """The job as it is stored."""
        found: PrintJob = settled(self.store.print_jobs.job(job.id))
        return found

    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.counter.clock.advance(seconds)

    def subjects(self) -> list[str]:
        """Of all mails so far."""
        return [Headers.parse(octets).text("subject") for _, octets in self.door.mails]

    async def stored(self, octets: bytes) -> IBody:
        """A body in the store."""
        sink = self.store.new_body(len(octets))
        sink.write(octets)
        body: IBody = await sink.finish()
        return body

    def answer(self, octets: bytes, *, level: int = 0, printer: str = "office") -> bool:
        """A mail comes to the printer's address."""
        body = settled(self.stored(octets))
        envelope = Envelope(None, (Recipient(PRINTER),))
        origin = Origin(Source.COLLECT, self.counter.service.token(8).hex())
        done = settled(self.store.delivery.deliver(envelope, body, origin, [], [], at=self.counter.service.now()))
        taken: bool = settled(self.replies.take(printer, done.message_id, Headers.parse(octets), level))
        return taken


def status_of(octets: bytes) -> tuple[PrintStatus, Signed]:
    """The machine part of a mail."""
    reader, collector = MIMEReader(), StatusCollector()
    for event in (*reader.feed(octets), *reader.end()):
        collector.take(event)
    return collector.result()


def text_of(octets: bytes) -> str:
    """The part for people, on one line."""
    return " ".join(octets.decode().split("vnd.mailshare")[0].split())
