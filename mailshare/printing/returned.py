"""Takes in what mail servers say of mails that brought print jobs on their way: too large, not delivered, late.

Only whoever saw such a mail knows its Message-ID, so that nobody else ends a job by a bounce that he wrote himself.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from mailshare.core.headers import Headers
from mailshare.core.print_parts import says_too_large, too_large
from mailshare.core.print_status import is_status
from mailshare.core.returned_parts import MAX_LOOKED_AT, is_report, references, returned_ids
from mailshare.core.values import PrintChange, PrintState
from mailshare.printing.by_mail import ByMail
from mailshare.printing.service import PrintService
from mailshare.printing.under_way import Meant, meant
from mailshare.shell.body_pieces import pieces
from mailshare.wire.delivery_status import DeliveryStatusCollector, RecipientStatus
from mailshare.wire.mime import MIMEReader
from mailshare.wire.print_mail import travelling_name

_LOOKED_BACK = 500  # messages at the start
_TOO_LARGE = RecipientStatus("failed", "5.3.4")


class Returned:
    """Reads bounces that came in.

    :param way: by which the jobs went out.
    """

    _log = Logger()

    def __init__(self, service: PrintService, way: ByMail) -> None:
        self._service = service
        self._way = way

    def seen(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message."""
        if self._service.board.under_way and is_report(headers) and not is_status(headers):
            self._service.soon(self.take(message_id))

    async def catch_up(self) -> None:
        """Read what came last before a stop; what was taken in then already changes nothing."""
        for stored in await self._service.store.recent(_LOOKED_BACK):
            known = "".join(f"{name}: {value}\r\n" for name, value in stored.fields.items())
            if is_report(Headers.parse(known.encode())):
                await self.take(stored.id)

    async def take(self, message_id: int) -> bool:
        """Take in a stored mail; whether it was about a job that is under way."""
        found = await self._service.store.message(message_id)
        if found is None:
            return False
        body, trace, _ = found
        headers = Headers.parse(await body.header())
        if not is_report(headers) or is_status(headers):
            return False
        reader, collector = MIMEReader(), DeliveryStatusCollector()
        start = bytearray()
        async for piece in pieces(body):
            for event in reader.feed(piece):
                collector.take(event)
            start += piece
            if len(start) > 2 * MAX_LOOKED_AT:
                break
        told = bytes(start[body.header_length :])
        about = self._about((*returned_ids(told), *references(headers)))
        if about is None:
            return False
        self._log.info("bounce {trace} is about job {job}", trace=trace, job=about.job.id)
        await self._apply(about, collector.result() or ([_TOO_LARGE] if says_too_large(told) else []))
        return True

    def _about(self, ids: Sequence[str]) -> Meant | None:
        names = (travelling_name(one, self._service.hostname) for one in ids)
        return next((one for name in names if name and (one := meant(self._service, name))), None)

    async def _apply(self, about: Meant, told: Sequence[RecipientStatus]) -> None:
        job, member = about.job, about.member
        failed = next((one for one in told if one.action == "failed"), None)
        if failed is None:
            late = next((one for one in told if one.action == "delayed"), None)
            if late is not None:
                words = "A mail server on the way has not got it through yet" + _quoted(late)
                await self._service.change(job, PrintChange(member, message=words))
            return
        if too_large(failed.code, failed.status) and await self._way.cut_smaller(job, member):
            return
        reasons, words = ("aborted-by-system",), "A mail with it came back" + _quoted(failed)
        await self._service.change(job, PrintChange(member, PrintState.ABORTED, reasons, words))


def _quoted(one: RecipientStatus) -> str:
    said = one.reply or one.status
    return f": {said}" if said else ""
