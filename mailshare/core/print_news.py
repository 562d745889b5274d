"""What the sender of a print job is told, and when: which news a job has, who wants it, and what was told already.

A job's news is the one word that says how it stands. What is told is marked in the job's own row, so that neither a
kill nor a second look tells it twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import frozen

from mailshare.core.print_faults import Severity, of_the_printer, parted
from mailshare.core.print_status import Happening, PrintStatus
from mailshare.core.report_parts import printable
from mailshare.core.values import SECOND, Certainty, PrintJob, PrintMail, PrintState

PAUSE = 10 * SECOND
"""Microseconds between two status mails of one job."""

_TRACE = frozenset({"trace"})
_WANTED: Mapping[Happening, frozenset[str]] = {
    Happening.RECEIVED: _TRACE | {"pages"},
    Happening.PRINTING: _TRACE,
    Happening.DONE: _TRACE | {"done", "pages"},
    Happening.CANCELED: _TRACE | {"done", "error"},
    Happening.FAILED: _TRACE | {"done", "error"},
    Happening.UNKNOWN: _TRACE | {"done", "error"},
    Happening.REFUSED: _TRACE | {"done", "error", "pages"},
}
_STOPPED_BY_HAND = "job-suspended"
_PLAIN = frozenset({"none", "job-printing", "job-outgoing", "queued-in-device", "job-transforming"})


@frozen
class News:
    """How a job stands, for its sender.

    :ivar mark: stands in :attr:`PrintJob.told` once it was told.
    """

    mark: str
    status: PrintStatus


def wanted(happening: Happening, notify: Collection[str], *, trouble: bool = False) -> bool:
    """Whether a sender who asked for that is told.

    What needs him, a job that is held and parts that are missing, he is told whatever he asked for.

    :param trouble: the printer stands still in the middle of the job, or goes on after that: who wants to hear of
        errors hears it, and his queue shows why nothing comes.
    """
    asked = _WANTED.get(happening)
    return asked is None or not asked.isdisjoint(notify) or (trouble and "error" in notify)


def news_of(job: PrintJob, at: int) -> News | None:
    """The news of a job that its sender wants and was not told.

    :param at: microseconds UTC, for what has no time of its own.
    """
    ticket = job.ticket
    if ticket.mail is None or not ticket.mail.reply:
        return None
    happening = happening_of(job)
    if happening is None:
        return None
    news = standing_news(job, happening, ticket.mail, at)
    if news.mark in job.told or not wanted(happening, ticket.notify, trouble=_troubled(job, news)):
        return None
    return news


def _troubled(job: PrintJob, news: News) -> bool:
    """The printer stands still with a fault of its own, or its sender was told so."""
    if news.status.happening is not Happening.PRINTING:
        return False
    for one in news.status.reasons:
        word, severity = parted(one)
        # That it was not reached just now is tried again and no news yet.
        if of_the_printer(one) and severity is Severity.ERROR and word != "connecting-to-device":
            return True
    return any(mark.startswith(f"{news.mark}:") for mark in job.told)


def doubt_of(job: PrintJob, at: int) -> News | None:
    """The news for whoever looks after a printer: nobody knows whether this job is printed, and he was not told."""
    mail = job.ticket.mail
    if mail is None or happening_of(job) is not Happening.UNKNOWN:
        return None
    news = standing_news(job, Happening.UNKNOWN, mail, at)
    news = News(f"{news.mark}:carers", news.status)
    return None if news.mark in job.told else news


def standing_news(job: PrintJob, happening: Happening, mail: PrintMail, at: int) -> News:
    """How a job stands, whoever wants to know it and whatever was told."""
    status = _status(job, happening, mail, at)
    turn = max((one.serial for one in job.members.values()), default=0)
    troubles = "+".join(status.reasons) if happening is Happening.PRINTING else ""
    return News(f"{turn}:{happening.value}" + (f":{troubles}"[:200] if troubles else ""), status)


def happening_of(job: PrintJob) -> Happening | None:
    """The word for how a job stands; ``None`` while it is not whole, or somebody at the printer has suspended it."""
    if not job.closed and not job.state.final:
        return None
    if any(one.certainty == Certainty.UNKNOWN.value for one in job.members.values()) and job.state not in _CERTAIN:
        return Happening.UNKNOWN
    if job.state is PrintState.STOPPED:
        return None if _STOPPED_BY_HAND in job.reasons else Happening.PRINTING
    return _WORDS[job.state]


_CERTAIN = (PrintState.COMPLETED, PrintState.CANCELED, PrintState.PENDING, PrintState.HELD)
_WORDS = {
    PrintState.PENDING: Happening.RECEIVED,
    PrintState.HELD: Happening.HELD,
    PrintState.PROCESSING: Happening.PRINTING,
    PrintState.CANCELED: Happening.CANCELED,
    PrintState.ABORTED: Happening.FAILED,
    PrintState.COMPLETED: Happening.DONE,
}


def _status(job: PrintJob, happening: Happening, mail: PrintMail, at: int) -> PrintStatus:
    """The status that tells it; of several printers the least certain one speaks."""
    certainties = {one.certainty for one in job.members.values()}
    certainty = next((one for one in _DOUBTFUL if one.value in certainties), Certainty.NONE)
    over = job.state.final
    reasons = tuple(one for one in job.reasons if one not in _PLAIN)
    failed = happening in (Happening.FAILED, Happening.UNKNOWN)
    return PrintStatus(
        id=mail.id,
        happening=happening,
        printer=", ".join(job.members) or job.ticket.queue,
        at=(job.completed if over else 0) or at,
        certainty=certainty if over or happening is Happening.UNKNOWN else Certainty.NONE,
        reasons=reasons,
        impressions=job.impressions if job.impressions >= 0 else None,
        sheets=job.sheets if job.sheets >= 0 else None,
        pages=mail.pages if mail.pages >= 0 else None,
        error=(reasons[0] if reasons else "aborted-by-system") if failed else "",
        words=printable(job.message, 300),
        ignored=mail.ignored,
        of=mail.of,
    )


_DOUBTFUL = (Certainty.UNKNOWN, Certainty.HANDED_OVER, Certainty.ACCEPTED, Certainty.COMPLETED)
