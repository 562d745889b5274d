"""Takes in what printing servers report by mail, so that a job is seen as it stands at the far end.

A status is believed when it is signed with the key of its destination, the shared one or the printer's own; where there
is none, when it comes from the address that the job was sent to.
"""

from __future__ import annotations

from attrs import evolve
from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.headers import Headers
from mailshare.core.print_status import Happening, PrintStatus, is_status
from mailshare.core.values import PrintChange, PrintState
from mailshare.printing.by_mail import ByMail
from mailshare.printing.service import PrintService
from mailshare.printing.under_way import Meant, meant
from mailshare.wire.jws import Signed, verified
from mailshare.wire.mime import MIMEReader
from mailshare.wire.print_status_mail import StatusCollector

_PIECE = 64 * 1024
_MOST = 4 << 20  # octets of a mail in which its machine part is looked for
_LOOKED_BACK = 500  # messages at the start
_UNDER_WAY = {
    Happening.RECEIVED: ("queued-in-device",),
    Happening.HELD: ("queued-in-device", "job-hold-until-specified"),
    Happening.PRINTING: ("job-printing",),
    Happening.RESEND: ("job-outgoing",),
}
_OVER = {
    Happening.FAILED: (PrintState.ABORTED, "aborted-by-system"),
    Happening.REFUSED: (PrintState.ABORTED, "aborted-by-system"),
    Happening.CANCELED: (PrintState.CANCELED, "job-canceled-at-device"),
}


class Reported:
    """Reads status mails that came in.

    :param way: by which the jobs went out.
    """

    _log = Logger()

    def __init__(self, service: PrintService, way: ByMail) -> None:
        self._service = service
        self._way = way

    def seen(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message."""
        if is_status(headers):
            self._service.soon(self.take(message_id))

    async def catch_up(self) -> None:
        """Read what came last before a stop; what was taken in then already changes nothing."""
        for stored in await self._service.store.recent(_LOOKED_BACK):
            if "[print]" in stored.fields.get("subject", ""):
                await self.take(stored.id, late=True)

    async def take(self, message_id: int, *, late: bool = False) -> bool:
        """Take in a stored mail; whether it was a status that was believed.

        :param late: it was stored before this server started: parts it asks for are not sent, it will ask again.
        """
        found = await self._service.store.message(message_id)
        if found is None:
            return False
        body, trace, _ = found
        headers = Headers.parse(await body.header())
        if not is_status(headers):
            return False
        reader, collector = MIMEReader(), StatusCollector()
        for position in range(0, min(body.size, _MOST), _PIECE):
            for event in reader.feed(await body.read(position, _PIECE)):
                collector.take(event)
        try:
            status, signed = collector.result()
        except PeerFault as fault:
            self._log.info("status mail {trace}: {fault}", trace=trace, fault=fault.public)
            return False
        about = meant(self._service, status.id)
        if about is None or not await self._believed(about, headers, signed):
            self._log.info("status mail {trace} is about no job here, or cannot be believed", trace=trace)
            return False
        await self._apply(status, about, late=late)
        return True

    async def _believed(self, about: Meant, headers: Headers, signed: Signed) -> bool:
        destination = self._service.destinations.get(about.member)
        if destination is None or destination.scheme != self._way.scheme:
            return False
        key = await self._way.reporting_key_of(destination)
        if key is not None:
            return verified(signed, key)
        printer = Address.parse(destination.address.removeprefix("mailto:"))
        return [box.address.key for box in headers.mailboxes("from")] == [printer.key]

    async def _apply(self, status: PrintStatus, about: Meant, *, late: bool) -> None:
        job, member = about.job, about.member
        if status.happening is Happening.RESEND and not late:
            await self._send_again(status, about)
        change = PrintChange(
            member,
            message=status.words or f"{status.printer}: {status.happening.value}",
            impressions=status.impressions,
            sheets=status.sheets,
            certainty=status.certainty.value or None,
        )
        await self._service.change(job, _with_state(change, status, about))

    async def _send_again(self, status: PrintStatus, about: Meant) -> None:
        try:
            sent = await self._way.send_again(about.job, about.member, about.document.number, status.missing)
        except MailshareError as fault:
            self._log.warn("parts of job {job} were not sent again: {fault}", job=about.job.id, fault=fault.public)
        else:
            self._log.info("{sent} parts of job {job} were sent again", sent=sent, job=about.job.id)


def _with_state(change: PrintChange, status: PrintStatus, about: Meant) -> PrintChange:
    """The change with state and reasons; a job with several documents is over when the last one is."""
    happening = status.happening
    if happening in _UNDER_WAY:
        reasons = tuple(dict.fromkeys((*_UNDER_WAY[happening], *status.reasons)))
        return evolve(change, state=PrintState.PROCESSING, reasons=reasons)
    if happening is Happening.UNKNOWN:
        return evolve(change, state=PrintState.STOPPED, reasons=("printer-stopped", *status.reasons))
    if happening is Happening.DONE:
        printed = tuple(sorted({*about.job.members[about.member].printed, about.document.number}))
        wanted = {one.number for one in about.job.documents if not one.canceled}
        if wanted - set(printed):
            return evolve(change, state=PrintState.PROCESSING, reasons=("job-printing",), printed=printed)
        return evolve(change, state=PrintState.COMPLETED, printed=printed)
    state, reason = _OVER[happening]
    return evolve(change, state=state, reasons=tuple(dict.fromkeys((reason, *status.reasons))))
