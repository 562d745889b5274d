"""Mails the use of each printer once a month to whoever is to have it."""

from __future__ import annotations

from uuid import UUID, uuid5

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError
from mailshare.core.print_usage import month_before, month_of, span_of, usage_csv, usage_words
from mailshare.core.report import Letterhead, usage_report
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.service import PrintService
from mailshare.printing.status_letters import StatusLetters

SCOPE = "print-usage"
_LOOK = 3_600  # seconds
_NAMES = UUID("f6a1de0e-6d1b-5d0c-9d59-0c4a3e0b6f1d")


class UsageReports:
    """Looks each hour whether a month is over that was not reported."""

    _log = Logger()

    def __init__(self, service: PrintService, letters: StatusLetters) -> None:
        self._service = service
        self._letters = letters
        self._look = LoopingCall(self.look)
        self._look.clock = service.reactor

    def start(self) -> None:
        """Look now, and from now on."""
        if not self._look.running:
            self._look.start(_LOOK)

    def close(self) -> None:
        """Look no more."""
        if self._look.running:
            self._look.stop()

    async def look(self) -> None:
        """Report the last month of each printer, once."""
        month = month_before(month_of(self._service.now()))
        for printer in tuple(self._service.printers.values()):
            try:
                if printer.usage:
                    await self._report(printer, month)
            except MailshareError as fault:
                self._log.warn("the use of {name} was not reported: {fault}", name=printer.name, fault=fault.public)

    async def _report(self, printer: LocalPrinter, month: str) -> None:
        settings, service = self._service.store.settings, self._service
        found = await settings.get(SCOPE, printer.name)
        if found is not None and str(found[0]) >= month:
            return
        rows = await service.store.print_jobs.usage(*span_of(month))
        mine = [row for row in rows if row.printer == printer.name]
        sender = self._letters.sender_of(printer.name)
        if mine and sender is not None:
            subject, words = usage_words(printer.name, month, mine)
            for to in printer.usage:
                message_id = f"<{uuid5(_NAMES, f'{printer.name}/{month}/{to}')}@{service.hostname}>"
                head = Letterhead(service.hostname, str(sender), to, service.now(), message_id)
                octets = usage_report(subject, words, usage_csv(mine), f"usage-{month}.csv", head)
                await self._letters.hand_in_once(message_id, octets, Address.parse(to))
        await settings.put(SCOPE, printer.name, month)
