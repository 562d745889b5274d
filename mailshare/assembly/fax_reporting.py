"""Transmission reports and the activity journal of the fax lines, as facts and as PDF files."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, tzinfo

from mailshare.assembly.fax_looking import FaxLooking, mended_rows
from mailshare.assembly.opening import zone_of
from mailshare.assembly.shapes import moment
from mailshare.core.errors import MailshareError
from mailshare.core.headers import Headers
from mailshare.core.values import QueueItem, QueueState

_DAY = 86_400_000_000
_MOST = 1000  # faxes of a journal
_PICTURE = 1000  # pixels: of the two widths that are kept, the one that can be read
_RESULTS = {
    QueueState.DELIVERED: "sent",
    QueueState.FAILED: "not sent",
    QueueState.EXPIRED: "not sent",
    QueueState.CANCELLED: "given up",
}


class FaxReporting(FaxLooking):
    """Reports; put together with a class that knows the running server."""

    async def fax_report(self, *, id: int) -> Mapping[str, object]:  # noqa: A002
        """The transmission report of one fax: its head, every call, and its first page.

        :returns: ``name`` of the file and ``data``, a PDF in base64.
        """
        from mailshare.fax.report_pdf import shown_time, transmission_report  # noqa: PLC0415 - only where faxes go out

        row, office, zone = await self._fax_row(id), self._fax_room().running(), self._fax_zone()
        calls = await self._calls(row)
        body = await self._store.queue.body(row.message_id)
        subject = Headers.parse(await body.header()).text("subject")
        sender = self._directory().user_by_id.get(row.submitter_id or 0)
        told = await self._logged(row)
        cost = sum(float(str(one.get("cost", 0))) for one in told)
        lines = [
            ("Fax", f"{row.id} ({row.trace})"),
            ("Result", f"{_RESULTS.get(row.state, row.word)}: {row.reply}"),
            ("Number", str(row.params.get("number", ""))),
            ("To", " ".join(str(row.params.get(name, "")) for name in ("title", "company")).strip()),
            ("Subaddress", str(row.params.get("sub", ""))),
            ("Far machine", calls[-1].get("remote", "") if calls else ""),
            ("Pages received", calls[-1].get("pages", "") if calls else ""),
            ("Mended rows", str(mended_rows(told) or "")),
            ("Cost", f"{cost:.2f}" if cost else ""),
            ("Subject", subject),
            ("Sender", sender.name if sender is not None else str(row.params.get("reader", ""))),
            ("Handed in", shown_time(moment(row.queued), zone)),
            ("Own station", office.rules.station),
        ]
        timed = [{**one, "at": shown_time(one["at"], zone)} for one in calls]
        try:
            picture, _ = await office.pictures.outgoing(body, 1, _PICTURE, row.params.get("cover"))
        except MailshareError:
            picture = b""  # nothing but a cover page, or it cannot be drawn: the report goes without
        title, head = f"Transmission report: fax {row.id}", [(name, value) for name, value in lines if value]
        made: bytes = await office.aside(lambda: transmission_report(head, timed, picture, title=title))
        return {"name": f"fax-{row.id}.pdf", "data": b64encode(made).decode("ascii")}

    async def fax_paper(self, number: int) -> tuple[str, bytes]:
        """The transmission report of one fax: name and octets, for the mail about its end."""
        made = await self.fax_report(id=number)
        return str(made["name"]), b64decode(str(made["data"]))

    async def fax_activity(self, *, days: int = 7, pdf: bool = False) -> Mapping[str, object]:
        """What was sent and received lately, newest first (RFC 4161 sections 2.6 and 3.2).

        :param pdf: also as a PDF file: ``name`` and, in base64, ``data``.
        """
        from mailshare.fax.report_pdf import activity_journal, shown_time  # noqa: PLC0415 - as above

        office, days = self._fax_room().running(), min(max(days, 1), 400)
        since = self._clock() - days * _DAY
        sent = await self._store.queue.items(agent="fax", open_only=False, limit=_MOST)
        rows = [await self._sent(row) for row in sent if row.queued >= since and row.state in _RESULTS]
        for one in await self.fax_received(days=days):
            result = "refused" if one["refused"] else str(one["words"] or one["cause"])
            number = one["caller"] or one["station"]
            rows.append({**one, "way": "in", "number": number, "tries": "", "octets": "", "result": result})
        rows.sort(key=lambda one: str(one["at"]), reverse=True)
        if not pdf:
            return {"rows": rows}
        zone = self._fax_zone()
        timed = [{**one, "at": shown_time(str(one["at"]), zone)} for one in rows]
        made: bytes = await office.aside(lambda: activity_journal(timed, title=f"Fax activity of {days} days"))
        return {"rows": rows, "name": "fax-activity.pdf", "data": b64encode(made).decode("ascii")}

    # ------------------------------------------------------------------ inside

    async def _sent(self, row: QueueItem) -> Mapping[str, object]:
        """A fax that is over, as a line of the journal."""
        calls = await self._calls(row)
        last = calls[-1] if calls else {}
        return {
            "at": last.get("at", moment(row.queued)),
            "queued": moment(row.queued),
            "way": "poll" if row.params.get("poll") else "out",
            "fax": row.id,
            "number": row.params.get("number", ""),
            "pages": last.get("pages", ""),
            "seconds": last.get("seconds", ""),
            "tries": len(calls),
            "octets": row.size,
            "line": last.get("line", ""),
            "result": _RESULTS[row.state] if row.state is QueueState.DELIVERED else row.reply,
            "trace": row.trace,
        }

    async def _calls(self, row: QueueItem) -> list[dict[str, str]]:
        """What each call came to, the first one first; a fax that was put off was not called."""
        out = []
        for one in await self._store.queue.attempts(row.id):
            told = one.get("detail")
            told = told if isinstance(told, Mapping) else {}
            fields = told.get("fields")
            fields = fields if isinstance(fields, Mapping) else {}
            if not told.get("scheduled"):
                out.append(
                    {
                        "at": moment(int(str(one.get("at", 0)))),
                        "line": str(told.get("line", "")),
                        "pages": str(fields.get("X-Fax-Pages", "")),
                        "seconds": str(fields.get("X-Fax-Duration", "")),
                        "remote": str(fields.get("X-Fax-Remote-Id", "")),
                        "result": str(one.get("reply", "")),
                    }
                )
        return out

    def _fax_zone(self) -> tzinfo:
        return zone_of(self._config()) if self._config is not None else UTC

