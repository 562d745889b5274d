"""Looks how the printers of an office stand, and tells whoever looks after them.

What is known of a printer's troubles is written down before a mail about them is handed in, and the Message-ID of the
mail follows from what it tells; so a kill loses and doubles none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID, uuid5

from attrs import asdict
from twisted.internet.defer import DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.print_fault_words import FaultAt, Wording, fault_mail
from mailshare.core.print_faults import (
    FaultNews,
    Role,
    Trouble,
    Troubles,
    after_telling,
    fault_news,
    observed,
    roles_for,
)
from mailshare.core.report import Letterhead, notice
from mailshare.core.values import PrinterStatus
from mailshare.printing.service import PrintService
from mailshare.printing.status_letters import StatusLetters

SCOPE = "print-faults"
_LOOK = 60  # seconds
_NAMES = UUID("b0a5d5a1-6a9c-5d57-8f0e-2f4e1c9d7c55")

StatusOf = Callable[[str], Awaitable[PrinterStatus | None]]
"""How a printer stands now; ``None`` when nobody can tell."""


class FaultWatch:
    """The watch over all printers that somebody looks after.

    :param status_of: asks a printer's device; without it only :meth:`observe` tells anything.
    """

    _log = Logger()

    def __init__(
        self, service: PrintService, letters: StatusLetters, status_of: StatusOf | None = None
    ) -> None:
        self._service = service
        self._letters = letters
        self._status_of = status_of
        self._one_at_a_time = DeferredLock()
        self._look = LoopingCall(self._look_at_all)
        self._look.clock = service.reactor

    def start(self) -> None:
        """Look from now on."""
        if not self._look.running:
            self._look.start(_LOOK, now=False)

    def close(self) -> None:
        """Look no more."""
        if self._look.running:
            self._look.stop()

    async def _look_at_all(self) -> None:
        for printer, known in tuple(self._service.printers.items()):
            if self._status_of is None or not any(known.contacts.values()):
                continue
            try:
                status = await self._status_of(printer)
                if status is not None:
                    await self.observe(printer, status)
            except MailshareError as fault:
                self._log.warn("{printer} could not be looked at: {fault}", printer=printer, fault=fault.public)

    async def observe(self, printer: str, status: PrinterStatus) -> None:
        """A printer stands so: tell whom it concerns.

        :raises Unavailable: that cannot be stored now.
        """
        await self._one_at_a_time.acquire()
        try:
            await self._observed(printer, status)
        finally:
            self._one_at_a_time.release()

    async def _observed(self, printer: str, status: PrinterStatus) -> None:
        settings, now = self._service.store.settings, self._service.now()
        before = _read(await settings.get(SCOPE, printer))
        troubles = observed(before, status.reasons, now)
        news = fault_news(troubles, now)
        if troubles != before:
            await settings.put(SCOPE, printer, _written(troubles))
        for one in news:
            await self._tell(printer, one, troubles[one.keyword], status)
        if news:
            await settings.put(SCOPE, printer, _written(after_telling(troubles, news, now)))

    async def _tell(self, printer: str, news: FaultNews, trouble: Trouble, status: PrinterStatus) -> None:
        known = self._service.printers.get(printer)
        if known is None:
            return
        place = FaultAt(printer, known.device.location, status.message)
        matrix = {condition: [Role(role) for role in roles] for condition, roles in known.faults.items()}
        for role in roles_for(news.keyword, matrix):
            subject, words = fault_mail(role, news, place, known.wording.get(role.value, Wording()))
            for to in known.contacts.get(role.value, ()):
                what = f"{printer}/{news.keyword}/{trouble.since}/{trouble.told}/{news.over}/{role.value}/{to}"
                try:
                    await self._send(printer, to, subject, words, uuid5(_NAMES, what))
                except MailshareError as fault:
                    if fault.temporary:
                        raise
                    self._log.warn("{to} hears nothing of {name}: {fault}", to=to, name=printer, fault=fault.public)

    async def _send(self, printer: str, to: str, subject: str, words: tuple[str, ...], name: UUID) -> None:
        sender = self._letters.sender_of(printer)
        if sender is None:
            raise PolicyRefusal(f"There is no address that mails of {printer} come from")
        message_id = f"<{name}@{self._service.hostname}>"
        head = Letterhead(self._service.hostname, str(sender), to, self._service.now(), message_id)
        await self._letters.hand_in_once(message_id, notice(subject, words, head), Address.parse(to))


def _read(found: tuple[object, int] | None) -> Troubles:
    kept = found[0] if found is not None else {}
    return {key: Trouble(**one) for key, one in kept.items()} if isinstance(kept, dict) else {}


def _written(troubles: Troubles) -> Mapping[str, object]:
    return {keyword: asdict(one) for keyword, one in troubles.items()}
