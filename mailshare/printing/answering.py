"""Takes what people answer to status mails: ``#cancel``, ``#reprint``, ``#release PIN``.

Who answers must have been sent the status mail, which its Message-ID in the answer proves, or must have proved by other
means that he is who sent the job. Everybody else hears nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from attrs import evolve, frozen
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.autoreply import is_automatic
from mailshare.core.errors import MailshareError
from mailshare.core.headers import Headers
from mailshare.core.print_answers import Answered, answered, proves
from mailshare.core.print_news import happening_of, standing_news
from mailshare.core.print_policy import Proof, judged
from mailshare.core.print_status import Happening, is_status
from mailshare.core.print_words import ReplyCommand, reply_command
from mailshare.core.returned_parts import references
from mailshare.core.values import PrintChange, PrintDocument, PrintJob, PrintMail, PrintSet, PrintState, PrintTicket
from mailshare.interfaces import IBody, IPrintReplies
from mailshare.printing.again import printed_again
from mailshare.printing.brought import key_of
from mailshare.printing.service import PrintService, uuid7
from mailshare.printing.status_letters import StatusLetters
from mailshare.printing.taking import FORGOTTEN, JobRefused, Taking
from mailshare.printing.telling import about_job
from mailshare.wire.answer_text import AnswerText
from mailshare.wire.mime import MIMEReader

MOST_TRIES = 5  # PINs that may be wrong, for one job
_PIECE = 64 * 1024
_MOST = 1 << 20  # octets of an answer that are looked at
_ANSWER = re.compile(r"\s*(?:re|aw|antw|sv|vs|ref|odp|rif)(?:\[\d+\])?\s*:.*\[print\]", re.IGNORECASE)
_NAMED = re.compile(r"\bJob ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_WRONG_PIN = "wrong-pin:"


@frozen
class _Answer:
    """One answer.

    :ivar reader: who wrote it; ``message_id`` and ``trace`` of it.
    """

    job: PrintJob
    mail: PrintMail
    command: ReplyCommand
    reader: str
    message_id: str
    trace: str


@implementer(IPrintReplies)
class PrintReplies:
    """Does what is asked for, and says so by a status mail.

    :ivar taking: makes jobs that are printed again.
    """

    _log = Logger()

    def __init__(self, service: PrintService, letters: StatusLetters) -> None:
        self._service = service
        self._jobs = service.store.print_jobs
        self._letters = letters
        self.taking: Taking | None = None

    async def take(self, printer: str, message_id: int, headers: Headers, level: int) -> bool:
        """See :class:`IPrintReplies`."""
        if is_status(headers):
            return True
        ours = [one for each in references(headers) if (one := answered(each)) is not None]
        if is_automatic(headers):
            return bool(ours)
        senders = [str(box.address) for box in headers.mailboxes("from")]
        found = await self._service.store.message(message_id)
        if found is None or len(senders) != 1:
            return bool(ours)
        body, trace, _ = found
        lines = await _lines(body)
        command = reply_command(lines)
        if command is not None:
            job = await self._job(printer, senders[0], ours, lines, level)
            if job is not None and job.ticket.mail is not None:
                about = _Answer(job, job.ticket.mail, command, senders[0], headers.own_id, trace)
                await self._done(about)
                return True
        if ours or _ANSWER.match(headers.text("subject")):
            self._log.info("answer {trace} to {name} asks for nothing, or not by right", name=printer, trace=trace)
            return True
        return False

    async def _job(
        self, printer: str, sender: str, ours: Sequence[Answered], lines: Sequence[str], level: int
    ) -> PrintJob | None:
        """The job that somebody speaks of who may."""
        for one in ours:
            job = await self._jobs.find(one.uuid)
            if job is not None and job.ticket.queue == printer and proves(one, sender, self._letters.secret):
                return job
        if level <= 0:
            return None
        # His name is proved: then the job may also be named as the status mail names it, in what the answer quotes.
        named = {each[1] for line in lines if (each := _NAMED.search(line))} | {one.uuid for one in ours}
        for job in self._service.board.listed(printer, "all"):
            mail = job.ticket.mail
            if mail is None or named.isdisjoint((mail.id, job.ticket.uuid)):
                continue
            if sender.casefold() in (mail.reply.casefold(), mail.sender.casefold()):
                return job
        return None

    # ------------------------------------------------------------------ what is asked for

    async def _done(self, answer: _Answer) -> None:
        does = {"cancel": self._cancel, "release": self._release, "reprint": self._reprint}[answer.command.word]
        try:
            job, happening, words = await does(answer)
        except MailshareError as fault:
            if fault.temporary:
                raise
            job, happening, words = answer.job, Happening.FAILED, fault.public
        await self._say(answer, job, happening, words)

    async def _say(self, answer: _Answer, job: PrintJob, happening: Happening | None, words: str) -> None:
        """Answer by a status mail, once for each answer."""
        mail = job.ticket.mail
        if happening is None or mail is None:
            return
        status = evolve(standing_news(job, happening, mail, self._service.now()).status, words=words)
        about = evolve(about_job(job), to=answer.reader, message_id=answer.message_id, trace=answer.trace)
        await self._letters.send(status, about, f"answer:{answer.message_id or answer.trace}")

    async def _cancel(self, answer: _Answer) -> tuple[PrintJob, Happening | None, str]:
        job = answer.job
        if job.state.final:
            return job, happening_of(job), "It was over before your answer came."
        words = f"Cancelled by an answer of {answer.reader}."
        canceled = PrintChange(state=PrintState.CANCELED, reasons=("job-canceled-by-user",), message=words)
        told = standing_news(evolve(job, state=PrintState.CANCELED), Happening.CANCELED, answer.mail, 0).mark
        job = await self._service.change(job, evolve(canceled, told=(told,)))
        return job, happening_of(job), job.message

    async def _release(self, answer: _Answer) -> tuple[PrintJob, Happening | None, str]:
        job, pin = answer.job, answer.mail.pin
        if not job.held or job.state.final:
            return job, happening_of(job), "It does not wait to be released."
        if pin and not hmac.compare_digest(hashlib.sha256(answer.command.value.encode()).hexdigest(), pin):
            tries = sum(mark.startswith(_WRONG_PIN) for mark in job.told)
            if tries >= MOST_TRIES:
                return job, None, ""
            job = await self._service.change(job, PrintChange(told=(f"{_WRONG_PIN}{answer.trace}",)))
            left = MOST_TRIES - 1 - tries
            return job, Happening.HELD, f"That is not its PIN; {left} more tries." if left else "That is not its PIN."
        if pin and sum(mark.startswith(_WRONG_PIN) for mark in job.told) >= MOST_TRIES:
            return job, None, ""
        options = {name: value for name, value in job.ticket.options.items() if name != "job-hold-until"}
        job = await self._service.change(job, PrintChange(held=False, options=options))
        return job, happening_of(job), f"Released by an answer of {answer.reader}."

    async def _reprint(self, answer: _Answer) -> tuple[PrintJob, Happening | None, str]:
        """A new job with the same documents; the same answer, taken twice, makes one."""
        old = answer.job
        if not old.state.final and happening_of(old) is not Happening.UNKNOWN:
            return old, happening_of(old), "It is not over yet, so it is not printed again."
        token = hashlib.sha256(f"{old.ticket.uuid}\n{answer.message_id or answer.trace}".encode()).digest()[:10]
        uuid = uuid7(old.created, token)
        mail = evolve(
            answer.mail,
            id=uuid,
            reply=answer.reader,
            message_id=answer.message_id,
            trace=answer.trace,
            of=answer.mail.id,
        )
        told, now = _told_of(old, answer), self._service.now()
        try:
            job = await printed_again(self._jobs, old, uuid, now, mail=mail, told=told, take=self._taken)
        except JobRefused as refused:
            return old, Happening.REFUSED, refused.public
        return job, Happening.RECEIVED, "It is printed once more."

    async def _taken(self, ticket: PrintTicket, documents: Sequence[tuple[PrintDocument, IBody]]) -> PrintJob:
        """A job that is printed again, within the bounds of its sender as any other.

        :raises JobRefused: he may not print, or not so much.
        """
        mail, now, printer = ticket.mail, self._service.now(), self._service.printers.get(ticket.queue)
        if self.taking is None or printer is None or mail is None:
            raise JobRefused("gone", "This printer is not there any more")
        verdict = judged(printer.policy, Address.parse(mail.sender), Proof(mail.level, mail.proof, mail.kid))
        if not verdict.allowed:
            raise JobRefused("not-allowed", f"Nothing of yours is printed here any more: {verdict.words}")
        one = PrintSet(
            key=key_of(mail, printer.name),
            printer=printer.name,
            created=now,
            expires=now + FORGOTTEN,
            total=1,
            octets=sum(document.length for document, _ in documents),
            digest=documents[0][0].digest.hex(),
            mail=mail,
            last=now,
        )
        job = await self.taking.take(printer, one, ticket, documents, verdict, held=False)
        job = job or await self._jobs.find(ticket.uuid)
        if job is None:
            raise JobRefused("over", "It cannot be printed again")
        return job


def _told_of(job: PrintJob, answer: _Answer) -> tuple[str, ...]:
    """The marks of what became of a job whose reader has had it printed anew: that is no news to him."""
    marks = (Happening.FAILED, Happening.UNKNOWN)
    return tuple(standing_news(job, one, answer.mail, 0).mark for one in marks)


async def _lines(body: IBody) -> list[str]:
    reader, text = MIMEReader(), AnswerText()
    for position in range(0, min(body.size, _MOST), _PIECE):
        for event in reader.feed(await body.read(position, _PIECE)):
            text.take(event)
    for event in reader.end():
        text.take(event)
    return text.lines()
