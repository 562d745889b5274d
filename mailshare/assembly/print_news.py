"""What an office's printers tell by mail, and whom: senders of jobs, and whoever looks after a printer."""

from __future__ import annotations

from mailshare.core.address import Address
from mailshare.interfaces import IIntake
from mailshare.printing.answering import PrintReplies
from mailshare.printing.by_mail import Reveal
from mailshare.printing.fault_watch import FaultWatch, StatusOf
from mailshare.printing.service import PrintService
from mailshare.printing.status_letters import StatusLetters
from mailshare.printing.telling import StatusDesk
from mailshare.printing.usage_reports import UsageReports
from mailshare.wire.jws import Algorithm, SigningKey, private_seed

_SCOPE, _SECRET = "print", "status-secret"
_OCTETS = 32


class PrintNewsRoom:
    """The desk that tells, and who takes answers.

    :ivar desk: for whoever receives jobs by mail.
    :ivar replies: likewise, for mail that brings none.
    :ivar faults: tells of troubles of the printers.
    """

    def __init__(self, service: PrintService, intake: IIntake, reveal: Reveal, status_of: StatusOf) -> None:
        self._service = service
        self._reveal = reveal
        self._letters = StatusLetters(service, intake, self.sender_of, self.key_of)
        self.desk = StatusDesk(service, self._letters)
        self.replies = PrintReplies(service, self._letters)
        self.faults = FaultWatch(service, self._letters, status_of)
        self._usage = UsageReports(service, self._letters)

    async def open(self) -> None:
        """After the jobs were read, when mail can be handed in; does nothing the second time."""
        if not self._service.printers or self._letters.secret:
            return
        self._letters.secret = await self._secret()
        await self.desk.open()
        self.faults.start()
        self._usage.start()

    def close(self) -> None:
        """Tell nothing any more."""
        self._usage.close()
        self.faults.close()
        self.desk.close()

    async def _secret(self) -> bytes:
        """What answers are proved by; made once for an office."""
        settings = self._service.store.settings
        found = await settings.get(_SCOPE, _SECRET)
        if found is None:
            made = self._service.token(_OCTETS)
            await settings.put(_SCOPE, _SECRET, made.hex(), 0)
            return made
        return bytes.fromhex(str(found[0]))

    def sender_of(self, printer: str) -> Address | None:
        """Where a printer's mails come from, and answers to them go: its first address that is known outside.

        Without one it is the account that they leave by.
        """
        directory = self._service.store.directory.current()
        place = next((one for one in directory.printers if one.name == printer), None)
        for address in place.addresses if place is not None else ():
            if address.domain:
                return address
        known = self._service.printers.get(printer)
        for account in directory.accounts:
            if account.enabled and known is not None and known.account in ("", str(account.address)):
                return account.address
        return None

    async def key_of(self, printer: str, kid: str) -> SigningKey | None:
        """What signs news for a sender: the secret that both share, or the printer's own key for one with a key pair.

        Either goes by the name of the sender's key.

        :raises ConfigFault: a reference leads nowhere, or to no key.
        """
        known = self._service.printers.get(printer)
        key = known.keys.get(kid) if known is not None else None
        if known is None or key is None:
            return None
        if key.secret:
            return SigningKey(kid, Algorithm.HS256, secret=(await self._reveal(key.secret)).encode())
        if not known.signing_key:
            return None
        return SigningKey(kid, Algorithm.EDDSA, secret=private_seed(await self._reveal(known.signing_key)))
