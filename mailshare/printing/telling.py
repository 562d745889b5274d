"""Tells senders by mail what becomes of what they sent to a printer of this office.

What is to be told follows from a job's row, and what was told is marked there: what a kill left untold is told after
the next start.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from attrs import evolve
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.autoreply import is_automatic
from mailshare.core.errors import MailshareError
from mailshare.core.headers import Headers
from mailshare.core.json_fields import moment_text
from mailshare.core.print_faults import Role
from mailshare.core.print_news import PAUSE, News, doubt_of, news_of
from mailshare.core.print_status import Happening, PrintStatus
from mailshare.core.report_parts import printable
from mailshare.core.values import SECOND, PrintChange, PrintJob, PrintNews
from mailshare.interfaces import IPrintTeller
from mailshare.printing.mail_pace import MailPace
from mailshare.printing.service import PrintService
from mailshare.printing.status_letters import About, StatusLetters

_DAY = 86_400 * SECOND
_STRANGER = UUID("6f3a4f6e-51f1-5b0b-9b2c-5a4d1f2f7b10")
_MOST_PASSED = 20


@implementer(IPrintTeller)
class StatusDesk:
    """Follows the jobs that came by mail."""

    _log = Logger()

    def __init__(self, service: PrintService, letters: StatusLetters) -> None:
        self._service = service
        self._letters = letters
        self._pace = MailPace(service.reactor, service.now, service.soon, PAUSE)
        self._passed: dict[int, list[str]] = {}
        self._busy: set[int] = set()
        service.board.watching.append(self._changed)

    async def open(self) -> None:
        """Tell what was not told before the last stop."""
        for job in self._service.board.under_way:
            self._look(job)
        before: int | None = None
        while page := await self._service.store.print_jobs.untold(before_id=before):
            before = page[-1].id
            for job in page:
                self._look(job)

    def close(self) -> None:
        """Tell nothing any more; what waits is told after the next start."""
        self._service.board.watching.remove(self._changed)
        self._pace.close()

    # ------------------------------------------------------------------ jobs

    def _changed(self, before: PrintJob | None, after: PrintJob | None) -> None:
        if after is not None:
            self._look(after)
        elif before is not None:
            self._pace.drop(_key(before))
            self._passed.pop(before.id, None)

    def _look(self, job: PrintJob) -> None:
        news = doubt_of(job, self._service.now())
        if news is not None and self._carers(job):
            self._pace.later(f"doubt {job.ticket.uuid}", lambda: self._tell_carers(job.id))
        news = news_of(job, self._service.now())
        if news is None:
            return
        if "trace" in job.ticket.notify:
            passed, line = self._passed.setdefault(job.id, []), _line(news.status)
            if line not in passed and len(passed) < _MOST_PASSED:
                passed.append(line)
        self._pace.later(_key(job), lambda: self._tell_job(job.id))

    async def _tell_job(self, job_id: int) -> None:
        if job_id in self._busy:
            return  # whoever is at it looks again
        self._busy.add(job_id)
        job: PrintJob | None = None
        try:
            job = await self._service.store.print_jobs.job(job_id)
            news = None if job is None else news_of(job, self._service.now())
            if job is not None and news is not None:
                job = await self._told(job, news)
        except MailshareError as fault:
            self._log.warn("news of print job {job} were not sent: {fault}", job=job_id, fault=fault.public)
        finally:
            self._busy.discard(job_id)
        after = self._service.board.get(job_id) or job
        if after is not None:
            self._look(after)

    def _carers(self, job: PrintJob) -> tuple[str, ...]:
        """Who looks at a printer of which nobody knows whether it has printed: its key users, else its administrators.

        Whoever sent the job is told as its sender.
        """
        printer, mail = self._service.printers.get(job.ticket.queue), job.ticket.mail
        if printer is None or mail is None:
            return ()
        contacts = printer.contacts.get(Role.KEY.value) or printer.contacts.get(Role.ADMIN.value) or ()
        return tuple(one for one in contacts if one.casefold() != mail.reply.casefold())

    async def _tell_carers(self, job_id: int) -> None:
        job = await self._service.store.print_jobs.job(job_id)
        news = None if job is None else doubt_of(job, self._service.now())
        if job is None or news is None:
            return
        try:
            for to in self._carers(job):
                about = evolve(about_job(job), to=to, message_id="", trace="", kid="")
                await self._letters.send(news.status, about, news.mark)
            await self._service.change(job, PrintChange(told=(news.mark,)))
        except MailshareError as fault:
            self._log.warn("nobody was told of the doubt about job {job}: {fault}", job=job_id, fault=fault.public)
            if fault.temporary:
                self._pace.later(f"doubt {job.ticket.uuid}", lambda: self._tell_carers(job_id))

    async def _told(self, job: PrintJob, news: News) -> PrintJob:
        line = _line(news.status)
        passed = tuple(one for one in self._passed.pop(job.id, ()) if one != line)
        try:
            await self._letters.send(news.status, about_job(job, passed), news.mark)
        except MailshareError as fault:
            if fault.temporary:
                raise
            self._log.warn("nobody can be told of print job {job}: {fault}", job=job.id, fault=fault.public)
        return await self._service.change(job, PrintChange(told=(news.mark,)))

    # ------------------------------------------------------------------ what is no job

    async def tell(self, news: PrintNews) -> None:
        """See :class:`IPrintTeller`."""
        status = PrintStatus(
            id=news.id,
            happening=Happening(news.happening),
            printer=news.printer,
            at=news.at,
            missing=news.missing,
            ignored=news.ignored,
            error=news.error,
            words=printable(news.words, 300),
        )
        about = About(news.id, news.printer, news.to, news.message_id, news.trace, news.kid, news.name)
        mark = _mark(news)
        if not news.kid:
            headers = Headers.parse(await self._letters.header_of(news.trace))
            if is_automatic(headers):
                return
            if status.happening is Happening.REFUSED:
                # One a day to one reader, whatever he sends: the mail of the first one is found again.
                day = f"{news.printer}/{news.to.casefold()}/{news.at // _DAY}"
                mark, about = day, About(
                    str(uuid5(_STRANGER, day)), news.printer, news.to, news.message_id, news.trace, name=news.name
                )
        if status.happening is not Happening.RECEIVED:
            await self._try(status, about, mark)
        elif news.missing:  # all of it is a job now, which has news of its own
            self._pace.later(news.id, lambda: self._try(status, about, mark), weak=True)

    async def _try(self, status: PrintStatus, about: About, mark: str) -> None:
        try:
            await self._letters.send(status, about, mark)
        except MailshareError as fault:
            self._log.warn("news of print job {job} were not sent: {fault}", job=status.id, fault=fault.public)
            if fault.temporary:
                self._pace.later(f"again {status.id} {mark}", lambda: self._try(status, about, mark))


def _key(job: PrintJob) -> str:
    """Under what its mails are kept apart: as its sender knows it, so that mails about its parts count, too."""
    return job.ticket.uuid if job.ticket.mail is None else job.ticket.mail.id


def _mark(news: PrintNews) -> str:
    """Under what it counts as told: an end once, however often it is said; what was printed already once a day."""
    if news.error == "duplicate":
        return f"duplicate:{news.at // _DAY}"
    if Happening(news.happening) in (Happening.RECEIVED, Happening.RESEND):
        return f"{news.happening}:{news.at}:{news.missing}"
    return f"{news.happening}:{news.error}"


def about_job(job: PrintJob, passed: tuple[str, ...] = ()) -> About:
    """What its status mails are about; for jobs that came by mail."""
    mail = job.ticket.mail
    if mail is None:
        raise ValueError(job.id)
    return About(
        uuid=job.ticket.uuid,
        printer=job.ticket.queue,
        to=mail.reply,
        message_id=mail.message_id,
        trace=mail.trace,
        kid=mail.kid,
        name=job.ticket.name,
        passed=passed,
    )


def _line(status: PrintStatus) -> str:
    """One event of a trace: ``2026-11-21T21:40:07Z printing (media-empty-error)``."""
    reasons = f" ({', '.join(status.reasons)})" if status.reasons else ""
    return f"{moment_text(status.at)} {status.happening.value}{reasons}"
