"""A line that is a way to other Internet fax gateways: each fax is a mail to ``FAX=+number@`` one of them.

The pages are TIFF Profile S (RFC 3949), which every Internet fax machine takes. Success means that the mail is on its
way: what became of the fax only that gateway knows. Its delivery status is asked for (RFC 2532 section 2.1.1) and comes
to the sender as mail; a disposition notification, if one is asked for, proves no delivery (section 2.1.2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.fax_address import format_fax_address
from mailshare.core.values.fax import Coding, FaxCapabilities, FaxCause, FaxJob, FaxOutcome
from mailshare.fax.lines.calling import Call, Calls
from mailshare.interfaces import IFaxLine, IFaxPages, IFaxReceiver
from mailshare.wire.fax_mail import internet_fax
from mailshare.wire.tiff_fax import write_tiff

HandIn = Callable[[Envelope, bytes, int], Awaitable[None]]
"""``hand_in(envelope, octets, user id)``: give the door a mail in the name of a user."""
IsStored = Callable[[str], Awaitable[bool]]
"""Whether a message with this Message-ID was stored."""


@implementer(IFaxLine)
class MailLine:
    """Hands faxes to a gateway by mail.

    :param gateway: domain of its fax addresses.
    :param host: of this server, for Message-IDs.
    :param receipt: ask for a disposition notification, too.
    """

    capabilities = FaxCapabilities(codings=(Coding.MH,), reports_pages=False, reports_cause=False, steered=False)
    trouble = ""

    def __init__(
        self,
        name: str,
        gateway: str,
        clock: IReactorTime,
        hand_in: HandIn,
        is_stored: IsStored,
        *,
        host: str,
        receipt: bool = False,
        channels: int = 1,
    ) -> None:
        self.name = name
        self._gateway = gateway
        self._clock = clock
        self._hand_in = hand_in
        self._is_stored = is_stored
        self._host = host
        self._receipt = receipt
        self._channels = channels
        self._calls = Calls()
        self._up = False

    def start(self) -> None:
        """Take faxes."""
        self._up = True

    async def stop(self) -> None:
        """Take none any more."""
        self._up = False
        await self._calls.end_all()

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """What comes from other gateways comes as mail."""

    def free_channels(self) -> int:
        """So many mails are made at the same time."""
        return self._channels - len(self._calls.by_id) if self._up else 0

    def send(self, job: FaxJob, pages: IFaxPages) -> Call:
        """Make the mail and give it to the door."""
        return self._calls.begin(Call(job, lambda call: self._mailed(call, pages)))

    def find(self, native: str, job: FaxJob) -> Call | None:
        """The mail that was being handed in before a restart: it is stored, or it never was."""
        return self._calls.begin(Call(job, lambda _: self._found(native, job)))

    async def cancel(self, call_id: str) -> bool:
        """Once it is handed in it cannot be called back."""
        return self._calls.cancel(call_id)

    async def _mailed(self, call: Call, pages: IFaxPages) -> FaxOutcome:
        job = call.job
        await deferLater(self._clock, 0.0)  # whoever observes the call is told of its beginning
        await call.tell("dialing")
        sender = Address.parse(job.sender)
        to = Address(format_fax_address(job.number or job.dial, job.subaddress), self._gateway)
        strips = [await pages.encode(number, Coding.MH) for number in range(job.first_page, pages.count)]
        message_id = f"<fax-out.{job.id}@{self._host}>"
        octets = internet_fax(
            write_tiff(strips),
            sender=sender,
            to=to,
            subject=job.subject,
            message_id=message_id,
            at=int(self._clock.seconds() * 1_000_000),
            receipt=self._receipt,
        )
        await call.tell("submitted", native=message_id)
        envelope = Envelope(
            sender, (Recipient(to, notify=frozenset({"SUCCESS", "FAILURE", "DELAY"})),), size=len(octets)
        )
        try:
            await self._hand_in(envelope, octets, job.submitter)
        except PolicyRefusal as fault:
            return FaxOutcome(FaxCause.NOT_ALLOWED, native=fault.public)
        except MailshareError as fault:
            return FaxOutcome(FaxCause.LINE_DOWN, native=fault.public)
        return self._handed_on(job)

    async def _found(self, native: str, job: FaxJob) -> FaxOutcome:
        if await self._is_stored(native):
            return self._handed_on(job)
        return FaxOutcome(FaxCause.LINE_DOWN, native="the server was stopped before the mail was stored")

    def _handed_on(self, job: FaxJob) -> FaxOutcome:
        words = f"mailed to the gateway {self._gateway}, which reports on its own"
        return FaxOutcome(FaxCause.OK, job.total - job.first_page, handed_on=True, native=words)
