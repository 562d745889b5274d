"""The last step before a job is one: its pages are counted, the sender's bounds looked at, and all of it written."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import tzinfo

from attrs import evolve, field, frozen
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import PolicyRefusal
from mailshare.core.print_options import effective
from mailshare.core.print_policy import PagesPrinted, Verdict, day_of
from mailshare.core.values import Event, PrintDocument, PrintJob, PrintSet, PrintTicket
from mailshare.interfaces import IBody, IDocuments
from mailshare.printing.documents import DocumentIntake, Said
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.service import PrintService
from mailshare.shell.body_pieces import pieces
from mailshare.wire.ipp_template import TEMPLATES, fits

FORGOTTEN = 400 * 86_400 * 1_000_000
"""Microseconds after which a job that is over is no longer known."""
_HOLDS = ("", "no-hold")
_PROVEN = 3  # from this level on a document that we cannot open is the printer's business
_UNCOUNTED = frozenset({Hindrance.UNKNOWN_FORMAT, Hindrance.NOT_TAKEN, Hindrance.TOOL_MISSING})
_DOUBTFUL = frozenset({Hindrance.DAMAGED, Hindrance.EMPTY})
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class JobRefused(PolicyRefusal):
    """A job that is not printed.

    :ivar reason: a word for machines.
    """

    def __init__(self, reason: str, public: str) -> None:
        super().__init__(public)
        self.reason = reason


@frozen
class Wanted:
    """What a job is to be.

    :ivar options: those that this printer has; ``ignored`` what it has not.
    :ivar hold: it waits to be released; ``pin`` SHA-256 of what a release must name, hexadecimal, or empty.
    """

    options: Mapping[str, object]
    ignored: tuple[str, ...] = ()
    hold: bool = False
    pin: str = field(default="", repr=False)


def wanted(printer: LocalPrinter, asked: Mapping[str, object], verdict: Verdict, *, fidelity: bool = False) -> Wanted:
    """The options that this printer can fulfil.

    :raises JobRefused: there are others, and the job is to be printed exactly so or not at all.
    """
    pin = str(asked.get("job-password", ""))
    pin = pin if _DIGEST.match(pin) else ""
    asked = {name: value for name, value in asked.items() if not name.startswith("job-password")}
    hold = str(asked.pop("job-hold-until", "")) not in _HOLDS
    abilities = printer.device.abilities
    good = {name: value for name, value in asked.items() if _possible(name, value, printer)}
    ignored = tuple(name for name in asked if name not in good)
    if ignored and fidelity:
        raise JobRefused("options", f"This printer cannot do what was asked for: {', '.join(ignored)}")
    if verdict.mono and abilities.color:
        good["print-color-mode"] = "monochrome"
    return Wanted(good, ignored, hold or verdict.hold or bool(pin), pin)


def _possible(name: str, value: object, printer: LocalPrinter) -> bool:
    template = TEMPLATES.get(name)
    try:
        return template is not None and fits(template, value, printer.device.abilities)
    except (TypeError, ValueError, IndexError):
        return False


async def stored_document(
    service: PrintService, printer: LocalPrinter, ticket: PrintTicket, said: Said, octets: AsyncIterator[bytes]
) -> tuple[PrintDocument, IBody]:
    """A document of a job, on stable storage or small and in memory.

    :raises PolicyRefusal: it is larger than this printer takes, of another kind, or not compressed as it says.
    """
    intake = DocumentIntake(
        service.store,
        ticket,
        service.hostname,
        now=service.reactor.seconds(),
        most=printer.limits.octets,
        said=said,
    )
    try:
        async for piece in octets:
            wait = intake.write(piece)
            if wait is not None:
                await wait
        document, body = await intake.finish()
    except BaseException:
        intake.abort()
        raise
    service.check_format(printer.device, document)
    return document, body


class Taking:
    """Makes print jobs.

    :param zone: days of the bounds are read on its wall clock.
    :ivar documents: counts pages; without it nobody knows how many there are.
    """

    _log = Logger()

    def __init__(self, service: PrintService, zone: tzinfo) -> None:
        self._service = service
        self._zone = zone
        self._locks: dict[str, DeferredLock] = {}
        self.documents: IDocuments | None = None

    async def take(
        self,
        printer: LocalPrinter,
        one: PrintSet,
        ticket: PrintTicket,
        documents: Sequence[tuple[PrintDocument, IBody]],
        verdict: Verdict,
        *,
        held: bool,
    ) -> PrintJob | None:
        """Write the job; ``None`` when it is one already.

        :raises JobRefused: too many pages.
        """
        pages = await self._pages(ticket, documents)
        lock = self._locks.setdefault(printer.name, DeferredLock())
        await lock.acquire()
        try:
            now = self._service.now()
            day = day_of(now, self._zone)
            bounded = await self._within(printer, one, pages, verdict, day)
            assert ticket.mail is not None
            ticket = evolve(ticket, mail=evolve(ticket.mail, pages=pages))
            held = held or (bounded and pages < 0)  # nobody knows how much it is, and it matters
            event = Event(now, "print.job", one.mail.trace, data=_told(printer, ticket, held=held))
            sets = self._service.store.print_sets
            return await sets.take(one, ticket, documents, now, held=held, day=day, events=[event])
        finally:
            lock.release()

    async def _within(self, printer: LocalPrinter, one: PrintSet, pages: int, verdict: Verdict, day: str) -> bool:
        """Whether the sender is bound at all.

        :raises JobRefused: it is too much.
        """
        if pages > printer.limits.pages:
            most = printer.limits.pages
            raise JobRefused("too-many-pages", f"The job has {pages} pages with all copies, and {most} are printed")
        if not (verdict.pages_day or verdict.pages_month):
            return False
        printed = PagesPrinted(await self._service.store.print_sets.pages(printer.name, one.mail.sender))
        left = printed.left(verdict, day) or 0
        if max(pages, 1) > left:
            raise JobRefused("quota", f"The job has {pages} pages, and {left} are left of what you may print")
        return True

    async def _pages(self, ticket: PrintTicket, documents: Sequence[tuple[PrintDocument, IBody]]) -> int:
        """Impressions with all copies; -1 when they cannot be counted.

        :raises JobRefused: a document cannot be printed.
        """
        counter = self.documents
        if counter is None:
            return -1
        total, proven = 0, ticket.mail is not None and ticket.mail.level == _PROVEN
        for document, body in documents:
            try:
                facts = await counter.facts(pieces(body, body.header_length), document.format)
            except NotConvertible as fault:
                if fault.cause in _UNCOUNTED or (proven and fault.cause in _DOUBTFUL):
                    return -1
                raise JobRefused(fault.cause.value, fault.public) from None
            if facts.encrypted:
                raise JobRefused("encrypted", "The document opens only with a password; please send it without one")
            if facts.pages is None:
                return -1
            total += facts.pages
        printer = self._service.printers.get(ticket.queue)
        options = effective(ticket.options, printer.device.defaults if printer else {}, self._service.rules.defaults)
        copies = options.get("copies", 1)
        return total * (copies if isinstance(copies, int) else 1)


def _told(printer: LocalPrinter, ticket: PrintTicket, *, held: bool) -> dict[str, object]:
    mail = ticket.mail
    assert mail is not None
    return {
        "printer": printer.name,
        "job": ticket.uuid,
        "level": mail.level,
        "proof": mail.proof,
        "pages": mail.pages,
        **({"held": True} if held else {}),
        **({"ignored": list(mail.ignored)} if mail.ignored else {}),
    }
