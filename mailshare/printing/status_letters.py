"""Writes status mails of printing and hands them to the door, each once.

The Message-ID of a status mail follows from what it tells. Before one is handed in it is looked for, so a kill between
the mail and the note that it was sent doubles nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import ConfigFault, LocalFault, PolicyRefusal, Unavailable
from mailshare.core.print_answers import status_id
from mailshare.core.print_status import PrintStatus
from mailshare.core.trace import trace_id
from mailshare.core.values import Origin, Source
from mailshare.interfaces import IIntake
from mailshare.printing.service import PrintService
from mailshare.shell.new_body import new_body
from mailshare.wire.jws import SigningKey
from mailshare.wire.print_status_mail import StatusLetter, status_mail

_HEADER = 16_384

SenderOf = Callable[[str], Address | None]
"""The address that a printer's mails come from."""
KeyOf = Callable[[str, str], Awaitable[SigningKey | None]]
"""``(printer, name of a key)`` to that key."""


@frozen
class About:
    """What a status mail is about, and who reads it.

    :ivar uuid: of the job here, which an answer names.
    :ivar to: address of the reader.
    :ivar message_id: of the mail that is answered, with angle brackets; ``trace`` of that mail, whose header is
        returned.
    :ivar kid: name of the key that signs; empty = nobody signs.
    :ivar name: of the job.
    :ivar passed: what happened before, a line each.
    """

    uuid: str
    printer: str
    to: str
    message_id: str = ""
    trace: str = ""
    kid: str = ""
    name: str = ""
    passed: tuple[str, ...] = ()


class StatusLetters:
    """Sends them.

    :param intake: the one door.
    :ivar sender_of: the address that a printer's mails come from.
    :ivar secret: by it an answer proves that it comes from a reader; without it nothing is sent.
    """

    _log = Logger()

    def __init__(self, service: PrintService, intake: IIntake, sender_of: SenderOf, key_of: KeyOf) -> None:
        self._service = service
        self._store = service.store
        self._intake = intake
        self.sender_of = sender_of
        self._key_of = key_of
        self.secret = b""

    async def header_of(self, trace: str) -> bytes:
        """The header of a stored mail, or nothing when it is not kept or too long."""
        found = await self._store.find(trace) if trace else ()
        stored = await self._store.message(found[0][0]) if found else None
        if stored is None or stored[0].header_length > _HEADER:
            return b""
        return await stored[0].header()

    async def send(self, status: PrintStatus, about: About, mark: str) -> bool:
        """One mail; False when it was sent before.

        :param mark: what is told, within the job.
        :raises PeerFault: the reader's address is none.
        :raises PolicyRefusal: nobody can send it.
        :raises Unavailable: not now.
        """
        to, sender = Address.parse(about.to), self.sender_of(about.printer)
        if not self.secret:
            raise Unavailable(detail={"why": "status mails are not ready yet"})
        if sender is None:
            raise PolicyRefusal(f"There is no address that mails of {about.printer} come from")
        message_id = status_id(about.uuid, mark, str(to), self._service.hostname, self.secret)
        if sender.key == to.key:
            return False
        now = self._service.now()
        original = (await self.header_of(about.trace)).rstrip(b"\r\n")
        letter = StatusLetter(
            sender=sender,
            to=to,
            message_id=message_id,
            at=now,
            about=about.message_id,
            original=original + b"\r\n" if original else b"",
        )
        return await self.hand_in_once(message_id, await self._written(status, about, letter), to)

    async def _written(self, status: PrintStatus, about: About, letter: StatusLetter) -> bytes:
        try:
            key = await self._key_of(about.printer, about.kid) if about.kid else None
            return status_mail(status, about.name, letter, key, about.passed)
        except (LocalFault, ConfigFault) as fault:
            self._log.warn("a status mail of {printer} is not signed: {why}", printer=about.printer, why=fault.public)
            return status_mail(status, about.name, letter, None, about.passed)

    async def hand_in_once(self, message_id: str, octets: bytes, to: Address) -> bool:
        """Give a mail from the null sender to the door, unless one with its Message-ID is stored; tells whether.

        :raises Unavailable: not now.
        """
        if await self._store.find(message_id):
            return False
        body = await new_body(self._store, octets)
        origin = Origin(Source.REPORT, trace_id(self._service.now(), self._service.token(3)))
        await self._intake.accept(Envelope(None, (Recipient(to),), size=len(octets)), body, origin)
        return True
